//! What somebody would get of all flags of an environment, as people try it out.

use serde_json::{Value, json};
use store::on_both;

use crate::app::{Answer, Someone, TestApp};

const FLAGS: &str = "/api/v1/feature-flags";
const TRY: &str = "/api/v1/feature-flags/try";

fn in_sandbox(key: &str, targeting: &Value) -> Value {
    json!({ "key": key, "environments": { "sandbox": targeting } })
}

/// Four flags in `sandbox`, each with an answer of another kind, and one that is not there.
async fn make(owner: &Someone<'_>) {
    let staff = json!([{ "name": "staff", "when": { "attribute": "team", "op": "in", "values": ["a"] }, "serve": "on" }]);
    let rollout = json!({ "serve": "on", "others": "off", "steps": [{ "at": "2999-01-01T00:00:00Z", "percent": 100 }] });
    let elsewhere = json!({ "off": "off", "otherwise": { "serve": "on" } });
    for spec in [
        in_sandbox(
            "d-staff",
            &json!({ "off": "off", "rules": staff, "otherwise": { "serve": "off" } }),
        ),
        in_sandbox("a-all", &json!({ "off": "off", "otherwise": { "serve": "on" } })),
        in_sandbox(
            "c-grows",
            &json!({ "off": "off", "otherwise": { "rollout": rollout, "by": "device" } }),
        ),
        in_sandbox(
            "b-off",
            &json!({ "enabled": false, "off": "off", "otherwise": { "serve": "on" } }),
        ),
        json!({ "key": "e-elsewhere", "environments": { "production": elsewhere } }),
    ] {
        owner.post(FLAGS, spec).await.json(201);
    }
}

async fn ask(someone: &Someone<'_>, query: &str, trial: &Value) -> Answer {
    someone.post(&format!("{TRY}{query}"), trial.clone()).await
}

/// Key, variant, reason, rule and attribute of each.
fn told(page: &Value) -> Vec<String> {
    let data = page["data"].as_array().unwrap().iter();
    let text = |one: &Value, name: &str| one[name].as_str().unwrap_or("-").to_owned();
    data.map(|one| {
        ["key", "variant", "reason", "rule", "by"]
            .map(|name| text(one, name))
            .join(" ")
    })
    .collect()
}

on_both! {
    async fn all_flags_answer_for_one_person(url: String) {
        let app = TestApp::on(&url, tempfile::tempdir().unwrap(), |settings| settings).await;
        let owner = app.owner().await;
        make(&owner).await;
        let trial = json!({ "environment": "sandbox", "attributes": { "team": "a", "device": "d1" } });
        let viewer = app.member("viewer").await;
        let page = ask(&viewer, "", &trial).await.json(200);
        let all = [
            "a-all on static - -",
            "b-off off disabled - -",
            "c-grows off split - device",
            "d-staff on targeting_match staff -",
        ];
        assert_eq!(told(&page), all);
        // Each leads to the flag, which tells the same with every step.
        let first = &page["data"][0];
        let one = owner.post(&format!("{FLAGS}/{}/try", first["id"].as_str().unwrap()), trial.clone()).await.json(200);
        for field in ["key", "enabled", "variant", "value", "reason", "rule", "flag_version", "assignment_id"] {
            assert_eq!(one[field], first[field], "{field}");
        }
        // Later, and of whom nothing is known.
        let later = json!({ "environment": "sandbox", "attributes": { "device": "d1" }, "at": "2999-01-02T00:00:00Z" });
        assert_eq!(told(&ask(&owner, "?q=GROWS", &later).await.json(200)), ["c-grows on split - device"]);
        let nobody = json!({ "environment": "sandbox" });
        assert_eq!(
            told(&ask(&owner, "?q=s&filter[reason]=default", &nobody).await.json(200)),
            ["d-staff off default - -"]
        );
        assert_eq!(told(&ask(&owner, "?filter[reason]=unit_missing", &nobody).await.json(200)), ["c-grows off unit_missing - -"]);
        // Page by page, whatever is filtered.
        let mut keys = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = ask(&owner, &format!("?limit=1&q=-&fields=id,key{cursor}"), &trial).await.json(200);
            let data = page["data"].as_array().unwrap();
            assert_eq!((data.len(), data[0].as_object().unwrap().len()), (1, 2));
            keys.push(data[0]["key"].as_str().unwrap().to_owned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(keys, ["a-all", "b-off", "c-grows", "d-staff"]);
    }

    async fn what_is_asked_wrongly_is_told(url: String) {
        let app = TestApp::on(&url, tempfile::tempdir().unwrap(), |settings| settings).await;
        let owner = app.owner().await;
        let fault = async |trial: Value| {
            let problem = ask(&owner, "", &trial).await.json(400);
            format!("{} {}", problem["errors"][0]["pointer"].as_str().unwrap(), problem["errors"][0]["code"].as_str().unwrap())
        };
        assert_eq!(fault(json!({ "environment": "nowhere" })).await, "/environment reference_unknown");
        assert_eq!(fault(json!({ "environment": "sandbox", "attributes": { "a": { "b": 1 } } })).await.split(' ').next(), Some("/attributes/a"));
        let trial = json!({ "environment": "sandbox" });
        assert_eq!(ask(&owner, "?filter[reason]=luck", &trial).await.code(), "parameter_invalid");
        assert_eq!(ask(&owner, "?limit=0", &trial).await.code(), "parameter_invalid");
        assert_eq!(ask(&owner, "?cursor=x", &trial).await.code(), "cursor_invalid");
        // No flag is there, which is no fault.
        assert_eq!(told(&ask(&owner, "", &trial).await.json(200)), Vec::<String>::new());
    }

    async fn flags_of_another_organization_do_not_answer(url: String) {
        let app = TestApp::on(&url, tempfile::tempdir().unwrap(), |settings| settings).await;
        let (owner, stranger) = (app.owner().await, app.stranger().await);
        make(&owner).await;
        let theirs = in_sandbox("a-all", &json!({ "off": "off", "otherwise": { "serve": "off" } }));
        let theirs = stranger.post(FLAGS, theirs).await.json(201);
        let trial = json!({ "environment": "sandbox" });
        let page = ask(&stranger, "", &trial).await.json(200);
        assert_eq!(told(&page), ["a-all off static - -"]);
        assert_eq!(page["data"][0]["id"], theirs["id"]);
        let own = ask(&owner, "?q=a-all", &trial).await.json(200);
        assert_ne!(own["data"][0]["id"], theirs["id"]);
        assert_eq!(ask(&app.anybody(), "", &trial).await.status, 401);
    }

    async fn nothing_is_recorded(url: String) {
        let app = TestApp::on(&url, tempfile::tempdir().unwrap(), |settings| settings).await;
        let owner = app.owner().await;
        let spec = in_sandbox("a", &json!({ "off": "off", "otherwise": { "split": { "on": 50, "off": 50 }, "by": "user_id" } }));
        let flag = owner.post(FLAGS, spec).await.json(201);
        let trial = json!({ "environment": "sandbox", "attributes": { "user_id": "1" } });
        let evaluations = async || {
            app.control.settle_flag_evaluations().await.unwrap();
            let path = format!("{FLAGS}/{}/evaluations", flag["id"].as_str().unwrap());
            owner.get(&path).await.json(200)["counts"].as_array().unwrap().len()
        };
        assert_eq!(told(&ask(&owner, "", &trial).await.json(200)).len(), 1);
        assert_eq!(evaluations().await, 0);
        // A program that asks is counted.
        let key = owner.post("/api/v1/sdk-keys", json!({ "kind": "server", "environment": "sandbox" })).await.json(201);
        let program = app.anybody().with("x-api-key", key["key"].as_str().unwrap());
        program.get(&format!("{FLAGS}/a/evaluate?user_id=1")).await.json(200);
        assert_eq!(evaluations().await, 1);
    }
}
