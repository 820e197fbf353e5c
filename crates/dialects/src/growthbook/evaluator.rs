//! Features: the first rule that is for somebody says which value they get.

use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::bucketing;
use super::condition;
use super::experiment::ExperimentResult;
use super::json::{Fields, is_truthy};
use super::payload::Payload;
use super::sticky::Kept;
use super::user::User;

/// Features that need features.
const DEPTH_MAX: usize = 128;
/// Features that are asked for one answer.
const ASKED_MAX: usize = 10_000;
/// Fields of a rule that its experiment has if they are there.
const IF_THERE: [&str; 3] = ["coverage", "bucketVersion", "minBucketVersion"];
/// Fields of a rule that its experiment has if they say anything.
const IF_SAID: [&str; 13] = [
    "weights",
    "hashAttribute",
    "fallbackAttribute",
    "disableStickyBucketing",
    "namespace",
    "meta",
    "ranges",
    "name",
    "phase",
    "seed",
    "hashVersion",
    "filters",
    "condition",
];
/// The leaf of a bandit's weights for whom no other is.
const NO_LEAF: i64 = -1;

/// Why somebody got a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// There is no such feature.
    UnknownFeature,
    /// No rule was for them.
    DefaultValue,
    /// A rule gives the value.
    Force,
    /// They are in an experiment.
    Experiment,
    /// Somebody chose the value by hand.
    Override,
    /// Another feature does not have the value that this one needs.
    Prerequisite,
    /// Features need each other in circles, or too many of them.
    CyclicPrerequisite,
}

/// What somebody got of a feature.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FeatureResult {
    /// The value.
    pub value: Json,
    /// Whether it is another than `null`, `false`, `0` and `""`.
    pub on: bool,
    /// The opposite.
    pub off: bool,
    /// Why.
    pub source: Source,
    /// The rule's id; empty if it has none.
    pub rule_id: String,
    /// The experiment that they are in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub experiment: Option<Map<String, Json>>,
    /// What they got of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub experiment_result: Option<ExperimentResult>,
}

impl FeatureResult {
    fn new(value: Json, source: Source, rule: &str) -> Self {
        let on = is_truthy(&value);
        Self {
            value,
            on,
            off: !on,
            source,
            rule_id: rule.to_owned(),
            experiment: None,
            experiment_result: None,
        }
    }
}

/// Evaluates the features of a payload for somebody.
#[derive(Debug)]
pub struct Evaluator<'a> {
    pub(super) payload: &'a Payload,
    pub(super) user: &'a User,
    /// What they were given before, if anybody keeps that.
    pub(super) kept: Option<Kept>,
    /// The features that led here.
    path: Vec<String>,
    asked: usize,
}

impl<'a> Evaluator<'a> {
    /// For one who is put anew into experiments.
    pub const fn new(payload: &'a Payload, user: &'a User) -> Self {
        Self {
            payload,
            user,
            kept: None,
            path: Vec::new(),
            asked: 0,
        }
    }

    /// For one who keeps what they were given before.
    pub fn sticky(payload: &'a Payload, user: &'a User, kept: Kept) -> Self {
        let mut evaluator = Self::new(payload, user);
        evaluator.kept = Some(kept);
        evaluator
    }

    /// What they were given before and now.
    pub fn into_kept(self) -> Kept {
        self.kept.unwrap_or_default()
    }

    /// What somebody gets of a feature.
    pub fn feature(&mut self, key: &str) -> FeatureResult {
        self.asked = 0;
        self.path.clear();
        self.feature_on_the_way(key)
    }

    /// The same, asked by other features.
    fn feature_on_the_way(&mut self, key: &str) -> FeatureResult {
        self.asked += 1;
        if self.path.iter().any(|before| before == key)
            || self.path.len() >= DEPTH_MAX
            || self.asked > ASKED_MAX
        {
            return FeatureResult::new(Json::Null, Source::CyclicPrerequisite, "");
        }
        if let Some(value) = self.user.forced_features.get(key) {
            return FeatureResult::new(value.clone(), Source::Override, "");
        }
        let payload = self.payload;
        let Some(feature) = payload.features.get(key).and_then(Fields::of) else {
            return FeatureResult::new(Json::Null, Source::UnknownFeature, "");
        };
        self.path.push(key.to_owned());
        let found = self.first_rule(key, feature);
        self.path.pop();
        found.unwrap_or_else(|| {
            let value = feature.0.get("defaultValue").cloned().unwrap_or_default();
            FeatureResult::new(value, Source::DefaultValue, "")
        })
    }

    fn first_rule(&mut self, key: &str, feature: Fields<'_>) -> Option<FeatureResult> {
        let mut rules = feature
            .list("rules")
            .unwrap_or_default()
            .iter()
            .filter_map(Fields::of);
        rules.find_map(|rule| self.rule(key, rule))
    }

    /// What somebody gets by a rule, if it is for them.
    fn rule(&mut self, key: &str, rule: Fields<'_>) -> Option<FeatureResult> {
        for parent in rule.list("parentConditions").unwrap_or_default() {
            let blocked = |source| Some(FeatureResult::new(Json::Null, source, ""));
            match self.parent_fits(parent) {
                Some(true) => {}
                Some(false) if parent.get("gate").is_some_and(is_truthy) => {
                    return blocked(Source::Prerequisite);
                }
                Some(false) => return None,
                None => return blocked(Source::CyclicPrerequisite),
            }
        }
        if !self.pass(rule.list("filters").unwrap_or_default()) {
            return None;
        }
        match rule.0.get("force") {
            Some(value) => self.force(key, rule, value),
            None => self.experiment_rule(key, rule),
        }
    }

    fn force(&self, key: &str, rule: Fields<'_>, value: &Json) -> Option<FeatureResult> {
        let condition = rule.some("condition");
        if condition.is_some_and(|condition| !self.fits(condition)) || !self.is_rolled_out(key, rule) {
            return None;
        }
        let id = rule.text("id").unwrap_or_default();
        Some(FeatureResult::new(value.clone(), Source::Force, id))
    }

    /// Whether somebody is in the part of all that a rule is for.
    fn is_rolled_out(&self, key: &str, rule: Fields<'_>) -> bool {
        let range = match (rule.some("range"), rule.0.get("coverage")) {
            (Some(range), _) => bucketing::read_range(range).unwrap_or((0.0, 0.0)),
            (None, Some(coverage)) => (0.0, coverage.as_f64().unwrap_or(0.0)),
            (None, None) => return true,
        };
        let (attribute, _) = self.hash_attribute(rule);
        let seed = rule.text("seed").unwrap_or(key);
        let version = rule.number("hashVersion").filter(|version| *version != 0.0);
        let unit = self.user.unit(attribute);
        let place = unit.and_then(|unit| bucketing::hash(seed, &unit, version.unwrap_or(1.0)));
        place.is_some_and(|place| bucketing::is_in(place, range))
    }

    fn experiment_rule(&mut self, key: &str, rule: Fields<'_>) -> Option<FeatureResult> {
        let variations = rule
            .some("contextualVariations")
            .or_else(|| rule.some("variations"));
        let variations = variations.filter(|variations| variations.is_array())?;
        let mut experiment = Map::new();
        experiment.insert("variations".to_owned(), variations.clone());
        experiment.insert("key".to_owned(), rule.text("key").unwrap_or(key).into());
        let there = IF_THERE
            .iter()
            .filter_map(|name| Some((*name, rule.0.get(*name)?)));
        let said = IF_SAID.iter().filter_map(|name| Some((*name, rule.some(name)?)));
        experiment.extend(
            there
                .chain(said)
                .map(|(name, value)| (name.to_owned(), value.clone())),
        );
        if let Some(bandit) = rule.text("contextualBanditRef") {
            self.put_bandit(bandit, &mut experiment);
        }
        let result = self.experiment_of(&experiment, Some(key));
        if !result.in_experiment || result.passthrough.is_some() {
            return None;
        }
        if !result.hash_used {
            experiment.shift_remove("contextualBandit");
        }
        let id = rule.text("id").unwrap_or_default();
        Some(FeatureResult {
            experiment: Some(experiment),
            experiment_result: Some(result.clone()),
            ..FeatureResult::new(result.value, Source::Experiment, id)
        })
    }

    /// Weights that depend on who it is: those of the first leaf that is for them.
    fn put_bandit(&self, reference: &str, experiment: &mut Map<String, Json>) {
        let Some(bandit) = self
            .payload
            .contextual_bandits
            .get(reference)
            .and_then(Fields::of)
        else {
            return;
        };
        let everybody = json!({});
        let leaf = bandit.list("contexts").unwrap_or_default().iter().find(|leaf| {
            let condition = leaf.get("condition").filter(|condition| is_truthy(condition));
            self.fits(condition.unwrap_or(&everybody))
        });
        let (leaf, weights) = match leaf {
            Some(leaf) => {
                let weights = leaf.get("weights").cloned().unwrap_or_default();
                experiment.insert("weights".to_owned(), weights.clone());
                (leaf.get("leafId").cloned().unwrap_or_default(), weights)
            }
            None => {
                let variations = experiment
                    .get("variations")
                    .and_then(Json::as_array)
                    .map_or(0, Vec::len);
                let equal = || json!(bucketing::equal_weights(variations));
                (
                    NO_LEAF.into(),
                    experiment.get("weights").cloned().unwrap_or_else(equal),
                )
            }
        };
        let mut said = Map::new();
        said.insert("leafId".to_owned(), leaf);
        said.insert("variationWeights".to_owned(), weights);
        if let Some(version) = bandit.0.get("banditVersion") {
            said.insert("banditVersion".to_owned(), version.clone());
        }
        experiment.insert("contextualBandit".to_owned(), said.into());
    }

    /// Whether another feature has the value that is needed; none if that leads in circles.
    pub(super) fn parent_fits(&mut self, parent: &Json) -> Option<bool> {
        let key = parent.get("id").and_then(Json::as_str).unwrap_or_default();
        let found = self.feature_on_the_way(key);
        if found.source == Source::CyclicPrerequisite {
            return None;
        }
        let Some(condition) = parent.get("condition").filter(|condition| is_truthy(condition)) else {
            return Some(true);
        };
        let subject = json!({ "value": found.value });
        Some(condition::fits(condition, &subject, &self.payload.saved_groups))
    }

    pub(super) fn fits(&self, condition: &Json) -> bool {
        condition::fits(condition, &self.user.attributes, &self.payload.saved_groups)
    }

    /// Whether somebody passes all filters.
    pub(super) fn pass(&self, filters: &[Json]) -> bool {
        filters.iter().all(|filter| {
            let Some(filter) = Fields::of(filter) else {
                return false;
            };
            let unit = self.user.unit(filter.text("attribute").unwrap_or("id"));
            let version = filter.number("hashVersion").filter(|version| *version != 0.0);
            let seed = filter.text("seed").unwrap_or_default();
            let place = unit.and_then(|unit| bucketing::hash(seed, &unit, version.unwrap_or(2.0)));
            let ranges = bucketing::read_ranges(filter.list("ranges").unwrap_or_default());
            place.is_some_and(|place| bucketing::variation(place, &ranges).is_some())
        })
    }

    /// The attribute that says which unit it is, and its value: an empty text if that says nothing.
    ///
    /// There may be another one to go by; that is looked at only for those who keep what they get.
    pub(super) fn hash_attribute<'f>(&self, fields: Fields<'f>) -> (&'f str, Json) {
        let first = fields.text("hashAttribute").unwrap_or("id");
        let may_fall_back = self.kept.is_some() && !fields.is("disableStickyBucketing");
        let other = fields.text("fallbackAttribute").filter(|_| may_fall_back);
        let known = std::iter::once(first)
            .chain(other)
            .find(|name| self.user.unit(name).is_some());
        match known {
            Some(name) => (name, self.user.attribute(name)),
            None => (first, "".into()),
        }
    }
}
