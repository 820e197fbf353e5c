//! Expressions of routes: CEL, compiled ahead and bounded.
//!
//! What could make one dear is refused: a loop within a loop, and patterns that are not written out.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};
use cel::extractors::This;
use cel::{Context, ExecutionError, Program, Value};
use http::header::COOKIE;
use http::{HeaderMap, Method};
use regex::Regex;

use crate::fault::Faults;
use crate::table::Request;
use crate::value;

/// The most characters of an expression.
const TEXT_MAX: usize = 1000;
/// The most words and signs, and brackets within brackets: the parser and the library go down a level for each,
/// and would take the process with them at the end of the stack.
const TOKENS_MAX: usize = 200;
const DEPTH_MAX: usize = 12;
/// The parser's stack.
const STACK_BYTES: usize = 64 * 1024 * 1024;
/// What an expression may name.
const VARIABLES: [&str; 6] = ["method", "host", "path", "query", "headers", "cookies"];
/// What an expression may call beside operators and macros.
const FUNCTIONS: [&str; 11] = [
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

/// An expression, compiled.
pub(crate) struct When {
    program: Program,
    /// Which of [`VARIABLES`] it names.
    names: Vec<&'static str>,
    patterns: Arc<HashMap<String, Regex>>,
}

/// The expression could not be computed, or was neither true nor false.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failed;

impl fmt::Debug for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("When")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

impl When {
    /// Compiles an expression and tries it on a request.
    pub(crate) fn compile(text: &str, pointer: &str, faults: &mut Faults) -> Option<Self> {
        const SUGGESTION: &str = "Write a condition over `method`, `host`, `path`, `query`, `headers` and `cookies`, as `'x-a' in headers`.";
        if text.chars().count() > TEXT_MAX {
            let detail = format!("It has more than {TEXT_MAX} characters.");
            faults.add(pointer, "field_too_long", detail, "Shorten it.");
            return None;
        }
        if !is_flat(text) {
            let detail =
                format!("It has more than {TOKENS_MAX} words and signs, or brackets {DEPTH_MAX} deep.");
            faults.add(pointer, "field_too_long", detail, "Make several routes of it.");
            return None;
        }
        let program = match parse(text) {
            Ok(program) => program,
            Err(error) => {
                let text = error.to_string();
                let first = text.lines().next().unwrap_or_default();
                faults.add(
                    pointer,
                    "expression_invalid",
                    format!("It cannot be read: {first}."),
                    SUGGESTION,
                );
                return None;
            }
        };
        let mut walk = Walk::default();
        walk.visit(program.expression());
        if let Some(detail) = walk.fault {
            faults.add(pointer, "expression_invalid", detail, SUGGESTION);
            return None;
        }
        let mut patterns = HashMap::new();
        for pattern in walk.patterns {
            let compiled = value::pattern(&pattern, pointer, faults)?;
            patterns.insert(pattern, compiled);
        }
        let when = Self {
            names: VARIABLES
                .into_iter()
                .filter(|name| walk.names.iter().any(|known| known == name))
                .collect(),
            program,
            patterns: Arc::new(patterns),
        };
        when.try_out(pointer, faults).then_some(when)
    }

    /// Whether it holds for a request.
    pub(crate) fn holds(&self, request: &Request<'_>) -> Result<bool, Failed> {
        match self.run(request) {
            Ok(Value::Bool(holds)) => Ok(holds),
            _ => Err(Failed),
        }
    }

    /// What depends on the request may fail, what has the wrong type always does.
    fn try_out(&self, pointer: &str, faults: &mut Faults) -> bool {
        let headers = HeaderMap::new();
        let detail = match self.run(&Request {
            method: &Method::GET,
            host: "api.example.com",
            authority: b"api.example.com",
            path: "/a/b",
            query: "",
            headers: &headers,
        }) {
            Ok(Value::Bool(_)) | Err(ExecutionError::NoSuchKey(_) | ExecutionError::FunctionError { .. }) => {
                return true;
            }
            Ok(other) => format!("It is {}, not true or false.", other.type_of()),
            Err(error) => format!("It fails: {error}."),
        };
        faults.add(
            pointer,
            "expression_invalid",
            detail,
            "Write what is either true or false.",
        );
        false
    }

    fn run(&self, request: &Request<'_>) -> Result<Value, ExecutionError> {
        let mut context = Context::default();
        for name in &self.names {
            let value: Value = match *name {
                "method" => request.method.as_str().into(),
                "host" => request.host.into(),
                "path" => request.path.into(),
                "query" => query(request.query).into(),
                "headers" => headers(request.headers).into(),
                _ => cookies(request.headers).into(),
            };
            context.add_variable_from_value(*name, value);
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
        self.program.execute(&context)
    }
}

/// Parses a text where there is room for it: the generated parser takes 100 kB of stack for a bracket in debug builds.
fn parse(text: &str) -> Result<Program, String> {
    let parse = || Program::compile(text).map_err(|error| error.to_string());
    std::thread::scope(|scope| {
        let parser = std::thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, parse)
            .map_err(|error| error.to_string())?;
        parser
            .join()
            .unwrap_or_else(|_| Err("the parser gave up".to_owned()))
    })
}

/// Whether a text can be parsed without going deep; strings in it are looked at like anything else.
fn is_flat(text: &str) -> bool {
    let (mut tokens, mut depth, mut is_in_word) = (0, 0_usize, false);
    for character in text.chars() {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let is_of_word = character.is_alphanumeric() || character == '_';
        tokens += usize::from(!(character.is_whitespace() || (is_of_word && is_in_word)));
        is_in_word = is_of_word;
        if depth > DEPTH_MAX || tokens > TOKENS_MAX {
            return false;
        }
    }
    true
}

/// The first value of each parameter.
fn query(text: &str) -> HashMap<String, Value> {
    let mut map = HashMap::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        map.entry(name.into_owned())
            .or_insert_with(|| value.into_owned().into());
    }
    map
}

/// The values of each field, joined as RFC 9110 section 5.3 says.
fn headers(fields: &HeaderMap) -> HashMap<String, Value> {
    let joined = |name| {
        let values = fields.get_all(name).iter();
        let texts: Vec<_> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        texts.join(", ")
    };
    fields
        .keys()
        .map(|name| (name.as_str().to_owned(), joined(name).into()))
        .collect()
}

fn cookies(fields: &HeaderMap) -> HashMap<String, Value> {
    let mut map = HashMap::new();
    for field in fields.get_all(COOKIE) {
        for pair in String::from_utf8_lossy(field.as_bytes()).split(';') {
            if let Some((name, value)) = pair.trim().split_once('=') {
                map.entry(name.to_owned())
                    .or_insert_with(|| value.to_owned().into());
            }
        }
    }
    map
}

/// What is in an expression.
#[derive(Default)]
struct Walk {
    names: Vec<String>,
    patterns: Vec<String>,
    /// Names that loops give to what they look at.
    scope: Vec<String>,
    depth: usize,
    fault: Option<String>,
}

impl Walk {
    fn visit(&mut self, expr: &IdedExpr) {
        match &expr.expr {
            Expr::Unspecified | Expr::Literal(_) => {}
            Expr::Ident(name) => self.name(name),
            Expr::Select(select) => self.visit(&select.operand),
            Expr::List(list) => list.elements.iter().for_each(|element| self.visit(element)),
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.visit(&entry.key);
                        self.visit(&entry.value);
                    }
                }
            }
            Expr::Struct(_) => self.refuse("It makes an object, which has no meaning here.".to_owned()),
            Expr::Call(call) => {
                self.call(&call.func_name, call.args.last());
                call.target.iter().for_each(|target| self.visit(target));
                call.args.iter().for_each(|argument| self.visit(argument));
            }
            Expr::Comprehension(each) => {
                self.visit(&each.iter_range);
                self.depth += 1;
                if self.depth > 1 {
                    self.refuse("It looks at everything within looking at everything.".to_owned());
                }
                let known = self.scope.len();
                self.scope.extend([each.iter_var.clone(), each.accu_var.clone()]);
                self.scope.extend(each.iter_var2.clone());
                for part in [&each.accu_init, &each.loop_cond, &each.loop_step, &each.result] {
                    self.visit(part);
                }
                self.scope.truncate(known);
                self.depth -= 1;
            }
        }
    }

    fn name(&mut self, name: &str) {
        if name.starts_with('@') || self.scope.iter().any(|known| known == name) {
            return;
        }
        if VARIABLES.contains(&name) {
            self.names.push(name.to_owned());
        } else {
            self.refuse(format!("It names `{name}`; there are {}.", VARIABLES.join(", ")));
        }
    }

    fn call(&mut self, function: &str, last: Option<&IdedExpr>) {
        let is_operator = !function.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_operator && !FUNCTIONS.contains(&function) {
            self.refuse(format!(
                "It calls `{function}`; there are {}.",
                FUNCTIONS.join(", ")
            ));
        }
        if function == "matches" {
            match last.map(|last| &last.expr) {
                Some(Expr::Literal(LiteralValue::String(pattern))) => {
                    self.patterns.push(pattern.inner().to_owned());
                }
                _ => self.refuse("The pattern of `matches` is not written out.".to_owned()),
            }
        }
    }

    fn refuse(&mut self, detail: String) {
        self.fault.get_or_insert(detail);
    }
}

#[cfg(test)]
mod tests;
