//! Routes: what may be saved, told with its place.

use pki::testing::{Authority, Pair, Subject};
use serde_json::{Value, json};

use crate::app::{Someone, TestApp};

/// A route's body, to the version and upstream of an import, with these fields.
async fn spec(owner: &Someone<'_>, imported: &Value, change: Value) -> Value {
    let routes = format!(
        "/api/v1/routes?filter[version]={}",
        imported["version"].as_str().unwrap()
    );
    let routes = owner.get(&routes).await.json(200);
    let first = &routes["data"].as_array().unwrap().last().unwrap();
    let mut spec = json!({
        "version_id": first["version_id"], "upstream_id": first["upstream_id"],
        "environment": "sandbox", "base_path": "/shop",
    });
    for (name, value) in change.as_object().unwrap() {
        spec[name] = value.clone();
    }
    spec
}

fn header(name: &str) -> Value {
    json!({ "headers": [{ "name": name, "kind": "present" }] })
}

#[tokio::test]
async fn routes_of_one_place_differ_in_their_conditions() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let imported = owner.import("shop").await;
    let make = async |change: Value| {
        owner
            .post("/api/v1/routes", spec(&owner, &imported, change).await)
            .await
    };
    let first = make(json!({ "match": header("X-A") })).await.json(201);
    assert_eq!(first["match"], header("X-A"));
    assert_eq!(first["priority"], 0);
    // In another case it is the same field.
    let again = make(json!({ "match": header("x-a"), "priority": 7 }))
        .await
        .problem();
    let expected = format!(
        "409 route_taken: In `sandbox`, {} of the API `shop` answers at `/shop` under the same conditions already.",
        first["id"].as_str().unwrap()
    );
    assert_eq!(again, expected);
    let taken = make(json!({})).await.problem();
    assert!(
        taken.starts_with("409 route_taken: In `sandbox`, rte_"),
        "{taken}"
    );
    // Another host, environment or base path is another place.
    make(json!({ "match": header("x-a"), "host": "*.shop.test" }))
        .await
        .json(201);
    make(json!({ "match": header("x-a"), "environment": "production" }))
        .await
        .json(201);
    make(json!({ "match": header("x-a"), "base_path": "/shop/2" }))
        .await
        .json(201);
    // Nobody else may take calls away by a condition.
    let stranger = app.stranger().await;
    let theirs = stranger.import("theirs").await;
    let theirs = spec(&stranger, &theirs, json!({ "match": header("x-b") })).await;
    assert_eq!(
        stranger.post("/api/v1/routes", theirs).await.problem(),
        "409 route_taken: In `sandbox`, a route of another organization answers at `/shop` already."
    );
}

#[tokio::test]
async fn a_route_that_would_get_no_call_is_refused() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let imported = owner.import("shop").await;
    let make = async |change: Value| {
        owner
            .post("/api/v1/routes", spec(&owner, &imported, change).await)
            .await
    };
    let below = json!({ "match": header("x-a"), "priority": -1 });
    let refused = make(below.clone()).await.problem();
    assert!(
        refused.starts_with("409 route_unreachable: It would get no call: at `/shop`, rte_"),
        "{refused}"
    );
    let mut off = below.clone();
    off["enabled"] = json!(false);
    let off = make(off).await.json(201);
    let path = format!("/api/v1/routes/{}", off["id"].as_str().unwrap());
    assert_eq!(
        owner.patch(&path, json!({ "enabled": true })).await.code(),
        "precondition_required"
    );
    let any = owner.with("if-match", "*");
    assert_eq!(
        any.patch(&path, json!({ "enabled": true })).await.code(),
        "route_unreachable"
    );
    any.patch(&path, json!({ "enabled": true, "priority": 0 }))
        .await
        .json(200);
    // The one that takes everything cannot be moved before it either.
    let routes = format!(
        "/api/v1/routes?filter[api]={}&sort=created_at",
        imported["api"].as_str().unwrap()
    );
    let routes = owner.get(&routes).await.json(200);
    let usual = routes["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|route| route["match"] == json!({}));
    let usual = format!("/api/v1/routes/{}", usual.unwrap()["id"].as_str().unwrap());
    let refused = any.patch(&usual, json!({ "priority": 1 })).await.problem();
    assert!(
        refused.starts_with("409 route_unreachable: It takes every call at `/shop`, so rte_"),
        "{refused}"
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_condition_is_told_with_its_place() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let imported = owner.import("shop").await;
    let table = [
        (json!({ "host": "a.*.test" }), "/host host_invalid"),
        (
            json!({ "match": { "methods": ["PURGE"] } }),
            "/match/methods/0 method_unknown",
        ),
        (
            json!({ "match": { "methods": ["get"] } }),
            "/match/methods/0 method_invalid",
        ),
        (
            json!({ "match": { "path": { "kind": "exact", "value": "/x" } } }),
            "/match/path/value path_outside",
        ),
        (
            json!({ "match": { "path": { "kind": "regex", "value": "(" } } }),
            "/match/path/value regex_invalid",
        ),
        (
            json!({ "match": { "headers": [{ "name": "a b", "kind": "present" }] } }),
            "/match/headers/0/name name_invalid",
        ),
        (
            json!({ "match": { "headers": [{ "name": "a" }] } }),
            "/match/headers/0/value value_missing",
        ),
        (
            json!({ "match": { "query": [{ "name": "a", "kind": "regex", "value": "[" }] } }),
            "/match/query/0/value regex_invalid",
        ),
        (
            json!({ "match": { "cookies": [{ "name": ";", "kind": "present" }] } }),
            "/match/cookies/0/name name_invalid",
        ),
        (
            json!({ "match": { "colour": "red" } }),
            "/match/colour field_invalid",
        ),
        (
            json!({ "match": { "headers": [{ "name": "a", "kind": "like", "value": "b" }] } }),
            "/match/headers/0/kind field_invalid",
        ),
    ];
    for (change, expected) in table {
        let refused = owner
            .post("/api/v1/routes", spec(&owner, &imported, change.clone()).await)
            .await;
        let found = refused.problem();
        let line = found.lines().nth(1).unwrap_or_default();
        let (pointer, code) = expected.split_once(' ').unwrap();
        let expected = format!("\"{pointer}\" \"{code}\": ");
        assert!(line.starts_with(&expected), "{change}: {found}");
    }
}

/// Where and what is wrong, what is said beside the version and the upstream.
const ACTIONS: &str = r#"
/upstream_id action_missing | { "upstream_id": null }
/redirect action_twice | { "redirect": { "path": "/x" } }
/redirect redirect_circular | { "upstream_id": null, "redirect": {} }
/redirect/status status_invalid | { "upstream_id": null, "redirect": { "path": "/x", "status": 200 } }
/answer/body body_unused | { "upstream_id": null, "answer": { "status": 204, "body": "x" } }
/answer/headers/Connection name_invalid | { "upstream_id": null, "answer": { "status": 200, "headers": { "Connection": "x" } } }
/rewrite rewrite_unused | { "upstream_id": null, "answer": { "status": 200 }, "rewrite": { "prefix": "/x" } }
/rewrite/path variable_unknown | { "rewrite": { "path": "/v2/{nothing}" } }
/rewrite/regex/pattern regex_invalid | { "rewrite": { "regex": { "pattern": "(", "replacement": "" } } }
/rewrite/host host_invalid | { "rewrite": { "host": "a b" } }
/mirror/upstream_id reference_unknown | { "mirror": { "upstream_id": "ups_00000000000000000000000000" } }
/mirror mirror_unused | { "upstream_id": null, "answer": { "status": 200 }, "mirror": { "upstream_id": "ups_00000000000000000000000000" } }
/mirror/in_flight_max field_out_of_range | { "mirror": { "upstream_id": "ups_00000000000000000000000000", "in_flight_max": 0 } }
"#;

#[tokio::test]
async fn what_a_route_cannot_do_is_told_with_its_place() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let imported = owner.import("shop").await;
    for case in ACTIONS.trim().lines() {
        let (expected, change) = case.split_once(" | ").unwrap();
        let mut change: Value = serde_json::from_str(change).unwrap();
        change["base_path"] = json!("/other");
        let refused = owner
            .post("/api/v1/routes", spec(&owner, &imported, change).await)
            .await
            .problem();
        let (pointer, code) = expected.split_once(' ').unwrap();
        assert!(
            refused.contains(&format!("\n\"{pointer}\" \"{code}\": ")),
            "{case}: {refused}"
        );
    }
}

#[tokio::test]
async fn a_route_without_an_upstream_redirects_or_answers() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let imported = owner.import("shop").await;
    let redirect =
        json!({ "base_path": "/old", "upstream_id": null, "redirect": { "prefix": "/shop", "status": 308 } });
    let mut made = spec(&owner, &imported, redirect).await;
    made.as_object_mut().unwrap().remove("upstream_id");
    let made = owner.post("/api/v1/routes", made).await.json(201);
    assert_eq!(
        made["redirect"],
        json!({ "prefix": "/shop", "status": 308, "keep_query": true })
    );
    assert!(made.get("upstream_id").is_none() && made["links"].get("upstream").is_none());
    // By one merge patch it becomes another kind of route.
    let path = format!("/api/v1/routes/{}", made["id"].as_str().unwrap());
    let answer = json!({ "redirect": null, "answer": { "status": 410, "body": "gone" } });
    let any = owner.with("if-match", "*");
    let changed = any.patch(&path, answer).await.json(200);
    assert_eq!(changed["answer"], json!({ "status": 410, "body": "gone" }));
}

#[tokio::test]
async fn explaining_tells_what_the_gateway_would_do() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let imported = owner.import("shop").await;
    let make = async |change: Value| {
        owner
            .post("/api/v1/routes", spec(&owner, &imported, change).await)
            .await
            .json(201)
    };
    let special = make(json!({ "match": header("x-a"), "priority": 2, "rewrite": { "prefix": "/v2", "host": "inner.test" } })).await;
    let old =
        make(json!({ "base_path": "/old", "upstream_id": null, "redirect": { "prefix": "/shop" } })).await;
    let policy = json!({ "api_id": imported["api"], "kind": "headers", "config": {} });
    owner.post("/api/v1/policies", policy).await.json(201);
    let explain = async |body: Value| owner.post("/api/v1/routes/explain", body).await.json(200);
    let fits =
        json!({ "url": "http://gateway.test/shop/pets?q=1", "headers": [{ "name": "X-A", "value": "1" }] });
    let found = explain(fits).await;
    assert_eq!(found["outcome"], "forwarded");
    assert_eq!(found["route_id"], special["id"]);
    assert_eq!(found["operation"]["path"], "/pets");
    let upstream = format!("/api/v1/upstreams/{}", special["upstream_id"].as_str().unwrap());
    let upstream = owner.get(&upstream).await.json(200);
    let url = upstream["targets"][0]["url"].as_str().unwrap();
    assert_eq!(found["upstream_url"], format!("{url}/v2/pets?q=1"));
    assert_eq!(found["upstream_host"], "inner.test");
    let kinds: Vec<_> = found["policies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|policy| &policy["kind"])
        .collect();
    assert!(
        kinds.contains(&&json!("key_auth")) && kinds.contains(&&json!("headers")),
        "{kinds:?}"
    );
    // Without the field the next route of the place takes it, and what was missed is told.
    let found = explain(json!({ "url": "/shop/pets", "method": "DELETE" })).await;
    assert_eq!(
        (&found["outcome"], &found["status"]),
        (&json!("method_not_allowed"), &json!(405))
    );
    let tried = found["tried"].as_array().unwrap();
    assert_eq!(
        tried[0],
        json!({ "route_id": special["id"], "base_path": "/shop", "priority": 2, "fits": false,
        "missed": "/match/headers/0" })
    );
    assert_eq!((tried.len(), &tried[1]["fits"]), (2, &json!(true)));
    let found = explain(json!({ "url": "https://a.test/old/x" })).await;
    assert_eq!(
        (&found["route_id"], &found["location"]),
        (&old["id"], &json!("/shop/x"))
    );
    let written = explain(json!({ "url": "/%6Fld/%78" })).await;
    assert_eq!(
        (&written["route_id"], &written["location"]),
        (&old["id"], &json!("/shop/%78"))
    );
    assert_eq!(
        explain(json!({ "url": "/shop/nothing" })).await["outcome"],
        "operation_not_found"
    );
    assert_eq!(
        explain(json!({ "url": "/nothing" })).await["outcome"],
        "route_not_found"
    );
}

#[tokio::test]
async fn routes_ask_for_client_certificates_and_say_if_nobody_shows_one() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let imported = owner.import("shop").await;
    let make = async |change: Value| {
        owner
            .post("/api/v1/routes", spec(&owner, &imported, change).await)
            .await
    };
    let billing =
        json!({ "client_certificate": { "fields": [{ "name": "common_name", "value": "billing" }] } });
    let strict = make(json!({ "host": "strict.example.com", "match": billing }))
        .await
        .json(201);
    assert_eq!(strict["findings"][0]["code"], "client_certificate_never_asked");
    assert_eq!(strict["findings"][0]["pointer"], "/match/client_certificate");
    let any = make(json!({ "match": { "client_certificate": { "kind": "absent" } } }))
        .await
        .json(201);
    assert_eq!(any["findings"], json!([]), "nobody has to show anything for that");
    let refused = make(json!({ "match": { "client_certificate": { "fields": [{ "name": "hostname" }] } } }));
    let refused = refused.await.problem();
    assert!(
        refused.contains("\"/match/client_certificate/fields/0/name\" \"name_invalid\""),
        "{refused}"
    );

    let authority = Authority::new("clients");
    let pair = Pair::of(&["*.example.com"]);
    let certificate = json!({
        "name": "wild", "environment": "sandbox", "hosts": ["*.example.com"],
        "pem": { "chain": pair.chain, "private_key": pair.key },
        "client_auth": { "mode": "optional", "authorities": authority.root },
    });
    owner.post("/api/v1/certificates", certificate).await.json(201);
    let path = format!("/api/v1/routes/{}", strict["id"].as_str().unwrap());
    assert_eq!(owner.get(&path).await.json(200)["findings"], json!([]));

    let client = |common_name| {
        let subject = Subject {
            common_name,
            ..Subject::default()
        };
        authority.sign(&subject).chain
    };
    let explain = async |shown: Option<String>| {
        let body = json!({ "url": "https://strict.example.com/shop/pets", "client_certificate": shown });
        owner.post("/api/v1/routes/explain", body).await
    };
    let found = explain(Some(client("billing"))).await.json(200);
    assert_eq!(found["route_id"], strict["id"]);
    let other = explain(Some(client("search"))).await.json(200);
    assert_eq!(other["tried"][0]["missed"], "/match/client_certificate/fields/0");
    let none = explain(None).await.json(200);
    assert_eq!(none["tried"][0]["missed"], "/match/client_certificate");
    let wrong = explain(Some("no PEM".to_owned())).await.problem();
    assert!(
        wrong.contains("\"/client_certificate\" \"certificate_invalid\""),
        "{wrong}"
    );
}

#[tokio::test]
async fn what_is_no_request_is_not_explained() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    for (body, expected) in [
        (json!({ "url": "/shop/../x" }), "\"/url\" \"url_invalid\""),
        (json!({ "url": "http://[" }), "\"/url\" \"url_invalid\""),
        (
            json!({ "url": "/x", "method": "G T" }),
            "\"/method\" \"method_invalid\"",
        ),
        (
            json!({ "url": "/x", "headers": [{ "name": "a b", "value": "" }] }),
            "\"/headers/0\" \"field_invalid\"",
        ),
        (
            json!({ "url": "/x", "environment": "nowhere" }),
            "\"/environment\" \"reference_unknown\"",
        ),
    ] {
        let refused = owner.post("/api/v1/routes/explain", body).await.problem();
        assert!(refused.contains(expected), "{refused}");
    }
}

#[tokio::test]
async fn explaining_tells_nothing_of_others_routes() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    owner.import("shop").await;
    let stranger = app.stranger().await;
    let found = stranger
        .post("/api/v1/routes/explain", json!({ "url": "/shop/pets" }))
        .await
        .json(200);
    assert_eq!(
        found,
        json!({
            "environment": "sandbox",
            "outcome": "other_organization",
            "detail": "A route of another organization answers there.",
            "tried": [{ "fits": true }],
            "policies": [],
        })
    );
}

#[tokio::test]
async fn a_contract_that_breaks_a_rewrite_is_refused() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let document = |path: &str| {
        format!(
            "openapi: 3.1.0\ninfo: {{ title: Items, version: '1' }}\npaths: {{ {path}: {{ get: {{ responses: {{ '200': {{ description: ok }} }} }} }} }}\n"
        )
    };
    let import = async |path: &str| {
        let body = json!({ "document": document(path), "name": "items", "publish": true, "upstream_url": "http://127.0.0.1:9" });
        owner.post("/api/v1/apis/import", body).await
    };
    let imported = import("'/items/{id}'").await.json(201);
    let routes = format!(
        "/api/v1/routes?filter[version]={}",
        imported["version"].as_str().unwrap()
    );
    let route = owner.get(&routes).await.json(200)["data"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let any = owner.with("if-match", "*");
    let rewrite = json!({ "rewrite": { "path": "/v2/{id}" } });
    any.patch(&format!("/api/v1/routes/{route}"), rewrite)
        .await
        .json(200);
    let refused = import("/things").await.problem();
    assert!(
        refused.starts_with(&format!("409 conflict: The route {route} rewrites paths: ")),
        "{refused}"
    );
}

/// A route that splits its calls: what it names is there and stays there, its weights change by one patch, and what
/// cannot be is told with its place.
#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story from its beginning to its end")]
async fn a_route_splits_its_calls_between_upstreams_of_its_organization() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let imported = owner.import("shop").await;
    let green = json!({ "name": "green", "targets": [{ "url": "http://127.0.0.1:9" }] });
    let green = owner.post("/api/v1/upstreams", green).await.json(201)["id"].clone();
    let first = spec(&owner, &imported, json!({})).await;
    let blue = &first["upstream_id"];
    let split = |to: &Value, weights: [u32; 2]| {
        json!({ "base_path": "/split", "upstream_id": null, "split": {
            "variants": [{ "name": "blue", "upstream_id": blue, "weight": weights[0] },
                { "name": "green", "upstream_id": to, "weight": weights[1] }],
            "by": "cookie", "by_name": "side", "give_cookie": {},
        } })
    };
    let make = async |change: Value| {
        let mut body = spec(&owner, &imported, change).await;
        if body["upstream_id"].is_null() {
            body.as_object_mut().unwrap().remove("upstream_id");
        }
        owner.post("/api/v1/routes", body).await
    };
    for (change, expected) in [
        (
            split(&json!("ups_00000000000000000000000000"), [1, 1]),
            "\"/split/variants/1/upstream_id\" \"reference_unknown\"",
        ),
        (
            split(&green, [0, 0]),
            "\"/split/variants\" \"combination_invalid\"",
        ),
        (
            split(&green, [1, 10_001]),
            "\"/split/variants/1/weight\" \"field_out_of_range\"",
        ),
    ] {
        let refused = make(change.clone()).await.problem();
        assert!(refused.contains(expected), "{change}: {refused}");
    }
    let mut both = split(&green, [1, 1]);
    both["upstream_id"] = blue.clone();
    let refused = make(both).await.problem();
    assert!(refused.contains("\"/split\" \"action_twice\""), "{refused}");

    let made = make(split(&green, [100, 0])).await.json(201);
    assert_eq!(made["split"]["give_cookie"]["same_site"], "lax");
    let path = format!("/api/v1/routes/{}", made["id"].as_str().unwrap());
    let to_green = format!("/api/v1/routes?filter[upstream]={}", green.as_str().unwrap());
    let found = owner.get(&to_green).await.json(200);
    assert_eq!(found["data"][0]["id"], made["id"], "{found}");
    let upstream = format!("/api/v1/upstreams/{}", green.as_str().unwrap());
    let any = owner.with("if-match", "*");
    assert_eq!(any.delete(&upstream).await.code(), "in_use");

    let switched = json!({ "split": split(&green, [0, 100])["split"] });
    let switched = owner
        .with("if-match", "\"1\"")
        .patch(&path, switched)
        .await
        .json(200);
    assert_eq!(switched["split"]["variants"][1]["weight"], 100);
    // Somebody else has changed it since.
    let late = json!({ "split": split(&green, [50, 50])["split"] });
    let late = owner.with("if-match", "\"1\"").patch(&path, late).await;
    assert_eq!(late.code(), "precondition_failed");

    let asked = json!({ "url": "/split/pets", "headers": [{ "name": "cookie", "value": "side=a" }] });
    let explained = owner.post("/api/v1/routes/explain", asked).await.json(200);
    assert_eq!(explained["upstream_id"], green, "{explained}");
    let asked = json!({ "url": "/split/pets" });
    let explained = owner.post("/api/v1/routes/explain", asked).await.json(200);
    let detail = explained["detail"].as_str().unwrap();
    assert!(
        explained.get("upstream_id").is_none() && detail.contains("`green` (100)"),
        "{explained}"
    );

    // The same document again leaves the route as it is; an address for all of it is none for two.
    let one = json!({ "split": null, "upstream_id": blue });
    assert_eq!(any.patch(&path, one).await.json(200)["upstream_id"], *blue);
    assert_eq!(any.delete(&upstream).await.code(), "ok");
}

#[tokio::test]
async fn a_route_opens_tunnels_beside_one_for_calls() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let imported = owner.import("shop").await;
    let stream = json!({ "name": "ledger", "targets": [{ "url": "tcp://ledger.internal:5432" }] });
    let ledger = owner.post("/api/v1/upstreams", stream).await.json(201)["id"].clone();
    let place = json!({ "host": "a.example", "base_path": "/" });
    let calls = spec(&owner, &imported, place.clone()).await;
    owner.post("/api/v1/routes", calls.clone()).await.json(201);
    // Calls cannot go there, bytes can.
    let mut route = calls;
    route["upstream_id"] = ledger.clone();
    let refused = owner.post("/api/v1/routes", route.clone()).await.problem();
    assert!(
        refused.contains("\"/upstream_id\" \"combination_invalid\""),
        "{refused}"
    );
    route["connect"] = json!({ "ports": [5432] });
    let made = owner.post("/api/v1/routes", route.clone()).await.json(201);
    assert_eq!(made["connect"], json!({ "ports": [5432], "idle_ms": 3_600_000 }));
    let twice = owner.post("/api/v1/routes", route.clone()).await;
    assert_eq!(twice.code(), "route_taken");
    route["mirror"] = json!({ "upstream_id": ledger });
    let refused = owner.post("/api/v1/routes", route).await.problem();
    assert!(
        refused.contains("\"/mirror\" \"combination_invalid\""),
        "{refused}"
    );

    for (method, url, expected) in [
        ("CONNECT", "a.example:5432", "tunnel"),
        ("CONNECT", "a.example:22", "connect_refused"),
        ("CONNECT", "b.example:5432", "route_not_found"),
        ("GET", "https://a.example/pets", "forwarded"),
    ] {
        let asked = json!({ "method": method, "url": url });
        let explained = owner.post("/api/v1/routes/explain", asked).await.json(200);
        assert_eq!(explained["outcome"], expected, "{explained}");
        if expected == "tunnel" {
            assert_eq!(explained["upstream_url"], "tcp://ledger.internal:5432");
            assert_eq!(explained["policies"][0]["kind"], "key_auth");
        }
    }
    let asked = json!({ "method": "CONNECT", "url": "a.example" });
    let refused = owner.post("/api/v1/routes/explain", asked).await.problem();
    assert!(refused.contains("\"/url\" \"url_invalid\""), "{refused}");
}
