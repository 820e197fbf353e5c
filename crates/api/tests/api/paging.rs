//! Lists: pages, order, filters, fields.

use serde_json::{Value, json};

use crate::app::{Someone, TestApp};

async fn plans(owner: &Someone<'_>, count: usize) {
    for number in 0..count {
        let body = json!({ "name": format!("plan-{number}"), "title": format!("Plan {number}") });
        owner.post("/api/v1/plans", body).await.json(201);
    }
}

/// All names of a list, page after page.
async fn walk(owner: &Someone<'_>, first: &str) -> Vec<String> {
    let (mut names, mut path) = (Vec::new(), first.to_owned());
    loop {
        let answer = owner.get(&path).await;
        let page = answer.json(200);
        names.extend(
            page["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["name"].as_str().unwrap().to_owned()),
        );
        if page["has_more"] == false {
            assert!(page.get("next_cursor").is_none());
            assert_eq!(answer.header("link"), "");
            return names;
        }
        let link = answer.header("link").strip_prefix('<').unwrap().to_owned();
        path = link.split_once(">; rel=\"next\"").unwrap().0.to_owned();
    }
}

#[tokio::test]
async fn pages_are_whole_in_every_order() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    plans(&owner, 7).await;
    let newest = walk(&owner, "/api/v1/plans?limit=3").await;
    assert_eq!(newest[..2], ["plan-6", "plan-5"]);
    assert_eq!(newest.len(), 8);
    let oldest = walk(&owner, "/api/v1/plans?limit=2&sort=created_at").await;
    assert!(oldest.iter().eq(newest.iter().rev()));
    let mut sorted = newest.clone();
    sorted.sort();
    assert_eq!(walk(&owner, "/api/v1/plans?limit=3&sort=name").await, sorted);
    sorted.reverse();
    assert_eq!(walk(&owner, "/api/v1/plans?limit=3&sort=-name").await, sorted);
    assert_eq!(walk(&owner, "/api/v1/plans?limit=2&q=PLAN").await.len(), 7);
    assert_eq!(
        walk(&owner, "/api/v1/plans?filter[name]=plan-3").await,
        ["plan-3"]
    );
}

#[tokio::test]
async fn pages_are_stable_while_others_insert() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    plans(&owner, 4).await;
    let first = owner.get("/api/v1/plans?limit=2").await.json(200);
    owner
        .post("/api/v1/plans", json!({ "name": "late", "title": "Late" }))
        .await
        .json(201);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = owner
        .get(&format!("/api/v1/plans?limit=2&cursor={cursor}"))
        .await
        .json(200);
    let names = |page: &Value| {
        page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["name"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (names(&first), names(&second)),
        (
            vec![json!("plan-3"), json!("plan-2")],
            vec![json!("plan-1"), json!("plan-0")],
        )
    );
}

#[tokio::test]
async fn cursors_belong_to_their_list() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    plans(&owner, 3).await;
    let page = owner.get("/api/v1/plans?limit=1").await.json(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    let code = async |path: String| owner.get(&path).await.code();
    assert_eq!(code(format!("/api/v1/plans?limit=2&cursor={cursor}")).await, "ok");
    for path in [
        format!("/api/v1/plans?cursor={cursor}&sort=name"),
        format!("/api/v1/plans?cursor={cursor}&q=plan"),
        format!("/api/v1/apis?cursor={cursor}"),
        format!("/api/v1/plans?cursor={}", cursor.replace('.', "x.")),
        format!("/api/v1/plans?cursor={}", &cursor[1..]),
        "/api/v1/plans?cursor=e30.e30".to_owned(),
        "/api/v1/plans?cursor=".to_owned(),
    ] {
        assert_eq!(code(path.clone()).await, "cursor_invalid", "{path}");
    }
    // Somebody else's list is another list.
    let stranger = app.stranger().await;
    assert_eq!(
        stranger
            .get(&format!("/api/v1/plans?cursor={cursor}"))
            .await
            .code(),
        "cursor_invalid"
    );
}

#[tokio::test]
async fn fields_are_chosen() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    let page = owner.get("/api/v1/plans?fields=id,name").await.json(200);
    let row = page["data"][0].as_object().unwrap();
    assert_eq!(row.keys().collect::<Vec<_>>(), ["id", "name"]);
    assert_eq!(
        owner.get("/api/v1/plans?fields=id,nme").await.code(),
        "parameter_invalid"
    );
    assert_eq!(owner.get("/api/v1/plans?fields=links,revision").await.status, 200);
}

#[tokio::test]
async fn apis_are_found_by_tag() {
    let app = TestApp::new().await;
    let owner = app.owner().await;
    for (name, tags) in [("one", json!(["a", "50%_\"x"])), ("two", json!(["ab"]))] {
        owner
            .post(
                "/api/v1/apis",
                json!({ "name": name, "title": name, "tags": tags }),
            )
            .await
            .json(201);
    }
    assert_eq!(walk(&owner, "/api/v1/apis?filter[tag]=a").await, ["one"]);
    assert_eq!(walk(&owner, "/api/v1/apis?filter[tag]=50%25_%22x").await, ["one"]);
    assert!(walk(&owner, "/api/v1/apis?filter[tag]=%25").await.is_empty());
}
