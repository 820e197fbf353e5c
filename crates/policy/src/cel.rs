//! CEL expressions over a request: <https://cel.dev>.
//!
//! An expression knows `method`, `path`, `query` (without its question mark), `headers` (a map of names in lower
//! case to values; several of one name are joined with commas) and `body_bytes` (what `Content-Length` says, 0 if
//! it says nothing). It is compiled once and evaluated per request, which takes some memory then.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use cel::common::ast::{EntryExpr, Expr, IdedEntryExpr};
use cel::{Context, Env, IdedExpr, Program, Value};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method};

/// The variables that an expression may use.
pub const VARIABLES: [&str; 5] = ["method", "path", "query", "headers", "body_bytes"];
/// The longest expression, in bytes.
pub const TEXT_MAX: usize = 2000;

/// How deep an expression may be: evaluating takes some stack for each step, and gateways have 2 MB.
const DEPTH_MAX: usize = 40;
/// Stack to read an expression of any depth that fits into [`TEXT_MAX`].
const STACK_BYTES: usize = 128 << 20;

/// Why an expression cannot be used, or gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is too long.
    #[error("the expression has more than {TEXT_MAX} bytes")]
    TooLong,
    /// It has too many steps within each other.
    #[error("the expression has more than {DEPTH_MAX} steps within each other")]
    TooDeep,
    /// It is not CEL.
    #[error("this is no CEL expression: {reason}")]
    Syntax {
        /// What the parser says.
        reason: String,
    },
    /// It goes through a list or a map, which may take any time.
    #[error("macros such as `all`, `exists`, `map` and `filter` are not for requests")]
    Macro,
    /// It uses what requests have not.
    #[error("there is no `{name}`; there are {}", VARIABLES.join(", "))]
    Unknown {
        /// What it names.
        name: String,
    },
    /// It failed for a request.
    #[error("the expression failed: {reason}")]
    Failed {
        /// Why.
        reason: String,
    },
    /// It gave something else than what was asked for.
    #[error("the expression gave {found} and not {wanted}")]
    Type {
        /// The kind of value.
        found: String,
        /// What it should be.
        wanted: &'static str,
    },
}

/// The functions that expressions may call.
static FUNCTIONS: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// What an expression sees of a request.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path.
    pub path: &'a str,
    /// The query, with its question mark or without.
    pub query: &'a str,
    /// The head.
    pub headers: &'a HeaderMap,
}

/// An expression, compiled.
pub struct Expression {
    text: Box<str>,
    program: Program,
    /// Which of [`VARIABLES`] it uses, so that no others are made.
    uses: [bool; VARIABLES.len()],
}

impl std::fmt::Debug for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Expression").field(&self.text).finish()
    }
}

impl Expression {
    /// Compiles an expression; one that names what requests have not is refused.
    pub fn compile(text: &str) -> Result<Self, Error> {
        if text.len() > TEXT_MAX {
            return Err(Error::TooLong);
        }
        let program = std::thread::scope(|scope| {
            let reader = std::thread::Builder::new().stack_size(STACK_BYTES);
            let reading = reader.spawn_scoped(scope, || read(text));
            reading.ok().and_then(|reading| reading.join().ok())
        });
        let program = program.ok_or_else(|| Error::Syntax {
            reason: "it cannot be read".to_owned(),
        })??;
        let mut uses = [false; VARIABLES.len()];
        for name in program.references().variables() {
            match VARIABLES.iter().position(|known| *known == name) {
                Some(index) => uses[index] = true,
                None => {
                    return Err(Error::Unknown {
                        name: name.to_owned(),
                    });
                }
            }
        }
        Ok(Self {
            text: text.into(),
            program,
            uses,
        })
    }

    /// What it was compiled from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its value for a request, if that is a number; fractions are cut off.
    pub fn number(&self, facts: &Facts<'_>) -> Result<i64, Error> {
        match self.value(facts)? {
            Value::Int(number) => Ok(number),
            Value::UInt(number) => Ok(i64::try_from(number).unwrap_or(i64::MAX)),
            Value::Float(number) => Ok(number as i64),
            other => Err(wrong(&other, "a number")),
        }
    }

    /// Whether it holds for a request.
    pub fn holds(&self, facts: &Facts<'_>) -> Result<bool, Error> {
        match self.value(facts)? {
            Value::Bool(holds) => Ok(holds),
            other => Err(wrong(&other, "true or false")),
        }
    }

    fn value(&self, facts: &Facts<'_>) -> Result<Value, Error> {
        let mut context = Context::with_env(Arc::clone(&FUNCTIONS));
        let [method, path, query, headers, body_bytes] = self.uses;
        if method {
            context.add_variable_from_value("method", facts.method.as_str().to_owned());
        }
        if path {
            context.add_variable_from_value("path", facts.path.to_owned());
        }
        if query {
            let query = facts.query.strip_prefix('?').unwrap_or(facts.query);
            context.add_variable_from_value("query", query.to_owned());
        }
        if headers {
            context.add_variable_from_value("headers", fields(facts.headers));
        }
        if body_bytes {
            let length = facts.headers.get(CONTENT_LENGTH);
            let length = length.and_then(|length| length.to_str().ok()?.parse::<i64>().ok());
            context.add_variable_from_value("body_bytes", length.unwrap_or(0));
        }
        let failed = |reason: String| Error::Failed { reason };
        catch_unwind(AssertUnwindSafe(|| self.program.execute(&context)))
            .map_err(|_| failed("it cannot be evaluated".to_owned()))?
            .map_err(|error| failed(error.to_string()))
    }
}

/// Parses an expression and checks that it can be evaluated on little stack and in little time.
fn read(text: &str) -> Result<Program, Error> {
    let program = Program::compile(text).map_err(|error| Error::Syntax {
        reason: error.to_string(),
    })?;
    match depth(program.expression()) {
        None => Err(Error::Macro),
        Some(depth) if depth > DEPTH_MAX => Err(Error::TooDeep),
        Some(_) => Ok(program),
    }
}

/// How many steps are within each other; `None` if one goes through a list or a map.
fn depth(expression: &IdedExpr) -> Option<usize> {
    let deepest = |all: &[IdedExpr]| {
        all.iter()
            .try_fold(0, |most: usize, one| Some(most.max(depth(one)?)))
    };
    let entry = |entry: &IdedEntryExpr| match &entry.expr {
        EntryExpr::StructField(field) => depth(&field.value),
        EntryExpr::MapEntry(entry) => Some(depth(&entry.key)?.max(depth(&entry.value)?)),
    };
    let entries = |all: &[IdedEntryExpr]| {
        all.iter()
            .try_fold(0, |most: usize, one| Some(most.max(entry(one)?)))
    };
    let below = match &expression.expr {
        Expr::Comprehension(_) => return None,
        Expr::Call(call) => {
            let target = call.target.as_deref().map_or(Some(0), depth)?;
            target.max(deepest(&call.args)?)
        }
        Expr::List(list) => deepest(&list.elements)?,
        Expr::Select(select) => depth(&select.operand)?,
        Expr::Map(map) => entries(&map.entries)?,
        Expr::Struct(made) => entries(&made.entries)?,
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => 0,
    };
    Some(below + 1)
}

fn fields(headers: &HeaderMap) -> HashMap<String, Value> {
    let mut all: HashMap<String, String> = HashMap::with_capacity(headers.keys_len());
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        all.entry(name.as_str().to_owned())
            .and_modify(|known| {
                known.push_str(", ");
                known.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    all.into_iter()
        .map(|(name, value)| (name, Value::from(value)))
        .collect()
}

fn wrong(found: &Value, wanted: &'static str) -> Error {
    Error::Type {
        found: found.type_of().to_string(),
        wanted,
    }
}

#[cfg(test)]
mod tests;
