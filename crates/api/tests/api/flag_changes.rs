//! Changes of flags: what was is kept and comes back, people talk about it, and where it is protected somebody else says yes.

use serde_json::{Value, json};
use store::on_both;

use crate::app::{Answer, Someone, TestApp};

const FLAGS: &str = "/api/v1/feature-flags";
const SEGMENTS: &str = "/api/v1/segments";

fn serves(variant: &str) -> Value {
    json!({ "off": "off", "otherwise": { "serve": variant } })
}

fn path(collection: &str, it: &Value) -> String {
    format!("{collection}/{}", it["id"].as_str().unwrap())
}

/// The numbers of the revisions of a page, and who made them.
fn revisions(page: &Value) -> Vec<(i64, bool)> {
    let data = page["data"].as_array().unwrap().iter();
    data.map(|it| (it["revision"].as_i64().unwrap(), it["actor_name"].is_string()))
        .collect()
}

/// Protects the environment `production`; its path.
async fn protect(owner: &Someone<'_>) -> String {
    let page = owner
        .get("/api/v1/environments?filter[name]=production")
        .await
        .json(200);
    let path = path("/api/v1/environments", &page["data"][0]);
    owner.patch(&path, json!({ "protected": true })).await.json(200);
    path
}

/// A flag that gives this in two environments.
async fn flag(owner: &Someone<'_>, key: &str, variant: &str) -> String {
    let spec =
        json!({ "key": key, "environments": { "sandbox": serves(variant), "production": serves(variant) } });
    path(FLAGS, &owner.post(FLAGS, spec).await.json(201))
}

fn in_production(targeting: &Value) -> Value {
    json!({ "environments": { "production": targeting } })
}

async fn propose(someone: &Someone<'_>, flag: &str, patch: &Value) -> Answer {
    let body = json!({ "patch": patch, "comment": "Please." });
    someone.post(&format!("{flag}/change-requests"), body).await
}

async fn proposed(someone: &Someone<'_>, flag: &str, patch: &Value) -> Value {
    propose(someone, flag, patch).await.json(201)
}

/// Takes a step with a proposed change.
async fn step(someone: &Someone<'_>, request: &Value, word: &str) -> Answer {
    let path = request["links"]["self"].as_str().unwrap();
    someone.post(&format!("{path}/{word}"), json!({})).await
}

on_both! {
    async fn what_was_is_kept_and_comes_back(url: String) {
        let app = TestApp::on(&url, tempfile::tempdir().unwrap(), |settings| settings).await;
        let owner = app.owner().await;
        let any = owner.with("if-match", "*");
        let variants = json!({ "a": { "token": "x", "share": 33.3 }, "off": null });
        let spec = json!({ "key": "a", "type": "json", "variants": variants, "environments": { "sandbox": serves("a") } });
        let flag = path(FLAGS, &owner.post(FLAGS, spec).await.json(201));
        any.patch(&flag, json!({ "title": "Second", "variants": { "a": 1 } })).await.json(200);
        any.patch(&flag, json!({ "title": "Third" })).await.json(200);
        let list = format!("{flag}/revisions");
        let first = owner.get(&format!("{list}?limit=2")).await.json(200);
        assert_eq!(revisions(&first), [(3, true), (2, true)]);
        let next = format!("{list}?limit=2&cursor={}", first["next_cursor"].as_str().unwrap());
        let rest = owner.get(&next).await.json(200);
        assert_eq!((revisions(&rest), &rest["has_more"]), (vec![(1, true)], &json!(false)));
        // Whole, with what the audit chain hides by its name.
        let one = owner.get(&format!("{list}/1")).await.json(200);
        assert_eq!((&one["spec"]["variants"], &one["spec"]["title"]), (&variants, &json!("")));
        for (wrong, code) in [("4", "not_found"), ("0", "parameter_invalid"), ("x", "parameter_invalid")] {
            assert_eq!(owner.get(&format!("{list}/{wrong}")).await.code(), code, "{wrong}");
        }
        let revert = async |someone: &Someone<'_>, revision: i64| {
            someone.post(&format!("{flag}/revert"), json!({ "revision": revision })).await
        };
        assert_eq!(revert(&owner, 1).await.code(), "precondition_required");
        assert_eq!(revert(&owner.with("if-match", "\"2\""), 1).await.code(), "precondition_failed");
        assert_eq!(revert(&any, 9).await.code(), "conflict");
        let again = revert(&owner.with("if-match", "\"3\""), 1).await;
        assert_eq!(again.header("etag"), "\"4\"");
        let again = again.json(200);
        assert_eq!((&again["variants"], &again["title"], &again["revision"]), (&variants, &json!(""), &json!(4)));
        assert_eq!(revisions(&owner.get(&list).await.json(200)).len(), 4);
        let audit = owner.get("/api/v1/audit?filter[action]=revert_feature_flag").await.json(200);
        assert_eq!(audit["data"][0]["after"]["revision"], 4);
        assert_eq!(any.delete(&flag).await.status, 204);
        assert_eq!(owner.get(&list).await.code(), "not_found");
    }

    async fn what_does_not_fit_any_more_does_not_come_back(url: String) {
        let app = TestApp::on(&url, tempfile::tempdir().unwrap(), |settings| settings).await;
        let owner = app.owner().await.with("if-match", "*");
        let all = |values: &[&str]| json!({ "key": "vip", "when": { "any": [{ "attribute": "id", "op": "in", "values": values }] } });
        let segment = path(SEGMENTS, &owner.post(SEGMENTS, all(&["1"])).await.json(201));
        let mut targeting = serves("off");
        targeting["rules"] = json!([{ "when": { "segment": "vip" }, "serve": "on" }]);
        let spec = json!({ "key": "a", "environments": { "sandbox": targeting } });
        let flag = path(FLAGS, &owner.post(FLAGS, spec).await.json(201));
        owner.patch(&segment, json!({ "when": all(&["2"])["when"] })).await.json(200);
        let back = owner.post(&format!("{segment}/revert"), json!({ "revision": 1 })).await.json(200);
        assert_eq!(back["when"], all(&["1"])["when"]);
        let list = owner.get(&format!("{segment}/revisions")).await.json(200);
        assert_eq!(revisions(&list), [(3, true), (2, true), (1, true)]);
        assert_eq!(list["data"][1]["spec"]["when"], all(&["2"])["when"]);
        // Without the segment, the flag cannot be as it was.
        owner.patch(&flag, json!({ "environments": { "sandbox": { "rules": [] } } })).await.json(200);
        assert_eq!(owner.delete(&segment).await.status, 204);
        let refused = owner.post(&format!("{flag}/revert"), json!({ "revision": 1 })).await;
        assert_eq!((refused.code(), refused.text().contains("segment_unknown")), ("request_invalid".to_owned(), true));
    }

    async fn people_talk_about_a_flag(url: String) {
        let app = TestApp::on(&url, tempfile::tempdir().unwrap(), |settings| settings).await;
        let owner = app.owner().await.with("if-match", "*");
        let (one, other) = (app.member("experimenter").await, app.member("experimenter").await);
        let (one, other) = (one.with("if-match", "*"), other.with("if-match", "*"));
        let flag = flag(&owner, "a", "on").await;
        let comments = format!("{flag}/comments");
        let say = async |someone: &Someone<'_>, text: &str| someone.post(&comments, json!({ "text": text })).await;
        let first = say(&one, "Why?\n\nReally.").await;
        assert_eq!(first.header("location"), format!("{comments}/{}", first.json(201)["id"].as_str().unwrap()));
        let second = say(&other, "Because.").await.json(201);
        assert_eq!(second["author_name"], "Lee");
        for wrong in [String::new(), " \n".to_owned(), "x".repeat(20_001), "a\0".to_owned()] {
            assert_eq!(say(&one, &wrong).await.code(), "request_invalid");
        }
        assert_eq!(say(&app.member("viewer").await, "Hm.").await.code(), "permission_denied");
        let texts = async |query: &str| {
            let page = owner.get(&format!("{comments}{query}")).await.json(200);
            let all = page["data"].as_array().unwrap().iter().map(|it| it["text"].as_str().unwrap().to_owned());
            all.collect::<Vec<_>>()
        };
        assert_eq!(texts("").await, ["Because.", "Why?\n\nReally."]);
        assert_eq!(texts("?sort=created_at&limit=1").await, ["Why?\n\nReally."]);
        let second = path(&comments, &second);
        assert_eq!(one.delete(&second).await.code(), "not_author");
        assert_eq!(app.member("publisher").await.with("if-match", "*").delete(&second).await.code(), "not_author");
        assert_eq!(other.delete(&second).await.status, 204);
        assert_eq!(other.delete(&second).await.code(), "not_found");
        let admin = app.member("admin").await.with("if-match", "*");
        assert_eq!(admin.delete(&path(&comments, &first.json(201))).await.status, 204);
        assert!(texts("").await.is_empty());
        // Words that were taken back are nowhere.
        let audit = owner.get("/api/v1/audit").await;
        assert!(audit.text().contains("create_feature_flag_comment") && !audit.text().contains("Because."));
        // Of another flag it is not there.
        let elsewhere = self::flag(&owner, "b", "on").await;
        let third = say(&one, "Still.").await.json(201);
        assert_eq!(one.delete(&path(&format!("{elsewhere}/comments"), &third)).await.code(), "not_found");
        // With the flag goes what was said of it.
        assert_eq!(owner.delete(&flag).await.status, 204);
    }

    async fn a_protected_environment_is_not_changed_alone(url: String) {
        let app = TestApp::on(&url, tempfile::tempdir().unwrap(), |settings| settings).await;
        let owner = app.owner().await.with("if-match", "*");
        let admin = app.member("admin").await.with("if-match", "*");
        let vip = json!({ "key": "vip", "when": { "any": [] } });
        let vip = path(SEGMENTS, &owner.post(SEGMENTS, vip).await.json(201));
        let wider = json!({ "key": "wider", "when": { "any": [{ "segment": "vip" }] } });
        owner.post(SEGMENTS, wider).await.json(201);
        let a = flag(&owner, "a", "on").await;
        let production = protect(&owner).await;
        let code = async |patch: Value| admin.patch(&a, patch).await.code();
        let refused = "environment_protected";
        assert_eq!(code(in_production(&json!({ "otherwise": { "serve": "off" } }))).await, refused);
        assert_eq!(code(json!({ "variants": { "third": true } })).await, refused);
        assert_eq!(code(json!({ "client_side": false })).await, refused);
        assert_eq!(code(in_production(&Value::Null)).await, refused);
        assert_eq!(code(in_production(&json!({ "enabled": false, "off": "on" }))).await, refused);
        assert_eq!(admin.delete(&a).await.code(), refused);
        let spec = json!({ "key": "b", "environments": { "production": serves("on") } });
        assert_eq!(admin.post(FLAGS, spec).await.code(), refused);
        assert_eq!(admin.patch(&production, json!({ "protected": false })).await.code(), refused);
        // What makes no difference there is nobody's business.
        assert_eq!(code(json!({ "title": "A", "environments": { "sandbox": null } })).await, "ok");
        assert_eq!(admin.post(FLAGS, json!({ "key": "b", "environments": { "sandbox": serves("on") } })).await.code(), "ok");
        assert_eq!(admin.patch(&production, json!({ "title": "Live" })).await.code(), "ok");
        // Off is for emergencies, on again is not; owners need nobody.
        assert_eq!(code(in_production(&json!({ "enabled": false }))).await, "ok");
        assert_eq!(code(in_production(&json!({ "enabled": true }))).await, refused);
        let revert = admin.post(&format!("{a}/revert"), json!({ "revision": 1 })).await;
        assert_eq!(revert.code(), refused);
        owner.patch(&a, in_production(&json!({ "enabled": true }))).await.json(200);
        // A segment is free until a flag there goes by it, through whatever.
        let everybody = json!({ "when": { "any": [{ "attribute": "a", "op": "is_present" }] } });
        admin.patch(&vip, everybody.clone()).await.json(200);
        let rules = json!([{ "when": { "not": { "segment": "wider" } }, "serve": "off" }]);
        owner.patch(&a, in_production(&json!({ "rules": rules }))).await.json(200);
        assert_eq!(admin.patch(&vip, json!({ "title": "VIP" })).await.code(), "ok");
        assert_eq!(admin.patch(&vip, json!({ "when": { "any": [] } })).await.code(), refused);
        assert_eq!(admin.post(&format!("{vip}/revert"), json!({ "revision": 1 })).await.code(), refused);
        owner.patch(&production, json!({ "protected": false })).await.json(200);
        assert_eq!(admin.patch(&vip, json!({ "when": { "any": [] } })).await.code(), "ok");
        assert_eq!(admin.delete(&a).await.status, 204);
    }

    async fn somebody_else_says_yes(url: String) {
        let app = TestApp::on(&url, tempfile::tempdir().unwrap(), |settings| settings).await;
        let owner = app.owner().await.with("if-match", "*");
        let (author, approver) = (app.member("experimenter").await, app.member("publisher").await);
        protect(&owner).await;
        let flag = flag(&owner, "a", "on").await;
        let patch = in_production(&json!({ "otherwise": { "serve": "off" } }));
        let made = proposed(&author, &flag, &patch).await;
        assert_eq!((&made["state"], &made["author_name"], &made["flag_revision"]), (&json!("open"), &json!("Lee"), &json!(1)));
        let mut on = serves("on");
        on["enabled"] = json!(true);
        let mut off = serves("off");
        off["enabled"] = json!(true);
        assert_eq!((&made["before"], &made["after"]), (&in_production(&on), &in_production(&off)));
        assert_eq!(step(&author, &made, "apply").await.code(), "conflict");
        assert_eq!(step(&author, &made, "approve").await.code(), "permission_denied");
        let own = proposed(&approver, &flag, &patch).await;
        assert_eq!(step(&approver, &own, "approve").await.code(), "own_change");
        assert_eq!(step(&author, &own, "withdraw").await.code(), "not_author");
        assert_eq!(step(&approver, &own, "withdraw").await.json(200)["state"], "withdrawn");
        let approved = step(&approver, &made, "approve").await.json(200);
        assert_eq!((&approved["state"], &approved["decided_by_name"]), (&json!("approved"), &json!("Lee")));
        assert_eq!(step(&approver, &made, "approve").await.code(), "conflict");
        // What it does not touch may change meanwhile.
        owner.patch(&flag, json!({ "title": "A", "environments": { "sandbox": null } })).await.json(200);
        let applied = step(&author, &made, "apply").await.json(200);
        assert_eq!((&applied["state"], &applied["applied_revision"]), (&json!("applied"), &json!(3)));
        let now = owner.get(&flag).await.json(200);
        assert_eq!((&now["environments"], &now["title"]), (&in_production(&off)["environments"], &json!("A")));
        for word in ["apply", "approve", "reject"] {
            assert_eq!(step(&approver, &made, word).await.code(), "conflict", "{word}");
        }
        let list = async |query: &str| {
            let page = owner.get(&format!("{flag}/change-requests{query}")).await.json(200);
            page["data"].as_array().unwrap().iter().map(|it| it["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(list("").await, ["withdrawn", "applied"]);
        assert_eq!(list("?filter[state]=applied").await, ["applied"]);
        assert_eq!(owner.get(&format!("{flag}/change-requests?filter[state]=x")).await.code(), "parameter_invalid");
        let read = owner.get(made["links"]["self"].as_str().unwrap()).await.json(200);
        assert_eq!(read, applied);
        let audit = owner.get("/api/v1/audit?filter[action]=apply_feature_flag_change_request").await.json(200);
        assert_eq!(audit["data"].as_array().unwrap().len(), 2);
        assert_eq!(revisions(&owner.get(&format!("{flag}/revisions")).await.json(200)).len(), 3);
    }

    async fn proposed_changes_of_all_flags_stand_in_one_list(url: String) {
        let app = TestApp::on(&url, tempfile::tempdir().unwrap(), |settings| settings).await;
        let owner = app.owner().await.with("if-match", "*");
        let author = app.member("experimenter").await;
        protect(&owner).await;
        let patch = in_production(&json!({ "otherwise": { "serve": "off" } }));
        let mut made = Vec::new();
        for key in ["a", "b", "c"] {
            let flag = flag(&owner, key, "on").await;
            made.push(proposed(&author, &flag, &patch).await);
        }
        assert_eq!(made[0]["flag_key"], "a");
        step(&owner, &made[0], "reject").await.json(200);
        let approved = step(&owner, &made[1], "approve").await.json(200);
        let list = async |someone: &Someone<'_>, query: &str| {
            let page = someone.get(&format!("{FLAGS}/change-requests{query}")).await.json(200);
            let data = page["data"].as_array().unwrap().iter();
            let text = |it: &Value, name: &str| it[name].as_str().unwrap().to_owned();
            let told = data.map(|it| format!("{} {} {}", text(it, "flag_key"), text(it, "state"), text(it, "author_name")));
            (told.collect::<Vec<_>>(), page)
        };
        let (all, page) = list(&app.member("viewer").await, "").await;
        assert_eq!(all, ["c open Lee", "b approved Lee", "a rejected Lee"]);
        assert_eq!(page["data"][1], approved);
        assert_eq!(list(&owner, "?filter[pending]=true&sort=created_at").await.0, ["b approved Lee", "c open Lee"]);
        assert_eq!(list(&owner, "?filter[state]=rejected").await.0, ["a rejected Lee"]);
        let (first, page) = list(&owner, "?filter[pending]=true&limit=1").await;
        assert_eq!(first, ["c open Lee"]);
        let next = format!("?filter[pending]=true&limit=1&cursor={}", page["next_cursor"].as_str().unwrap());
        let (rest, page) = list(&owner, &next).await;
        assert_eq!((rest, &page["has_more"]), (vec!["b approved Lee".to_owned()], &json!(false)));
        for query in ["filter[state]=x", "filter[pending]=false"] {
            assert_eq!(owner.get(&format!("{FLAGS}/change-requests?{query}")).await.code(), "parameter_invalid", "{query}");
        }
        // Other organizations have theirs.
        let stranger = app.stranger().await.with("if-match", "*");
        assert_eq!(list(&stranger, "").await.0, Vec::<String>::new());
        let flag = flag(&stranger, "a", "on").await;
        proposed(&stranger, &flag, &patch).await;
        assert_eq!(list(&stranger, "").await.0.len(), 1);
        assert_eq!(list(&owner, "").await.0.len(), 3);
    }

    async fn a_proposed_change_is_checked_again(url: String) {
        let app = TestApp::on(&url, tempfile::tempdir().unwrap(), |settings| settings).await;
        let owner = app.owner().await.with("if-match", "*");
        let author = app.member("experimenter").await;
        protect(&owner).await;
        let flag = flag(&owner, "a", "on").await;
        let patch = in_production(&json!({ "otherwise": { "serve": "off" } }));
        let faults = async |patch: Value| {
            let problem = propose(&author, &flag, &patch).await.json(400);
            problem["errors"][0]["pointer"].as_str().unwrap().to_owned()
        };
        assert_eq!(faults(in_production(&json!({ "off": "none" }))).await, "/environments/production/off");
        assert_eq!(faults(json!({ "key": "b" })).await, "/key");
        assert_eq!(faults(json!({})).await, "/patch");
        assert_eq!(faults(in_production(&json!({ "off": "off" }))).await, "/patch");
        // Changed where it is.
        let made = proposed(&author, &flag, &patch).await;
        step(&owner, &made, "approve").await.json(200);
        owner.patch(&flag, in_production(&json!({ "enabled": false }))).await.json(200);
        let refused = step(&author, &made, "apply").await;
        assert_eq!(refused.code(), "change_outdated");
        assert!(refused.text().contains("`/environments/production`"), "{}", refused.text());
        assert_eq!(step(&owner, &made, "reject").await.json(200)["state"], "rejected");
        // It needs what is not there any more.
        owner.post(SEGMENTS, json!({ "key": "vip", "when": { "all": [] } })).await.json(201);
        let rules = json!([{ "when": { "segment": "vip" }, "serve": "on" }]);
        let made = proposed(&author, &flag, &in_production(&json!({ "rules": rules }))).await;
        step(&owner, &made, "approve").await.json(200);
        let vip = owner.get(&format!("{SEGMENTS}?filter[key]=vip")).await.json(200);
        assert_eq!(owner.delete(&path(SEGMENTS, &vip["data"][0])).await.status, 204);
        assert_eq!(step(&author, &made, "apply").await.code(), "request_invalid");
        assert_eq!(step(&author, &made, "withdraw").await.json(200)["state"], "withdrawn");
        // With the flag goes what was proposed of it.
        assert_eq!(owner.delete(&flag).await.status, 204);
        assert_eq!(owner.get(made["links"]["self"].as_str().unwrap()).await.code(), "not_found");
    }
}
