use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use domain::Timestamp;
use domain::id::{EventTypeId, NodeId, OrganizationId, SdkKeyId};
use domain::tracking::EventTypeInterval;
use events::wire::{Marks, Origin, Section};
use events::{Batch, Sink as _};
use store::on_both;
use store::tracking::EventIds;
use uuid::Uuid;

use super::{Generation, IdSettings, Ids, LATE};
use crate::fixture::Noting;
use crate::lake::Kept;
use crate::{Control, Settings};

const START: i64 = 1_763_640_000_000_000;
const SECOND: i64 = 1_000_000;

/// What control planes with one database share.
struct Cluster {
    url: String,
    data: tempfile::TempDir,
    now: Arc<AtomicI64>,
    shelf: Arc<Noting>,
    event_ids: IdSettings,
    kind: EventTypeId,
    organization: OrganizationId,
}

impl Cluster {
    fn new(url: String) -> Self {
        Self {
            url,
            data: tempfile::tempdir().unwrap(),
            now: Arc::new(AtomicI64::new(START)),
            shelf: Arc::default(),
            event_ids: IdSettings::default(),
            kind: EventTypeId::new(Uuid::now_v7()),
            organization: OrganizationId::new(Uuid::now_v7()),
        }
    }

    /// Another process of it.
    async fn control(&self) -> Control {
        let now = Arc::clone(&self.now);
        let settings = Settings {
            database: self.url.clone(),
            data_dir: self.data.path().to_owned(),
            gateway_url: "http://127.0.0.1:1".to_owned(),
            control_url: "http://127.0.0.1:2".to_owned(),
            clock: Arc::new(move || Timestamp::from_micros(now.load(Ordering::Relaxed))),
            lake: Some(Kept {
                lake: self.shelf.clone(),
                days: None,
                days_of: BTreeMap::new(),
            }),
            alerts: crate::alert::AlertSettings::default(),
            event_ids: self.event_ids,
        };
        Control::open(settings).await.unwrap()
    }

    fn pass(&self, while_: Duration) {
        let micros = i64::try_from(while_.as_micros()).unwrap();
        self.now.fetch_add(micros, Ordering::Relaxed);
    }

    /// Events with these ids that came in some seconds after the start; an empty id is none.
    fn batch(&self, sequence: u64, second: i64, ids: &[&str]) -> Batch {
        self.batch_of((self.organization, "sandbox"), sequence, second, ids)
    }

    fn batch_of(
        &self,
        (organization, environment): (OrganizationId, &str),
        sequence: u64,
        second: i64,
        ids: &[&str],
    ) -> Batch {
        let at = Timestamp::from_micros(START + second * SECOND);
        let origin = Origin {
            organization,
            environment: environment.parse().unwrap(),
            key: SdkKeyId::new(Uuid::now_v7()),
        };
        let mut section = Section::new(origin, at, Uuid::now_v7());
        let kind = section.add_type(self.kind, "visit".parse().unwrap());
        for id in ids {
            let marks = Marks {
                id: Some(*id).filter(|id| !id.is_empty()),
                user: Some("u"),
                ..Marks::default()
            };
            section.push(kind, at, 0, &marks);
        }
        Batch::of_tracked(sequence, &[section]).remove(0)
    }

    async fn counted(&self, control: &Control) -> i64 {
        let always = (Timestamp::from_micros(0), Timestamp::from_micros(i64::MAX));
        let counts =
            store::tracking::counts(&mut control.store(), self.kind, always, EventTypeInterval::Day).await;
        counts.unwrap().iter().map(|count| count.events).sum()
    }

    fn kept(&self) -> Vec<String> {
        std::mem::take(&mut *self.shelf.events.lock().unwrap())
    }
}

fn node() -> NodeId {
    NodeId::new(Uuid::now_v7())
}

async fn count(control: &Control, node: NodeId, batches: &[Batch]) {
    let last = batches.last().unwrap().sequence();
    assert_eq!(control.usage_counter().commit(node, batches).await.unwrap(), last);
}

on_both! {
    async fn what_came_by_two_logs_is_counted_and_kept_once(url: String) {
        let cluster = Cluster::new(url);
        let (one, other) = (cluster.control().await, cluster.control().await);
        let (first, second) = (node(), node());
        let came = [cluster.batch(1, 0, &["a", "b"]), cluster.batch(2, 1, &["c", ""])];
        count(&one, first, &came).await;
        assert_eq!(cluster.counted(&one).await, 4);
        // Another control plane counts what came to another log; events without an id are others each time.
        let again = [cluster.batch(1, 5, &["x", "b", "y", "", "c"]), cluster.batch(2, 6, &["y", "z"])];
        let (lake, counter) = (other.lake_sink(), other.usage_counter());
        // The lake waits until it is told what is counted.
        let (kept, counted) = tokio::join!(lake.commit(second, &again), counter.commit(second, &again));
        assert_eq!((kept.unwrap(), counted.unwrap()), (2, 2));
        assert_eq!(cluster.counted(&one).await, 8);
        let mut kept = cluster.kept();
        assert!(Uuid::parse_str(&kept.remove(2)).is_ok());
        assert_eq!(kept, ["x", "y", "z"]);
        assert_eq!(one.lake_sink().commit(first, &came).await.unwrap(), 2);
        assert_eq!(cluster.kept().len(), 4);
        // What is told is forgotten when it was used, and a replay counts nothing.
        let told = store::tracking::event_duplicates(&mut one.store(), second, (0, 9)).await.unwrap();
        assert_eq!(told, []);
        count(&one, second, &again).await;
        count(&other, first, &came).await;
        assert_eq!(cluster.counted(&one).await, 8);
        // A process that has just started knows as much.
        let late = cluster.control().await;
        count(&late, node(), &[cluster.batch(1, 9, &["a", "z", "new"])]).await;
        assert_eq!(cluster.counted(&one).await, 9);
    }

    async fn of_two_that_are_counted_at_once_one_is_told(url: String) {
        let cluster = Cluster::new(url);
        let (one, other) = (cluster.control().await, cluster.control().await);
        for round in 0..5 {
            let ids = [format!("a-{round}"), format!("b-{round}")];
            let ids: Vec<_> = ids.iter().map(String::as_str).collect();
            let batches = [cluster.batch(1, 0, &ids)];
            tokio::join!(count(&one, node(), &batches), count(&other, node(), &batches), count(&one, node(), &batches));
            assert_eq!(cluster.counted(&one).await, (round + 1) * 2);
        }
    }

    async fn an_id_is_one_of_an_organization_and_environment(url: String) {
        let cluster = Cluster::new(url);
        let control = cluster.control().await;
        let other = OrganizationId::new(Uuid::now_v7());
        for place in [(cluster.organization, "sandbox"), (cluster.organization, "production"), (other, "sandbox")] {
            count(&control, node(), &[cluster.batch_of(place, 1, 0, &["same"])]).await;
        }
        assert_eq!(cluster.counted(&control).await, 3);
    }

    async fn when_events_came_in_decides_however_late_they_are_counted(url: String) {
        let cluster = Cluster::new(url);
        let control = cluster.control().await;
        let hour = 3600;
        count(&control, node(), &[cluster.batch(1, 0, &["a"])]).await;
        // An hour later it is another event, and so it is an hour before.
        count(&control, node(), &[cluster.batch(1, hour, &["a"])]).await;
        count(&control, node(), &[cluster.batch(1, -hour, &["a"])]).await;
        assert_eq!(cluster.counted(&control).await, 3);
        // A node that was alone for a day brings what came when the others did.
        cluster.pass(LATE);
        count(&control, node(), &[cluster.batch(1, hour - 1, &["a"]), cluster.batch(2, hour + 1, &["a"])]).await;
        assert_eq!(cluster.counted(&control).await, 3);
        // Nobody is told where it is turned off.
        let cluster = Cluster {
            event_ids: IdSettings { window: Duration::ZERO, ..IdSettings::default() },
            ..cluster
        };
        let control = cluster.control().await;
        count(&control, node(), &[cluster.batch(1, hour, &["a"])]).await;
        assert_eq!(cluster.counted(&control).await, 4);
    }

    async fn no_more_ids_are_known_than_may_be(url: String) {
        let cluster = Cluster {
            event_ids: IdSettings { ids_max: 8, ..IdSettings::default() },
            ..Cluster::new(url)
        };
        let control = cluster.control().await;
        for round in 0..10 {
            let ids = [0, 1].map(|place| format!("{round}-{place}"));
            count(&control, node(), &[cluster.batch(1, 0, &[&ids[0], &ids[1]])]).await;
        }
        assert_eq!(cluster.counted(&control).await, 20);
        let oldest = store::tracking::event_ids_after(&mut control.store(), 0).await.unwrap().unwrap();
        assert!(oldest.number >= 6, "{oldest:?}");
        // The newest are known, here and in a new process; the oldest are not.
        for control in [&control, &cluster.control().await] {
            count(control, node(), &[cluster.batch(1, 0, &["9-0", "9-1"])]).await;
            assert_eq!(cluster.counted(control).await, 20);
        }
        count(&control, node(), &[cluster.batch(1, 0, &["0-0"])]).await;
        assert_eq!(cluster.counted(&control).await, 21);
    }
}

#[test]
fn generations_end_by_time_and_number() {
    let settings = IdSettings {
        window: Duration::from_secs(10),
        ids_max: 100,
    };
    let mut ids = Ids::default();
    let mut add = |number: u64, second: u64, hashes: std::ops::Range<u64>| {
        let row = EventIds {
            number,
            counted_at: Timestamp::from_micros(START).after(Duration::from_secs(second)),
            ids: hashes.map(|hash| (hash, 7)).collect(),
        };
        ids.add(&row, settings);
        let sizes = |generation: &Generation| generation.seconds.len();
        (ids.first(), sizes(&ids.old), sizes(&ids.young))
    };
    assert_eq!(add(1, 0, 0..10), (1, 0, 10));
    assert_eq!(add(2, 1, 10..20), (1, 0, 20));
    // One that is known already is passed over.
    assert_eq!(add(2, 1, 30..40), (1, 0, 20));
    assert_eq!(add(3, 2, 20..60), (1, 20, 40));
    assert_eq!(add(4, 3, 60..70), (1, 20, 50));
    assert_eq!(add(5, 4, 70..71), (3, 50, 1));
    let kept = 10 + LATE.as_secs();
    assert_eq!(add(6, 3 + kept, 71..72), (3, 50, 2));
    assert_eq!(add(7, 4 + kept, 72..73), (5, 2, 1));
    assert_eq!(ids.seconds(60).count() + ids.seconds(71).count(), 1);
}
