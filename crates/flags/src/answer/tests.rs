use domain::flag::{Assignments, FlagAnswer, FlagEvaluation};
use domain::id::OrganizationId;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Evaluated, Prepared, RuleName, write_text};
use crate::ofrep;

/// What is written by hand is what the types of the API and of OFREP say.
#[test]
fn it_is_written_as_it_is_described() {
    let place = (OrganizationId::new(Uuid::from_u128(7)), "production");
    let values = [
        json!(true),
        json!("a\"b\n"),
        json!(1.5),
        json!({ "a": [null] }),
        json!(null),
    ];
    let rules = [
        None,
        Some(RuleName::Place(12)),
        Some(RuleName::Given("\"staff\" \u{1}")),
    ];
    let reasons = ["split", "unit_missing", "prerequisite_failed"];
    let each = values.iter().flat_map(|value| rules.map(|rule| (value, rule)));
    for (value, rule) in each {
        for (unit, reason) in [None, Some("user-1")]
            .into_iter()
            .flat_map(|unit| reasons.map(|it| (unit, it)))
        {
            let variant = "on \"\\ é";
            let assignments = Assignments::new(place, "a.b", variant);
            let prepared = Prepared::new(assignments, ("a.b", variant), true);
            let found = Evaluated {
                key: "a.b",
                enabled: true,
                variant,
                value,
                reason,
                rule,
                flag_version: 17,
                assignment_id: unit.map(|unit| assignments.id(unit)),
                by: unit.map(|_| "\"user\" id"),
                head: &prepared.head,
            };
            let mut written = Vec::new();
            found.write(&mut written).unwrap();
            let described = serde_json::to_value(FlagEvaluation::from(found.clone())).unwrap();
            assert_eq!(read(&written), described, "{value}");
            assert_eq!(described.get("by"), None);
            let mut written = Vec::new();
            found.write_listed(&mut written).unwrap();
            let described = serde_json::to_value(FlagAnswer::from(found.clone())).unwrap();
            assert_eq!(read(&written), described, "{value}");
            assert_eq!(described.get("by").is_some(), unit.is_some());
            let mut written = Vec::new();
            ofrep::write(found.clone(), &mut written).unwrap();
            let described = serde_json::to_value(ofrep::Found::from(found)).unwrap();
            assert_eq!(read(&written), described, "{value}");
            assert_eq!(described.get("value").is_none(), value.is_null());
        }
    }
}

#[test]
fn texts_are_written_as_json() {
    let ends = ('\0'..='\u{ff}').chain(['\u{2028}', '\u{fffd}', '😀']);
    for text in ends.map(|end| format!("user{end}")) {
        let mut written = Vec::new();
        write_text(&text, &mut written).unwrap();
        assert_eq!(written, serde_json::to_vec(&text).unwrap(), "{text:?}");
    }
}

fn read(written: &[u8]) -> Value {
    serde_json::from_slice(written).unwrap()
}
