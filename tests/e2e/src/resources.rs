//! `gateline get` and `gateline delete`: daily work from a terminal.

use std::fs;

use crate::harness::gateline::Home;
use crate::harness::service::Service;

#[tokio::test]
async fn resources_are_listed_shown_and_deleted() {
    let home = Home::new().with(&["--no-demo"]);
    let service = Service::start().await;
    let gateline = home.up().await;
    let imported = gateline.import_shop(&service);
    let plan = home.path().join("plan.yaml");
    fs::write(&plan, "kind: plan\nspec: { name: gold, title: Gold }\n").unwrap();
    gateline.json(&["apply", plan.to_str().unwrap()]);

    let listed = gateline.run(&["get", "plans"]);
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
    assert!(
        listed.stdout.trim_start().starts_with("ID") && listed.stdout.contains("gold"),
        "{}",
        listed.stdout
    );
    let api = gateline.json(&["get", "api", "shop"]);
    assert_eq!(api["id"], imported["api"]);
    let routes = gateline.json(&["get", "routes", "--filter", "api=shop"]);
    assert_eq!(routes["data"][0]["base_path"], "/shop", "{routes}");
    assert_eq!(routes["has_more"], false);
    let version = gateline.json(&["get", "version", "1.0.0", "--of", "shop"]);
    assert_eq!(version["id"], imported["version"]);
    let version = version["id"].as_str().unwrap();
    let operations = gateline.json(&["get", "version-operations", "--of", version, "--limit", "2"]);
    assert_eq!(operations["data"].as_array().unwrap().len(), 2);
    assert_eq!(operations["has_more"], true);
    for kind in ["audit-entries", "nodes", "users", "environments"] {
        let listed = gateline.json(&["get", kind]);
        assert!(!listed["data"].as_array().unwrap().is_empty(), "{kind}");
    }

    // What cannot be is told apart: the command line, the server's no, nothing there.
    let refused: [(&[&str], i32, &str); 6] = [
        (&["get", "versions"], 2, "--of"),
        (&["get", "plans", "--filter", "colour=red"], 2, "sort, q, name"),
        (&["delete", "key", "key_1"], 2, "possible values"),
        (&["delete", "plan", "gold"], 2, "--yes"),
        (&["get", "plan", "silver"], 3, "there is no plan `silver`"),
        (&["delete", "upstream", "shop", "--yes"], 3, "in_use"),
    ];
    for (arguments, code, said) in refused {
        let ended = gateline.run(arguments);
        assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{arguments:?}: {}", ended.stderr);
    }
    let deleted = gateline.run(&["delete", "plan", "gold", "--yes"]);
    assert_eq!(deleted.code, Some(0), "{}", deleted.stderr);
    assert!(deleted.stdout.ends_with("1 deleted\n"), "{}", deleted.stdout);
    assert_eq!(gateline.run(&["get", "plan", "gold"]).code, Some(3));

    for shell in ["bash", "zsh"] {
        let script = gateline.run(&["completions", shell]).stdout;
        assert!(script.contains("audit-entries"), "{shell} completes resources");
    }
    gateline.stop();
}
