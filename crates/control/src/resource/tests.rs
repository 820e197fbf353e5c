use domain::catalog::{Api, Stage, Version};
use domain::consumer::{Application, Key, Subscription, SubscriptionState};
use domain::offer::{Plan, Product};
use domain::traffic::{Policy, Route, Upstream};
use serde_json::{Value, json};
use store::on_both;

use super::version::can_become;
use super::{ListQuery, Resource};
use crate::fixture::{World, detail, from, refusal};
use crate::{Caller, Error};

#[test]
fn versions_age_one_way() {
    use Stage::{Alpha, Beta, Deprecated, Draft, Retired, Stable};

    let all = [Draft, Alpha, Beta, Stable, Deprecated, Retired];
    let table = [
        (Draft, vec![Draft, Alpha, Beta, Stable, Deprecated, Retired]),
        (Alpha, vec![Draft, Alpha, Beta, Stable, Retired]),
        (Beta, vec![Beta, Stable, Deprecated, Retired]),
        (Stable, vec![Stable, Deprecated, Retired]),
        (Deprecated, vec![Stable, Deprecated, Retired]),
        (Retired, vec![Retired]),
    ];
    for (from, expected) in table {
        let found: Vec<_> = all.into_iter().filter(|to| can_become(from, *to)).collect();
        assert_eq!(found, expected, "{from:?}");
    }
}

/// Makes one and expects it to be refused because of these fields.
async fn expect<T: Resource + std::fmt::Debug>(
    world: &World,
    parent: &T::Parent,
    spec: Value,
    pointers: &[&str],
) {
    let text = spec.to_string();
    let (code, found) = refusal(world.make::<T>(&world.acme, parent, spec).await);
    let is_about_config =
        T::KIND == "policy" && ["/kind", "/config"].iter().any(|it| pointers[0].starts_with(it));
    let expected = if is_about_config {
        "policy_invalid"
    } else {
        "request_invalid"
    };
    assert_eq!(
        (code, found),
        (expected, pointers.iter().map(ToString::to_string).collect()),
        "{text}"
    );
}

on_both! {
    async fn wrong_fields_are_told_all_at_once(url: String) {
        let world = World::new(&url).await;
        let workspace = world.workspace(&world.acme).await;
        let api = world.api(&world.acme, "shop").await;
        let version = world.version(&world.acme, &api).await;
        let upstream = json!({ "name": "shop", "targets": [{ "url": "http://127.0.0.1:9" }] });
        let upstream = world.make::<Upstream>(&world.acme, &workspace, upstream).await.unwrap();
        let long = "x".repeat(201);
        let many: Vec<_> = (0..21).map(|number| format!("t{number}")).collect();

        for (spec, pointers) in [
            (json!({ "name": "a", "title": "" }), vec!["/title"]),
            (json!({ "name": "a", "title": long, "description": "x".repeat(20_001) }), vec!["/title", "/description"]),
            (json!({ "name": "a", "title": "a\nb" }), vec!["/title"]),
            (json!({ "name": "a", "title": "a", "description": "a\u{0}b" }), vec!["/description"]),
            (json!({ "name": "a", "title": "a", "tags": many }), vec!["/tags"]),
            (json!({ "name": "a", "title": "a", "tags": ["x", "", "x"] }), vec!["/tags/1", "/tags/2"]),
            (json!({ "name": "A", "title": "a" }), vec!["/name"]),
            (json!({ "name": "a", "title": "a", "other": 1 }), vec!["/other"]),
        ] {
            expect::<Api>(&world, &workspace, spec, &pointers).await;
        }
        for (spec, pointers) in [
            (json!({ "name": "", "stage": "draft" }), vec!["/name"]),
            (json!({ "name": " 1", "stage": "draft" }), vec!["/name"]),
            (json!({ "name": "x".repeat(101), "stage": "draft" }), vec!["/name"]),
            (json!({ "name": "2", "stage": "stable", "sunset_at": "2030-01-01T00:00:00Z" }), vec!["/sunset_at"]),
            (json!({ "name": "2", "stage": "deprecated", "sunset_at": "2001-01-01T00:00:00Z" }), vec!["/sunset_at"]),
        ] {
            expect::<Version>(&world, &api.id, spec, &pointers).await;
        }
        let target = json!({ "url": "http://a" });
        for (spec, pointers) in [
            (json!({ "name": "a", "targets": [] }), vec!["/targets"]),
            (json!({ "name": "a", "targets": [target, { "url": "http://u@a", "weight": 0 }] }),
                vec!["/targets/1/url", "/targets/1/weight"]),
            (json!({ "name": "a", "targets": [{ "url": "http://a", "weight": 1001 }] }), vec!["/targets/0/weight"]),
            (json!({ "name": "a", "targets": [target], "idle_connections_max": 1025,
                "timeouts": { "connect_ms": 0, "answer_ms": 3_600_001, "idle_ms": 0 } }),
                vec!["/timeouts/connect_ms", "/timeouts/answer_ms", "/timeouts/idle_ms", "/idle_connections_max"]),
        ] {
            expect::<Upstream>(&world, &workspace, spec, &pointers).await;
        }
        for (field, pointers) in upstream_faults() {
            let mut spec = json!({ "name": "a", "targets": [target] });
            spec.as_object_mut().unwrap().extend(field.as_object().unwrap().clone());
            expect::<Upstream>(&world, &workspace, spec, &pointers).await;
        }
        let route = |path: &str, environment: &str, host: Option<&str>| json!({
            "version_id": version.id, "upstream_id": upstream.id, "environment": environment, "base_path": path,
            "host": host,
        });
        for (spec, pointers) in [
            (route("/metrics", "sandbox", None), vec!["/base_path"]),
            (route("/a", "nowhere", Some("a:1")), vec!["/environment", "/host"]),
            (json!({ "version_id": "ver_00000000000000000000000000", "upstream_id": "ups_00000000000000000000000000",
                "environment": "sandbox", "base_path": "/a", "body_bytes_max": 20_000_000_000_u64 }),
                vec!["/version_id", "/upstream_id", "/body_bytes_max"]),
        ] {
            expect::<Route>(&world, &(), spec, &pointers).await;
        }
        let policy = |kind: &str, config: Value| json!({ "api_id": api.id, "kind": kind, "config": config });
        for (spec, pointers) in [
            (policy("nothing", json!({})), vec!["/kind"]),
            (policy("key_auth", json!({ "header": "a b" })), vec!["/config/header"]),
            (policy("key_auth", json!({ "other": 1 })), vec!["/config/other"]),
            (policy("key_auth", json!({ "header": "a\u{0}" })), vec!["/config"]),
            (json!({ "api_id": "api_00000000000000000000000000", "kind": "key_auth", "config": {} }), vec!["/api_id"]),
            (json!({ "api_id": api.id, "kind": "key_auth", "config": {},
                "operation_id": "opn_00000000000000000000000000" }), vec!["/operation_id"]),
        ] {
            expect::<Policy>(&world, &(), spec, &pointers).await;
        }
        for (spec, pointers) in [
            (json!({ "name": "a", "title": "a", "keys_max": 0, "price": { "amount_minor": -1, "currency": "EURO" } }),
                vec!["/price/amount_minor", "/price/currency", "/keys_max"]),
            (json!({ "name": "a", "title": "a", "keys_max": 101, "quota": { "requests": 0, "period": "day" },
                "rate_limit": { "requests": 0, "window_seconds": 86_401, "burst": 0 } }),
                vec!["/rate_limit/requests", "/rate_limit/window_seconds", "/rate_limit/burst", "/quota/requests",
                    "/keys_max"]),
            (json!({ "name": "a", "title": "a", "price": { "amount_minor": 1, "currency": "eur" } }),
                vec!["/price/currency"]),
        ] {
            expect::<Plan>(&world, &(), spec, &pointers).await;
        }
        for (spec, pointers) in [
            (json!({ "name": "a", "title": "a", "version_ids": [version.id, version.id], "plan_ids": [] }),
                vec!["/version_ids/1"]),
            (json!({ "name": "a", "title": "a", "version_ids": ["ver_00000000000000000000000000"],
                "plan_ids": ["pln_00000000000000000000000000"] }), vec!["/version_ids/0", "/plan_ids/0"]),
        ] {
            expect::<Product>(&world, &workspace, spec, &pointers).await;
        }
        expect::<Application>(&world, &(), json!({ "name": "a", "title": " " }), &["/title"]).await;
    }

    async fn places_of_routes_are_taken_once(url: String) {
        let world = World::new(&url).await;
        let shop = world.shop().await;
        let upstream = "http://127.0.0.1:9000";
        let other = json!({ "name": "other", "base_path": "/shop/", "upstream_url": upstream });
        assert_eq!(
            detail(world.import(&world.globex, other.clone()).await),
            "route_taken: In `sandbox`, a route of another organization answers at `/shop` already."
        );
        let told = detail(world.import(&world.acme, other).await);
        assert!(told.starts_with("route_taken: In `sandbox`, rte_"), "{told}");
        assert!(told.ends_with("of the API `shop` answers at `/shop` already."), "{told}");
        // Elsewhere there is room.
        let elsewhere = json!({ "name": "shop", "environment": "production" });
        world.import(&world.globex, elsewhere).await.unwrap();
        assert_eq!(shop.base_url.as_deref(), Some("http://127.0.0.1:8080/shop"));
    }

    async fn what_is_in_use_stays(url: String) {
        let world = World::new(&url).await;
        let (acme, control) = (&world.acme, &world.control);
        let shop = world.shop().await;
        let product = world.product(&shop).await;
        let plan = product.spec.plan_ids[0];
        let route = control.list::<Route>(acme, &ListQuery::default()).await.unwrap().data.remove(0);
        assert_eq!(detail(control.delete::<Api>(acme, shop.api, None).await), "in_use: It is used by product `shop`.");
        assert_eq!(
            detail(control.delete::<Version>(acme, shop.version, None).await),
            "in_use: It is used by product `shop`."
        );
        assert_eq!(
            detail(control.delete::<Upstream>(acme, route.spec.upstream_id.unwrap(), None).await),
            format!("in_use: It is used by route {} (/shop).", route.id)
        );
        assert_eq!(detail(control.delete::<Plan>(acme, plan, None).await), "in_use: It is used by product `shop`.");

        let application = world.application(&world.globex, "app").await;
        let subscription = world.subscribe(&application, &world.globex, &product).await.unwrap();
        let used = format!("in_use: It is used by subscription {}.", subscription.id);
        assert_eq!(detail(control.delete::<Product>(acme, product.id, None).await), used);
        assert_eq!(detail(control.delete::<Application>(&world.globex, application.id, None).await), used);
        let patch = json!({ "plan_ids": [] });
        assert_eq!(detail(control.update::<Product>(acme, product.id, &patch, None).await), used);

        let cancel = json!({ "state": "cancelled" });
        control.update::<Subscription>(&world.globex, subscription.id, &cancel, None).await.unwrap();
        control.delete::<Application>(&world.globex, application.id, None).await.unwrap();
        control.delete::<Product>(acme, product.id, None).await.unwrap();
        control.delete::<Api>(acme, shop.api, None).await.unwrap();
        assert!(control.list::<Route>(acme, &ListQuery::default()).await.unwrap().data.is_empty());
        control.delete::<Plan>(acme, plan, None).await.unwrap();
    }

    async fn versions_remember_when_they_were_deprecated(url: String) {
        let world = World::new(&url).await;
        let (acme, control) = (&world.acme, &world.control);
        let shop = world.shop().await;
        let to = |stage: &str| json!({ "stage": stage });
        let deprecate = json!({ "stage": "deprecated", "sunset_at": "2030-01-01T00:00:00Z" });
        let deprecated = control.update::<Version>(acme, shop.version, &deprecate, None).await.unwrap();
        assert_eq!(deprecated.deprecated_at, Some(control.now()));
        world.pass(std::time::Duration::from_secs(60));
        let retired = control.update::<Version>(acme, shop.version, &to("retired"), None).await.unwrap();
        assert_eq!(retired.deprecated_at, deprecated.deprecated_at);
        assert_eq!(
            detail(control.update::<Version>(acme, shop.version, &to("stable"), None).await),
            "request_invalid: /sunset_at: Only a deprecated version has a date of retirement."
        );
        let back = json!({ "stage": "stable", "sunset_at": null });
        assert_eq!(
            detail(control.update::<Version>(acme, shop.version, &back, None).await),
            "conflict: A version that is retired cannot become stable."
        );
        assert_eq!(
            detail(world.import(acme, json!({ "name": "shop" })).await),
            "conflict: Version `1.0` was retired, which is final."
        );
    }

    async fn both_sides_see_a_subscription(url: String) {
        let world = World::new(&url).await;
        let (provider, consumer, control) = (&world.acme, &world.globex, &world.control);
        let shop = world.shop().await;
        let product = world.product(&shop).await;
        let gold = world.plan(provider, "gold", 10).await;
        let both = json!({ "plan_ids": [product.spec.plan_ids[0], gold.id] });
        let product = control.update::<Product>(provider, product.id, &both, None).await.unwrap();
        let application = world.application(consumer, "app").await;
        let made = world.subscribe(&application, consumer, &product).await.unwrap();
        assert_eq!(Some(made.provider_id), provider.organization);
        assert_eq!(
            detail(world.subscribe(&application, consumer, &product).await),
            "conflict: The application has a subscription to this product already."
        );
        for side in [provider, consumer] {
            assert_eq!(control.read::<Subscription>(side, made.id).await.unwrap(), made);
            let listed = control.list::<Subscription>(side, &ListQuery::default()).await.unwrap();
            assert_eq!(listed.data, std::slice::from_ref(&made));
        }
        let turn = |caller: Caller, patch: Value| async move {
            control.update::<Subscription>(&caller, made.id, &patch, None).await
        };
        let to = |state: &str| json!({ "state": state });
        let free = product.spec.plan_ids[0];
        let table = [
            (consumer, json!({ "plan_id": gold.id }), Ok(SubscriptionState::Active)),
            (provider, json!({ "plan_id": free }), Err("permission_denied")),
            (consumer, json!({ "plan_id": "pln_00000000000000000000000000" }), Err("request_invalid")),
            (consumer, json!({ "application_id": "app_00000000000000000000000000" }), Err("request_invalid")),
            (consumer, to("suspended"), Err("permission_denied")),
            (provider, to("suspended"), Ok(SubscriptionState::Suspended)),
            (consumer, to("active"), Err("permission_denied")),
            (provider, to("active"), Ok(SubscriptionState::Active)),
            (consumer, to("cancelled"), Ok(SubscriptionState::Cancelled)),
            (consumer, to("active"), Err("conflict")),
            (provider, to("active"), Err("conflict")),
        ];
        for (caller, patch, expected) in table {
            let text = patch.to_string();
            let found = turn(caller.clone(), patch).await;
            let found = found.map(|it| it.spec.state).map_err(|error| error.code().as_str());
            assert_eq!(found, expected, "{text}");
        }
        assert_eq!(
            detail(control.delete::<Subscription>(provider, made.id, None).await),
            "permission_denied: Only the consumer removes a subscription; the provider may suspend or cancel it."
        );
        // What is cancelled makes room.
        world.subscribe(&application, consumer, &product).await.unwrap();
        let private = json!({ "visibility": "private" });
        control.update::<Product>(provider, product.id, &private, None).await.unwrap();
        let second = world.application(consumer, "second").await;
        assert_eq!(
            refusal(world.subscribe(&second, consumer, &product).await),
            ("request_invalid", vec!["/product_id".to_owned()])
        );
    }
}

/// What a stranger gets of something: it is not there.
async fn hidden<T: Resource + std::fmt::Debug>(world: &World, id: T::Id, patch: Value) {
    let (control, stranger) = (&world.control, &world.globex);
    let missing = format!("not_found: There is no such {}, or you may not see it.", T::KIND);
    assert_eq!(detail(control.read::<T>(stranger, id).await), missing);
    assert_eq!(
        detail(control.update::<T>(stranger, id, &patch, None).await),
        missing
    );
    assert_eq!(detail(control.delete::<T>(stranger, id, None).await), missing);
    let listed = control
        .list::<T>(stranger, &ListQuery::default())
        .await
        .unwrap()
        .data;
    let ours = listed.iter().any(|it| it.id().to_string() == id.to_string());
    assert!(!ours, "{} of another tenant is listed", T::KIND);
    assert!(
        control.read::<T>(&world.acme, id).await.is_ok(),
        "{} is there",
        T::KIND
    );
}

on_both! {
    async fn tenants_do_not_see_each_other(url: String) {
        let world = World::new(&url).await;
        let (acme, stranger, control) = (&world.acme, &world.globex, &world.control);
        let shop = world
            .import(acme, json!({ "name": "shop", "publish": true, "visibility": "private" }))
            .await
            .unwrap();
        let workspace = world.workspace(acme).await;
        let product = world.product(&shop).await;
        let plan = product.spec.plan_ids[0];
        let route = control.list::<Route>(acme, &ListQuery::default()).await.unwrap().data.remove(0);
        let policy = json!({ "api_id": shop.api, "kind": "key_auth", "config": {} });
        let policy = world.make::<Policy>(acme, &(), policy).await.unwrap();
        let application = world.application(acme, "app").await;
        let subscription = world.subscribe(&application, acme, &product).await.unwrap();
        let key = json!({ "application_id": application.id, "environment": "sandbox" });
        let key = control.issue_key(acme, from(key)).await.unwrap().info;
        let operation = control.operations(acme, shop.version).await.unwrap().remove(0);

        let title = json!({ "title": "mine" });
        hidden::<Api>(&world, shop.api, title.clone()).await;
        hidden::<Version>(&world, shop.version, json!({ "stage": "retired" })).await;
        hidden::<Upstream>(&world, route.spec.upstream_id.unwrap(), json!({ "preserve_host": true })).await;
        hidden::<Route>(&world, route.id, json!({ "enabled": false })).await;
        hidden::<Policy>(&world, policy.id, json!({ "enabled": false })).await;
        hidden::<Plan>(&world, plan, title.clone()).await;
        hidden::<Product>(&world, product.id, title.clone()).await;
        hidden::<Application>(&world, application.id, title.clone()).await;
        hidden::<Subscription>(&world, subscription.id, json!({ "state": "cancelled" })).await;
        hidden::<Key>(&world, key.id, title).await;

        // Nor can they be referred to.
        let own_workspace = world.workspace(stranger).await;
        let own_api = world.api(stranger, "own").await;
        let own_version = world.version(stranger, &own_api).await;
        let own_application = world.application(stranger, "app").await;
        let refused = |result: Result<(), Error>| refusal(result).0;
        let named = json!({ "name": "x", "title": "x" });
        let version = json!({ "name": "2", "stage": "draft" });
        let route_to = |version: String, upstream: String| json!({
            "version_id": version, "upstream_id": upstream, "environment": "sandbox", "base_path": "/x",
        });
        let theirs = route_to(shop.version.to_string(), route.spec.upstream_id.unwrap().to_string());
        let half = route_to(own_version.id.to_string(), route.spec.upstream_id.unwrap().to_string());
        let policy_on = |api: String, operation: Value| json!({
            "api_id": api, "operation_id": operation, "kind": "key_auth", "config": {},
        });
        let product_of = |version: String, plans: Value| json!({
            "name": "x", "title": "x", "version_ids": [version], "plan_ids": plans,
        });
        let subscription_of = |application: String| json!({
            "application_id": application, "product_id": product.id, "plan_id": plan,
        });
        let tries = [
            ("api", refused(world.make::<Api>(stranger, &workspace, named.clone()).await.map(drop))),
            ("version", refused(world.make::<Version>(stranger, &shop.api, version).await.map(drop))),
            ("route", refused(world.make::<Route>(stranger, &(), theirs).await.map(drop))),
            ("route", refused(world.make::<Route>(stranger, &(), half).await.map(drop))),
            ("policy", refused(
                world.make::<Policy>(stranger, &(), policy_on(shop.api.to_string(), Value::Null)).await.map(drop),
            )),
            ("policy", refused(
                world
                    .make::<Policy>(stranger, &(), policy_on(own_api.id.to_string(), json!(operation.id)))
                    .await
                    .map(drop),
            )),
            ("product", refused(
                world
                    .make::<Product>(stranger, &own_workspace, product_of(shop.version.to_string(), json!([])))
                    .await
                    .map(drop),
            )),
            ("product", refused(
                world
                    .make::<Product>(stranger, &own_workspace, product_of(own_version.id.to_string(), json!([plan])))
                    .await
                    .map(drop),
            )),
            ("subscription", refused(
                world
                    .make::<Subscription>(stranger, &(), subscription_of(own_application.id.to_string()))
                    .await
                    .map(drop),
            )),
            ("subscription", refused(
                world
                    .make::<Subscription>(stranger, &(), subscription_of(application.id.to_string()))
                    .await
                    .map(drop),
            )),
            ("key", refused(
                control
                    .issue_key(stranger, from(json!({ "application_id": application.id, "environment": "sandbox" })))
                    .await
                    .map(drop),
            )),
            ("rotate", refused(control.rotate_key(stranger, key.id, from(json!({}))).await.map(drop))),
            ("revoke", refused(control.revoke_key(stranger, key.id).await.map(drop))),
            ("quick", refused(
                control.quick_key(stranger, from(json!({ "api": "shop", "plan": "free" }))).await.map(drop),
            )),
            ("quick", refused(
                control.quick_key(stranger, from(json!({ "api": shop.api, "plan": "free" }))).await.map(drop),
            )),
            ("contract", refused(control.contract_document(stranger, shop.version).await.map(drop))),
            ("contracts", refused(control.contracts(stranger, shop.version).await.map(drop))),
            ("operations", refused(control.operations(stranger, shop.version).await.map(drop))),
            ("effective", refused(control.effective_contract(stranger, shop.version, None).await.map(drop))),
            ("published", refused(control.published_version(stranger, shop.version).await.map(drop))),
            ("replace", refused(
                control.replace_contract(stranger, shop.version, crate::fixture::PETS, None).await.map(drop),
            )),
            ("catalogue", refused(control.catalogue_product(stranger, product.id).await.map(drop))),
        ];
        for (what, code) in tries {
            assert!(["not_found", "request_invalid"].contains(&code), "{what}: {code}");
        }
        let nobody = Caller::anonymous(None);
        assert_eq!(refusal(control.read::<Api>(&nobody, shop.api).await).0, "authentication_required");
    }
}

/// Fields of an upstream that cannot be, and where that is said.
#[expect(clippy::too_many_lines, reason = "a table")]
fn upstream_faults() -> Vec<(Value, Vec<&'static str>)> {
    vec![
        (
            json!({ "balancing": { "algorithm": "consistent_hash" } }),
            vec!["/balancing/hash_on"],
        ),
        (
            json!({ "balancing": { "hash_on": "application" } }),
            vec!["/balancing/hash_on"],
        ),
        (
            json!({ "balancing": { "algorithm": "consistent_hash", "hash_on": "header" } }),
            vec!["/balancing/hash_name"],
        ),
        (
            json!({ "balancing": { "algorithm": "consistent_hash", "hash_on": "cookie", "hash_name": "a b" } }),
            vec!["/balancing/hash_name"],
        ),
        (
            json!({ "balancing": { "hash_load_max_percent": 50, "slow_start_ms": 3_600_001,
                "zone_healthy_min_percent": 0, "panic_percent": 101 } }),
            vec![
                "/balancing/hash_load_max_percent",
                "/balancing/hash_load_max_percent",
                "/balancing/slow_start_ms",
                "/balancing/zone_healthy_min_percent",
                "/balancing/panic_percent",
            ],
        ),
        (
            json!({ "targets": [{ "url": "http://a", "priority": 10 }] }),
            vec!["/targets/0/priority"],
        ),
        (
            json!({ "tls": { "server_name": "a b", "roots": "none",
                "client_certificate": { "chain_file": "a.pem", "key_file": "/a\n" } } }),
            vec![
                "/tls/server_name",
                "/tls/client_certificate/chain_file",
                "/tls/client_certificate/key_file",
                "/tls/roots",
            ],
        ),
        (
            json!({ "health_check": { "kind": "tcp", "path": "up", "statuses": [99], "body_contains": "",
                "grpc_service": "a", "port": 0, "interval_ms": 99, "timeout_ms": 0, "healthy_threshold": 0,
                "unhealthy_threshold": 101 } }),
            vec![
                "/health_check/path",
                "/health_check/statuses/0",
                "/health_check/kind",
                "/health_check/body_contains",
                "/health_check/grpc_service",
                "/health_check/port",
                "/health_check/interval_ms",
                "/health_check/timeout_ms",
                "/health_check/healthy_threshold",
                "/health_check/unhealthy_threshold",
            ],
        ),
        (
            json!({ "outlier_detection": { "consecutive_failures": 0, "ejection_ms": 500, "ejection_max_ms": 400 } }),
            vec![
                "/outlier_detection/ejection_max_ms",
                "/outlier_detection/consecutive_failures",
            ],
        ),
        (
            json!({ "outlier_detection": { "consecutive_failures": 1001, "failure_percent": 101, "calls_min": 0,
                "window_ms": 1, "ejection_ms": 1, "ejection_max_ms": 2, "ejected_max_percent": 101 } }),
            vec![
                "/outlier_detection/consecutive_failures",
                "/outlier_detection/failure_percent",
                "/outlier_detection/calls_min",
                "/outlier_detection/window_ms",
                "/outlier_detection/ejection_ms",
                "/outlier_detection/ejection_max_ms",
                "/outlier_detection/ejected_max_percent",
            ],
        ),
        (
            json!({ "circuit_breaker": { "failure_percent": 0 } }),
            vec!["/circuit_breaker/failure_percent"],
        ),
        (
            json!({ "circuit_breaker": { "failure_percent": 101, "calls_min": 0, "window_ms": 1,
                "consecutive_failures": 1001, "open_ms": 0, "probes": 0 } }),
            vec![
                "/circuit_breaker/failure_percent",
                "/circuit_breaker/calls_min",
                "/circuit_breaker/window_ms",
                "/circuit_breaker/consecutive_failures",
                "/circuit_breaker/open_ms",
                "/circuit_breaker/probes",
            ],
        ),
        (
            json!({ "retries": { "attempts_max": 0, "statuses": [200], "body_bytes_max": 1_048_577,
                "budget_percent": 101, "budget_per_second_min": 10_001, "backoff_ms": 60_001,
                "backoff_max_ms": 60_001 } }),
            vec![
                "/retries/attempts_max",
                "/retries/statuses/0",
                "/retries/body_bytes_max",
                "/retries/budget_percent",
                "/retries/budget_per_second_min",
                "/retries/backoff_ms",
                "/retries/backoff_max_ms",
            ],
        ),
        (
            json!({ "targets": [{ "url": "http://127.0.0.1", "resolve": "dns" },
                { "url": "http://_http._tcp.shop:8080", "resolve": "srv" },
                { "url": "http://shop", "resolve": "dns" }] }),
            vec!["/targets/0/resolve", "/targets/1/resolve"],
        ),
        (
            json!({ "hedging": { "after_ms": 0 }, "fallback": { "status": 204, "content_type": "json", "body": "x" } }),
            vec!["/hedging/after_ms", "/fallback/body", "/fallback/content_type"],
        ),
        (
            json!({ "fallback": { "body": "x", "last_good": { "bytes_max": 1, "entries_max": 0 } } }),
            vec![
                "/fallback/last_good/bytes_max",
                "/fallback/last_good/entries_max",
                "/fallback/status",
            ],
        ),
        (json!({ "fallback": {} }), vec!["/fallback/status"]),
        (
            json!({ "targets_file": "../shop.yaml" }),
            vec!["/targets_file", "/targets"],
        ),
        (
            json!({ "concurrency": { "waiting_max": 1, "wait_ms": 3_600_001, "adaptive_min": 9, "adaptive_max": 8 } }),
            vec![
                "/concurrency/wait_ms",
                "/concurrency/adaptive_max",
                "/concurrency/waiting_max",
            ],
        ),
        // What is right and has no effect, once the rest is right.
        (
            json!({ "tls": { "client_certificate": { "chain_file": "/a.pem", "key_file": "/a.key" } } }),
            vec!["/tls"],
        ),
        (
            json!({ "health_check": { "kind": "tcp", "path": "/up" }, "retries": { "attempts_max": 1, "statuses": [503] },
                "concurrency": { "adaptive_min": 5 }, "connections": { "waiting_max": 5 } }),
            vec![
                "/health_check/path",
                "/retries/statuses",
                "/concurrency/adaptive_min",
                "/connections/waiting_max",
            ],
        ),
        (
            json!({ "connections": { "max": 100_001, "waiting_max": 100_001, "idle_ms": 1, "streams_max": 0 },
                "timeouts": { "total_ms": 3_600_001 } }),
            vec![
                "/timeouts/total_ms",
                "/connections/max",
                "/connections/waiting_max",
                "/connections/idle_ms",
                "/connections/streams_max",
            ],
        ),
    ]
}
