//! What is typed about a flag, as the API says it.

use std::collections::BTreeMap;

use client::types::FeatureFlag;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{State, Type, rollout};
use crate::Error;

/// The attribute that tells units apart unless something else is said.
const UNIT: &str = "user_id";

impl State {
    /// Whether anything is said.
    pub(super) fn is_given(&self) -> bool {
        self.off
            || self.on.is_some()
            || self.serve.is_some()
            || self.split.is_some()
            || self.steps().is_some()
    }

    /// The steps of a share that grows, and whether it grows all the time.
    pub(super) fn steps(&self) -> Option<(&str, bool)> {
        let stepped = self.rollout.as_deref().map(|steps| (steps, false));
        stepped.or_else(|| self.smooth_rollout.as_deref().map(|steps| (steps, true)))
    }
}

/// The variants of a boolean flag unless others are named.
pub(super) fn usual_variants() -> BTreeMap<String, Value> {
    [("on".to_owned(), json!(true)), ("off".to_owned(), json!(false))].into()
}

/// Variants from `name=value`; values are of the flag's type.
pub(super) fn variants(given: &[String], kind: Type) -> Result<BTreeMap<String, Value>, Error> {
    let mut variants = BTreeMap::new();
    for one in given {
        let (name, text) = pair(one, "blue=#00f")?;
        let value = match kind {
            Type::String => json!(text),
            Type::Boolean | Type::Number | Type::Json => {
                serde_json::from_str(&text).map_err(|error| Error::Argument {
                    reason: format!("`--variant {one}`: the value is not JSON: {error}"),
                })?
            }
        };
        variants.insert(name, value);
    }
    Ok(variants)
}

/// `name=value`.
pub(super) fn pair(text: &str, example: &str) -> Result<(String, String), Error> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Error::Argument {
            reason: format!("`{text}` is not of the form `{example}`"),
        }),
    }
}

/// What a flag's part for an environment is to be: as it was but for what is said.
pub(super) fn targeting(before: Option<&Value>, off: &str, state: &State) -> Result<Value, Error> {
    let mut after = match before {
        Some(before) => before.clone(),
        None => json!({ "enabled": true, "off": off, "otherwise": { "serve": off } }),
    };
    let was = after["otherwise"].take();
    let by = was["by"].as_str().unwrap_or(UNIT);
    let units = |mut outcome: Value| {
        outcome["by"] = by.into();
        if let Some(others) = was.get("or_by") {
            outcome["or_by"] = others.clone();
        }
        outcome
    };
    let shares = match (&state.on, &state.serve, &state.split) {
        (Some(on), ..) => {
            let percent = percent(on)?;
            Some(vec![
                ("on".to_owned(), percent),
                (off.to_owned(), 100.0 - percent),
            ])
        }
        (_, Some(variant), _) => Some(vec![(variant.clone(), 100.0)]),
        (.., Some(split)) => Some(shares(split)?),
        _ => None,
    };
    let is_on = after["enabled"] != json!(false);
    if state.is_given() {
        after["enabled"] = json!(!state.off);
    }
    if let Some((steps, is_smooth)) = state.steps() {
        let now = if is_on {
            rollout::share(&was, Timestamp::now())
        } else {
            0.0
        };
        let rollout = rollout::new((off, now), steps, is_smooth)?;
        after["otherwise"] = units(json!({ "rollout": rollout }));
    } else if let Some(shares) = shares {
        let whole = shares.iter().find(|(_, percent)| *percent == 100.0);
        // A share of all is kept as a split where that is the only way to say what it goes by.
        let is_share = state.serve.is_none() && has_own_units(&was);
        after["otherwise"] = match whole {
            Some((variant, _)) if is_share => units(json!({ "split": { variant.as_str(): 100.0 } })),
            Some((variant, _)) => json!({ "serve": variant }),
            None => {
                // Written with the digits that weights have: 100 - 33.3 is no 66.7 for a computer.
                let split = shares
                    .into_iter()
                    .map(|(name, percent)| (name, json!(thousandths(percent))));
                units(json!({ "split": split.collect::<Map<_, _>>() }))
            }
        };
    } else {
        after["otherwise"] = was;
    }
    Ok(after)
}

/// Whether units are told apart by something else than they are if nothing is said.
fn has_own_units(outcome: &Value) -> bool {
    let is_other = outcome["by"].as_str().is_some_and(|by| by != UNIT);
    is_other || outcome["or_by"].as_array().is_some_and(|names| !names.is_empty())
}

/// The merge patch that says for an environment who gets which variant if no rule fits.
pub(super) fn patch(flag: &FeatureFlag, environment: &str, state: &State) -> Result<Value, Error> {
    if !state.is_given() {
        let reason = "one of `--on`, `--off`, `--serve`, `--split` and `--rollout` says what is to change";
        return Err(Error::Argument {
            reason: reason.to_owned(),
        });
    }
    let targetings = json!(flag.environments);
    let before = targetings.get(environment);
    let variants = flag.variants.as_object();
    let off = before
        .and_then(|before| before["off"].as_str())
        .or_else(|| {
            let mut names = variants?.keys();
            names
                .clone()
                .find(|name| *name == "off")
                .or_else(|| names.next())
                .map(String::as_str)
        })
        .unwrap_or("off");
    let after = targeting(before, off, state)?;
    let patch = replacing(before.unwrap_or(&Value::Null), &after);
    Ok(json!({ "environments": { environment: patch } }))
}

pub(super) fn thousandths(percent: f64) -> f64 {
    (percent * 1000.0).round() / 1000.0
}

/// `10%`, `10`, `12.5%`.
pub(super) fn percent(text: &str) -> Result<f64, Error> {
    let number = text.trim().trim_end_matches('%').trim_end().parse();
    number
        .ok()
        .filter(|percent| (0.0..=100.0).contains(percent))
        .ok_or_else(|| Error::Argument {
            reason: format!("`{text}` is no share: say `10%`, from 0 to 100"),
        })
}

/// `a=20,b=80`.
fn shares(text: &str) -> Result<Vec<(String, f64)>, Error> {
    let each = text.split(',').map(|one| {
        let (name, share) = pair(one.trim(), "a=20,b=80")?;
        Ok((name, percent(&share)?))
    });
    each.collect()
}

/// Who gets what if no rule fits, in a few words.
pub(super) fn in_words(targeting: &Value) -> String {
    if targeting["enabled"] == json!(false) {
        return "off".to_owned();
    }
    let otherwise = &targeting["otherwise"];
    let mut text = match (otherwise["serve"].as_str(), otherwise["split"].as_object()) {
        (Some(variant), _) => variant.to_owned(),
        (None, Some(split)) => {
            let shares = split.iter().map(|(name, percent)| {
                let percent = percent.as_f64().unwrap_or_default();
                format!("{name} {percent}%")
            });
            shares.collect::<Vec<_>>().join(", ")
        }
        (None, None) => rollout::in_words(&otherwise["rollout"]),
    };
    let rules = targeting["rules"].as_array().map_or(0, Vec::len);
    if rules > 0 {
        let many = if rules == 1 { "rule" } else { "rules" };
        text.push_str(&format!(" after {rules} {many}"));
    }
    text
}

/// The merge patch (RFC 7396) that makes `after` of `before`: what is not there any more is named to go.
pub(crate) fn replacing(before: &Value, after: &Value) -> Value {
    let (Value::Object(before), Value::Object(after)) = (before, after) else {
        return after.clone();
    };
    let gone = before
        .keys()
        .filter(|name| !after.contains_key(*name))
        .map(|name| (name.clone(), Value::Null));
    let changed = after.iter().filter_map(|(name, after)| {
        let before = before.get(name).unwrap_or(&Value::Null);
        (before != after).then(|| (name.clone(), replacing(before, after)))
    });
    Value::Object(gone.chain(changed).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{in_words, replacing, targeting};
    use crate::flags::State;

    fn state(on: Option<&str>, off: bool, serve: Option<&str>, split: Option<&str>) -> State {
        State {
            on: on.map(str::to_owned),
            off,
            serve: serve.map(str::to_owned),
            split: split.map(str::to_owned),
            rollout: None,
            smooth_rollout: None,
        }
    }

    #[test]
    fn shares_are_written_as_weights_are() {
        let of = |on: &str| targeting(None, "off", &state(Some(on), false, None, None));
        assert_eq!(
            of("10%").unwrap()["otherwise"],
            json!({ "split": { "on": 10.0, "off": 90.0 }, "by": "user_id" })
        );
        assert_eq!(
            of("33.3").unwrap()["otherwise"]["split"],
            json!({ "on": 33.3, "off": 66.7 })
        );
        assert_eq!(of("100 %").unwrap()["otherwise"], json!({ "serve": "on" }));
        assert_eq!(of("0%").unwrap()["otherwise"], json!({ "serve": "off" }));
        for bad in ["", "%", "ten", "-1", "101%", "NaN"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_not_said_stays() {
        let before = json!({
            "enabled": true, "off": "off", "rules": [{ "serve": "on" }],
            "otherwise": { "split": { "on": 10.0, "off": 90.0 }, "by": "device" },
        });
        let after = |state| targeting(Some(&before), "off", &state).unwrap();
        let off = after(state(None, true, None, None));
        assert_eq!(off["enabled"], json!(false));
        assert_eq!(off["otherwise"], before["otherwise"]);
        let more = after(state(Some("50%"), false, None, None));
        assert_eq!(more["otherwise"]["by"], "device");
        assert_eq!(more["rules"], before["rules"]);
        let three_units = json!({ "enabled": true, "off": "off", "otherwise": {
            "split": { "on": 10.0, "off": 90.0 }, "by": "device", "or_by": ["user_id"],
        } });
        let more_units =
            targeting(Some(&three_units), "off", &state(Some("50%"), false, None, None)).unwrap();
        assert_eq!(more_units["otherwise"]["or_by"], json!(["user_id"]));
        // All of them, and nobody, go by it still; everybody is said without.
        let by = |split: Value| json!({ "split": split, "by": "device" });
        for (share, split) in [("100%", json!({ "on": 100.0 })), ("0%", json!({ "off": 100.0 }))] {
            let all = after(state(Some(share), false, None, None));
            assert_eq!(all["otherwise"], by(split), "{share}");
            let again = targeting(Some(&all), "off", &state(Some("50%"), false, None, None)).unwrap();
            assert_eq!(again["otherwise"], by(json!({ "on": 50.0, "off": 50.0 })));
        }
        let everybody = after(state(None, false, Some("on"), None));
        assert_eq!(everybody["otherwise"], json!({ "serve": "on" }));
        let fallen_back = json!({ "off": "off", "otherwise": {
            "split": { "on": 10.0, "off": 90.0 }, "by": "user_id", "or_by": ["device"],
        } });
        let all = targeting(Some(&fallen_back), "off", &state(Some("100%"), false, None, None));
        assert_eq!(all.unwrap()["otherwise"]["or_by"], json!(["device"]));
        let usual =
            json!({ "off": "off", "otherwise": { "split": { "on": 10.0, "off": 90.0 }, "by": "user_id" } });
        let all = targeting(Some(&usual), "off", &state(Some("100%"), false, None, None));
        assert_eq!(all.unwrap()["otherwise"], json!({ "serve": "on" }));
        let three = after(state(None, false, None, Some("a=20, b=30,c=50")));
        assert_eq!(
            three["otherwise"]["split"],
            json!({ "a": 20.0, "b": 30.0, "c": 50.0 })
        );
        assert_eq!(in_words(&more), "on 50%, off 50% after 1 rule");
        assert_eq!(in_words(&off), "off");
    }

    #[test]
    fn a_share_grows_from_what_it_is() {
        let steps = "5%@2999-12-01T00:00:00Z, 50.5 % @ 2999-12-02T01:00:00+01:00";
        let grows = |is_smooth: bool| State {
            rollout: (!is_smooth).then(|| steps.to_owned()),
            smooth_rollout: is_smooth.then(|| steps.to_owned()),
            ..state(None, false, None, None)
        };
        let made = targeting(None, "off", &grows(false)).unwrap();
        let rollout = json!({ "serve": "on", "others": "off", "steps": [
            { "at": "2999-12-01T00:00:00Z", "percent": 5.0 }, { "at": "2999-12-02T00:00:00Z", "percent": 50.5 },
        ] });
        assert_eq!(made["otherwise"], json!({ "rollout": rollout, "by": "user_id" }));
        assert_eq!(
            in_words(&made),
            "on 0%, 5% from 2999-12-01T00:00:00Z, 50.5% from 2999-12-02T00:00:00Z"
        );
        let before = json!({ "enabled": true, "off": "off", "otherwise": {
            "split": { "on": 10.0, "off": 90.0 }, "by": "device", "or_by": ["user_id"],
        } });
        let after = targeting(Some(&before), "off", &grows(true)).unwrap();
        let otherwise = &after["otherwise"];
        assert_eq!(
            (&otherwise["by"], &otherwise["or_by"]),
            (&json!("device"), &json!(["user_id"]))
        );
        assert_eq!(
            (&otherwise["rollout"]["start"], &otherwise["rollout"]["smooth"]),
            (&json!(10.0), &json!(true))
        );
        assert!(
            in_words(&after).starts_with("on 10%, growing to 5% at 2999"),
            "{}",
            in_words(&after)
        );
        // Who is off has nothing to keep.
        let mut off = before;
        off["enabled"] = json!(false);
        let after = targeting(Some(&off), "off", &grows(false)).unwrap();
        assert_eq!(after["otherwise"]["rollout"].get("start"), None);
        for bad in ["", "5%", "5@tomorrow", "x@2999-12-01T00:00:00Z", "5%@2999-12-01"] {
            let bad = State {
                rollout: Some(bad.to_owned()),
                ..state(None, false, None, None)
            };
            assert!(targeting(None, "off", &bad).is_err());
        }
    }

    #[test]
    fn a_patch_says_what_goes() {
        let before = json!({ "a": 1, "b": { "c": 2, "d": 3 }, "e": [1, 2] });
        let after = json!({ "b": { "c": 2, "f": 4 }, "e": [2] });
        let patch = replacing(&before, &after);
        assert_eq!(patch, json!({ "a": null, "b": { "d": null, "f": 4 }, "e": [2] }));
        assert_eq!(replacing(&Value::Null, &after), after);
    }
}
