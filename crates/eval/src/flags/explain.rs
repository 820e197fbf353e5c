//! What was looked at on the way to a decision, for people who wonder about it.

use super::rollout::Rollout;
use super::{Flag, Flags, Gate, Handle, Needed, Outcome, PARTS, Reason, Rule, Units};
use crate::Evaluation;
use crate::bucketing::Order;
use crate::condition::Condition;
use crate::subject::{Slot, Subject};

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The place, as a JSON Pointer into the flag's definition.
    pub pointer: String,
    /// Whether it holds: the flag is on, the prerequisite is met, the condition fits, the gate is open.
    pub holds: bool,
    /// In words.
    pub detail: String,
}

/// The steps so far.
struct Steps<'a> {
    flags: &'a Flags,
    subject: &'a Subject<'a>,
    all: Vec<Step>,
}

impl Flags {
    /// As [`evaluate`](Self::evaluate), with every step on the way, in the order in which they are taken. What comes
    /// after the step that decides is not looked at and not told.
    pub fn explain<'a>(&'a self, flag: Handle, subject: &'a Subject<'a>) -> (Evaluation<'a>, Vec<Step>) {
        let mut steps = Steps {
            flags: self,
            subject,
            all: Vec::new(),
        };
        steps.flag(&self.flags[flag.0]);
        (self.evaluate(flag, subject), steps.all)
    }
}

impl Steps<'_> {
    fn note(&mut self, pointer: String, holds: bool, detail: impl Into<String>) -> bool {
        let detail = detail.into();
        self.all.push(Step {
            pointer,
            holds,
            detail,
        });
        holds
    }

    fn flag(&mut self, flag: &Flag) {
        let detail = if flag.enabled {
            "The flag is on."
        } else {
            "The flag is off."
        };
        if !self.note("/enabled".to_owned(), flag.enabled, detail)
            || !self.needed(&flag.prerequisites, "/prerequisites")
            || self.overrides(flag)
        {
            return;
        }
        for (place, rule) in flag.rules.iter().enumerate() {
            if self.rule(rule, place) && self.outcome(flag, &rule.outcome, format!("/rules/{place}")) {
                return;
            }
        }
        self.outcome(flag, &flag.otherwise, "/otherwise".to_owned());
    }

    /// Whether all are met.
    fn needed(&mut self, needed: &[Needed], list: &str) -> bool {
        for (place, (other, wanted)) in needed.iter().enumerate() {
            let other = &self.flags.flags[*other];
            let (found, _) = self.flags.decide(other, self.subject);
            let found = found.variant;
            let (name, _) = &other.variants[found];
            let detail = format!("The flag `{}` gives `{name}`.", other.key);
            if !self.note(format!("{list}/{place}"), wanted.contains(&found), detail) {
                return false;
            }
        }
        true
    }

    /// Whether one is for them.
    fn overrides(&mut self, flag: &Flag) -> bool {
        for (place, one) in flag.overrides.iter().enumerate() {
            let is_meant = one.is_for(self.subject);
            let (name, _) = &flag.variants[one.variant];
            let detail = match is_meant {
                true => format!("They are among those who get `{name}`."),
                false => format!("They are none of those who get `{name}`."),
            };
            if self.note(format!("/overrides/{place}"), is_meant, detail) {
                return true;
            }
        }
        false
    }

    /// Whether it fits.
    fn rule(&mut self, rule: &Rule, place: usize) -> bool {
        let at = format!("/rules/{place}");
        let (from, until) = rule.window;
        if from > self.subject.now_micros {
            return self.note(format!("{at}/from"), false, "It does not hold yet.");
        }
        if until <= self.subject.now_micros {
            return self.note(format!("{at}/until"), false, "It does not hold any more.");
        }
        if let Some(when) = &rule.when
            && !self.condition(when, &format!("{at}/when"))
        {
            return false;
        }
        (rule.gates.iter().enumerate()).all(|(number, gate)| self.gate(gate, format!("{at}/gates/{number}")))
            && self.needed(&rule.requires, &format!("{at}/requires"))
    }

    /// Tells every part that was looked at before the whole.
    fn condition(&mut self, condition: &Condition, pointer: &str) -> bool {
        let set = self.flags.set();
        let holds = match condition {
            Condition::All(parts) => {
                return parts
                    .iter()
                    .enumerate()
                    .all(|(place, part)| self.condition(part, &format!("{pointer}/all/{place}")));
            }
            Condition::Any(parts) => {
                return parts
                    .iter()
                    .enumerate()
                    .any(|(place, part)| self.condition(part, &format!("{pointer}/any/{place}")));
            }
            Condition::Share(gate) => return self.gate(gate, pointer.to_owned()),
            Condition::Not(part) => return !self.condition(part, &format!("{pointer}/not")),
            Condition::Tests(tests) => {
                let mut each = tests
                    .iter()
                    .enumerate()
                    .map(|(place, test)| (place, Condition::Test(*test)));
                return each.all(|(place, test)| self.condition(&test, &format!("{pointer}/all/{place}")));
            }
            Condition::Segment(_) | Condition::Test(_) | Condition::During(..) | Condition::Element(_) => {
                condition.fits(self.subject, &set)
            }
        };
        let fits = if holds { "fits" } else { "does not fit" };
        let detail = match condition {
            Condition::Test(test) => self.known(self.flags.tests[*test as usize].slot, &format!("it {fits}")),
            Condition::Element(list) => {
                let one = if holds {
                    "one of it fits"
                } else {
                    "none of it fits"
                };
                self.known(list.0, one)
            }
            Condition::During(..) => match holds {
                true => "It is in the span of time.".to_owned(),
                false => "It is not in the span of time.".to_owned(),
            },
            _ => match holds {
                true => "They are in the segment.".to_owned(),
                false => "They are not in the segment.".to_owned(),
            },
        };
        self.note(pointer.to_owned(), holds, detail)
    }

    /// What is known of an attribute, and what comes of that.
    fn known(&self, slot: Slot, fits: &str) -> String {
        let name = self.flags.names.name(slot);
        match self.subject.get(slot) {
            Some(known) => format!("`{name}` is {}: {fits}.", known.value),
            None => format!("`{name}` is not known: {fits}."),
        }
    }

    fn gate(&mut self, gate: &Gate, pointer: String) -> bool {
        let detail = match gate.by.of(self.subject, |unit| gate.order.of(unit)) {
            Some((place, by)) => {
                let name = self.flags.names.name(by);
                format!("By `{name}` they are {}.", position(place, &gate.order))
            }
            None => self.nobody(&gate.by),
        };
        self.note(pointer, gate.is_open(self.subject), detail)
    }

    fn nobody(&self, units: &Units) -> String {
        let names = std::iter::once(&units.first).chain(&*units.others);
        let names: Vec<_> = names
            .map(|slot| format!("`{}`", self.flags.names.name(*slot)))
            .collect();
        match &*names {
            [one] => format!("{one} is not known."),
            several => format!("None of {} is known.", several.join(", ")),
        }
    }

    /// Whether it is for them.
    fn outcome(&mut self, flag: &Flag, outcome: &Outcome, pointer: String) -> bool {
        let given = flag.give(outcome, self.subject, Reason::Default);
        let variant = given.map(|given| &*flag.variants[given.variant].0);
        let seen = self.seen(flag, outcome, &pointer);
        #[cfg(feature = "logic")]
        if let Outcome::Logic(logic) = outcome {
            let detail = match logic.variant(&flag.key, self.subject, &flag.variants) {
                Ok(Some(place)) => format!("The logic gives `{}`.", flag.variants[place].0),
                Ok(None) => "The logic gives nothing: the rule is not for them.".to_owned(),
                Err(error) => format!("The logic went wrong: {error}."),
            };
            let holds = given.is_some_and(|given| given.reason != Reason::Error);
            self.note(format!("{pointer}/logic"), holds, detail);
            return given.is_some();
        }
        let detail = match (outcome.units(), variant) {
            (None, Some(variant)) => format!("{seen} gets `{variant}`."),
            (_, Some(variant)) => format!("{seen}: `{variant}`."),
            (_, None) => format!("{seen}: the rule is not for them."),
        };
        let holds = given.is_some_and(|given| given.reason != Reason::UnitMissing);
        self.note(pointer, holds, detail);
        given.is_some()
    }

    /// Whom an outcome sees, and where they stand in it.
    fn seen(&mut self, flag: &Flag, outcome: &Outcome, pointer: &str) -> String {
        let native = Order::Native(flag.bucketing);
        let order = match outcome {
            Outcome::Buckets(buckets) => &buckets.order,
            _ => &native,
        };
        if let Outcome::Kept(kept) = outcome
            && let Some(place) = kept.place(self.subject)
        {
            let detail = "They were let pass when the split was another one, and keep what they had.";
            self.note(format!("{pointer}/kept/{place}"), true, detail);
        }
        let Some(units) = outcome.units() else {
            return "Everybody here".to_owned();
        };
        let known = units.of(self.subject, |unit| position(order.of(unit), order));
        let seen = match known {
            Some((position, by)) => format!("By `{}` they are {position}", self.flags.names.name(by)),
            None => self.nobody(units).trim_end_matches('.').to_owned(),
        };
        match outcome {
            Outcome::Rollout(rollout) => format!("{seen}; {}", self.schedule(flag, rollout)),
            _ => seen,
        }
    }

    /// The share of a schedule now, and what comes next.
    fn schedule(&self, flag: &Flag, rollout: &Rollout) -> String {
        let now = self.subject.now_micros;
        let (name, _) = &flag.variants[rollout.serve];
        let share = share(rollout.share(now));
        let Some((at, next)) = rollout.next(now) else {
            return format!("`{name}` has {share} %, which was the last step");
        };
        let (next, at) = (self::share(next), time(at));
        match rollout.is_smooth && rollout.has_begun(now) {
            true => format!("`{name}` has {share} % on the way to {next} % at {at}"),
            false => format!("`{name}` has {share} % and will have {next} % at {at}"),
        }
    }
}

/// Where somebody stands, in words.
fn position(place: u32, order: &Order) -> String {
    match order {
        Order::Native(_) => format!("at {} % of all", percent(place)),
        Order::Other(_) => format!("number {place} of {}, counted from 0", order.places()),
    }
}

/// Where a hash is among all, in percent with three digits behind the point, as weights are written.
fn percent(hash: u32) -> String {
    let thousandths = (u64::from(hash) * 100_000) >> 32;
    format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
}

/// A share as people write it.
fn share(thousandths: u32) -> f64 {
    f64::from(thousandths) / PARTS
}

fn time(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros).map_or_else(|_| "no time".to_owned(), |at| at.to_string())
}
