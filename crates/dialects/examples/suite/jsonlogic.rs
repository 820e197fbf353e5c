//! Cases of JSONLogic as the crate `datalogic-rs` ships them: what all of its engines have in common, and flagd's.

use std::error::Error;
use std::path::Path;

use eval::logic::apply;
use serde_json::Value;

use super::Score;

/// The files with what flags need.
const FILES: [&str; 3] = ["compatible.json", "flagd/fractional.json", "flagd/sem_ver.json"];

/// Runs the files in a folder.
pub(crate) fn run(folder: &Path) -> Result<Score, Box<dyn Error>> {
    let mut score = Score::default();
    for file in FILES {
        let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(folder.join(file))?)?;
        // Texts between the cases are headings.
        for case in cases.iter().filter(|case| case.is_object()) {
            let found = apply(&case["rule"], &case["data"]);
            let expected = case.get("result");
            let holds = match (&found, expected) {
                (Ok(found), Some(expected)) => are_equal(found, expected),
                (Err(_), None) => true,
                _ => false,
            };
            score.case(holds, || format!("{file}: {}: {found:?}", case["description"]));
        }
    }
    Ok(score)
}

/// Whether values are the same; 1 and 1.0 are.
fn are_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| are_equal(one, other))
        }
        _ => one == other,
    }
}
