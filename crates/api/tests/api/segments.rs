//! Segments: audiences that flags name, in every environment the same.

use serde_json::{Value, json};
use store::on_both;

use crate::app::{Answer, Someone, TestApp};

const FLAGS: &str = "/api/v1/feature-flags";
const SEGMENTS: &str = "/api/v1/segments";

/// A flag that is on for a segment.
fn for_segment(key: &str, segment: &str) -> Value {
    let targeting = json!({
        "off": "off", "rules": [{ "when": { "not": { "not": { "segment": segment } } }, "serve": "on" }], "otherwise": { "serve": "off" },
    });
    json!({ "key": key, "environments": { "sandbox": targeting } })
}

fn is_in(attribute: &str, values: &[&str]) -> Value {
    json!({ "attribute": attribute, "op": "in", "values": values })
}

fn path(collection: &str, it: &Value) -> String {
    format!("{collection}/{}", it["id"].as_str().unwrap())
}

/// What is wrong, as `pointer code`.
fn faults(answer: &Answer) -> Vec<String> {
    let problem = answer.json(400);
    let errors = problem["errors"].as_array().unwrap().iter();
    let one = |error: &Value| {
        format!(
            "{} {}",
            error["pointer"].as_str().unwrap(),
            error["code"].as_str().unwrap()
        )
    };
    errors.map(one).collect()
}

async fn asker<'a>(app: &'a TestApp, owner: &Someone<'_>) -> Someone<'a> {
    let spec = json!({ "kind": "server", "environment": "sandbox" });
    let key = owner.post("/api/v1/sdk-keys", spec).await.json(201);
    app.anybody().with("x-api-key", key["key"].as_str().unwrap())
}

on_both! {
    async fn a_segment_says_who_gets_a_flag(url: String) {
        let app = TestApp::on(&url, tempfile::tempdir().unwrap(), |settings| settings).await;
        let owner = app.owner().await.with("if-match", "*");
        // Nothing is named that is not there.
        let refused = owner.post(FLAGS, for_segment("beta", "testers")).await;
        assert_eq!(
            faults(&refused),
            ["/environments/sandbox/rules/0/when/not/not/segment segment_unknown"]
        );
        let staff = json!({ "key": "staff", "when": is_in("team", &["a"]) });
        let staff = owner.post(SEGMENTS, staff).await.json(201);
        let testers = json!({ "key": "testers", "when": { "any": [{ "segment": "staff" }, is_in("user_id", &["1"])] } });
        let testers = owner.post(SEGMENTS, testers).await.json(201);
        let flag = owner.post(FLAGS, for_segment("beta", "testers")).await.json(201);
        let asker = asker(&app, &owner).await;
        let ask = async |query: &str| asker.get(&format!("{FLAGS}/beta/evaluate?{query}")).await.json(200)["value"].clone();
        assert_eq!((ask("user_id=1").await, ask("user_id=2").await, ask("team=a").await), (json!(true), json!(false), json!(true)));
        // A change is in force with the next question, though the flag has not changed.
        owner.patch(&path(SEGMENTS, &testers), json!({ "when": { "any": [{ "segment": "staff" }] } })).await.json(200);
        assert_eq!((ask("user_id=1").await, ask("team=a").await), (json!(false), json!(true)));
        // What names it keeps it, and what it names as well.
        let gone = owner.delete(&path(SEGMENTS, &testers)).await;
        assert_eq!((gone.code(), gone.text().contains("the flag `beta`")), ("in_use".to_owned(), true), "{}", gone.text());
        let gone = owner.delete(&path(SEGMENTS, &staff)).await;
        assert_eq!((gone.code(), gone.text().contains("the segment `testers`")), ("in_use".to_owned(), true), "{}", gone.text());
        for (collection, it) in [(FLAGS, &flag), (SEGMENTS, &testers), (SEGMENTS, &staff)] {
            assert_eq!(owner.delete(&path(collection, it)).await.status, 204);
        }
    }

    async fn a_segment_is_saved_as_it_can_be_compiled(url: String) {
        let app = TestApp::on(&url, tempfile::tempdir().unwrap(), |settings| settings).await;
        let owner = app.owner().await.with("if-match", "*");
        let a = owner.post(SEGMENTS, json!({ "key": "a", "when": { "all": [] } })).await.json(201);
        owner.post(SEGMENTS, json!({ "key": "b", "when": { "segment": "a" } })).await.json(201);
        let a = path(SEGMENTS, &a);
        let circle = owner.patch(&a, json!({ "when": { "segment": "b", "all": null } })).await;
        assert!(faults(&circle).contains(&"/when circular".to_owned()), "{}", circle.text());
        for (patch, expected) in [
            (json!({ "key": "c" }), "/key field_fixed"),
            (json!({ "when": { "all": [{ "attribute": "a", "op": "matches", "values": ["("] }] } }), "/when/all/0/values/0 value_invalid"),
            (json!({ "when": { "all": [{ "attribute": "a", "op": "matches", "values": vec!["x"; 51] }] } }), "/when field_out_of_range"),
            (json!({ "when": { "all": [is_in("a", &[&"x".repeat(300_000)])] } }), " field_out_of_range"),
            (json!({ "when": { "all": [{ "segment": "c" }] } }), "/when/all/0/segment segment_unknown"),
            (json!({ "title": "a\nb" }), "/title field_invalid"),
        ] {
            assert_eq!(faults(&owner.patch(&a, patch.clone()).await), [expected], "{patch}");
        }
        assert_eq!(owner.post(SEGMENTS, json!({ "key": "a", "when": { "all": [] } })).await.code(), "name_taken");
    }

    async fn segments_of_another_organization_are_not_there(url: String) {
        let app = TestApp::on(&url, tempfile::tempdir().unwrap(), |settings| settings).await;
        let (owner, stranger) = (app.owner().await, app.stranger().await);
        let mine = owner.post(SEGMENTS, json!({ "key": "vip", "when": is_in("user_id", &["1"]) })).await.json(201);
        assert_eq!(
            faults(&stranger.post(SEGMENTS, json!({ "key": "x", "when": { "segment": "vip" } })).await),
            ["/when/segment segment_unknown"]
        );
        stranger.post(SEGMENTS, json!({ "key": "vip", "when": is_in("user_id", &["2"]) })).await.json(201);
        for someone in [&owner, &stranger] {
            someone.post(FLAGS, for_segment("beta", "vip")).await.json(201);
        }
        let (ours, theirs) = (asker(&app, &owner).await, asker(&app, &stranger).await);
        let ask = async |asker: &Someone<'_>| asker.get(&format!("{FLAGS}/beta/evaluate?user_id=1")).await.json(200)["value"].clone();
        assert_eq!((ask(&ours).await, ask(&theirs).await), (json!(true), json!(false)));
        let question = json!({ "attributes": { "user_id": "1" } });
        let attempt = format!("{}/try", path(SEGMENTS, &mine));
        assert_eq!(owner.post(&attempt, question.clone()).await.json(200), json!({ "key": "vip", "inside": true }));
        assert_eq!(owner.post(&attempt, json!({})).await.json(200)["inside"], false);
        assert_eq!(stranger.post(&attempt, question).await.code(), "not_found");
    }

    async fn a_segment_tells_what_names_it(url: String) {
        let app = TestApp::on(&url, tempfile::tempdir().unwrap(), |settings| settings).await;
        let (owner, stranger) = (app.owner().await.with("if-match", "*"), app.stranger().await);
        let staff = owner.post(SEGMENTS, json!({ "key": "staff", "when": is_in("team", &["a"]) })).await.json(201);
        let uses = format!("{}/uses", path(SEGMENTS, &staff));
        let nothing = json!({ "flags": [], "segments": [], "routes": [], "policies": [] });
        assert_eq!(owner.get(&uses).await.json(200), nothing);
        let testers = json!({ "key": "testers", "when": { "any": [{ "segment": "staff" }, is_in("user_id", &["1"])] } });
        let testers = owner.post(SEGMENTS, testers).await.json(201);
        let direct = owner.post(FLAGS, for_segment("b-direct", "staff")).await.json(201);
        let through = owner.post(FLAGS, for_segment("a-through", "testers")).await.json(201);
        let both = json!({ "off": "off", "otherwise": { "serve": "off" }, "rules": [
            { "when": { "any": [{ "segment": "staff" }, { "segment": "testers" }] }, "serve": "on" },
        ] });
        owner.patch(&path(FLAGS, &direct), json!({ "environments": { "production": both } })).await.json(200);
        owner.post(FLAGS, json!({ "key": "c-not" })).await.json(201);
        // The same key, and another organization's.
        stranger.post(SEGMENTS, json!({ "key": "staff", "when": is_in("team", &["a"]) })).await.json(201);
        stranger.post(FLAGS, for_segment("theirs", "staff")).await.json(201);
        let told = app.member("viewer").await.get(&uses).await.json(200);
        let place = |environment: &str, through: &[&str]| json!({ "environment": environment, "through": through });
        assert_eq!(told, json!({
            "flags": [
                { "id": through["id"], "key": "a-through", "environments": [place("sandbox", &["testers"])] },
                {
                    "id": direct["id"], "key": "b-direct",
                    "environments": [place("production", &["staff", "testers"]), place("sandbox", &["staff"])],
                },
            ],
            "segments": [{ "id": testers["id"], "key": "testers" }],
            "routes": [],
            "policies": [],
        }));
        let of_testers = owner.get(&format!("{}/uses", path(SEGMENTS, &testers))).await.json(200);
        assert_eq!((&of_testers["flags"][0]["key"], &of_testers["segments"]), (&json!("a-through"), &json!([])));
        assert_eq!(stranger.get(&uses).await.code(), "not_found");
        // What names it no more is told no more.
        owner.patch(&path(FLAGS, &direct), json!({ "environments": { "production": null, "sandbox": { "rules": [] } } })).await.json(200);
        assert_eq!(owner.get(&uses).await.json(200)["flags"][0]["key"], "a-through");
    }

    async fn flags_are_found_by_what_people_know_of_them(url: String) {
        let app = TestApp::on(&url, tempfile::tempdir().unwrap(), |settings| settings).await;
        let owner = app.owner().await.with("if-match", "*");
        let on = json!({ "off": "off", "otherwise": { "serve": "on" } });
        let spec = json!({
            "key": "a", "tags": ["web", "shop", "web"], "owner": "Team A", "expires_at": "2026-01-01T00:00:00Z",
            "environments": { "sandbox": on },
        });
        let made = owner.post(FLAGS, spec).await.json(201);
        assert_eq!((&made["tags"], &made["expires_at"]), (&json!(["shop", "web"]), &json!("2026-01-01T00:00:00Z")));
        owner.post(FLAGS, json!({ "key": "b", "tags": ["webshop"], "environments": { "production": on } })).await.json(201);
        let find = async |query: &str| {
            let page = owner.get(&format!("{FLAGS}?sort=name&{query}")).await.json(200);
            let keys = page["data"].as_array().unwrap().iter().map(|flag| flag["key"].as_str().unwrap().to_owned());
            keys.collect::<Vec<_>>().join(" ")
        };
        for (query, expected) in [
            ("filter[tag]=web", "a"),
            ("filter[tag]=webshop", "b"),
            ("filter[owner]=Team%20A", "a"),
            ("filter[owner]=Team", ""),
            ("filter[environment]=sandbox", "a"),
            ("filter[environment]=production", "b"),
            ("filter[environment]=moon-1", ""),
            ("filter[environment]=production&filter[tag]=web", ""),
            ("q=B", "b"),
        ] {
            assert_eq!(find(query).await, expected, "{query}");
        }
        assert_eq!(owner.get(&format!("{FLAGS}?filter[environment]=a%20b")).await.code(), "parameter_invalid");
        let many: Vec<_> = (0..21).map(|tag| format!("t{tag}")).collect();
        for (patch, expected) in [
            (json!({ "tags": many }), "/tags field_out_of_range"),
            (json!({ "tags": ["A B"] }), "/tags/0 field_invalid"),
            (json!({ "owner": "x".repeat(201) }), "/owner field_too_long"),
            (json!({ "expires_at": "soon" }), "/expires_at field_invalid"),
        ] {
            assert_eq!(faults(&owner.patch(&path(FLAGS, &made), patch.clone()).await), [expected], "{patch}");
        }
        let later = owner.patch(&path(FLAGS, &made), json!({ "expires_at": null })).await.json(200);
        assert_eq!(later.get("expires_at"), None);
    }
}
