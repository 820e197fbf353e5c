use std::sync::Arc;
use std::time::Duration;

use domain::Timestamp;
use domain::id::{EventTypeId, NodeId, OrganizationId, SdkKeyId};
use domain::tracking::{EventType, SdkKey};
use events::ingest::KeyFault;
use events::wire::{Marks, Origin, Section};
use events::{Batch, Sink as _};
use serde_json::{Value, json};
use store::on_both;
use uuid::Uuid;

use super::EventTypeQuery;
use crate::Caller;
use crate::fixture::{World, from};
use crate::usage::Counter;

async fn event_type(world: &World, caller: &Caller, spec: Value) -> EventType {
    world.make::<EventType>(caller, &(), spec).await.unwrap()
}

async fn sdk_key(world: &World, caller: &Caller, environment: &str) -> (SdkKey, String) {
    let spec = json!({ "kind": "server", "environment": environment });
    let issued = world.control.issue_sdk_key(caller, from(spec)).await.unwrap();
    (issued.info, issued.key)
}

/// So many events that came in an hour.
fn section(
    organization: OrganizationId,
    environment: &str,
    key: SdkKeyId,
    kind: EventTypeId,
    at: Timestamp,
    count: u32,
) -> Section {
    let origin = Origin {
        organization,
        environment: environment.parse().unwrap(),
        key,
    };
    let mut section = Section::new(origin, at, Uuid::now_v7());
    let kind = section.add_type(kind, "visit".parse().unwrap());
    for _ in 0..count {
        let marks = Marks {
            user: Some("u"),
            properties: Some("{}"),
            ..Marks::default()
        };
        section.push(kind, at, 0, &marks);
    }
    section
}

on_both! {
    async fn events_are_counted_once_whatever_is_repeated(url: String) {
        let world = World::new(&url).await;
        let acme = world.acme.organization.unwrap();
        let kind = event_type(&world, &world.acme, json!({ "name": "visit", "title": "Visit" })).await.id;
        let (key, _) = sdk_key(&world, &world.acme, "sandbox").await;
        let now = world.control.now();
        let hour = Duration::from_secs(3600);
        let node = NodeId::new(Uuid::now_v7());
        let mut batches = Vec::new();
        let mut expected = 0;
        for (sequence, (environment, ago, count)) in
            (1..).zip([("sandbox", 0, 3), ("production", 0, 5), ("sandbox", 1, 7), ("sandbox", 30, 11), ("sandbox", 0, 2)])
        {
            let at = now.before(hour * ago);
            let sections = [section(acme, environment, key.id, kind, at, count), section(acme, environment, key.id, kind, at, 1)];
            batches.extend(Batch::of_tracked(sequence, &sections));
            expected += i64::from(count) + 1;
        }
        for range in [0..2, 0..3, 1..3, 2..5, 0..5] {
            let counter = Counter::new(world.control.store().clone());
            let slice = &batches[range];
            let (one, other) = tokio::join!(counter.commit(node, slice), counter.commit(node, slice));
            assert_eq!(one.unwrap(), other.unwrap());
        }
        let query = |from, to| EventTypeQuery { from, to, ..EventTypeQuery::default() };
        let all = world.control.event_type_usage(&world.acme, kind, query(Some(now.before(hour * 48)), None)).await.unwrap();
        // A UUID, the type's name, the user and the properties for each.
        assert_eq!((all.events, all.bytes), (expected, expected * (36 + 5 + 1 + 2)));
        assert_eq!(all.counts.len(), 4);
        let day = world.control.event_type_usage(&world.acme, kind, query(None, None)).await.unwrap();
        assert_eq!(day.events, expected - 12);
        let uses = world.control.event_type_uses(&[kind]).await.unwrap();
        assert_eq!((uses[&kind].events_last_day, uses[&kind].last_seen_at), (expected - 12, Some(now.hour())));
        let keys = world.control.sdk_key_uses(&[key.id]).await.unwrap();
        assert_eq!(keys.get(&key.id), Some(&now.hour()));
        let unseen = world.control.event_type_usage(&world.globex, kind, query(None, None)).await;
        assert_eq!(unseen.unwrap_err().code(), domain::Code::NotFound);
        let counted = world.control.delete::<EventType>(&world.acme, kind, None).await;
        assert_eq!(counted.unwrap_err().code(), domain::Code::InUse);
        // Usage of keys that are there survives tidying up.
        crate::jobs::tidy(&world.control).await.unwrap();
        assert_eq!(world.control.sdk_key_uses(&[key.id]).await.unwrap().len(), 1);
    }

    async fn nodes_get_the_types_of_those_who_have_keys_there(url: String) {
        let world = World::new(&url).await;
        let (control, acme, globex) = (&world.control, &world.acme, &world.globex);
        let names = async |environment: &str| -> Vec<String> {
            let snapshot = control.build_snapshot(&environment.parse().unwrap()).await.unwrap();
            let organization = acme.organization.unwrap();
            assert!(snapshot.event_types.iter().all(|it| it.organization == organization));
            snapshot.event_types.iter().map(|it| it.name.to_string()).collect()
        };
        let schema = json!({ "type": "object" });
        let visit = event_type(&world, acme, json!({ "name": "visit", "title": "Visit", "schema": schema })).await;
        event_type(&world, acme, json!({ "name": "old", "title": "Old", "state": "archived" })).await;
        event_type(&world, globex, json!({ "name": "theirs", "title": "Theirs" })).await;
        assert!(names("sandbox").await.is_empty());
        sdk_key(&world, acme, "sandbox").await;
        sdk_key(&world, globex, "production").await;
        assert_eq!(names("sandbox").await, ["visit", "old"]);
        let snapshot = control.build_snapshot(&"sandbox".parse().unwrap()).await.unwrap();
        let [known, archived] = &snapshot.event_types[..] else { panic!("two types") };
        assert_eq!((known.id, known.revision), (visit.id, visit.revision));
        assert_eq!(known.schema.clone().map(Value::Object), Some(schema));
        assert!(known.state.is_active() && !archived.state.is_active() && archived.schema.is_none());
        // Whatever changes of a type, nodes see that it is another one.
        control.update::<EventType>(acme, visit.id, &json!({ "schema": null }), None).await.unwrap();
        let snapshot = control.build_snapshot(&"sandbox".parse().unwrap()).await.unwrap();
        assert!(snapshot.event_types[0].revision > visit.revision && snapshot.event_types[0].schema.is_none());
    }

    async fn the_directory_has_what_was_changed_just_now(url: String) {
        let world = World::new(&url).await;
        let (control, acme) = (&world.control, &world.acme);
        let organization = acme.organization.unwrap();
        assert_eq!(control.directory().await.unwrap().kinds().count(), 0);
        let made = event_type(&world, acme, json!({ "name": "visit", "title": "Visit", "schema": { "type": "object" } })).await;
        let (key, text) = sdk_key(&world, acme, "sandbox").await;
        let directory = control.directory().await.unwrap();
        let kind = directory.kind(organization, "visit").unwrap().clone();
        assert!(kind.schema.is_some());
        assert_eq!(directory.key(&text, control.now()).unwrap().id, key.id);
        assert!(directory.kind(world.globex.organization.unwrap(), "visit").is_none());
        // What has not changed is not compiled again.
        event_type(&world, acme, json!({ "name": "other", "title": "Other" })).await;
        let directory = control.directory().await.unwrap();
        assert!(Arc::ptr_eq(directory.kind(organization, "visit").unwrap(), &kind));
        assert!(Arc::ptr_eq(&directory, &control.directory().await.unwrap()));
        let patch = json!({ "schema": null });
        control.update::<EventType>(acme, made.id, &patch, None).await.unwrap();
        control.revoke_sdk_key(acme, key.id).await.unwrap();
        let directory = control.directory().await.unwrap();
        assert!(directory.kind(organization, "visit").unwrap().schema.is_none());
        assert_eq!(directory.key(&text, control.now()).unwrap_err(), KeyFault::Revoked);
        // Another process has it within the time between two looks.
        let other = crate::Control::new(control.store().clone(), control.settings().clock.clone()).unwrap();
        assert_eq!(other.directory().await.unwrap().kinds().count(), 2);
        // Without the database it stays as it was.
        control.store().close().await;
        assert_eq!(other.directory().await.unwrap().kinds().count(), 2);
    }
}
