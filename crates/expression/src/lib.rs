//! Expressions over a request in CEL (<https://cel.dev>): for routes that ask for more than fields and paths can say,
//! and for policies that compute something.
//!
//! Everything that could make one dear or dangerous is refused when it is compiled, with the place in the text: texts
//! that are long or deep, a loop within a loop, lists that grow in one, patterns that are not written out, names and
//! functions that are not known. What is left takes time linear in the head of the request, and no stack to speak of.
//! So it can be computed on the way of a request, which takes some memory then. Start with [`Expression`].
//!
//! Pure: whoever asks gives the request ([`Facts`]). Not here: where expressions are configured, and what follows
//! from what they give.

mod facts;
mod pattern;
mod read;

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use cel::extractors::This;
use cel::{Context, Env, ExecutionError, Program, Value};
use http::{HeaderMap, Method};
use regex::Regex;

pub use self::facts::Facts;
pub use self::pattern::{COMPILED_BYTES_MAX, PATTERN_MAX, pattern};

/// The variables that an expression may use.
pub const VARIABLES: [&str; 7] = [
    "method",
    "host",
    "path",
    "query",
    "headers",
    "cookies",
    "body_bytes",
];
/// What an expression may call beside operators and loops.
pub const FUNCTIONS: [&str; 11] = [
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "string",
    "int",
    "uint",
    "double",
    "bool",
    "has",
];
/// The most characters of an expression.
pub const TEXT_MAX: usize = 1000;
/// The most words and signs of an expression.
pub const TOKENS_MAX: usize = 200;
/// The most brackets within brackets.
pub const BRACKETS_MAX: usize = 12;
/// The most steps within a loop.
pub const LOOP_MAX: usize = 24;
/// The most query parameters and the most cookies of a request; an expression that names them fails for more.
pub const ENTRIES_MAX: usize = 1000;

/// Why a text is no expression that can be used; places count characters from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is too long.
    #[error("it has more than {TEXT_MAX} characters")]
    TooLong,
    /// It has too many parts, or too many within each other.
    #[error("it has more than {TOKENS_MAX} words and signs, or goes more than {BRACKETS_MAX} brackets deep")]
    TooDeep,
    /// It is not CEL.
    #[error("it cannot be read from character {at} on: {reason}")]
    Syntax {
        /// Where.
        at: usize,
        /// What the parser says.
        reason: String,
    },
    /// It names what requests have not.
    #[error("it names `{name}` at character {at}; there are {}", VARIABLES.join(", "))]
    Unknown {
        /// Where.
        at: usize,
        /// What it names.
        name: String,
    },
    /// It calls what there is not.
    #[error("it calls `{name}` at character {at}; there are {}", FUNCTIONS.join(", "))]
    Function {
        /// Where.
        at: usize,
        /// What it calls.
        name: String,
    },
    /// It does what is not for requests.
    #[error("at character {at} it {what}")]
    Refused {
        /// Where.
        at: usize,
        /// What it does.
        what: &'static str,
    },
    /// A pattern of `matches` cannot be used.
    #[error("the pattern at character {at} cannot be used: {reason}")]
    Pattern {
        /// Where.
        at: usize,
        /// Why.
        reason: String,
    },
    /// It gives something else than what is asked for.
    #[error("it is {found}, not {wanted}")]
    Type {
        /// The kind of value.
        found: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// It fails for whatever request.
    #[error("it fails: {reason}")]
    Fails {
        /// Why.
        reason: String,
    },
}

/// An expression could not be computed for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the expression failed")]
pub struct Failed;

/// The functions and operators, made once.
static LIBRARY: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// An expression, compiled.
pub struct Expression {
    text: Box<str>,
    program: Program,
    /// Which of [`VARIABLES`] it names, so that no others are made.
    uses: [bool; VARIABLES.len()],
    /// What `matches` looks for, by its text.
    patterns: Arc<HashMap<String, Regex>>,
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.text).finish()
    }
}

impl Expression {
    /// Compiles what is true or false, and tries it on a request.
    pub fn condition(text: &str) -> Result<Self, Error> {
        let expression = Self::compile(text)?;
        expression.try_out("true or false", |value| matches!(value, Value::Bool(_)))?;
        Ok(expression)
    }

    /// Compiles what is a number, and tries it on a request.
    pub fn number(text: &str) -> Result<Self, Error> {
        let expression = Self::compile(text)?;
        expression.try_out("a number", |value| number(value).is_some())?;
        Ok(expression)
    }

    fn compile(text: &str) -> Result<Self, Error> {
        let found = read::read(text)?;
        Ok(Self {
            text: text.into(),
            uses: VARIABLES.map(|name| found.names.iter().any(|known| known == name)),
            program: found.program,
            patterns: Arc::new(found.patterns),
        })
    }

    /// What it was compiled from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it holds for a request.
    pub fn holds(&self, facts: &Facts<'_>) -> Result<bool, Failed> {
        match self.run(facts) {
            Ok(Value::Bool(holds)) => Ok(holds),
            _ => Err(Failed),
        }
    }

    /// Its value for a request, if that is a number; fractions are cut off.
    pub fn value(&self, facts: &Facts<'_>) -> Result<i64, Failed> {
        self.run(facts).ok().as_ref().and_then(number).ok_or(Failed)
    }

    /// What depends on the request may fail; what has the wrong type always does.
    fn try_out(&self, wanted: &'static str, is_wanted: fn(&Value) -> bool) -> Result<(), Error> {
        let headers = HeaderMap::new();
        let result = self.run(&Facts {
            method: &Method::GET,
            host: "api.example.com",
            path: "/a/b",
            query: "",
            headers: &headers,
        });
        match result {
            Ok(value) if is_wanted(&value) => Ok(()),
            Ok(value) => Err(Error::Type {
                found: value.type_of().to_string(),
                wanted,
            }),
            Err(
                ExecutionError::NoSuchKey(_)
                | ExecutionError::FunctionError { .. }
                | ExecutionError::DivisionByZero(_)
                | ExecutionError::RemainderByZero(_)
                | ExecutionError::Overflow(..)
                | ExecutionError::IndexOutOfBounds(_),
            ) => Ok(()),
            Err(error) => Err(Error::Fails {
                reason: error.to_string(),
            }),
        }
    }

    fn run(&self, facts: &Facts<'_>) -> Result<Value, ExecutionError> {
        let mut context = Context::with_env(Arc::clone(&LIBRARY));
        for (name, uses) in VARIABLES.into_iter().zip(self.uses) {
            if uses {
                let value = facts.value(name).ok_or_else(|| too_many(name))?;
                context.add_variable_from_value(name, value);
            }
        }
        if !self.patterns.is_empty() {
            let patterns = Arc::clone(&self.patterns);
            let matches = move |This(text): This<Arc<String>>, pattern: Arc<String>| {
                patterns
                    .get(&**pattern)
                    .is_some_and(|pattern| pattern.is_match(&text))
            };
            context
                .add_function("matches", matches)
                .map_err(|_| ExecutionError::MissingArgumentOrTarget)?;
        }
        // A library that panics ends the expression, not the call.
        catch_unwind(AssertUnwindSafe(|| self.program.execute(&context)))
            .unwrap_or(Err(ExecutionError::MissingArgumentOrTarget))
    }
}

fn too_many(name: &str) -> ExecutionError {
    ExecutionError::function_error(name, "too many")
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        Value::UInt(number) => Some(i64::try_from(*number).unwrap_or(i64::MAX)),
        Value::Float(number) => Some(*number as i64),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
