use domain::consumer::{KeyState, SubscriptionState};
use domain::id::{ApplicationId, KeyId, OrganizationId, PlanId, SubscriptionId, VersionId};
use domain::offer::{Period, Quota};
use domain::snapshot::{Application, Key, Plan, Snapshot, Subscription};
use uuid::Uuid;

use super::{Directory, Error};
use crate::Moment;
use crate::testing::{By, Scene};

pub(crate) fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub(crate) fn at(text: &str) -> Moment {
    Moment {
        calendar: text.parse().unwrap(),
        steady_ns: 0,
    }
}

/// One application with a key of 32 bytes of 7, subscribed to version 2.
pub(crate) fn snapshot() -> Snapshot {
    let (plan, application) = (PlanId::new(id(3)), ApplicationId::new(id(4)));
    Snapshot {
        plans: vec![Plan {
            id: plan,
            name: "free".parse().unwrap(),
            rate_limit: None,
            quota: None,
            concurrent_calls_max: None,
            tier_costs: None,
            when_store_is_away: Default::default(),
        }],
        applications: vec![Application {
            id: application,
            organization: OrganizationId::new(id(9)),
            subscriptions: vec![Subscription {
                id: SubscriptionId::new(id(10)),
                plan,
                state: SubscriptionState::Active,
                versions: vec![VersionId::new(id(2))],
            }],
        }],
        keys: vec![Key {
            id: KeyId::new(id(1)),
            hash: "07".repeat(32),
            application,
            state: KeyState::Active,
            expires_at: None,
        }],
        ..Snapshot::empty("sandbox".parse().unwrap())
    }
}

#[test]
fn what_is_named_has_to_be_there() {
    let mut no_plan = snapshot();
    no_plan.plans.clear();
    assert!(matches!(
        Directory::compile(&no_plan, None),
        Err(Error::NoPlan { .. })
    ));
    let mut no_application = snapshot();
    no_application.applications.clear();
    assert!(matches!(
        Directory::compile(&no_application, None),
        Err(Error::NoApplication { .. })
    ));
    for hash in ["", "07", &"0g".repeat(32), &"07".repeat(33)] {
        let mut no_hash = snapshot();
        no_hash.keys[0].hash = hash.to_owned();
        assert!(
            matches!(Directory::compile(&no_hash, None), Err(Error::Hash { .. })),
            "{hash}"
        );
    }
}

#[test]
fn an_active_subscription_counts_before_a_suspended_one() {
    let mut snapshot = snapshot();
    let mut other = snapshot.applications[0].subscriptions[0].clone();
    other.id = SubscriptionId::new(id(11));
    other.state = SubscriptionState::Suspended;
    snapshot.applications[0].subscriptions.insert(0, other);
    let directory = Directory::compile(&snapshot, None).unwrap();
    let (_, application) = directory.key(&[7; 32]).unwrap();
    let found = directory
        .subscription(application, VersionId::new(id(2)))
        .unwrap();
    assert_eq!(found.id, SubscriptionId::new(id(10)));
    assert!(
        directory
            .subscription(application, VersionId::new(id(5)))
            .is_none()
    );
    assert!(directory.key(&[8; 32]).is_none());
}

#[test]
fn counts_go_on_in_the_next_snapshot_and_after_a_restart() {
    let mut snapshot = snapshot();
    snapshot.plans[0].quota = Some(Quota::new(3, Period::Day));
    let now = at("2026-11-21T12:00:00Z");
    let passes = |directory: &Directory| {
        let became = Scene::default().play(directory, By::Plan, &mut Vec::new());
        became.starts_with("pass")
    };
    let first = Directory::compile(&snapshot, None).unwrap();
    assert!(passes(&first) && passes(&first));
    let second = Directory::compile(&snapshot, Some(&first)).unwrap();
    assert!(passes(&second) && !passes(&second));
    let fresh = Directory::compile(&snapshot, None).unwrap();
    let midnight = at("2026-11-21T00:00:00Z").calendar.as_seconds();
    fresh.restore_quota(SubscriptionId::new(id(10)), midnight, 2, now.calendar);
    assert!(passes(&fresh) && !passes(&fresh));
}
