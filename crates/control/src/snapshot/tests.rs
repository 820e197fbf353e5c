use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::Name;
use domain::catalog::{Stage, Version};
use domain::consumer::{KeyState, Subscription, SubscriptionState};
use domain::id::KeyId;
use domain::key;
use domain::snapshot::Snapshot;
use domain::traffic::{Policy, Route};
use serde_json::json;
use store::entity::Entity as _;
use store::{Arg, on_both};
use uuid::Uuid;

use crate::fixture::{World, from};
use crate::resource::ListQuery;

fn sandbox() -> Name {
    "sandbox".parse().unwrap()
}

async fn build(world: &World) -> Snapshot {
    world.control.build_snapshot(&sandbox()).await.unwrap()
}

on_both! {
    async fn snapshots_hold_what_gateways_need(url: String) {
        let world = World::new(&url).await;
        let (acme, globex, control) = (&world.acme, &world.globex, &world.control);
        let shop = world.shop().await;
        let product = world.product(&shop).await;
        let application = world.application(globex, "app").await;
        let subscription = world.subscribe(&application, globex, &product).await.unwrap();
        let spec = json!({ "application_id": application.id, "environment": "sandbox" });
        let issued = control.issue_key(globex, from(spec.clone())).await.unwrap();
        let elsewhere = json!({ "application_id": application.id, "environment": "production" });
        control.issue_key(globex, from(elsewhere)).await.unwrap();

        let snapshot = build(&world).await;
        let route = &snapshot.routes[0];
        assert_eq!((snapshot.routes.len(), route.base_path.as_str(), route.stage), (1, "/shop", Stage::Stable));
        assert_eq!((route.api, route.version, Some(route.organization)), (shop.api, shop.version, acme.organization));
        let places: Vec<_> = route.operations.iter().map(|it| (it.method.as_str(), it.path.as_str())).collect();
        assert_eq!(places, [("GET", "/pets"), ("GET", "/pets/{pet_id}")]);
        assert_eq!(route.policies.len(), 1);
        assert_eq!((route.policies[0].kind.as_str(), route.policies[0].id), ("key_auth", None));
        assert_eq!(Some(snapshot.upstreams[0].id), route.upstream);
        assert_eq!(snapshot.upstreams[0].spec.targets[0].url, "http://127.0.0.1:9/base");
        assert_eq!(snapshot.control_url, "http://127.0.0.1:8081");
        assert_eq!((snapshot.keys.len(), snapshot.applications.len(), snapshot.plans.len()), (1, 1, 1));
        assert_eq!(snapshot.keys[0].hash, key::hash(issued.key.as_bytes()));
        let held = &snapshot.subscriptions[0];
        assert_eq!((held.id, held.state), (subscription.id, SubscriptionState::Active));
        assert_eq!(held.application, snapshot.applications[0].id);
        assert_eq!((snapshot.products.len(), snapshot.products[0].id), (1, held.product));
        assert_eq!(snapshot.products[0].versions, [shop.version]);
        assert_eq!(snapshot.plans[0].id, held.plan);
        let text = serde_json::to_string(&snapshot).unwrap();
        assert!(!text.contains(issued.key.rsplit('_').next().unwrap()));

        // Suspended subscriptions are told, cancelled ones are not.
        let to = |state: &str| json!({ "state": state });
        control.update::<Subscription>(acme, subscription.id, &to("suspended"), None).await.unwrap();
        let held = build(&world).await.subscriptions;
        assert_eq!(held[0].state, SubscriptionState::Suspended);
        control.update::<Subscription>(acme, subscription.id, &to("cancelled"), None).await.unwrap();
        let snapshot = build(&world).await;
        assert!(snapshot.subscriptions.is_empty() && snapshot.products.is_empty() && snapshot.plans.is_empty());

        // Ended keys stay for 30 days.
        control.revoke_key(globex, issued.info.id).await.unwrap();
        let dated = control.now().after(Duration::from_secs(60));
        let dated = json!({ "application_id": application.id, "environment": "sandbox", "expires_at": dated });
        control.issue_key(globex, from(dated)).await.unwrap();
        world.pass(Duration::from_secs(29 * 86_400));
        let snapshot = build(&world).await;
        assert_eq!(snapshot.keys.len(), 2);
        assert_eq!(snapshot.keys[0].state, KeyState::Revoked);
        assert!(snapshot.keys[1].expires_at.is_some());
        world.pass(Duration::from_secs(2 * 86_400));
        let snapshot = build(&world).await;
        assert!(snapshot.keys.is_empty() && snapshot.applications.is_empty());
    }

    async fn snapshots_leave_out_what_does_not_answer(url: String) {
        let world = World::new(&url).await;
        let (acme, control) = (&world.acme, &world.control);
        let draft = json!({ "name": "shop", "upstream_url": "http://127.0.0.1:9000" });
        let draft = world.import(acme, draft).await.unwrap();
        let snapshot = build(&world).await;
        assert!(snapshot.routes.is_empty() && snapshot.upstreams.is_empty());
        let turn = |stage: &str| json!({ "stage": stage });
        control.update::<Version>(acme, draft.version, &turn("stable"), None).await.unwrap();
        assert_eq!(build(&world).await.routes.len(), 1);
        let route = control.list::<Route>(acme, &ListQuery::default()).await.unwrap().data.remove(0);
        control.update::<Route>(acme, route.id(), &json!({ "enabled": false }), None).await.unwrap();
        assert!(build(&world).await.routes.is_empty());
        let root = json!({ "enabled": true, "base_path": "/", "host": "Shop.Example.com" });
        let route = control.update::<Route>(acme, route.id(), &root, None).await.unwrap();
        assert_eq!(control.route_url(&route), "http://shop.example.com:8080");
        control.update::<Version>(acme, draft.version, &turn("deprecated"), None).await.unwrap();
        let retired = control.update::<Version>(acme, draft.version, &turn("retired"), None).await.unwrap();
        let route = build(&world).await.routes.remove(0);
        assert_eq!((route.stage, route.deprecated_at), (Stage::Retired, retired.deprecated_at));
        assert_eq!((route.base_path.as_str(), route.host.as_deref()), ("", Some("shop.example.com")));
        let production = control.build_snapshot(&"production".parse().unwrap()).await.unwrap();
        assert!(production.routes.is_empty());
    }

    async fn policies_stand_in_their_order(url: String) {
        let world = World::new(&url).await;
        let (acme, control) = (&world.acme, &world.control);
        let shop = world.shop().await;
        let read_pet = control.operations(acme, shop.version).await.unwrap().remove(1).id;
        let policy = |kind: &str, position: i32, operation: Option<_>, enabled: bool| {
            let config = match kind {
                "body_limit" => json!({ "bytes": 10 }),
                "cors" => json!({ "origins": ["https://example.com"] }),
                _ => json!({}),
            };
            json!({ "api_id": shop.api, "kind": kind, "position": position, "operation_id": operation,
                "enabled": enabled, "config": config })
        };
        let last = policy("body_limit", 9, None, true);
        let last = world.make::<Policy>(acme, &(), last).await.unwrap();
        let first = policy("headers", -1, Some(read_pet), true);
        let first = world.make::<Policy>(acme, &(), first).await.unwrap();
        world.make::<Policy>(acme, &(), policy("cors", 0, None, false)).await.unwrap();
        let single = policy("key_auth", 0, Some(read_pet), true);
        let single = world.make::<Policy>(acme, &(), single).await.unwrap();
        let ids = |snapshot: &Snapshot| -> Vec<_> { snapshot.routes[0].policies.iter().map(|it| it.id).collect() };
        // A key check of one operation does not open the others.
        assert_eq!(ids(&build(&world).await), [None, Some(first.id), Some(single.id), Some(last.id)]);
        let own = policy("key_auth", 1, None, true);
        let own = world.make::<Policy>(acme, &(), own).await.unwrap();
        assert_eq!(ids(&build(&world).await), [first.id, single.id, own.id, last.id].map(Some));
        // The operation is gone, and its policies with it.
        let document = crate::fixture::PETS.replace("/pets/{pet_id}", "/animals/{pet_id}");
        world.import(acme, json!({ "name": "shop", "document": document })).await.unwrap();
        assert_eq!(ids(&build(&world).await), [own.id, last.id].map(Some));
        // Another API has none of them.
        let other = world.import(acme, json!({ "name": "other", "publish": true })).await.unwrap();
        let snapshot = build(&world).await;
        let route = snapshot.routes.iter().find(|route| route.api == other.api).unwrap();
        assert_eq!(route.policies.iter().map(|it| it.id).collect::<Vec<_>>(), [None]);
    }

    async fn changes_are_heard_within_a_second(url: String) {
        let world = World::new(&url).await;
        let mut first = world.control.snapshots(&sandbox()).await.unwrap();
        let mut second = world.control.snapshots(&sandbox()).await.unwrap();
        assert!(Arc::ptr_eq(&first.borrow_and_update(), &second.borrow_and_update()));
        let before = Instant::now();
        world.shop().await;
        tokio::time::timeout(Duration::from_secs(10), first.changed()).await.unwrap().unwrap();
        let took = before.elapsed();
        assert!(took < Duration::from_secs(5), "{took:?}");
        assert_eq!(first.borrow_and_update().routes.len(), 1);
        second.changed().await.unwrap();
        assert!(Arc::ptr_eq(&first.borrow(), &second.borrow_and_update()));

        // Another process changes something: only the revision in the database tells.
        let mut tx = world.control.store().begin().await.unwrap();
        world.control.mark(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        tokio::time::timeout(Duration::from_secs(10), first.changed()).await.unwrap().unwrap();
        // Whoever comes after everybody left gets one that is up to date.
        let revision = first.borrow().revision;
        drop((first, second));
        tokio::time::sleep(Duration::from_millis(1200)).await;
        assert!(world.control.inner.snapshots.receiver(&sandbox()).is_none());
        let third = world.control.snapshots(&sandbox()).await.unwrap();
        assert_eq!(third.borrow().revision, revision);
    }

    async fn many_keys_are_built_in_seconds(url: String) {
        const KEYS: usize = 20_000;
        let world = World::new(&url).await;
        let product = world.product(&world.shop().await).await;
        let application = world.application(&world.globex, "app").await;
        world.subscribe(&application, &world.globex, &product).await.unwrap();
        let spec = json!({ "application_id": application.id, "environment": "sandbox" });
        let issued = world.control.issue_key(&world.globex, from(spec)).await.unwrap();
        let mut tx = world.control.store().begin().await.unwrap();
        let mut made = 1;
        while made < KEYS {
            let mut rows = Vec::new();
            for _ in 0..(KEYS - made).min(1000) {
                let id = KeyId::new(Uuid::now_v7());
                rows.push(format!("('{id}', '{:064x}')", id.uuid().as_u128()));
                made += 1;
            }
            let sql = format!(
                "WITH made (id, hash) AS (VALUES {})
                 INSERT INTO keys (id, organization_id, application_id, environment, state, hash, ended_at, body, revision)
                 SELECT made.id, k.organization_id, k.application_id, k.environment, k.state, made.hash, k.ended_at,
                        k.body, k.revision
                 FROM made, keys k WHERE k.id = $1",
                rows.join(", ")
            );
            tx.execute(&sql, &[Arg::text(issued.info.id)]).await.unwrap();
        }
        tx.commit().await.unwrap();
        let before = Instant::now();
        let snapshot = build(&world).await;
        let took = before.elapsed();
        assert_eq!(snapshot.keys.len(), KEYS);
        // A debug build on a busy machine takes about 0.1 ms per key.
        assert!(took < Duration::from_secs(20), "{took:?}");
    }
}
