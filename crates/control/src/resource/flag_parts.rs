//! What is checked of flags and of segments alike: that they can be compiled together, and how large they are.

use domain::code::Code;
use domain::id::OrganizationId;
use eval::Flags;
use eval::definition::{Condition, Definitions, Op};
use serde::Serialize;
use serde_json::json;
use store::Tx;

use super::fault::Faults;
use crate::Error;

/// The most regular expressions of a flag in one environment, or of a segment: they are what takes long to compile.
const PATTERNS_MAX: usize = 50;
/// The most bytes of a flag or of a segment as JSON.
const BYTES_MAX: usize = 256 << 10;
/// The most bytes of all flags and segments of an organization as JSON: every edge has those of all organizations.
const BYTES_OF_ALL_MAX: i64 = 32 << 20;
const SUGGESTION: &str = "See the operation's reference for the fields and their forms.";

/// Notes what is wrong once all are as they are to be: in what stands at `own` and is told at `place`, and in those that
/// need it.
pub(super) fn compile(faults: &mut Faults, all: &Definitions, (own, place): (&str, &str)) {
    let Err(problems) = Flags::compile(all) else {
        return;
    };
    let own_or_below = |pointer: &str| {
        let rest = pointer.strip_prefix(own)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| rest.to_owned())
    };
    for problem in problems {
        match own_or_below(&problem.pointer) {
            Some(rest) => {
                let pointer = format!("{place}{rest}");
                faults.add(&pointer, problem.code, problem.detail, SUGGESTION);
            }
            None => {
                let detail = format!(
                    "It is needed otherwise at `{}`: {}",
                    problem.pointer, problem.detail
                );
                faults.add(place, "needed_by", detail, "Change what needs it first.");
            }
        }
    }
}

/// How many regular expressions a condition has.
pub(super) fn patterns(condition: &Condition) -> usize {
    match condition {
        Condition::All { all } => all.iter().map(patterns).sum(),
        Condition::Any { any } => any.iter().map(patterns).sum(),
        Condition::Not { not } => patterns(not),
        Condition::Element { fits, .. } => patterns(fits),
        Condition::Segment { .. } | Condition::During { .. } | Condition::Share { .. } => 0,
        Condition::Attribute(test) if test.op == Op::Matches => test.values.len(),
        Condition::Attribute(_) => 0,
    }
}

/// Refuses more regular expressions than are taken.
pub(super) fn too_many_patterns(faults: &mut Faults, place: &str, found: usize) {
    if found > PATTERNS_MAX {
        let detail = format!("There are {found} regular expressions; at most {PATTERNS_MAX} are taken.");
        let suggestion = "Join them with `|`, or compare with `starts_with`, `ends_with` and `contains`.";
        faults.add(place, "field_out_of_range", detail, suggestion);
    }
}

/// Refuses a flag or segment (`what`) that is too large, and texts that cannot be kept.
pub(super) fn size(faults: &mut Faults, spec: &impl Serialize, what: &str) {
    let whole = json!(spec);
    faults.without_nul("", &whole);
    let bytes = whole.to_string().len();
    if bytes > BYTES_MAX {
        let detail = format!("The {what} has {bytes} bytes as JSON; at most {BYTES_MAX} are taken.");
        let suggestion = "Keep large values elsewhere and let the flag say which one it is.";
        faults.add("", "field_out_of_range", detail, suggestion);
    }
}

/// Refuses what makes the flags and segments of an organization too large together; what gets smaller is taken.
pub(super) async fn size_of_all<S: Serialize>(
    tx: &mut Tx,
    organization: OrganizationId,
    (before, after): (Option<&S>, &S),
) -> Result<(), Error> {
    let more = store::flag::bytes(after) - before.map_or(0, store::flag::bytes);
    if more <= 0 {
        return Ok(());
    }
    let bytes = store::flag::bytes_of_all(tx, organization).await?;
    if bytes + more > BYTES_OF_ALL_MAX {
        let detail = format!(
            "The organization's flags and segments have {bytes} bytes as JSON, with this {}; at most {BYTES_OF_ALL_MAX} are \
             taken. Remove flags that nobody asks for any more, or keep large values elsewhere.",
            bytes + more
        );
        return Err(Error::refused(Code::Conflict, detail));
    }
    Ok(())
}

/// The keys of the segments that a condition names.
pub(crate) fn named_segments(condition: &Condition) -> Vec<&str> {
    match condition {
        Condition::All { all: parts } | Condition::Any { any: parts } => {
            parts.iter().flat_map(named_segments).collect()
        }
        Condition::Not { not } => named_segments(not),
        Condition::Segment { segment } => vec![segment],
        Condition::During { .. }
        | Condition::Share { .. }
        | Condition::Element { .. }
        | Condition::Attribute(_) => Vec::new(),
    }
}
