//! Flags as a file declares them.

use serde_json::{Map, Value, json};

use crate::Error;

/// Fields of a flag that a file says, in their order.
const FIELDS: [&str; 9] = [
    "title",
    "description",
    "tags",
    "owner",
    "expires_at",
    "type",
    "variants",
    "environments",
    "client_side",
];

/// A flag as a file declares it: without what is so anyway.
pub(super) fn declared(flag: &Value) -> Value {
    let usual = json!({ "title": "", "description": "", "tags": [], "owner": "", "client_side": true });
    let fields = FIELDS.iter().filter_map(|name| {
        let value = flag.get(*name)?;
        (usual.get(name) != Some(value)).then(|| ((*name).to_owned(), value.clone()))
    });
    Value::Object(fields.collect::<Map<_, _>>())
}

/// A segment as a file declares it.
pub(super) fn declared_segment(segment: &Value) -> Value {
    let fields = ["title", "description", "when"].into_iter().filter_map(|name| {
        let value = segment.get(name)?;
        (value != "").then(|| (name.to_owned(), value.clone()))
    });
    Value::Object(fields.collect::<Map<_, _>>())
}

/// The text of a file.
pub(super) fn write(file: &Value) -> Result<String, Error> {
    serde_saphyr::to_string(file).map_err(|error| Error::Argument {
        reason: format!("the flags cannot be written as YAML: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use contracts::Limits;
    use serde_json::json;

    #[test]
    fn what_is_written_is_read_again() {
        let file = json!({ "flags": { "new-checkout": {
            "type": "boolean",
            "variants": { "on": true, "off": false },
            "environments": { "production": {
                "enabled": true, "off": "off",
                "rules": [{ "name": "no", "when": { "attribute": "v", "op": "in", "values": ["1.0", "yes", "null", " a: b", "2026-11-22", "0x1", "~", "ä\n\"'"] }, "serve": "on" }],
                "otherwise": { "split": { "on": 33.3, "off": 66.7 }, "by": "user_id" },
            } },
        } } });
        let text = super::write(&file).unwrap();
        assert_eq!(
            contracts::data(&text, &Limits::default()).unwrap(),
            file,
            "{text}"
        );
    }
}
