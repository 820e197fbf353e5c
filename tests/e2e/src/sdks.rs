//! Our SDKs at a real server: what they say is what the server says, with it, without a stream of changes, and alone.

mod driven;
mod way;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use self::driven::Driven;
use self::way::Way;
use crate::harness::eventually;
use crate::harness::gateline::{Gateline, Home};
use crate::harness::http::Http;
use crate::lake::rows;

const USERS: usize = 300;
/// The users of calls that each ask the server.
const FEW: usize = 40;
/// So long that nothing that a test sees comes from asking again.
const NEVER_SECONDS: u32 = 86_400;
const WITHIN: Duration = Duration::from_secs(60);
const NOWHERE: &str = "http://127.0.0.1:1";
const NOTHING: [&str; 0] = [];

/// One of every kind of rule.
const FLAGS: &str = r#"
segments:
  beta: {when: {any: [{attribute: groups, op: has_all, values: [beta]}, {attribute: email, op: matches, values: ["^beta-\\d+@"]}]}}
flags:
  colour:
    type: string
    variants: {blue: "00f", green: "0f0", red: "f00"}
    environments:
      sandbox: {off: blue, otherwise: {split: {blue: 25, green: 25.5, red: 49.5}, by: user_id}}
  checkout:
    type: boolean
    variants: {on: true, off: false}
    environments:
      sandbox:
        off: off
        overrides: [{by: user_id, values: [user-7, user-8], serve: on}]
        rules:
          - {name: staff, when: {attribute: email, op: ends_with, values: ["@ACME.example"], ignore_case: true}, serve: on}
          - name: eu
            when: {all: [{attribute: country, op: in, values: [DE, FR]}, {attribute: app_version, op: semver_gte, values: ["2.1.0"]}]}
            split: {on: 30, off: 70}
            by: user_id
          - {when: {not: {attribute: ip, op: in_network, values: ["10.0.0.0/8"]}}, gates: [{key: layer, by: user_id, parts: [[0, 40]]}], serve: on}
        otherwise: {serve: off}
  limit:
    type: number
    variants: {small: 10, large: 1000}
    environments:
      sandbox:
        off: small
        rules: [{when: {attribute: age, op: gte, values: ["18"]}, split: {small: 50, large: 50}, by: anonymous_id, or_by: [user_id]}]
        otherwise: {serve: small}
  layout:
    type: json
    variants: {wide: {columns: [1, 2]}, none: null}
    environments:
      sandbox: {off: none, prerequisites: [{flag: checkout, variants: [on]}], rules: [{when: {segment: beta}, serve: wide}], otherwise: {serve: none}}
  grown:
    type: boolean
    variants: {on: true, off: false}
    environments:
      sandbox: {off: off, otherwise: {rollout: {serve: on, others: off, start: 5, steps: [{at: 2020-01-01T08:00:00Z, percent: 60}]}, by: user_id}}
  imported:
    type: string
    variants: {none: "0", one: "1", two: "2"}
    environments:
      sandbox:
        off: none
        rules:
          - gates: [{key: checkout.salt, by: user_id, dialect: launchdarkly, parts: [[0, 60]]}]
            buckets: {dialect: growthbook_v2, key: seed, parts: [{weight: 4000, serve: one}, {weight: 3000, serve: two}, {weight: 3000}]}
            by: user_id
        otherwise: {buckets: {dialect: unleash, key: imported, parts: [{weight: 1, serve: one}, {weight: 1, serve: none}]}, by: anonymous_id, or_by: [user_id]}
  timed:
    type: boolean
    variants: {on: true, off: false}
    environments:
      sandbox:
        off: off
        rules: [{when: {all: [{during: {from: 2020-01-01T00:00:00Z}}, {attribute: country, op: in, values: [DE]}]}, serve: on}]
        otherwise: {serve: off}
"#;

/// A server with flags, and a key for them.
struct Bench {
    home: Home,
    gateline: Gateline,
    key: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_javascript_sdk_says_what_the_server_says() {
    check(Driven::javascript(), SendsTo::Node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_python_sdk_says_what_the_server_says() {
    check(Driven::python(), SendsTo::Control).await;
}

/// Where exposures go of who asks a node for flags.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SendsTo {
    /// To the same address.
    Node,
    /// To one that is named beside.
    Control,
}

async fn check(mut sdk: Driven, sends_to: SendsTo) {
    let bench = Bench::start().await;
    let users = users();
    let expected = bench.says(&users).await;
    has_every_reason(&expected);
    evaluates_alike(&bench, &mut sdk, (&users, &expected)).await;
    tells_exposures(&bench, (&mut sdk, sends_to), (&users, &expected)).await;
    hears_of_changes(&bench, &mut sdk, &users).await;
    goes_on_by_asking(&bench, &mut sdk, &users).await;
    let expected = bench.says(&users).await;
    let bootstrap = bench.bootstrap().await;
    let line = bench.open(&bench.gateline.control(), "local");
    bench.gateline.stop();
    starts_alone(&mut sdk, (line, &bootstrap), (&users, &expected)).await;
}

/// People who differ in everything that the rules look at; some say who they are in another way, or not at all.
fn users() -> Vec<Value> {
    let user = |number: usize| {
        let one_of = |texts: &[&'static str], number: usize| texts[number % texts.len()];
        let name = one_of(&["ann", "beta"], number / 2);
        let domain = if number.is_multiple_of(11) {
            "acme.example"
        } else {
            "other.example"
        };
        let mut user = json!({
            "user_id": format!("user-{number}"),
            "country": one_of(&["DE", "FR", "US"], number),
            "app_version": one_of(&["1.9.0", "2.1.0-rc.1", "2.1.0", "10.0.0"], number),
            "email": format!("{name}-{number}@{domain}"),
            "age": 10 + number % 17,
            "ip": format!("{}.0.0.{}", one_of(&["10", "192"], number / 5), number % 250),
            "groups": &["a", "beta"][..1 + number / 7 % 2],
        });
        let fields = user.as_object_mut().unwrap();
        if number.is_multiple_of(25) {
            fields.remove("user_id");
        } else if number.is_multiple_of(3) {
            fields.insert("anonymous_id".to_owned(), json!(format!("anonymous-{number}")));
        }
        user
    };
    (0..USERS).map(user).collect()
}

/// Otherwise less would be compared than it seems.
fn has_every_reason(expected: &[Value]) {
    let mut found = BTreeMap::<(String, String), u32>::new();
    for one in expected.iter().flat_map(|all| all.as_array().unwrap()) {
        let text = |name: &str| one[name].as_str().unwrap().to_owned();
        *found.entry((text("key"), text("reason"))).or_default() += 1;
    }
    for (flag, reason) in [
        ("colour", "split"),
        ("colour", "unit_missing"),
        ("checkout", "split"),
        ("checkout", "targeting_match"),
        ("checkout", "default"),
        ("limit", "split"),
        ("limit", "default"),
        ("layout", "targeting_match"),
        ("layout", "prerequisite_failed"),
        ("grown", "split"),
        ("imported", "split"),
        ("imported", "unit_missing"),
        ("timed", "targeting_match"),
        ("timed", "default"),
    ] {
        assert!(
            found.contains_key(&(flag.to_owned(), reason.to_owned())),
            "{flag} {reason}: {found:?}"
        );
    }
}

async fn evaluates_alike(bench: &Bench, sdk: &mut Driven, (users, expected): (&[Value], &[Value])) {
    for url in [bench.gateline.control(), bench.gateline.gateway()] {
        for (evaluation, count) in [("local", users.len()), ("remote", FEW)] {
            assert_eq!(sdk.does(&bench.open(&url, evaluation)).await, true);
            same(users, &sdk.all(&users[..count]).await, expected);
            assert_eq!(sdk.close().await, NOTHING, "{evaluation}");
        }
    }
}

/// Fails with the first user of whom something else is said.
fn same(users: &[Value], found: &[Value], expected: &[Value]) {
    assert!(!found.is_empty());
    for ((user, found), expected) in users.iter().zip(found).zip(expected) {
        assert_eq!(found, expected, "of {user}");
    }
}

/// The provider says the same in OpenFeature's words.
async fn through_openfeature(sdk: &mut Driven, (users, expected): (&[Value], &[Value])) {
    let as_asked = |user: &Value| {
        let mut user = user.clone();
        let id = user.as_object_mut().unwrap().remove("user_id");
        user["targetingKey"] = id.unwrap();
        user
    };
    let known: Vec<_> = users
        .iter()
        .zip(expected)
        .filter(|(user, _)| user["user_id"].is_string())
        .collect();
    let contexts: Vec<_> = known.iter().map(|(user, _)| as_asked(user)).collect();
    let line = json!({ "do": "openfeature", "flag": "colour", "otherwise": "none", "contexts": contexts });
    let found = sdk.does(&line).await;
    for ((user, expected), found) in known.iter().zip(found.as_array().unwrap()) {
        let flag = of("colour", expected);
        let metadata = json!({ "flagVersion": flag["flag_version"] });
        assert_eq!(
            found,
            &json!([flag["value"], flag["variant"], "SPLIT", metadata]),
            "of {user}"
        );
    }
    assert_eq!(found.as_array().unwrap().len(), known.len());
}

/// What is said of a flag.
fn of<'a>(flag: &str, all: &'a Value) -> &'a Value {
    let mut all = all.as_array().unwrap().iter();
    all.find(|one| one["key"] == flag).unwrap()
}

/// Who takes a value is recorded with what they got, once, however often it is taken and through whom.
async fn tells_exposures(
    bench: &Bench,
    (sdk, sends_to): (&mut Driven, SendsTo),
    (users, expected): (&[Value], &[Value]),
) {
    let mut line = bench.open(&bench.gateline.gateway(), "local");
    if sends_to == SendsTo::Control {
        line["events_url"] = bench.gateline.control().into();
    }
    assert_eq!(sdk.does(&line).await, true);
    through_openfeature(sdk, (users, expected)).await;
    let line = json!({ "do": "string", "flag": "colour", "otherwise": "none", "contexts": users });
    let values: Vec<_> = expected.iter().map(|all| &of("colour", all)["value"]).collect();
    assert_eq!(sdk.does(&line).await, json!(values));
    sdk.does(&json!({ "do": "flush" })).await;
    let got: BTreeMap<_, _> = users
        .iter()
        .zip(expected)
        .filter_map(|(user, all)| Some((user["user_id"].as_str()?, of("colour", all))))
        .collect();
    let found = eventually("the exposures", WITHIN, async || {
        let sql = "SELECT user_id, environment, properties FROM events WHERE type = 'flag_exposure'";
        let found = rows(&bench.gateline, sql);
        assert!(found.len() <= got.len(), "{} of {}", found.len(), got.len());
        (found.len() == got.len()).then_some(found)
    })
    .await;
    let mut told = BTreeMap::new();
    for one in &found {
        let properties: Value = serde_json::from_str(one["properties"].as_str().unwrap()).unwrap();
        let flag = got[one["user_id"].as_str().unwrap()];
        let said = json!([
            one["environment"],
            properties["flag"],
            properties["variant"],
            properties["flag_version"],
            properties["by"]
        ]);
        assert_eq!(
            said,
            json!([
                "sandbox",
                "colour",
                flag["variant"],
                flag["flag_version"],
                "user_id"
            ]),
            "{one}"
        );
        told.insert(one["user_id"].as_str().unwrap(), flag);
    }
    assert_eq!(told, got);
    assert_eq!(sdk.close().await, NOTHING);
}

/// A change is heard of without being asked for.
async fn hears_of_changes(bench: &Bench, sdk: &mut Driven, users: &[Value]) {
    let way = Way::to(bench.gateline.control()).await;
    assert_eq!(sdk.does(&bench.open(&way.url, "local")).await, true);
    eventually("a stream", WITHIN, async || (way.streams() > 0).then_some(())).await;
    bench.set("checkout", &["--off"]);
    becomes(bench, sdk, users).await;
    assert_eq!(way.streams(), 1);
    assert_eq!(sdk.close().await, NOTHING);
}

/// Where the stream is cut and does not come again, what changes is found by asking.
async fn goes_on_by_asking(bench: &Bench, sdk: &mut Driven, users: &[Value]) {
    let way = Way::to(bench.gateline.control()).await;
    let mut line = bench.open(&way.url, "local");
    line["poll_seconds"] = json!(1);
    assert_eq!(sdk.does(&line).await, true);
    eventually("a stream", WITHIN, async || (way.streams() > 0).then_some(())).await;
    way.cut();
    eventually("another try", WITHIN, async || (way.refused() > 0).then_some(())).await;
    let asked = way.asked();
    bench.set("checkout", &["--on", "100%"]);
    becomes(bench, sdk, users).await;
    assert!(way.asked() > asked);
    let errors = sdk.close().await;
    assert!(
        errors.iter().any(|error| error.starts_with("refused: ")),
        "{errors:?}"
    );
}

/// Waits until everybody gets what the server gives now.
async fn becomes(bench: &Bench, sdk: &mut Driven, users: &[Value]) {
    let expected = bench.says(users).await;
    eventually("the change", WITHIN, async || {
        (sdk.all(users).await == expected).then_some(())
    })
    .await;
}

/// Without a server a file with definitions answers.
async fn starts_alone(
    sdk: &mut Driven,
    (mut line, bootstrap): (Value, &PathBuf),
    (users, expected): (&[Value], &[Value]),
) {
    let url = line["url"].clone();
    line["bootstrap"] = json!(bootstrap);
    for url in [url, json!(NOWHERE)] {
        line["url"] = url;
        assert_eq!(sdk.does(&line).await, true);
        same(users, &sdk.all(users).await, expected);
        let errors = sdk.close().await;
        assert!(
            !errors.is_empty() && errors.iter().all(|error| error.starts_with("unreachable: ")),
            "{errors:?}"
        );
    }
}

impl Bench {
    async fn start() -> Self {
        let mut home = Home::new().with(&["--no-demo"]);
        home.set("GATELINE_LAKE_COMMIT_INTERVAL_MS", "200");
        let gateline = home.up().await;
        let file = home.path().join("flags.yaml");
        std::fs::write(&file, FLAGS).unwrap();
        gateline.json(&["flags", "apply", file.to_str().unwrap()]);
        let key = gateline.server_key("sandbox");
        let bench = Self { home, gateline, key };
        let url = format!("{}/api/v1/feature-flags/definitions", bench.gateline.gateway());
        eventually("a node that knows the key", WITHIN, async || {
            let answer = Http::new().get(&url, &bench.key).await?;
            (answer.status == 200).then_some(())
        })
        .await;
        bench
    }

    fn set(&self, flag: &str, what: &[&str]) {
        let line = ["flags", "set", flag, "--environment", "sandbox"];
        self.gateline.json(&[&line, what].concat());
    }

    /// The line that opens a client.
    fn open(&self, url: &str, evaluation: &str) -> Value {
        json!({ "do": "open", "url": url, "key": self.key, "evaluation": evaluation, "poll_seconds": NEVER_SECONDS })
    }

    /// What the server says of each user, in the order of the flags' keys.
    async fn says(&self, users: &[Value]) -> Vec<Value> {
        let http = Http::new();
        let url = format!("{}/api/v1/feature-flags/evaluate", self.gateline.control());
        let headers = [("x-api-key", &*self.key), ("content-type", "application/json")];
        let mut said = Vec::new();
        for user in users {
            let body = json!({ "attributes": user }).to_string();
            let answer = http.send(Method::POST, &url, &headers, &body).await.unwrap();
            let mut flags = answer.json()["flags"].as_array().unwrap().clone();
            for flag in &mut flags {
                let fields = flag.as_object_mut().unwrap();
                // Known to the server alone.
                fields.remove("assignment_id").unwrap();
                // For exposures; those who ask are not told.
                assert_eq!(fields.remove("by").is_some(), fields["reason"] == "split");
            }
            flags.sort_by_key(|flag| flag["key"].as_str().unwrap().to_owned());
            said.push(flags.into());
        }
        said
    }

    /// A file with the definitions as they are now.
    async fn bootstrap(&self) -> PathBuf {
        let url = format!("{}/api/v1/feature-flags/definitions", self.gateline.control());
        let answer = Http::new().get(&url, &self.key).await.unwrap();
        assert_eq!(answer.status, 200);
        let file = self.home.path().join("bootstrap.json");
        std::fs::write(&file, answer.body).unwrap();
        file
    }
}
