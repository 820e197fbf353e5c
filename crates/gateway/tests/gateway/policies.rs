//! Keys, CORS and headers on the way of real calls.

use domain::consumer::{KeyState, SubscriptionState};
use domain::id::KeyId;
use serde_json::json;

use crate::bench::{Bench, Upstream, policy};

#[test]
fn keys_are_refused_for_their_own_reasons() {
    let upstream = Upstream::simple();
    let bench = Bench::new(&upstream.urls());
    let call = |key: &str| {
        let mut client = bench.connect();
        client.send(format!("GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-API-Key: {key}\r\n\r\n").as_bytes());
        client.answer().problem()
    };
    let write = |environment: &str, byte| {
        let id = KeyId::new(uuid::Uuid::from_u128(77));
        domain::key::write(&environment.parse().unwrap(), id.uuid(), [byte; 32]).unwrap()
    };
    assert_eq!(call("gl_sandbox"), "401 key_malformed");
    assert_eq!(call(&write("sandbox", 1)), "401 key_unknown");
    assert_eq!(call(&write("production", 1)), "401 key_other_environment");
    let key = bench.key.clone();
    bench.change(|snapshot| snapshot.keys[0].expires_at = Some("2020-01-01T00:00:00Z".parse().unwrap()));
    assert_eq!(call(&key), "401 key_expired");
    bench.change(|snapshot| snapshot.keys[0].state = KeyState::Revoked);
    assert_eq!(call(&key), "401 key_revoked");
    bench.change(|snapshot| {
        snapshot.keys[0].state = KeyState::Active;
        snapshot.keys[0].expires_at = None;
        snapshot.subscriptions[0].state = SubscriptionState::Suspended;
    });
    assert_eq!(call(&key), "403 subscription_suspended");
    bench.change(|snapshot| snapshot.subscriptions.clear());
    assert_eq!(call(&key), "403 not_subscribed");
    assert!(upstream.received().is_empty());
}

#[test]
fn a_route_without_key_auth_is_not_open() {
    let upstream = Upstream::simple();
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        snapshot.routes[0].policies.clear();
    });
    let mut client = bench.connect();
    client.send(b"GET /shop/pets HTTP/1.1\r\nHost: g\r\n\r\n");
    assert_eq!(client.answer().problem(), "401 key_missing");
}

#[test]
fn an_api_can_be_open_or_take_its_key_elsewhere() {
    let upstream = Upstream::simple();
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        let mut open = policy("key_auth", json!({ "required": false, "header": "X-Shop" }));
        open.id = Some(domain::id::PolicyId::new(uuid::Uuid::from_u128(1)));
        snapshot.routes[0].policies.push(open);
    });
    let mut client = bench.connect();
    client.send(b"GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-Gateline-Application: me\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    assert_eq!(upstream.last().fields.get("x-gateline-application"), None);
    client.send(
        format!(
            "GET /shop/pets HTTP/1.1\r\nHost: g\r\nX-Shop: {}\r\n\r\n",
            bench.key
        )
        .as_bytes(),
    );
    assert_eq!(client.answer().status, 200);
    assert_eq!(upstream.last().fields.get("x-gateline-plan"), Some("free"));
    assert_eq!(upstream.last().fields.get("x-shop"), None);
}

#[test]
fn pages_of_other_origins_may_call() {
    let upstream = Upstream::simple();
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        let cors = json!({ "origins": ["https://app.example"], "expose": ["X-Request-ID"] });
        snapshot.routes[0].policies.push(policy("cors", cors));
    });
    let mut client = bench.connect();
    client.send(
        b"OPTIONS /shop/pets HTTP/1.1\r\nHost: g\r\nOrigin: https://app.example\r\n\
          Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x-api-key\r\n\r\n",
    );
    let answer = client.answer();
    assert_eq!(answer.status, 204);
    assert_eq!(
        answer.field("access-control-allow-origin"),
        Some("https://app.example")
    );
    assert_eq!(
        answer.field("access-control-allow-methods"),
        Some("GET, HEAD, POST")
    );
    assert_eq!(answer.field("access-control-allow-headers"), Some("x-api-key"));
    client.send(b"GET /shop/pets HTTP/1.1\r\nHost: g\r\nOrigin: https://app.example\r\n\r\n");
    let refused = client.answer();
    assert_eq!(refused.problem(), "401 key_missing");
    assert_eq!(
        refused.field("access-control-allow-origin"),
        Some("https://app.example"),
        "a page can read why"
    );
    client.send(b"GET /shop/pets HTTP/1.1\r\nHost: g\r\nOrigin: https://evil.example\r\n\r\n");
    assert_eq!(client.answer().field("access-control-allow-origin"), None);
    assert!(upstream.received().is_empty());
}

#[test]
fn fields_are_set_and_removed() {
    let upstream = Upstream::start(|_, stream| crate::bench::reply(stream, "200 OK", "Server: old\r\n", ""));
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        let change = json!({
            "request": { "set": { "X-Tenant": "shop" }, "remove": ["Cookie"] },
            "response": { "set": { "X-Frame-Options": "DENY" }, "remove": ["Server"] },
        });
        snapshot.routes[0].policies.push(policy("headers", change));
    });
    let answer = bench.call("GET", "/shop/pets", "Cookie: a=b\r\n", "");
    assert_eq!(
        (answer.field("x-frame-options"), answer.field("server")),
        (Some("DENY"), None)
    );
    let received = upstream.last();
    assert_eq!(
        (received.fields.get("x-tenant"), received.fields.get("cookie")),
        (Some("shop"), None)
    );
}

#[test]
fn policies_run_in_their_order_and_for_their_operation() {
    let upstream = Upstream::simple();
    let sets = |value: &str| policy("headers", json!({ "request": { "set": { "X-A": value } } }));
    let bench = Bench::with(&upstream.urls(), |_, snapshot| {
        let route = &mut snapshot.routes[0];
        let mut of_one = sets("of one pet");
        let one = route
            .operations
            .iter()
            .find(|it| it.method == "GET" && it.path == "/pets/{id}");
        of_one.operation = Some(one.unwrap().id);
        route.policies.extend([sets("first"), sets("second"), of_one]);
    });
    let told = |path: &str| {
        assert_eq!(bench.get(path).status, 200);
        upstream.last().fields.get("x-a").map(str::to_owned)
    };
    assert_eq!(told("/shop/pets").as_deref(), Some("second"));
    assert_eq!(told("/shop/pets/1").as_deref(), Some("of one pet"));
    bench.change(|snapshot| snapshot.routes[0].policies[1..].reverse());
    assert_eq!(told("/shop/pets").as_deref(), Some("first"));
    assert_eq!(told("/shop/pets/1").as_deref(), Some("first"));
}
