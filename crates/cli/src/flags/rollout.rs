//! Shares that grow by a schedule, as they are typed and told.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::change::{percent, thousandths};
use crate::Error;

/// The variant that grows, as with `--on`.
const SERVED: &str = "on";

/// The share that grows as the API says it: from `start` for whom it is `off`, by steps as `5%@2026-12-01T00:00:00Z`.
pub(super) fn new((off, start): (&str, f64), steps: &str, is_smooth: bool) -> Result<Value, Error> {
    let steps: Vec<_> = steps.split(',').map(step).collect::<Result<_, _>>()?;
    let mut rollout = json!({ "serve": SERVED, "others": off, "steps": steps });
    if start > 0.0 {
        rollout["start"] = json!(start);
    }
    if is_smooth {
        rollout["smooth"] = json!(true);
    }
    Ok(rollout)
}

fn step(text: &str) -> Result<Value, Error> {
    let wrong = |why: &str| Error::Argument {
        reason: format!(
            "`{}` is no step, {why}: say `5%@2026-12-01T00:00:00Z`",
            text.trim()
        ),
    };
    let (share, at) = text.split_once('@').ok_or_else(|| wrong("as it has no moment"))?;
    let at: Timestamp = at
        .trim()
        .parse()
        .map_err(|error| wrong(&format!("as its moment is none ({error})")))?;
    Ok(json!({ "at": at.to_string(), "percent": thousandths(percent(share)?) }))
}

/// The share of all that gets `on` where no rule fits, at a moment.
pub(super) fn share(otherwise: &Value, now: Timestamp) -> f64 {
    if let Some(served) = otherwise["serve"].as_str() {
        return if served == SERVED { 100.0 } else { 0.0 };
    }
    let rollout = &otherwise["rollout"];
    if rollout.is_null() {
        return otherwise["split"][SERVED].as_f64().unwrap_or(0.0);
    }
    let share = grown(rollout, now);
    if rollout["serve"] == SERVED {
        share
    } else if rollout["others"] == SERVED {
        thousandths(100.0 - share)
    } else {
        0.0
    }
}

/// How large the share of a schedule is at a moment.
fn grown(rollout: &Value, now: Timestamp) -> f64 {
    let steps = rollout["steps"].as_array().into_iter().flatten();
    let steps = steps.filter_map(|step| {
        let at: Timestamp = step["at"].as_str()?.trim().parse().ok()?;
        Some((at, step["percent"].as_f64()?))
    });
    let steps: Vec<_> = steps.collect();
    let passed = steps.partition_point(|(at, _)| *at <= now);
    let Some((begun, from)) = passed.checked_sub(1).map(|last| steps[last]) else {
        return rollout["start"].as_f64().unwrap_or(0.0);
    };
    match steps.get(passed) {
        Some((ends, to)) if rollout["smooth"] == json!(true) => {
            let elapsed = now.duration_since(begun).as_secs_f64();
            let gone = (to - from) * elapsed / ends.duration_since(begun).as_secs_f64();
            from + (gone * 1000.0).trunc() / 1000.0
        }
        _ => from,
    }
}

/// A schedule in a few words.
pub(super) fn in_words(rollout: &Value) -> String {
    let Some(served) = rollout["serve"].as_str() else {
        return String::new();
    };
    let number = |value: &Value| value.as_f64().unwrap_or_default();
    let steps = rollout["steps"].as_array().into_iter().flatten();
    let (before, after) = match rollout["smooth"] == json!(true) {
        true => ("growing to ", "at"),
        false => ("", "from"),
    };
    let steps = steps.map(|step| {
        let at = step["at"].as_str().unwrap_or_default();
        format!(", {before}{}% {after} {at}", number(&step["percent"]))
    });
    format!(
        "{served} {}%{}",
        number(&rollout["start"]),
        steps.collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{in_words, share};

    #[test]
    fn a_share_is_what_it_has_grown_to() {
        let rollout = |serve: &str, others: &str, is_smooth: bool| {
            let steps = json!([
                { "at": "2026-12-01T00:00:00Z", "percent": 5 }, { "at": "2026-12-02T00:00:00Z", "percent": 50 },
            ]);
            let rollout =
                json!({ "serve": serve, "others": others, "start": 1, "steps": steps, "smooth": is_smooth });
            json!({ "rollout": rollout, "by": "user_id" })
        };
        let at = |otherwise: &Value, at: &str| share(otherwise, at.parse().unwrap());
        let noon = "2026-12-01T12:00:00Z";
        let stepped = rollout("on", "off", false);
        let table = [
            ("2026-11-30T00:00:00Z", 1.0),
            (noon, 5.0),
            ("2026-12-02T00:00:00Z", 50.0),
        ];
        for (moment, expected) in table {
            assert_eq!(at(&stepped, moment), expected);
        }
        assert_eq!(at(&rollout("on", "off", true), noon), 27.5);
        assert_eq!(at(&rollout("off", "on", true), noon), 72.5);
        assert_eq!(at(&rollout("red", "blue", true), noon), 0.0);
        assert_eq!(at(&json!({ "serve": "on" }), noon), 100.0);
        assert_eq!(at(&json!({ "serve": "off" }), noon), 0.0);
        assert_eq!(
            at(&json!({ "split": { "on": 33.3, "off": 66.7 }, "by": "u" }), noon),
            33.3
        );
        assert_eq!(in_words(&Value::Null), "");
    }
}
