use std::collections::{HashMap, HashSet};

use domain::consumer::{KeyState, SubscriptionState};
use domain::id::{ApplicationId, KeyId, OrganizationId, PlanId, ProductId, SubscriptionId, VersionId};
use domain::key::Hash;
use domain::offer::{Period, Quota};
use domain::snapshot::{Application, Key, Plan, Product, Snapshot, Subscription};
use uuid::Uuid;

use super::{Counters, Directory, Error};
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
        }],
        products: vec![Product {
            id: ProductId::new(id(11)),
            versions: vec![VersionId::new(id(2))],
        }],
        subscriptions: vec![Subscription {
            id: SubscriptionId::new(id(10)),
            application,
            product: ProductId::new(id(11)),
            plan,
            state: SubscriptionState::Active,
        }],
        keys: vec![Key {
            id: KeyId::new(id(1)),
            hash: "07".repeat(32).parse().unwrap(),
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
    no_application.subscriptions.clear();
    no_application.applications.clear();
    assert!(matches!(
        Directory::compile(&no_application, None),
        Err(Error::NoApplication { .. })
    ));
    let mut no_subscriber = snapshot();
    no_subscriber.applications.clear();
    assert!(matches!(
        Directory::compile(&no_subscriber, None),
        Err(Error::NoSubscriber { .. })
    ));
    let mut no_product = snapshot();
    no_product.products.clear();
    assert!(matches!(
        Directory::compile(&no_product, None),
        Err(Error::NoProduct { .. })
    ));
}

#[test]
fn an_active_subscription_counts_before_a_suspended_one() {
    let mut snapshot = snapshot();
    let mut other = snapshot.subscriptions[0].clone();
    other.id = SubscriptionId::new(id(11));
    other.state = SubscriptionState::Suspended;
    snapshot.subscriptions.insert(0, other);
    let directory = Directory::compile(&snapshot, None).unwrap();
    let (_, application) = directory.key(&Hash([7; 32])).unwrap();
    let found = directory
        .subscription(application, VersionId::new(id(2)))
        .unwrap();
    assert_eq!(found.id, SubscriptionId::new(id(10)));
    assert!(
        directory
            .subscription(application, VersionId::new(id(5)))
            .is_none()
    );
    assert!(directory.key(&Hash([8; 32])).is_none());
}

#[test]
fn each_application_has_its_own_subscriptions() {
    let mut snapshot = snapshot();
    let versions = [20, 21, 22].map(|number| VersionId::new(id(number)));
    snapshot.products = (0..3)
        .map(|number| Product {
            id: ProductId::new(id(30 + number)),
            // The second version is in two products.
            versions: versions[usize::from(number == 2)..=number as usize % 2].to_vec(),
        })
        .collect();
    snapshot.products[2].versions = vec![versions[1], versions[2]];
    let template = snapshot.subscriptions.remove(0);
    let first = snapshot.applications[0].clone();
    snapshot.applications = vec![
        first.clone(),
        Application {
            id: ApplicationId::new(id(5)),
            ..first.clone()
        },
    ];
    snapshot.keys.push(Key {
        id: KeyId::new(id(40)),
        hash: Hash([8; 32]),
        application: ApplicationId::new(id(5)),
        ..snapshot.keys[0].clone()
    });
    // Of both, and not in the order of applications.
    for (number, application, product) in [(50, 5, 30), (51, 4, 31), (52, 5, 32), (53, 4, 30)] {
        snapshot.subscriptions.push(Subscription {
            id: SubscriptionId::new(id(number)),
            application: ApplicationId::new(id(application)),
            product: ProductId::new(id(product)),
            ..template.clone()
        });
    }
    let directory = Directory::compile(&snapshot, None).unwrap();
    for (key, version, expected) in [
        (7, 0, 51),
        (7, 1, 51),
        (8, 0, 50),
        (8, 1, 52),
        (8, 2, 52),
        (7, 2, 0),
    ] {
        let (_, application) = directory.key(&Hash([key; 32])).unwrap();
        let found = directory.subscription(application, versions[version]);
        let expected = (expected > 0).then(|| SubscriptionId::new(id(expected)));
        assert_eq!(found.map(|found| found.id), expected, "{key} {version}");
    }
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

/// Where the counters of a directory's subscriptions are.
fn counters(directory: &Directory) -> Vec<(SubscriptionId, *const Counters)> {
    let subscriptions = directory.subscriptions.iter();
    let each = subscriptions.map(|subscription| (subscription.id, &raw const *subscription.counters));
    each.collect()
}

#[test]
fn each_subscription_has_counters_of_its_own_for_as_long_as_it_is_there() {
    let mut snapshot = snapshot();
    let subscribe = |snapshot: &mut Snapshot, number: u128| {
        let id = SubscriptionId::new(id(number));
        let one = Subscription {
            id,
            ..snapshot.subscriptions[0].clone()
        };
        snapshot.subscriptions.push(one);
    };
    (100..170).for_each(|number| subscribe(&mut snapshot, number));
    let mut directory = Directory::compile(&snapshot, None).unwrap();
    let mut all: HashMap<_, _> = counters(&directory).into_iter().collect();
    for number in 200..300 {
        // One that comes while another one goes; one is compiled beside that and never served.
        let removed = snapshot.subscriptions.remove(1).id;
        let mut other = snapshot.clone();
        subscribe(&mut other, number + 1000);
        let beside = Directory::compile(&other, Some(&directory)).unwrap();
        subscribe(&mut snapshot, number);
        let next = Directory::compile(&snapshot, Some(&directory)).unwrap();
        all.remove(&removed);
        for (id, own) in counters(&next) {
            assert_eq!(*all.entry(id).or_insert(own), own, "{id}");
        }
        let known: HashSet<_> = all.values().collect();
        assert_eq!(known.len(), snapshot.subscriptions.len());
        let (_, foreign) = counters(&beside).pop().unwrap();
        assert!(!known.contains(&foreign));
        directory = next;
    }
}
