use std::time::Duration;

use domain::Timestamp;
use domain::id::{EventTypeId, OrganizationId, SdkKeyId};
use domain::lake::Subject;
use domain::tracking::EventUnit;
use events::wire::{Marks, Origin, Section};
use events::{Batch, Sink};
use futures_util::TryStreamExt;
use serde_json::Value;
use uuid::Uuid;

use super::event_files;
use crate::commit::tests::{batches, count, node};
use crate::maintain::Deleted;
use crate::place::Place;
use crate::query::encode;
use crate::sample::START_MICROS;
use crate::{Lake, Limits, Tenant};

fn organization(number: u128) -> OrganizationId {
    OrganizationId::new(Uuid::from_u128(number))
}

/// Events of an organization, one each hour; each third one is about nobody who has signed in.
fn section(owner: u128, number: u128, events: u64) -> Section {
    let start = Timestamp::from_micros(START_MICROS);
    let origin = Origin {
        organization: organization(owner),
        environment: "sandbox".parse().unwrap(),
        key: SdkKeyId::new(Uuid::from_u128(7)),
    };
    let mut section = Section::new(origin, start, Uuid::from_u128(number << 64));
    let kind = section.add_type(EventTypeId::new(Uuid::from_u128(8)), "purchase".parse().unwrap());
    for event in 0..events {
        let id = format!("order-{number}-{event}");
        let properties = format!("{{\"price\":{event}}}");
        let marks = Marks {
            id: Some(&id),
            user: (event % 3 != 2).then_some("ann"),
            anonymous: (event % 3 == 2).then_some("phone"),
            properties: Some(&properties),
            ..Marks::default()
        };
        section.push(kind, start.after(Duration::from_hours(event)), 1 + event, &marks);
    }
    section
}

async fn rows(lake: &Lake, owner: u128, sql: &str) -> Vec<Value> {
    let tenant = Tenant::Organization(organization(owner));
    let answer = lake.query(sql, tenant, Limits::default()).await.unwrap();
    let pieces: Vec<bytes::Bytes> = encode(answer, domain::lake::RowFormat::Ndjson)
        .try_collect()
        .await
        .unwrap();
    let text = String::from_utf8(pieces.concat()).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn events_are_in_the_file_of_the_day_on_which_they_happened() {
    // It begins two hours before midnight.
    let files = event_files(&Batch::of_tracked(1, &[section(1, 1, 5)])).unwrap();
    let rows: Vec<(String, Value)> = files
        .into_iter()
        .map(|file| {
            let statistics: Value = serde_json::from_str(&file.statistics).unwrap();
            (file.date, statistics["numRecords"].clone())
        })
        .collect();
    assert_eq!(
        rows,
        [
            ("2026-11-20".to_owned(), 2.into()),
            ("2026-11-21".to_owned(), 3.into())
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_rows_of_their_organization_once() {
    let directory = tempfile::tempdir().unwrap();
    let lake = Lake::new(&Place::directory(directory.path()).unwrap());
    let mut all = batches(1, 1..=2, 10);
    all.extend(Batch::of_tracked(3, &[section(1, 1, 4), section(2, 2, 3)]));
    all.extend(batches(2, 4..=4, 10));
    all.extend(Batch::of_tracked(5, &[section(1, 3, 2)]));
    assert_eq!(lake.commit(node(1), &all[..3]).await.unwrap(), 3);
    assert_eq!(lake.commit(node(1), &all[..3]).await.unwrap(), 3, "a replay");
    assert_eq!(lake.commit(node(1), &all[2..]).await.unwrap(), 5);
    assert_eq!(count(&lake).await, (30, 30));

    let sql =
        "SELECT count(*) AS events, count(DISTINCT event_id) AS ids, sum(bytes) > 0 AS has_bytes FROM events";
    let told = |number: u64| serde_json::json!({ "events": number, "ids": number, "has_bytes": true });
    assert_eq!(rows(&lake, 1, sql).await, [told(6)]);
    assert_eq!(rows(&lake, 2, sql).await, [told(3)]);
    assert_eq!(rows(&lake, 9, "SELECT * FROM events").await, [Value::Null; 0]);
    let one = "SELECT environment, type, event_id, user_id, anonymous_id, properties FROM events \
               WHERE event_id = 'order-1-3' AND date = DATE '2026-11-21'";
    let wanted = serde_json::json!({
        "environment": "sandbox", "type": "purchase", "event_id": "order-1-3", "user_id": "ann",
        "anonymous_id": null, "properties": "{\"price\":3}",
    });
    assert_eq!(rows(&lake, 1, one).await, [wanted]);
}

/// The process dies after the events and before the calls: the next one gets both, in other pieces.
#[tokio::test]
async fn events_whose_calls_did_not_follow_are_not_there_twice() {
    let directory = tempfile::tempdir().unwrap();
    let lake = Lake::new(&Place::directory(directory.path()).unwrap());
    let mut all = batches(1, 1..=1, 10);
    all.extend(Batch::of_tracked(2, &[section(1, 1, 4)]));
    all.extend(Batch::of_tracked(3, &[section(1, 2, 4)]));
    let mut turn = lake.events.turn().await.unwrap();
    let store = lake.events.store();
    crate::commit::append(&mut turn, (&*store, event_files), (node(1), 0), &all[..2])
        .await
        .unwrap();
    turn.end();
    assert_eq!(
        lake.commit(node(1), &[]).await.unwrap(),
        0,
        "calls did not follow"
    );
    assert_eq!(lake.commit(node(1), &all).await.unwrap(), 3);
    let told = rows(&lake, 1, "SELECT count(*) AS events FROM events").await;
    assert_eq!(told, [serde_json::json!({ "events": 8 })]);
    let one = std::num::NonZeroU64::new(1 << 30).unwrap();
    assert!(lake.compact(one).await.unwrap().files_removed > 0);
    let told = rows(&lake, 1, "SELECT count(*) AS events FROM events").await;
    assert_eq!(told, [serde_json::json!({ "events": 8 })]);
}

#[tokio::test]
async fn whoever_is_erased_is_in_no_row_of_the_organization() {
    let directory = tempfile::tempdir().unwrap();
    let lake = Lake::new(&Place::directory(directory.path()).unwrap());
    let all = Batch::of_tracked(1, &[section(1, 1, 6), section(2, 2, 6)]);
    let last = all.last().unwrap().sequence();
    assert_eq!(lake.commit(node(1), &all).await.unwrap(), last);
    let by = "SELECT count(*) FILTER (WHERE user_id = 'ann') AS ann, count(*) FILTER (WHERE anonymous_id = 'phone') AS phone, \
              count(*) AS events FROM events";
    let before = rows(&lake, 1, by).await;
    let number = |row: &Value, name: &str| row[name].as_u64().unwrap();
    let (ann, events) = (number(&before[0], "ann"), number(&before[0], "events"));
    assert!(0 < ann && ann < events, "{before:?}");
    let unit = |user: Option<&str>, anonymous: Option<&str>| EventUnit {
        user_id: user.map(str::to_owned),
        anonymous_id: anonymous.map(str::to_owned),
    };
    let nobody = Subject::User(organization(1), unit(None, None));
    assert_eq!(lake.erase(nobody).await.unwrap(), Deleted::default());
    let erased = lake
        .erase(Subject::User(organization(1), unit(Some("ann"), None)))
        .await
        .unwrap();
    assert_eq!(erased.rows, Some(ann));
    let after = rows(&lake, 1, by).await;
    assert_eq!(
        (number(&after[0], "ann"), number(&after[0], "events")),
        (0, events - ann)
    );
    assert_eq!(
        rows(&lake, 2, by).await,
        before,
        "another organization's user of this name"
    );
    let everybody = unit(Some("ann"), Some("phone"));
    lake.erase(Subject::User(organization(2), everybody))
        .await
        .unwrap();
    let after = rows(&lake, 2, by).await;
    assert_eq!((number(&after[0], "ann"), number(&after[0], "phone")), (0, 0));
}
