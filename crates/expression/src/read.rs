//! Reads an expression and looks at everything in it before it is ever computed.

use std::collections::HashMap;

use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SourceInfo};
use cel::{ParseErrors, Program};
use regex::Regex;

use crate::pattern::pattern;
use crate::{BRACKETS_MAX, Error, FUNCTIONS, LOOP_MAX, TEXT_MAX, TOKENS_MAX, VARIABLES};

/// How deep an expression may be: evaluating takes some stack for each step, and gateways have 2 MB.
const STEPS_DEEP_MAX: usize = 40;
/// Stack to read any text: the generated parser takes 100 kB of it for a bracket in debug builds.
const STACK_BYTES: usize = 64 << 20;

/// What was read.
pub(crate) struct Found {
    pub(crate) program: Program,
    /// The variables in it.
    pub(crate) names: Vec<String>,
    pub(crate) patterns: HashMap<String, Regex>,
}

/// Reads a text whose expression can be computed on little stack and in little time.
pub(crate) fn read(text: &str) -> Result<Found, Error> {
    if text.chars().count() > TEXT_MAX {
        return Err(Error::TooLong);
    }
    if !is_flat(text) {
        return Err(Error::TooDeep);
    }
    let program = parse(text)?;
    let mut walk = Walk {
        text,
        source: program.source_info(),
        names: Vec::new(),
        patterns: HashMap::new(),
        scope: Vec::new(),
        loop_steps: None,
    };
    walk.visit(program.expression(), 0)?;
    let (names, patterns) = (walk.names, walk.patterns);
    Ok(Found {
        program,
        names,
        patterns,
    })
}

/// Parses a text where there is room for it.
fn parse(text: &str) -> Result<Program, Error> {
    let gave_up = || Error::Syntax {
        at: 1,
        reason: "the parser gave up".to_owned(),
    };
    std::thread::scope(|scope| {
        let parser = std::thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || {
                Program::compile(text).map_err(|errors| syntax(text, &errors))
            })
            .map_err(|_| gave_up())?;
        parser.join().unwrap_or_else(|_| Err(gave_up()))
    })
}

/// The first thing that the parser says.
fn syntax(text: &str, errors: &ParseErrors) -> Error {
    let Some(first) = errors.errors.first() else {
        return Error::Syntax {
            at: 1,
            reason: "it is not CEL".to_owned(),
        };
    };
    let line = usize::try_from(first.pos.0 - 1).unwrap_or(0);
    let before: usize = text
        .split_inclusive('\n')
        .take(line)
        .map(|line| line.chars().count())
        .sum();
    let reason = first.msg.lines().next().unwrap_or_default();
    Error::Syntax {
        at: before + usize::try_from(first.pos.1).unwrap_or(0).max(1),
        reason: reason.trim_start_matches("Syntax error: ").to_owned(),
    }
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
        if depth > BRACKETS_MAX || tokens > TOKENS_MAX {
            return false;
        }
    }
    true
}

/// Goes through an expression.
struct Walk<'a> {
    text: &'a str,
    source: &'a SourceInfo,
    names: Vec<String>,
    patterns: HashMap<String, Regex>,
    /// Names that loops give to what they look at.
    scope: Vec<String>,
    /// Steps of the loop around, if there is one.
    loop_steps: Option<usize>,
}

impl Walk<'_> {
    fn visit(&mut self, expr: &IdedExpr, depth: usize) -> Result<(), Error> {
        if depth >= STEPS_DEEP_MAX {
            return Err(Error::TooDeep);
        }
        if let Some(steps) = &mut self.loop_steps {
            *steps += 1;
            if *steps > LOOP_MAX {
                return Err(self.refused(expr, "does too much for every entry"));
            }
        }
        let below = depth + 1;
        match &expr.expr {
            Expr::Unspecified | Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.name(expr, name),
            Expr::Select(select) => self.visit(&select.operand, below),
            Expr::List(list) => self.visit_all(&list.elements, below),
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => {
                    self.visit(&entry.key, below)?;
                    self.visit(&entry.value, below)
                }
                EntryExpr::StructField(_) => Ok(()),
            }),
            Expr::Struct(_) => Err(self.refused(expr, "makes an object, which has no meaning here")),
            Expr::Call(call) => {
                self.call(expr, call)?;
                call.target
                    .iter()
                    .try_for_each(|target| self.visit(target, below))?;
                self.visit_all(&call.args, below)
            }
            Expr::Comprehension(each) => self.each(expr, each, below),
        }
    }

    fn visit_all(&mut self, all: &[IdedExpr], depth: usize) -> Result<(), Error> {
        all.iter().try_for_each(|one| self.visit(one, depth))
    }

    fn each(&mut self, expr: &IdedExpr, each: &ComprehensionExpr, depth: usize) -> Result<(), Error> {
        if self.loop_steps.is_some() {
            return Err(self.refused(expr, "looks at everything within looking at everything"));
        }
        if matches!(each.accu_init.expr, Expr::List(_) | Expr::Map(_)) {
            let what = "makes a list of all entries; `all`, `exists` and `exists_one` do not";
            return Err(self.refused(expr, what));
        }
        self.visit(&each.iter_range, depth)?;
        let known = self.scope.len();
        self.scope.extend([each.iter_var.clone(), each.accu_var.clone()]);
        self.scope.extend(each.iter_var2.clone());
        self.loop_steps = Some(0);
        for part in [&each.accu_init, &each.loop_cond, &each.loop_step, &each.result] {
            self.visit(part, depth)?;
        }
        self.loop_steps = None;
        self.scope.truncate(known);
        Ok(())
    }

    fn name(&mut self, expr: &IdedExpr, name: &str) -> Result<(), Error> {
        if name.starts_with('@') || self.scope.iter().any(|known| known == name) {
            return Ok(());
        }
        if !VARIABLES.contains(&name) {
            return Err(Error::Unknown {
                at: self.at(expr),
                name: name.to_owned(),
            });
        }
        self.names.push(name.to_owned());
        Ok(())
    }

    fn call(&mut self, expr: &IdedExpr, call: &CallExpr) -> Result<(), Error> {
        let function = call.func_name.as_str();
        let is_operator = !function.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_operator && !FUNCTIONS.contains(&function) {
            return Err(Error::Function {
                at: self.at(expr),
                name: function.to_owned(),
            });
        }
        if function == "_+_" && self.loop_steps.is_some() && !self.counts(call) {
            return Err(self.refused(expr, "adds for every entry"));
        }
        if function != "matches" {
            return Ok(());
        }
        let Some(last) = call.args.last() else {
            return Err(self.refused(expr, "has no pattern"));
        };
        let Expr::Literal(LiteralValue::String(text)) = &last.expr else {
            return Err(self.refused(last, "has a pattern that is not written out"));
        };
        let text = text.inner();
        let compiled = pattern(text).map_err(|reason| Error::Pattern {
            at: self.at(last),
            reason,
        })?;
        self.patterns.insert(text.to_owned(), compiled);
        Ok(())
    }

    /// Whether it is the sum that a loop itself makes: `exists_one` counts.
    fn counts(&self, call: &CallExpr) -> bool {
        let first = call.args.first().map(|first| &first.expr);
        matches!(first, Some(Expr::Ident(name)) if name.starts_with('@'))
    }

    fn refused(&self, expr: &IdedExpr, what: &'static str) -> Error {
        Error::Refused {
            at: self.at(expr),
            what,
        }
    }

    /// The character at which a part of the text stands, from 1.
    fn at(&self, expr: &IdedExpr) -> usize {
        let start = self
            .source
            .offset_for(expr.id)
            .map_or(0, |(start, _)| start as usize);
        let before = self.text.get(..start);
        before.map_or(start, |before| before.chars().count()) + 1
    }
}
