use std::time::Duration;

use domain::consumer::{Application, Key, KeyState, Subscription};
use domain::key;
use domain::offer::Product;
use serde_json::json;
use store::entity::{Condition, Window};
use store::{Arg, on_both};

use crate::fixture::{World, detail, from, refusal};
use crate::resource::ListQuery;

async fn stored_hash(world: &World, id: domain::id::KeyId) -> String {
    let sql = "SELECT hash FROM keys WHERE id = $1";
    let row = world
        .control
        .store()
        .fetch_optional(sql, &[Arg::text(id)])
        .await
        .unwrap()
        .unwrap();
    row.text("hash").unwrap()
}

on_both! {
    async fn keys_are_shown_once(url: String) {
        let world = World::new(&url).await;
        let (acme, control) = (&world.acme, &world.control);
        let application = world.application(acme, "app").await;
        let spec = json!({ "application_id": application.id, "environment": "sandbox", "title": "first" });
        let issued = control.issue_key(acme, from(spec)).await.unwrap();
        let parts = key::parse(&issued.key).unwrap();
        assert_eq!((parts.environment, parts.id), ("sandbox", issued.info.id.uuid()));
        assert!(issued.key.starts_with(issued.info.hint.trim_end_matches('…')));
        assert_eq!(stored_hash(&world, issued.info.id).await, key::hash(issued.key.as_bytes()).to_string());

        let secret = issued.key.rsplit('_').next().unwrap();
        let hash = stored_hash(&world, issued.info.id).await;
        let renamed = json!({ "title": "second" });
        let renamed = control.update::<Key>(acme, issued.info.id, &renamed, None).await.unwrap();
        assert_eq!(renamed.spec.title, "second");
        assert_eq!(stored_hash(&world, issued.info.id).await, hash);
        control.revoke_key(acme, issued.info.id).await.unwrap();
        let rows = control.store().fetch_all("SELECT body FROM audit", &[]).await.unwrap();
        for row in rows {
            let body = row.json("body").unwrap().to_string();
            assert!(!body.contains(secret) && !body.contains(&hash), "{body}");
        }
    }

    async fn wrong_keys_are_not_made(url: String) {
        let world = World::new(&url).await;
        let (acme, control) = (&world.acme, &world.control);
        let application = world.application(acme, "app").await.id;
        for (spec, pointer) in [
            (json!({ "application_id": application, "environment": "nowhere" }), "/environment"),
            (json!({ "application_id": "app_00000000000000000000000000", "environment": "sandbox" }), "/application_id"),
            (json!({ "application_id": application, "environment": "sandbox", "expires_at": "2001-01-01T00:00:00Z" }),
                "/expires_at"),
            (json!({ "application_id": application, "environment": "sandbox", "expires_at": "2101-01-01T00:00:00Z" }),
                "/expires_at"),
            (json!({ "application_id": application, "environment": "sandbox", "title": "a\nb" }), "/title"),
        ] {
            let found = refusal(control.issue_key(acme, from(spec)).await);
            assert_eq!(found, ("request_invalid", vec![pointer.to_owned()]));
        }
    }

    async fn plans_bound_the_number_of_keys(url: String) {
        let world = World::new(&url).await;
        let (acme, globex, control) = (&world.acme, &world.globex, &world.control);
        let product = world.product(&world.shop().await).await;
        let strict = world.plan(acme, "strict", 1).await;
        assert_eq!(strict.spec.keys_max, 1);
        let patch = json!({ "plan_ids": [strict.id] });
        let product = control.update::<Product>(acme, product.id, &patch, None).await.unwrap();
        let application = world.application(globex, "app").await;
        world.subscribe(&application, globex, &product).await.unwrap();
        let spec = || from(json!({ "application_id": application.id, "environment": "sandbox" }));
        let first = control.issue_key(globex, spec()).await.unwrap();
        assert_eq!(
            detail(control.issue_key(globex, spec()).await),
            "key_limit_reached: The application has 1 keys, which is what its plan allows."
        );
        // A key can always be followed by another, and one that ended makes room.
        let second = control.rotate_key(globex, first.info.id, from(json!({}))).await.unwrap();
        assert_eq!(refusal(control.issue_key(globex, spec()).await).0, "key_limit_reached");
        control.revoke_key(globex, second.info.id).await.unwrap();
        control.issue_key(globex, spec()).await.unwrap();
    }

    async fn rotation_leaves_no_gap(url: String) {
        let world = World::new(&url).await;
        let (acme, control) = (&world.acme, &world.control);
        let application = world.application(acme, "app").await;
        let ends = control.now().after(Duration::from_secs(10 * 86_400));
        let spec = json!({ "application_id": application.id, "environment": "sandbox", "expires_at": ends });
        let first = control.issue_key(acme, from(spec)).await.unwrap();
        world.pass(Duration::from_secs(86_400));
        let how = json!({ "overlap_seconds": 3600 });
        let second = control.rotate_key(acme, first.info.id, from(how)).await.unwrap();
        let old = control.read::<Key>(acme, first.info.id).await.unwrap();
        assert_eq!((old.state, old.replaced_by), (KeyState::Active, Some(second.info.id)));
        assert_eq!(old.spec.expires_at, Some(control.now().after(Duration::from_secs(3600))));
        assert_eq!(second.info.spec.expires_at, Some(ends.after(Duration::from_secs(86_400))));
        assert_ne!(second.key, first.key);
        let again = control.rotate_key(acme, first.info.id, from(json!({}))).await;
        assert_eq!(detail(again), format!("conflict: It was replaced by {} already.", second.info.id));
        let long = json!({ "overlap_seconds": 2_592_001 });
        assert_eq!(
            refusal(control.rotate_key(acme, second.info.id, from(long)).await),
            ("request_invalid", vec!["/overlap_seconds".to_owned()])
        );

        let revoked = control.revoke_key(acme, second.info.id).await.unwrap();
        assert_eq!((revoked.state, revoked.revoked_at), (KeyState::Revoked, Some(control.now())));
        assert_eq!(control.revoke_key(acme, second.info.id).await.unwrap(), revoked);
        assert_eq!(
            detail(control.rotate_key(acme, second.info.id, from(json!({}))).await),
            "conflict: It was revoked."
        );
        let rename = json!({ "title": "x" });
        assert_eq!(
            detail(control.update::<Key>(acme, second.info.id, &rename, None).await),
            "conflict: A revoked key cannot be changed."
        );
        assert!(detail(control.delete::<Key>(acme, second.info.id, None).await).starts_with("conflict: Keys are revoked"));
        world.pass(Duration::from_secs(3601));
        assert_eq!(control.read::<Key>(acme, first.info.id).await.unwrap(), old);
    }

    async fn quick_keys_make_what_is_missing(url: String) {
        let world = World::new(&url).await;
        let (acme, globex, control) = (&world.acme, &world.globex, &world.control);
        let quick = |api: String, plan: &str| from(json!({ "api": api, "plan": plan }));
        let nothing = control.quick_key(globex, quick("shop".to_owned(), "free")).await;
        assert_eq!(detail(nothing), "not_found: There is no API `shop`, or you may not use it.");
        let draft = world.import(acme, json!({ "name": "shop" })).await.unwrap();
        assert_eq!(
            detail(control.quick_key(acme, quick("shop".to_owned(), "free")).await),
            "conflict: No product offers `shop` yet: import it with `publish`, or make a product that holds one of its \
             versions."
        );
        assert!(control.list::<Application>(acme, &ListQuery::default()).await.unwrap().data.is_empty());
        let shop = world.shop().await;
        assert_eq!(shop.api, draft.api);
        assert_eq!(
            detail(control.quick_key(globex, quick("shop".to_owned(), "gold")).await),
            "conflict: `shop` is not offered under a plan `gold`, but under `free`."
        );
        let first = control.quick_key(globex, quick("shop".to_owned(), "free")).await.unwrap();
        let second = control.quick_key(globex, quick(shop.api.to_string(), "free")).await.unwrap();
        assert_eq!(first.info.spec.application_id, second.info.spec.application_id);
        assert_eq!(first.info.spec.environment.as_str(), "sandbox");
        let all = ListQuery::default();
        assert_eq!(control.list::<Application>(globex, &all).await.unwrap().data.len(), 1);
        let subscriptions = control.list::<Subscription>(globex, &all).await.unwrap().data;
        assert_eq!(subscriptions.len(), 1);
        assert_eq!(Some(subscriptions[0].provider_id), acme.organization);

        let suspend = json!({ "state": "suspended" });
        control.update::<Subscription>(acme, subscriptions[0].id, &suspend, None).await.unwrap();
        let refused = detail(control.quick_key(globex, quick("shop".to_owned(), "free")).await);
        assert!(refused.ends_with("is suspended; ask the provider."), "{refused}");
        let keys = ListQuery {
            conditions: vec![Condition::Is("application_id", Arg::text(first.info.spec.application_id))],
            window: Window { limit: 1, ..Window::default() },
        };
        let page = control.list::<Key>(globex, &keys).await.unwrap();
        assert!(page.has_more && page.data[0].id == second.info.id);
    }
}
