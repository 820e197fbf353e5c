//! Feature flags: saved as they can be compiled, asked with keys, tried out by people.

use serde_json::{Value, json};

use crate::app::{Answer, Someone, TestApp};

pub(crate) const FLAGS: &str = "/api/v1/feature-flags";

/// A flag that is on for some, in one environment.
pub(crate) fn flag(key: &str, targeting: &Value) -> Value {
    json!({ "key": key, "environments": { "sandbox": targeting } })
}

fn on() -> Value {
    json!({ "off": "off", "otherwise": { "serve": "on" } })
}

pub(crate) async fn make(owner: &Someone<'_>, spec: Value) -> Value {
    owner.post(FLAGS, spec).await.json(201)
}

pub(crate) async fn patch(owner: &Someone<'_>, flag: &Value, patch: Value) -> Answer {
    let change = owner.with("if-match", "*");
    change
        .patch(&format!("{FLAGS}/{}", flag["id"].as_str().unwrap()), patch)
        .await
}

async fn remove(owner: &Someone<'_>, flag: &Value) -> Answer {
    let change = owner.with("if-match", "*");
    change
        .delete(&format!("{FLAGS}/{}", flag["id"].as_str().unwrap()))
        .await
}

fn removed(answer: &Answer) {
    assert_eq!(answer.status.as_u16(), 204, "{}", answer.text());
}

pub(crate) async fn key(owner: &Someone<'_>, spec: Value) -> String {
    let made = owner.post("/api/v1/sdk-keys", spec).await.json(201);
    made["key"].as_str().unwrap().to_owned()
}

pub(crate) async fn server_key(owner: &Someone<'_>) -> String {
    key(owner, json!({ "kind": "server", "environment": "sandbox" })).await
}

/// What is wrong, as `pointer code`.
pub(crate) fn faults(answer: &Answer) -> Vec<String> {
    let problem = answer.json(400);
    let errors = problem["errors"].as_array().unwrap();
    let one = |error: &Value| {
        format!(
            "{} {}",
            error["pointer"].as_str().unwrap(),
            error["code"].as_str().unwrap()
        )
    };
    errors.iter().map(one).collect()
}

/// A flag with an override, two rules and a split where it is asked, and off elsewhere.
fn theme() -> Value {
    json!({ "key": "theme", "type": "string", "variants": { "blue": "#00f", "red": "#f00" }, "environments": {
            "sandbox": {
                "off": "blue",
                "overrides": [{ "by": "user_id", "values": ["t1"], "serve": "red" }],
                "rules": [
                    { "name": "eu", "when": { "all": [
                        { "attribute": "country", "op": "in", "values": ["DE", "FR"] },
                        { "attribute": "age", "op": "gte", "values": ["18"] },
                    ] }, "serve": "red" },
                    { "when": { "attribute": "groups", "op": "has_all", "values": ["a", "b"] }, "serve": "red" },
                ],
                "otherwise": { "split": { "blue": 50, "red": 50 }, "by": "user_id" },
            },
            "production": { "enabled": false, "off": "blue", "otherwise": { "serve": "red" } },
        } })
}

/// The variant, why, and the rule.
fn of(got: &Value) -> (Value, Value, Value) {
    (got["variant"].clone(), got["reason"].clone(), got["rule"].clone())
}

#[tokio::test]
async fn a_flag_is_asked_with_a_key() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    make(&owner, theme()).await;
    let asker = app.anybody().with("x-api-key", &server_key(&owner).await);
    let ask = async |query: &str| {
        asker
            .get(&format!("{FLAGS}/theme/evaluate?{query}"))
            .await
            .json(200)
    };
    let nobody = ask("").await;
    assert_eq!(of(&nobody), (json!("blue"), json!("unit_missing"), Value::Null));
    assert_eq!(
        (&nobody["enabled"], &nobody["assignment_id"]),
        (&json!(false), &Value::Null)
    );
    let tester = ask("user_id=t1").await;
    assert_eq!(of(&tester), (json!("red"), json!("targeting_match"), Value::Null));
    assert_eq!(
        (&tester["enabled"], &tester["value"]),
        (&json!(true), &json!("#f00"))
    );
    let european = ask("country=DE&age=18").await;
    assert_eq!(
        of(&european),
        (json!("red"), json!("targeting_match"), json!("eu"))
    );
    assert_eq!(ask("country=DE&age=17&user_id=1").await["reason"], "split");
    // A body can say more than a query.
    let groups = json!({ "attributes": { "groups": ["b", "a"], "nothing": null } });
    let member = asker
        .post(&format!("{FLAGS}/theme/evaluate"), groups)
        .await
        .json(200);
    assert_eq!(of(&member), (json!("red"), json!("targeting_match"), json!("#2")));
    // One unit, one assignment, whatever is a number there and a text here.
    let unit = ask("user_id=42").await;
    let number = json!({ "attributes": { "user_id": 42 } });
    assert_eq!(
        asker
            .post(&format!("{FLAGS}/theme/evaluate"), number)
            .await
            .json(200),
        unit
    );
    assert!(
        unit["assignment_id"].as_str().unwrap().starts_with("asg_"),
        "{unit}"
    );
    assert_ne!(ask("user_id=43").await["assignment_id"], unit["assignment_id"]);
}

#[tokio::test]
async fn a_change_is_there_at_once() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let made = make(&owner, theme()).await;
    let asker = app.anybody().with("x-api-key", &server_key(&owner).await);
    let path = format!("{FLAGS}/theme/evaluate?user_id=t1");
    let before = asker.get(&path).await.json(200);
    assert_eq!(
        (&before["variant"], &before["flag_version"]),
        (&json!("red"), &json!(1))
    );
    let off = json!({ "environments": { "sandbox": { "enabled": false } } });
    patch(&owner, &made, off).await.json(200);
    let off = asker.get(&path).await.json(200);
    assert_eq!(of(&off), (json!("blue"), json!("disabled"), Value::Null));
    assert_eq!(off["flag_version"], 2);
    removed(&remove(&owner, &made).await);
    let gone = asker.get(&path).await;
    assert_eq!(
        (gone.status.as_u16(), gone.code()),
        (404, "flag_not_found".to_owned())
    );
}

#[tokio::test]
async fn who_may_ask_is_told_apart() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    make(&owner, flag("open", &on())).await;
    let mut inner = flag("inner", &on());
    inner["client_side"] = json!(false);
    make(&owner, inner).await;
    let ask = async |key: &str, name: &str| {
        let asker = app.anybody().with("x-api-key", key);
        asker.get(&format!("{FLAGS}/{name}/evaluate")).await
    };
    let server = server_key(&owner).await;
    let client = key(&owner, json!({ "kind": "client", "environment": "sandbox" })).await;
    let elsewhere = key(&owner, json!({ "kind": "server", "environment": "production" })).await;
    assert_eq!(ask(&server, "inner").await.json(200)["value"], true);
    assert_eq!(ask(&client, "open").await.json(200)["value"], true);
    for (key, name) in [(&client, "inner"), (&elsewhere, "open"), (&server, "nothing")] {
        assert_eq!(ask(key, name).await.code(), "flag_not_found", "{name}");
    }
    assert_eq!(
        app.anybody().get(&format!("{FLAGS}/open/evaluate")).await.code(),
        "sdk_key_missing"
    );
    assert_eq!(ask("gl_nonsense", "open").await.code(), "sdk_key_invalid");
    // Another organization's flag of the same key is another flag.
    let stranger = app.stranger().await;
    make(
        &stranger,
        flag(
            "open",
            &json!({ "enabled": false, "off": "off", "otherwise": { "serve": "on" } }),
        ),
    )
    .await;
    let theirs = server_key(&stranger).await;
    assert_eq!(ask(&theirs, "open").await.json(200)["value"], false);
    assert_eq!(ask(&theirs, "inner").await.code(), "flag_not_found");
}

#[tokio::test]
async fn pages_ask_with_a_key_for_them() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    make(&owner, flag("open", &on())).await;
    let spec = json!({ "kind": "client", "environment": "sandbox", "origins": ["https://shop.example"] });
    let client = key(&owner, spec).await;
    let server = server_key(&owner).await;
    let path = format!("{FLAGS}/open/evaluate");
    let page = |origin: &str, key: &str| app.anybody().with("origin", origin).with("x-api-key", key);
    let allowed = |answer: &Answer| {
        let origin = answer.headers.get("access-control-allow-origin");
        origin.map(|origin| origin.to_str().unwrap().to_owned())
    };
    let answer = page("https://shop.example", &client).get(&path).await;
    assert_eq!(answer.json(200)["enabled"], true);
    assert_eq!(allowed(&answer).as_deref(), Some("https://shop.example"));
    let missing = page("https://shop.example", &client)
        .get(&format!("{FLAGS}/none/evaluate"))
        .await;
    assert_eq!(
        (missing.code(), allowed(&missing).is_some()),
        ("flag_not_found".to_owned(), true)
    );
    assert_eq!(
        page("https://other.example", &client).get(&path).await.code(),
        "origin_refused"
    );
    assert_eq!(
        page("https://shop.example", &server).get(&path).await.code(),
        "origin_refused"
    );
    let asks = app
        .anybody()
        .with("origin", "https://shop.example")
        .with("access-control-request-method", "POST");
    let preflight = asks
        .send(http::Method::OPTIONS, &path, axum::body::Body::empty(), None)
        .await;
    assert_eq!(
        (preflight.status.as_u16(), allowed(&preflight).as_deref()),
        (204, Some("*"))
    );
    let managed = asks
        .send(http::Method::OPTIONS, FLAGS, axum::body::Body::empty(), None)
        .await;
    assert_eq!(allowed(&managed), None);
}

#[tokio::test]
async fn what_cannot_be_compiled_is_not_saved() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let refused = async |spec: Value| faults(&owner.post(FLAGS, spec).await);
    let with = |rules: Value| {
        flag(
            "a",
            &json!({ "off": "off", "rules": rules, "otherwise": { "serve": "off" } }),
        )
    };
    assert_eq!(
        refused(flag(
            "a",
            &json!({ "off": "none", "otherwise": { "split": { "on": 1, "off": 2 }, "by": "u" } })
        ))
        .await,
        [
            "/environments/sandbox/off variant_unknown",
            "/environments/sandbox/otherwise/split weights_sum",
        ]
    );
    assert_eq!(
        refused(with(json!([{ "when": { "any": [{ "attribute": "a", "op": "matches", "values": ["("] }] }, "serve": "on" }])))
            .await,
        ["/environments/sandbox/rules/0/when/any/0/values/0 value_invalid"]
    );
    let pattern =
        json!({ "when": { "attribute": "a", "op": "matches", "values": vec!["x"; 51] }, "serve": "on" });
    assert_eq!(
        refused(with(json!([pattern]))).await,
        ["/environments/sandbox field_out_of_range"]
    );
    assert_eq!(
        refused(json!({ "key": "a", "type": "number", "variants": { "one": 1, "two": "2", " x": 3 } })).await,
        ["/variants/ x field_invalid", "/variants/two value_type"]
    );
    assert_eq!(
        refused(json!({ "key": "a", "variants": {} })).await,
        ["/variants field_out_of_range"]
    );
    assert_eq!(
        refused(json!({ "key": "a", "environments": { "moon": on() } })).await,
        ["/environments/moon reference_unknown"]
    );
    assert_eq!(refused(json!({ "key": "a b" })).await, ["/key field_invalid"]);
    assert_eq!(
        refused(flag(
            "a",
            &json!({ "off": "off", "otherwise": { "serve": "on" }, "more": 1 })
        ))
        .await,
        ["/environments/sandbox/more field_invalid"]
    );
    let large = json!({ "key": "a", "type": "string", "variants": { "x": "y".repeat(300_000) } });
    assert_eq!(refused(large).await, [" field_out_of_range"]);
    let made = make(&owner, flag("a", &on())).await;
    assert_eq!(owner.post(FLAGS, flag("a", &on())).await.code(), "name_taken");
    let other = json!({ "key": "b", "type": "json" });
    assert_eq!(
        faults(&patch(&owner, &made, other).await),
        ["/key field_fixed", "/type field_fixed"]
    );
}

#[tokio::test]
async fn a_flag_that_another_needs_stays_as_that_one_needs_it() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let base = make(&owner, flag("base", &on())).await;
    let needs = |variant: &str| json!({ "off": "off", "prerequisites": [{ "flag": "base", "variants": [variant] }], "otherwise": { "serve": "on" } });
    assert_eq!(
        faults(&owner.post(FLAGS, flag("upper", &needs("blue"))).await),
        ["/environments/sandbox/prerequisites/0/variants/0 variant_unknown"]
    );
    let upper = make(&owner, flag("upper", &needs("on"))).await;
    let asker = app.anybody().with("x-api-key", &server_key(&owner).await);
    let ask = async || asker.get(&format!("{FLAGS}/upper/evaluate")).await.json(200)["reason"].clone();
    assert_eq!(ask().await, "static");
    patch(
        &owner,
        &base,
        json!({ "environments": { "sandbox": { "enabled": false } } }),
    )
    .await
    .json(200);
    assert_eq!(ask().await, "prerequisite_failed");
    // In a circle nobody could be asked first.
    let circle = json!({ "environments": { "sandbox": { "prerequisites": [{ "flag": "upper", "variants": ["on"] }] } } });
    assert_eq!(
        faults(&patch(&owner, &base, circle).await),
        [
            "/environments/sandbox/prerequisites circular",
            "/environments/sandbox needed_by"
        ]
    );
    let renamed = json!({ "variants": { "on": null, "yes": true }, "environments": { "sandbox": { "otherwise": { "serve": "yes" } } } });
    assert_eq!(
        faults(&patch(&owner, &base, renamed).await),
        ["/environments/sandbox needed_by"]
    );
    let gone = json!({ "environments": { "sandbox": null } });
    assert_eq!(
        faults(&patch(&owner, &base, gone).await),
        ["/environments/sandbox needed_by"]
    );
    assert_eq!(remove(&owner, &base).await.code(), "in_use");
    removed(&remove(&owner, &upper).await);
    removed(&remove(&owner, &base).await);
}

#[tokio::test]
async fn an_environment_with_flags_stays() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let environment = json!({ "name": "moon", "title": "Moon" });
    let environment = owner.post("/api/v1/environments", environment).await.json(201);
    let made = make(&owner, json!({ "key": "a", "environments": { "moon": on() } })).await;
    let path = format!("/api/v1/environments/{}", environment["id"].as_str().unwrap());
    let change = owner.with("if-match", "*");
    assert_eq!(change.delete(&path).await.code(), "in_use");
    removed(&remove(&owner, &made).await);
    removed(&change.delete(&path).await);
}

#[tokio::test]
async fn people_try_out_what_somebody_would_get() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let targeting = json!({
        "off": "off",
        "rules": [
            { "from": "2027-01-01T00:00:00Z", "serve": "on" },
            { "name": "staff", "when": { "attribute": "email", "op": "ends_with", "values": ["@acme.example"] }, "serve": "on" },
        ],
        "otherwise": { "split": { "on": 10, "off": 90 }, "by": "user_id" },
    });
    let made = make(&owner, flag("a", &targeting)).await;
    let path = format!("{FLAGS}/{}/try", made["id"].as_str().unwrap());
    let attempt = async |body: Value| owner.post(&path, body).await.json(200);
    let told = |got: &Value| {
        let steps = got["steps"].as_array().unwrap().iter();
        let steps: Vec<_> = steps
            .map(|step| {
                format!(
                    "{} {}: {}",
                    step["pointer"].as_str().unwrap(),
                    step["holds"],
                    step["detail"].as_str().unwrap()
                )
            })
            .collect();
        steps.join("\n")
    };
    let guest = attempt(
        json!({ "environment": "sandbox", "attributes": { "user_id": "123", "email": "a@b.example" } }),
    )
    .await;
    assert_eq!(
        (&guest["variant"], &guest["reason"]),
        (&json!("off"), &json!("split"))
    );
    let place = told(&guest);
    let (head, last) = place.rsplit_once('\n').unwrap();
    assert_eq!(
        head,
        "/enabled true: The flag is on.\n\
         /rules/0/from false: It does not hold yet.\n\
         /rules/1/when false: `email` is \"a@b.example\": it does not fit."
    );
    assert!(
        last.starts_with("/otherwise true: By `user_id` they are at "),
        "{last}"
    );
    let later = json!({ "environment": "sandbox", "at": "2027-01-01T00:00:00Z" });
    let later = attempt(later).await;
    assert_eq!((&later["variant"], &later["rule"]), (&json!("on"), &json!("#1")));
    assert_eq!(
        told(&later),
        "/enabled true: The flag is on.\n/rules/0 true: Everybody here gets `on`."
    );
    let nobody = attempt(json!({ "environment": "sandbox" })).await;
    assert!(
        told(&nobody).ends_with("/otherwise false: `user_id` is not known: `off`."),
        "{}",
        told(&nobody)
    );
    let elsewhere = owner.post(&path, json!({ "environment": "production" })).await;
    assert_eq!(elsewhere.code(), "flag_not_found");
    let nested = json!({ "environment": "sandbox", "attributes": { "a/b": { "c": 1 }, "d": [1] } });
    assert_eq!(
        faults(&owner.post(&path, nested).await),
        ["/attributes/a~1b field_invalid", "/attributes/d field_invalid"]
    );
}

#[tokio::test]
async fn flags_are_listed_by_their_keys() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    for key in ["b.two", "a-one", "c~three"] {
        make(&owner, json!({ "key": key })).await;
    }
    let keys = |page: &Value| {
        let data = page["data"].as_array().unwrap().iter();
        data.map(|flag| flag["key"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let first = owner.get(&format!("{FLAGS}?sort=name&limit=2")).await.json(200);
    assert_eq!(keys(&first), ["a-one", "b.two"]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = owner
        .get(&format!("{FLAGS}?sort=name&limit=2&cursor={cursor}"))
        .await
        .json(200);
    assert_eq!(keys(&second), ["c~three"]);
    assert_eq!(
        keys(&owner.get(&format!("{FLAGS}?q=TWO")).await.json(200)),
        ["b.two"]
    );
    assert_eq!(
        keys(&owner.get(&format!("{FLAGS}?filter[key]=c~three")).await.json(200)),
        ["c~three"]
    );
}

#[tokio::test]
async fn providers_of_openfeature_ask_for_one_flag() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    make(&owner, theme()).await;
    let nested = json!({ "off": "off", "rules": [{
        "name": "plan", "when": { "attribute": "company.plan", "op": "in", "values": ["gold"] }, "serve": "on"
    }], "otherwise": { "serve": "off" } });
    make(&owner, flag("nested", &nested)).await;
    let asker = app.anybody().with("x-api-key", &server_key(&owner).await);
    let ask = async |key: &str, context: Value| {
        let path = format!("/ofrep/v1/evaluate/flags/{key}");
        asker.post(&path, json!({ "context": context })).await
    };
    // The targeting key is the user, unless it is said who that is.
    let unit = ask("theme", json!({ "targetingKey": "42" })).await.json(200);
    let same = asker
        .get(&format!("{FLAGS}/theme/evaluate?user_id=42"))
        .await
        .json(200);
    let metadata = json!({ "flagVersion": 1, "assignmentId": same["assignment_id"] });
    assert_eq!(
        unit,
        json!({ "key": "theme", "value": same["value"], "variant": same["variant"], "reason": "SPLIT", "metadata": metadata })
    );
    let tester = ask("theme", json!({ "targetingKey": "42", "user_id": "t1" }))
        .await
        .json(200);
    assert_eq!(
        (&tester["variant"], &tester["reason"]),
        (&json!("red"), &json!("TARGETING_MATCH"))
    );
    let gold = ask(
        "nested",
        json!({ "company": { "plan": "gold", "tags": [1, {}] } }),
    )
    .await
    .json(200);
    assert_eq!(
        (&gold["value"], &gold["metadata"]["rule"]),
        (&json!(true), &json!("plan"))
    );
    // A protocol of its own has errors of its own.
    let missing = ask("none", json!({})).await.json(404);
    assert_eq!(
        (&missing["key"], &missing["errorCode"]),
        (&json!("none"), &json!("FLAG_NOT_FOUND"))
    );
    assert_eq!(
        ask("theme", json!("me")).await.json(400)["errorCode"],
        "INVALID_CONTEXT"
    );
    let many: serde_json::Map<_, _> = (0..201).map(|name| (name.to_string(), json!(1))).collect();
    assert_eq!(
        ask("theme", many.into()).await.json(400)["errorCode"],
        "INVALID_CONTEXT"
    );
    let path = "/ofrep/v1/evaluate/flags/theme";
    let json = Some("application/json");
    let broken = asker.send(http::Method::POST, path, "{".into(), json).await;
    assert_eq!(broken.json(400)["errorCode"], "PARSE_ERROR");
    let nothing = asker
        .send(http::Method::POST, path, axum::body::Body::empty(), None)
        .await;
    let nothing = nothing.json(200);
    assert_eq!(
        (&nothing["reason"], &nothing["metadata"]["reason"]),
        (&json!("DEFAULT"), &json!("unit_missing"))
    );
    assert_eq!(
        app.anybody().post(path, json!({})).await.code(),
        "sdk_key_missing"
    );
}

#[tokio::test]
async fn providers_of_openfeature_ask_for_all_flags() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let made = make(&owner, theme()).await;
    let mut inner = flag("inner", &on());
    inner["client_side"] = json!(false);
    make(&owner, inner).await;
    let spec = json!({ "kind": "client", "environment": "sandbox", "origins": ["https://shop.example"] });
    let client = key(&owner, spec).await;
    let page = app
        .anybody()
        .with("origin", "https://shop.example")
        .with("x-api-key", &client);
    let server = app.anybody().with("x-api-key", &server_key(&owner).await);
    let path = "/ofrep/v1/evaluate/flags";
    let ask = async |who: &Someone<'_>, context: Value| who.post(path, json!({ "context": context })).await;
    let keys = |answer: &Answer| {
        let flags = answer.json(200)["flags"].as_array().unwrap().clone();
        flags
            .iter()
            .map(|flag| flag["key"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(&ask(&server, json!({})).await), ["inner", "theme"]);
    let first = ask(&page, json!({ "targetingKey": "t1" })).await;
    assert_eq!(keys(&first), ["theme"]);
    assert_eq!(
        first.header("access-control-allow-origin"),
        "https://shop.example"
    );
    // What no flag reads changes nothing, what one reads does.
    let known = page.with("if-none-match", first.header("etag"));
    let same = ask(&known, json!({ "targetingKey": "t1", "shoe_size": 43 })).await;
    assert_eq!((same.status.as_u16(), same.body.len()), (304, 0));
    assert_eq!(same.header("etag"), first.header("etag"));
    assert_eq!(same.header("access-control-allow-origin"), "https://shop.example");
    assert_eq!(
        ask(&known, json!({ "targetingKey": "t2" })).await.status.as_u16(),
        200
    );
    patch(&owner, &made, json!({ "title": "Theme" })).await.json(200);
    assert_eq!(
        ask(&known, json!({ "targetingKey": "t1" })).await.status.as_u16(),
        200
    );
    // An environment without flags has none.
    let environment = json!({ "name": "moon", "title": "Moon" });
    owner.post("/api/v1/environments", environment).await.json(201);
    let elsewhere = key(&owner, json!({ "kind": "server", "environment": "moon" })).await;
    let elsewhere = app.anybody().with("x-api-key", &elsewhere);
    assert_eq!(keys(&ask(&elsewhere, json!({})).await), [""; 0]);
}
