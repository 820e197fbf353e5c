use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use domain::id::TargetId;
use domain::traffic::{OutlierDetection, UpstreamProtocol};
use uuid::Uuid;

use super::{Checked, Health};
use crate::group::{Group, Member};
use crate::target::Target;

fn group(count: usize) -> (Group, Vec<Arc<Health>>) {
    let healths: Vec<Arc<Health>> = (0..count).map(|_| Arc::default()).collect();
    let members = healths.iter().enumerate().map(|(index, health)| Member {
        id: TargetId::new(Uuid::nil()),
        target: Arc::new(
            Target::parse(&format!("http://10.0.0.{index}"), UpstreamProtocol::Http1, None).unwrap(),
        ),
        weight: 1,
        priority: 0,
        rank: 0,
        zone: None,
        health: Arc::clone(health),
    });
    (Group::new(members.collect()), healths)
}

fn rules() -> OutlierDetection {
    OutlierDetection {
        consecutive_failures: 3,
        ejection_ms: 1_000,
        ejection_max_ms: 4_000,
        ..OutlierDetection::default()
    }
}

fn fail(health: &Health, group: &Group, times: u32, now_ms: u64) {
    for _ in 0..times {
        health.note(true, Some(&rules()), group, now_ms);
    }
}

#[test]
fn failures_in_a_row_eject_for_longer_every_time() {
    let (group, healths) = group(2);
    let mut now_ms = 100;
    for expected in [1_000, 2_000, 4_000, 4_000] {
        fail(&healths[0], &group, 2, now_ms);
        assert!(healths[0].is_healthy(now_ms), "two are not enough");
        healths[0].note(false, Some(&rules()), &group, now_ms);
        fail(&healths[0], &group, 2, now_ms);
        assert!(healths[0].is_healthy(now_ms), "not in a row");
        let generation = group.generation();
        fail(&healths[0], &group, 1, now_ms);
        assert!(!healths[0].is_healthy(now_ms) && group.generation() > generation);
        assert!(!healths[0].is_healthy(now_ms + expected - 1));
        now_ms += expected;
        assert!(healths[0].is_healthy(now_ms));
        assert_eq!(healths[0].since_ms(), now_ms, "a slow start begins");
    }
    now_ms += 4_001;
    fail(&healths[0], &group, 3, now_ms);
    assert!(
        healths[0].is_healthy(now_ms + 1_000),
        "after a time of peace it is the first time again"
    );
    assert_eq!(healths[0].figures.ejections.load(Relaxed), 5);
}

#[test]
fn no_more_than_a_share_is_ejected() {
    let (group, healths) = group(4);
    for health in &healths {
        fail(health, &group, 3, 100);
    }
    assert_eq!(healths.iter().filter(|health| health.is_healthy(100)).count(), 2);
    let (alone, only) = self::group(1);
    fail(&only[0], &alone, 30, 100);
    assert!(only[0].is_healthy(100), "the only one stays");
}

#[test]
fn a_share_of_failures_ejects() {
    let (group, healths) = group(2);
    let rules = OutlierDetection {
        consecutive_failures: 0,
        failure_percent: 50,
        calls_min: 10,
        ..rules()
    };
    for call in 0..9 {
        healths[0].note(call % 2 == 0, Some(&rules), &group, 1_000);
    }
    assert!(healths[0].is_healthy(1_000), "too few to know");
    healths[0].note(true, Some(&rules), &group, 1_000);
    assert!(!healths[0].is_healthy(1_000));
}

#[test]
fn checks_and_ejections_both_count() {
    let health = Health::default();
    assert_eq!((health.is_healthy(1), health.checked()), (true, Checked::Unknown));
    assert!(health.set_checked(Checked::Unhealthy, 5));
    assert!(!health.is_healthy(5));
    assert!(!health.set_checked(Checked::Unhealthy, 6), "no news");
    assert!(health.set_checked(Checked::Healthy, 7));
    assert_eq!((health.is_healthy(7), health.since_ms()), (true, 7));
}
