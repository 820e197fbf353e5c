//! JSON or YAML that is not a contract: declarative files, for example.

use serde_json::Value;

use crate::report::Report;
use crate::{Limits, Refusal, source};

/// Reads JSON or YAML as free data, with the limits and positions of contracts.
///
/// # Errors
/// [`Refusal`] with the place of what is wrong.
pub fn data(document: &str, limits: &Limits) -> Result<Value, Refusal> {
    let mut report = Report::new(limits.findings_max);
    match source::parse(document, limits, &mut report) {
        Err(stop) => Err(report.stopped(stop, limits)),
        Ok(_) if report.has_errors() => Err(report.into_refusal()),
        Ok(root) => Ok(root.into_json()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::data;
    use crate::Limits;

    #[test]
    fn yaml_becomes_data_and_a_mistake_has_a_place() {
        let limits = Limits::default();
        let read = data("kind: plan\nkeys_max: 3\nversion: '1.0'\n", &limits).unwrap();
        assert_eq!(read, json!({ "kind": "plan", "keys_max": 3, "version": "1.0" }));
        let refusal = data("kind: plan\nkind: api\n", &limits).unwrap_err();
        assert_eq!(refusal.findings[0].line, 2);
    }
}
