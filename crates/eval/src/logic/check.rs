//! What logic may be: bounded in size, in depth and in what it does.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::TARGETING_KEY;
use crate::problem::part;

/// Operators in one piece of logic.
const OPERATORS_MAX: usize = 1000;
/// Values in one piece of logic, those of lists that something is looked up in included.
const VALUES_MAX: usize = 50_000;
/// Operators within operators.
const DEPTH_MAX: usize = 64;
/// Operators that go through a list.
const LOOPS: [&str; 6] = ["map", "filter", "reduce", "all", "some", "none"];
/// Operators whose answer is no larger than what they read, so that they may be repeated.
const SMALL: [&str; 26] = [
    "var",
    "if",
    "?:",
    "==",
    "===",
    "!=",
    "!==",
    "!",
    "!!",
    "or",
    "and",
    ">",
    ">=",
    "<",
    "<=",
    "max",
    "min",
    "+",
    "-",
    "*",
    "/",
    "%",
    "in",
    "starts_with",
    "ends_with",
    "sem_ver",
];
/// Operators besides.
const OTHERS: [&str; 8] = [
    "missing",
    "missing_some",
    "merge",
    "cat",
    "substr",
    "fractional",
    "fractional_v1",
    "fractional_v3",
];

/// What is wrong with logic, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The place, as a JSON Pointer into the logic.
    pub pointer: String,
    /// A stable name of the reason.
    pub code: &'static str,
    /// The reason, for people.
    pub detail: String,
}

/// The paths that logic reads, in an order in which none comes before the one that leads to it.
pub(super) fn paths(source: &Json) -> Result<BTreeSet<String>, Refused> {
    let mut check = Check::default();
    check.value(source, "", 0)?;
    Ok(check.paths)
}

#[derive(Default)]
struct Check {
    paths: BTreeSet<String>,
    operators: usize,
    values: usize,
    /// Whether it is in what a loop does with each.
    in_loop: bool,
}

type Checked = Result<(), Refused>;

fn refused(pointer: &str, code: &'static str, detail: impl Into<String>) -> Refused {
    Refused {
        pointer: pointer.to_owned(),
        code,
        detail: detail.into(),
    }
}

impl Check {
    fn value(&mut self, value: &Json, pointer: &str, depth: usize) -> Checked {
        self.values += 1;
        if self.values > VALUES_MAX {
            let detail = format!("Logic has at most {VALUES_MAX} values.");
            return Err(refused(pointer, "too_large", detail));
        }
        if depth > DEPTH_MAX {
            let detail = format!("Logic is nested more than {DEPTH_MAX} deep.");
            return Err(refused(pointer, "too_deep", detail));
        }
        match value {
            Json::Array(all) => {
                if self.in_loop && all.iter().any(|one| one.is_object() || one.is_array()) {
                    let detail = "A list that a loop makes has no operators in it.";
                    return Err(refused(pointer, "loop_grows", detail));
                }
                (all.iter().enumerate())
                    .try_for_each(|(place, one)| self.value(one, &format!("{pointer}/{place}"), depth + 1))
            }
            Json::Object(fields) if !fields.is_empty() => self.operator(fields, pointer, depth),
            _ => Ok(()),
        }
    }

    fn operator(&mut self, fields: &Map<String, Json>, pointer: &str, depth: usize) -> Checked {
        self.operators += 1;
        if self.operators > OPERATORS_MAX {
            let detail = format!("Logic has at most {OPERATORS_MAX} operators.");
            return Err(refused(pointer, "too_large", detail));
        }
        let mut all = fields.iter();
        let (Some((name, arguments)), None) = (all.next(), all.next()) else {
            return Err(refused(
                pointer,
                "logic_invalid",
                "An operator is an object with one field.",
            ));
        };
        let at = format!("{pointer}/{}", part(name));
        let is_loop = LOOPS.contains(&&**name);
        if !is_loop && !SMALL.contains(&&**name) && !OTHERS.contains(&&**name) {
            let detail = format!("`{name}` is no operator of JSONLogic or flagd.");
            return Err(refused(&at, "operator_unknown", detail));
        }
        if self.in_loop && !SMALL.contains(&&**name) {
            let detail = format!("`{name}` in a loop could take for ever, or all memory.");
            return Err(refused(&at, "loop_grows", detail));
        }
        match &**name {
            "var" => self.variable(arguments, &at, depth),
            "missing" => self.missing(arguments, &at),
            "missing_some" => self.missing_some(arguments, &at, depth),
            _ if is_loop => self.loops(arguments, &at, depth),
            _ => {
                if name.starts_with("fractional") {
                    self.paths.insert(TARGETING_KEY.to_owned());
                }
                // An operator's own list of arguments is no list that it makes.
                match arguments {
                    Json::Array(all) => (all.iter().enumerate())
                        .try_for_each(|(place, one)| self.value(one, &format!("{at}/{place}"), depth + 1)),
                    one => self.value(one, &at, depth + 1),
                }
            }
        }
    }

    fn variable(&mut self, arguments: &Json, pointer: &str, depth: usize) -> Checked {
        let path = match arguments {
            Json::Array(all) => {
                self.all_but(all, 0, pointer, depth)?;
                all.first().unwrap_or(&Json::Null)
            }
            one => one,
        };
        self.path(path, pointer)
    }

    fn path(&mut self, path: &Json, pointer: &str) -> Checked {
        let path = match path {
            Json::String(path) => path.clone(),
            Json::Number(number) => number.to_string(),
            Json::Null => String::new(),
            _ => {
                let detail = "What logic reads is written down, not made up by it.";
                return Err(refused(pointer, "attribute_dynamic", detail));
            }
        };
        // In a loop, paths lead into what the loop goes through.
        if self.in_loop || path == "$flagd" || path.starts_with("$flagd.") {
            return Ok(());
        }
        if path.is_empty() {
            let detail = "Logic names what it reads; it cannot have all that is known.";
            return Err(refused(pointer, "attribute_dynamic", detail));
        }
        self.paths.insert(path);
        Ok(())
    }

    fn missing(&mut self, arguments: &Json, pointer: &str) -> Checked {
        match arguments {
            Json::Array(all) => (all.iter().enumerate())
                .try_for_each(|(place, one)| self.path(one, &format!("{pointer}/{place}"))),
            one => self.path(one, pointer),
        }
    }

    /// How many must be there may be made up; what must be is written down.
    fn missing_some(&mut self, arguments: &Json, pointer: &str, depth: usize) -> Checked {
        let all = arguments.as_array().map_or(&[][..], Vec::as_slice);
        self.all_but(all, 1, pointer, depth)?;
        self.missing(all.get(1).unwrap_or(&Json::Null), &format!("{pointer}/1"))
    }

    /// Checks all arguments but one, which is no logic; also those that the operator does not look at.
    fn all_but(&mut self, all: &[Json], left_out: usize, pointer: &str, depth: usize) -> Checked {
        (all.iter().enumerate())
            .filter(|(place, _)| *place != left_out)
            .try_for_each(|(place, one)| self.value(one, &format!("{pointer}/{place}"), depth + 1))
    }

    fn loops(&mut self, arguments: &Json, pointer: &str, depth: usize) -> Checked {
        let Json::Array(all) = arguments else {
            return Err(refused(
                pointer,
                "logic_invalid",
                "A loop has a list of arguments.",
            ));
        };
        for (place, one) in all.iter().enumerate() {
            self.in_loop = place == 1;
            let checked = self.value(one, &format!("{pointer}/{place}"), depth + 1);
            self.in_loop = false;
            checked?;
        }
        Ok(())
    }
}
