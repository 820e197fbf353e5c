//! Who may do what: `spec/authorization.tsv` against every operation, through HTTP.

use std::collections::BTreeMap;

use crate::app::TestApp;
use crate::world::{World, operations};

const MATRIX: &str = include_str!("../../../../spec/authorization.tsv");
/// Answers that say that somebody may not.
const DENIALS: [&str; 3] = ["authentication_required", "permission_denied", "not_found"];

/// Rows by operation, each a list of whether the role of that column may.
fn rows() -> (Vec<&'static str>, BTreeMap<&'static str, Vec<bool>>) {
    let mut lines = MATRIX.lines().filter(|line| !line.starts_with('#'));
    let roles = lines.next().unwrap().split('\t').skip(1).collect();
    let row = |line: &'static str| {
        let mut cells = line.split('\t');
        (cells.next().unwrap(), cells.map(|cell| cell == "allow").collect())
    };
    (roles, lines.map(row).collect())
}

#[test]
fn every_operation_has_a_row() {
    let (_, rows) = rows();
    let missing: Vec<_> = operations().into_iter().map(|operation| operation.id).collect();
    let missing: Vec<_> = missing
        .iter()
        .filter(|id| !rows.contains_key(id.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "no row in spec/authorization.tsv: {missing:?}"
    );
}

#[tokio::test]
async fn roles_may_what_the_matrix_says() {
    let app = TestApp::new().await;
    let world = World::new(&app).await;
    let (roles, rows) = rows();
    let mut wrong = Vec::new();
    for (column, role) in roles.iter().enumerate() {
        let caller = match *role {
            "anonymous" => app.anybody(),
            "stranger" => app.stranger().await,
            role => app.member(role).await,
        };
        // A revision that nothing has: who may is told so, and nothing changes.
        let caller = caller.with("if-match", "\"999\"");
        for operation in operations() {
            let may = rows[operation.id.as_str()][column];
            // What a stranger may do is about themselves; the rest is asked in the organization.
            let caller = match *role {
                "stranger" if !may => caller.with("x-gateline-organization", "default"),
                _ => caller.clone(),
            };
            let answer = world.call(&caller, &operation).await;
            let code = answer.code();
            // These are about a cookie, which nobody here has.
            let cookie = answer.text().contains("There is no web session");
            let did = cookie || !DENIALS.contains(&code.as_str());
            if did != may {
                wrong.push(format!(
                    "{role} {}: {code} ({})",
                    operation.id,
                    if may { "allow" } else { "deny" }
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
