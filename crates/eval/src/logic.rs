//! Rules that are JSONLogic, as flagd's are: what cannot be said as conditions and splits.
//!
//! Logic is compiled ahead and bounded before it is: only JSONLogic's own operators and flagd's, paths that are written down,
//! loops neither in loops nor around what grows. So an evaluation reads what it names, and ends soon. Unlike all else here,
//! it takes memory.
//!
//! Sources: <https://jsonlogic.com/operations.html>, <https://flagd.dev/reference/flag-definitions/#targeting-rules>.

use std::fmt;
use std::sync::LazyLock;

use datalogic_rs::bumpalo::Bump;
use datalogic_rs::{DataValue, Engine};
use serde_json::{Map, Value as Json};

use crate::subject::{Names, Slot, Subject};
use crate::value::Value;

mod check;
mod operators;

pub use check::Refused;

/// What flagd calls the unit, and what it is called with us: the second stands for the first where that is not known.
const TARGETING_KEY: &str = "targetingKey";
const USER: &str = "user_id";

static ENGINE: LazyLock<Engine> = LazyLock::new(operators::engine);

/// The parts of a path.
type Path = Box<[Box<str>]>;

/// Compiled logic.
#[derive(Debug)]
pub(crate) struct Logic {
    compiled: datalogic_rs::Logic,
    /// The attributes that it reads, and their paths.
    reads: Box<[(Slot, Path)]>,
    /// The attribute that stands for the targeting key.
    user: Slot,
}

/// Why logic gave no variant.
#[derive(Debug)]
pub(crate) enum Failed {
    /// It could not be evaluated.
    Evaluation(datalogic_rs::Error),
    /// It gave something that is no variant's name.
    NoVariant(String),
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Evaluation(error) => write!(f, "{error}"),
            Self::NoVariant(found) => write!(f, "{found} is no variant"),
        }
    }
}

impl Logic {
    /// Checks and compiles logic; notes the attributes that it reads.
    pub(crate) fn compile(source: &Json, names: &mut Names) -> Result<Self, Refused> {
        let paths = check::paths(source)?;
        let compiled = ENGINE.compile(source).map_err(|error| Refused {
            pointer: String::new(),
            code: "logic_invalid",
            detail: error.to_string(),
        })?;
        let reads = paths.into_iter().map(|path| {
            let parts = path.split('.').map(Box::from).collect();
            (names.slot(&path), parts)
        });
        Ok(Self {
            compiled,
            reads: reads.collect(),
            user: names.slot(USER),
        })
    }

    /// The place of the variant that it names; `None` if it names none.
    pub(crate) fn variant(
        &self,
        flag: &str,
        subject: &Subject<'_>,
        variants: &[(Box<str>, Json)],
    ) -> Result<Option<usize>, Failed> {
        let data = self.data(flag, subject);
        let arena = Bump::new();
        let found = ENGINE.evaluate(&self.compiled, &data, &arena);
        let name = match found.map_err(Failed::Evaluation)? {
            DataValue::Null => return Ok(None),
            DataValue::String(name) => *name,
            DataValue::Bool(true) => "true",
            DataValue::Bool(false) => "false",
            other => return Err(Failed::NoVariant(other.to_json_string())),
        };
        let place = variants.iter().position(|(known, _)| **known == *name);
        place
            .map(Some)
            .ok_or_else(|| Failed::NoVariant(format!("`{name}`")))
    }

    /// What is known of what it reads, as JSON.
    fn data(&self, flag: &str, subject: &Subject<'_>) -> Json {
        let mut data = Map::new();
        for (slot, path) in &self.reads {
            let known = subject.get(*slot);
            let known = match &**path {
                [name] if **name == *TARGETING_KEY => known
                    .filter(|known| known.value != Value::Text(""))
                    .or_else(|| subject.get(self.user)),
                _ => known,
            };
            if let Some(known) = known {
                put(&mut data, path, json(known.value));
            }
        }
        let seconds = subject.now_micros.div_euclid(1_000_000);
        data.insert(
            "$flagd".to_owned(),
            serde_json::json!({ "flagKey": flag, "timestamp": seconds }),
        );
        Json::Object(data)
    }
}

/// Evaluates logic over any data as that of flags, without their bounds: for who trusts both.
///
/// # Errors
/// What is wrong with the logic, or went wrong.
pub fn apply(logic: &Json, data: &Json) -> Result<Json, datalogic_rs::Error> {
    let compiled = ENGINE.compile(logic)?;
    let arena = Bump::new();
    let found = ENGINE.evaluate(&compiled, data, &arena)?;
    Ok(serde_json::from_str(&found.to_json_string()).unwrap_or(Json::Null))
}

/// Puts a value at the end of a path.
fn put(data: &mut Map<String, Json>, path: &[Box<str>], value: Json) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    if rest.is_empty() {
        data.insert(first.to_string(), value);
        return;
    }
    let inner = data.entry(&**first).or_insert_with(|| Json::Object(Map::new()));
    if let Json::Object(inner) = inner {
        put(inner, rest, value);
    }
}

fn json(value: Value<'_>) -> Json {
    match value {
        Value::Bool(is) => is.into(),
        // Whole numbers are written without a point.
        Value::Number(number) if number.fract() == 0.0 && number.abs() < 9.0e15 => (number as i64).into(),
        Value::Number(number) => number.into(),
        Value::Text(text) => text.into(),
        Value::List(list) => list.iter().copied().collect(),
        Value::Json(json) => json.clone(),
    }
}

#[cfg(test)]
mod tests;
