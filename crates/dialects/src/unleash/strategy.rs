//! Strategies as rules.

use eval::definition::{Condition, Dialect, Gate, Op, Test};
use serde_json::{Map, Value};

use super::constraint::{self, attribute, in_networks, is_one_of, networks};
use super::document::Strategy;
use super::{ADDRESS, HOST, RANDOM, SESSION, USER};
use crate::Fault;

/// Whom a strategy is for.
pub(super) struct Meant {
    /// All of these hold.
    pub(super) conditions: Vec<Condition>,
    /// The share of them.
    pub(super) gate: Option<Gate>,
    /// What its variants are put in order by.
    pub(super) group: String,
    /// Its stickiness, which its variants have if they say none.
    pub(super) stickiness: Option<String>,
    /// What was left out.
    pub(super) notes: Vec<Fault>,
}

impl Meant {
    /// Everybody, with variants in the order of a group.
    pub(super) fn everybody(group: &str) -> Self {
        Self {
            conditions: Vec::new(),
            gate: None,
            group: group.to_owned(),
            stickiness: None,
            notes: Vec::new(),
        }
    }
}

/// The attributes that say which unit it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stickiness {
    pub(super) by: String,
    pub(super) or_by: Vec<String>,
}

impl Stickiness {
    /// Reads a stickiness: `default`, `random` or a field of the context.
    pub(super) fn of(name: Option<&str>, pointer: &str) -> Result<Self, Fault> {
        let (by, or_by) = match name {
            None | Some("default" | "") => (USER.to_owned(), vec![SESSION.to_owned(), RANDOM.to_owned()]),
            Some("random") => (RANDOM.to_owned(), Vec::new()),
            Some(field) => (attribute(field, pointer)?, Vec::new()),
        };
        Ok(Self { by, or_by })
    }

    /// Whether there always is a unit, as there is a random number.
    pub(super) fn is_never_missing(&self) -> bool {
        self.by == RANDOM || self.or_by.iter().any(|name| name == RANDOM)
    }

    /// The same with a random number for those who are not known.
    pub(super) fn or_random(mut self) -> Self {
        if !self.is_never_missing() {
            self.or_by.push(RANDOM.to_owned());
        }
        self
    }
}

/// Says whom a strategy is for.
pub(super) fn meant(source: &Strategy, feature: &str, pointer: &str) -> Result<Meant, Fault> {
    let group = text(source, "groupId");
    let mut meant = Meant::everybody(group.as_deref().unwrap_or(feature));
    let at = format!("{pointer}/parameters");
    match &*source.name {
        "default" => {}
        "userWithId" => meant
            .conditions
            .push(is_one_of(USER, list(text(source, "userIds").as_deref()))),
        "remoteAddress" => meant
            .conditions
            .push(addresses(&list(text(source, "IPs").as_deref()))),
        "applicationHostname" => meant.conditions.push(Condition::Attribute(Test {
            attribute: HOST.to_owned(),
            op: Op::In,
            values: list(text(source, "hostNames").as_deref()),
            ignore_case: true,
            text_only: false,
            short: false,
        })),
        "gradualRolloutUserId" | "gradualRolloutSessionId" | "gradualRolloutRandom" => {
            let (field, group) = match &*source.name {
                "gradualRolloutUserId" => ("userId", text(source, "groupId").unwrap_or_default()),
                "gradualRolloutSessionId" => ("sessionId", text(source, "groupId").unwrap_or_default()),
                _ => ("random", feature.to_owned()),
            };
            let stickiness = Stickiness::of(Some(field), &at)?;
            meant.gate = gate(source, "percentage", &group, stickiness)
                .map_err(|detail| Fault::new(format!("{at}/percentage"), "value_invalid", detail))?;
        }
        "flexibleRollout" => {
            meant.stickiness = text(source, "stickiness");
            let stickiness = Stickiness::of(meant.stickiness.as_deref(), &format!("{at}/stickiness"))?;
            meant.gate = gate(source, "rollout", &meant.group, stickiness)
                .map_err(|detail| Fault::new(format!("{at}/rollout"), "value_invalid", detail))?;
        }
        other => {
            let detail = format!(
                "The strategy `{other}` is not one of Unleash's own: only its clients know what it does."
            );
            return Err(Fault::new(format!("{pointer}/name"), "strategy_unknown", detail));
        }
    }
    for (place, one) in source.constraints.iter().flatten().enumerate() {
        let said = constraint::condition(one, &format!("{pointer}/constraints/{place}"))?;
        meant.conditions.push(said.condition);
        meant.notes.extend(said.left_out);
    }
    Ok(meant)
}

/// A parameter as text.
fn text(source: &Strategy, name: &str) -> Option<String> {
    let parameters: &Map<String, Value> = source.parameters.as_ref()?;
    match parameters.get(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The texts between commas.
fn list(text: Option<&str>) -> Vec<String> {
    let parts = text.unwrap_or_default().split(',').map(str::trim);
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// The address is in one of the networks, or is written as what is none.
fn addresses(values: &[String]) -> Condition {
    let (networks, others) = networks(values.iter().map(String::as_str));
    let networks = in_networks(ADDRESS.to_owned(), networks);
    match others.is_empty() {
        true => networks,
        false => Condition::Any {
            any: vec![networks, is_one_of(ADDRESS, others)],
        },
    }
}

/// The share of all units that a parameter names; none if it is everybody.
fn gate(
    source: &Strategy,
    parameter: &str,
    group: &str,
    stickiness: Stickiness,
) -> Result<Option<Gate>, String> {
    let said = text(source, parameter).unwrap_or_default();
    let percent: f64 = match said.trim().parse() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => percent,
        _ => return Err(format!("`{said}` is no percentage from 0 to 100.")),
    };
    // Clients compare with whole numbers.
    let percent = percent.floor();
    if percent >= 100.0 && stickiness.is_never_missing() {
        return Ok(None);
    }
    Ok(Some(Gate {
        key: group.to_owned(),
        by: stickiness.by,
        or_by: stickiness.or_by,
        dialect: Dialect::Unleash,
        parts: vec![(0.0, percent)],
    }))
}
