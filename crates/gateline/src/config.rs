//! `gateline config`: whether the settings are right, and what they are.

use std::io::Write;

use cli::{Exit, Format};
use serde_json::{Value, json};

use crate::arguments::Config;
use crate::settings::{self, Loaded};

/// Runs the command and prints its answer.
pub(crate) fn run(command: &Config, format: Format) -> Exit {
    match command {
        Config::Schema => say(&format!("{:#}\n", settings::schema())),
        Config::Check(flags) => match settings::load(&flags.sources()) {
            Ok(loaded) => say(&report(&loaded, format)),
            Err(error) => {
                crate::complain(&error.to_string());
                Exit::Settings
            }
        },
    }
}

/// Every setting with its value and where it came from; secrets are not shown.
fn report(loaded: &Loaded, format: Format) -> String {
    let mut values = Vec::new();
    let tree = serde_json::to_value(&loaded.settings).expect("settings are plain data");
    flatten(&tree, "", &mut values);
    let shown = |name: &str, value: &Value| match (settings::is_secret(name), value) {
        (true, Value::String(_)) => json!("(secret)"),
        _ => value.clone(),
    };
    let origin = |name: &str| {
        loaded
            .origins
            .get(name)
            .map_or("default".to_owned(), ToString::to_string)
    };
    match format {
        Format::Json => {
            let rows: Vec<Value> = values
                .iter()
                .map(|(name, value)| json!({ "name": name, "value": shown(name, value), "origin": origin(name) }))
                .collect();
            format!("{:#}\n", json!({ "settings": rows }))
        }
        Format::Table => values
            .iter()
            .map(|(name, value)| {
                format!(
                    "{name:<36} {:<28} {}\n",
                    shown(name, value).to_string(),
                    origin(name)
                )
            })
            .collect(),
    }
}

fn flatten<'a>(value: &'a Value, path: &str, values: &mut Vec<(String, &'a Value)>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                flatten(value, &path, values);
            }
        }
        other => values.push((path.to_owned(), other)),
    }
}

fn say(text: &str) -> Exit {
    // A reader that has seen enough is no reason to fail.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Exit::Done
}
