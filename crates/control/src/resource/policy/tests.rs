use domain::traffic::Policy;
use serde_json::{Value, json};
use store::on_both;

use crate::fixture::{World, detail, refusal};

fn merged(mut spec: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        spec[name] = value.clone();
    }
    spec
}

on_both! {
    async fn of_a_kind_of_which_one_holds_there_is_one(url: String) {
        let world = World::new(&url).await;
        let (acme, control) = (&world.acme, &world.control);
        let shop = world.shop().await;
        let operation = control.operations(acme, shop.version).await.unwrap().remove(0).id;
        for (kind, config) in [
            ("key_auth", json!({})),
            ("call_cost", json!({ "units": 2 })),
            ("cors", json!({ "origins": ["https://a.example"] })),
        ] {
            let spec = json!({ "api_id": shop.api, "kind": kind, "config": config });
            let make = async |more: Value| world.make::<Policy>(acme, &(), merged(spec.clone(), &more)).await;
            let refused = ("conflict", vec!["/kind".to_owned()]);
            let first = make(json!({})).await.unwrap();
            assert_eq!(refusal(make(json!({ "position": 1 })).await), refused, "{kind}");
            assert!(detail(make(json!({})).await).contains(&first.id.to_string()), "{kind}");
            // Its own calls are others than those of the API.
            make(json!({ "operation_id": operation })).await.unwrap();
            assert_eq!(refusal(make(json!({ "operation_id": operation })).await), refused, "{kind}");
            // One that is off is in nobody's way, until it is turned on.
            let off = make(json!({ "enabled": false })).await.unwrap();
            let change = async |id, patch: Value| control.update::<Policy>(acme, id, &patch, None).await;
            change(off.id, json!({ "position": 5 })).await.unwrap();
            assert_eq!(refusal(change(off.id, json!({ "enabled": true })).await), refused, "{kind}");
            change(first.id, json!({ "position": 5 })).await.unwrap();
            change(first.id, json!({ "enabled": false })).await.unwrap();
            change(off.id, json!({ "enabled": true })).await.unwrap();
            let moved = change(off.id, json!({ "operation_id": operation })).await;
            assert_eq!(refusal(moved), refused, "{kind}");
        }
        let limit = json!({ "api_id": shop.api, "kind": "body_limit", "config": { "bytes": 10 } });
        for _ in 0..2 {
            world.make::<Policy>(acme, &(), limit.clone()).await.unwrap();
        }
    }

    async fn of_two_that_are_saved_at_once_one_is_refused(url: String) {
        let world = World::new(&url).await;
        let shop = world.shop().await;
        let spec = json!({ "api_id": shop.api, "kind": "key_auth", "config": {} });
        let make = async || world.make::<Policy>(&world.acme, &(), spec.clone()).await;
        let (one, other) = tokio::join!(make(), make());
        assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
        let refused = if one.is_err() { one } else { other };
        assert_eq!(refusal(refused).0, "conflict");
    }
}
