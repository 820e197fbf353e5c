//! Collects findings up to a limit.

use crate::path::Path;
use crate::{Finding, Limit, Limits, Reason, Refusal, Rule, Severity};

/// A place in the text; 0 for unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    /// From 1.
    pub(crate) line: u32,
    /// In characters from 1.
    pub(crate) column: u32,
}

/// Why reading ends at once.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Nothing sensible can be read after this.
    Broken(Finding),
    /// A limit is exceeded.
    Over { limit: Limit, finding: Finding },
}

impl Stop {
    pub(crate) fn broken(rule: Rule, pointer: String, place: Place, detail: String) -> Self {
        Self::Broken(finding(rule, pointer, place, detail))
    }

    pub(crate) fn over(limit: Limit, limits: &Limits, pointer: String, place: Place) -> Self {
        let detail = format!(
            "The limit is {} {} ({}).",
            limits.maximum(limit),
            limit.unit(),
            limit.name()
        );
        Self::Over {
            limit,
            finding: finding(Rule::LimitExceeded, pointer, place, detail),
        }
    }
}

/// The findings of one reading: at most as many of each severity as the limit says.
#[derive(Debug)]
pub(crate) struct Report {
    max: usize,
    kept: [Vec<Finding>; 3],
    omitted: usize,
}

impl Report {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max: max.max(1),
            kept: Default::default(),
            omitted: 0,
        }
    }

    /// Notes a finding; the pointer and the detail are only written out when it is kept.
    pub(crate) fn add(&mut self, rule: Rule, path: &Path<'_>, place: Place, detail: impl FnOnce() -> String) {
        self.add_at(rule, || path.pointer(), place, detail);
    }

    /// As [`Self::add`], for who has no [`Path`].
    pub(crate) fn add_at(
        &mut self,
        rule: Rule,
        pointer: impl FnOnce() -> String,
        place: Place,
        detail: impl FnOnce() -> String,
    ) {
        let list = &mut self.kept[rule.severity() as usize];
        if list.len() < self.max {
            list.push(finding(rule, pointer(), place, detail()));
        } else {
            self.omitted += 1;
        }
    }

    pub(crate) fn has_errors(&self) -> bool {
        !self.kept[Severity::Error as usize].is_empty()
    }

    /// The findings, the gravest first and those of a kind in the order of the document.
    pub(crate) fn into_findings(self) -> Vec<Finding> {
        let [hints, warnings, errors] = self.kept;
        let mut all: Vec<Finding> = errors.into_iter().chain(warnings).chain(hints).collect();
        let omitted = self.omitted + all.len().saturating_sub(self.max);
        all.truncate(self.max);
        if omitted > 0 {
            let detail = format!("{omitted} further findings are not listed.");
            all.push(finding(
                Rule::FindingsOmitted,
                String::new(),
                Place::default(),
                detail,
            ));
        }
        all
    }

    pub(crate) fn into_refusal(self) -> Refusal {
        Refusal {
            reason: Reason::Invalid,
            findings: self.into_findings(),
        }
    }

    /// The refusal for a reading that stopped.
    pub(crate) fn stopped(mut self, stop: Stop, limits: &Limits) -> Refusal {
        let (reason, last) = match stop {
            Stop::Broken(last) => (Reason::Invalid, last),
            Stop::Over { limit, finding } => (
                Reason::TooLarge {
                    limit,
                    maximum: limits.maximum(limit),
                },
                finding,
            ),
        };
        self.kept[Severity::Error as usize].insert(0, last);
        Refusal {
            reason,
            findings: self.into_findings(),
        }
    }
}

fn finding(rule: Rule, pointer: String, place: Place, detail: String) -> Finding {
    Finding {
        severity: rule.severity(),
        code: rule.code().to_owned(),
        pointer,
        line: place.line,
        column: place.column,
        detail,
        suggestion: rule.suggestion().to_owned(),
    }
}

/// The beginning of a text, fit for a sentence.
pub(crate) fn shorten(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut short: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}
