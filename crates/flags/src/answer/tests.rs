use domain::flag::{Assignments, FlagEvaluation};
use domain::id::OrganizationId;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Evaluated, Prepared, RuleName};

/// What is written by hand is what the type of the API says.
#[test]
fn it_is_written_as_it_is_described() {
    let place = (OrganizationId::new(Uuid::from_u128(7)), "production");
    let values = [json!(true), json!("a\"b\n"), json!(1.5), json!({ "a": [null] })];
    let rules = [
        None,
        Some(RuleName::Place(12)),
        Some(RuleName::Given("\"staff\" \u{1}")),
    ];
    for (value, rule) in values.iter().flat_map(|value| rules.map(|rule| (value, rule))) {
        for unit in [None, Some("user-1")] {
            let variant = "on \"\\ é";
            let assignments = Assignments::new(place, "a.b", variant);
            let prepared = Prepared::new(assignments, ("a.b", variant), true);
            let found = Evaluated {
                key: "a.b",
                enabled: true,
                variant,
                value,
                reason: "split",
                rule,
                flag_version: 17,
                assignment_id: unit.map(|unit| assignments.id(unit)),
                by: unit.map(|_| "user_id"),
                head: &prepared.head,
            };
            let mut written = Vec::new();
            found.write(&mut written).unwrap();
            let read: Value = serde_json::from_slice(&written).unwrap();
            assert_eq!(
                read,
                serde_json::to_value(FlagEvaluation::from(found)).unwrap(),
                "{value}"
            );
        }
    }
}
