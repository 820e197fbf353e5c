//! Experiments: who is in, and which variation they get.

use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::bucketing::{self, Range};
use super::evaluator::Evaluator;
use super::json::Fields;
use super::sticky::{self, Found};
use super::url;

/// What somebody got of an experiment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExperimentResult {
    /// The variation's name; its place if it has none.
    pub key: String,
    /// A name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The feature that the experiment is of.
    pub feature_id: Option<String>,
    /// Whether they are in it.
    pub in_experiment: bool,
    /// Whether a hash decided, and nobody else.
    pub hash_used: bool,
    /// The variation's place.
    pub variation_id: usize,
    /// Its value.
    pub value: Json,
    /// The attribute that says which unit it is.
    pub hash_attribute: String,
    /// Its value; an empty text if it is not known.
    pub hash_value: Json,
    /// Whether they keep what they had.
    pub sticky_bucket_used: bool,
    /// Where they are among all, from 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<f64>,
    /// Whether the feature's further rules are looked at nevertheless.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passthrough: Option<bool>,
    /// Which weights of a bandit it was.
    #[serde(flatten)]
    pub bandit: Option<Map<String, Json>>,
}

/// How it came to a variation.
#[derive(Debug, Clone, Copy, Default)]
struct Way {
    is_by_hash: bool,
    bucket: Option<f64>,
    is_sticky: bool,
}

/// Nobody is in an experiment in this way.
const OUT: (Option<usize>, Way) = (
    None,
    Way {
        is_by_hash: false,
        bucket: None,
        is_sticky: false,
    },
);

impl Evaluator<'_> {
    /// What somebody gets of an experiment that stands for itself: `key` and `variations`, and what else its fields say.
    pub fn experiment(&mut self, experiment: &Map<String, Json>) -> ExperimentResult {
        self.experiment_of(experiment, None)
    }

    /// The same, for an experiment of a feature.
    pub(super) fn experiment_of(
        &mut self,
        experiment: &Map<String, Json>,
        feature: Option<&str>,
    ) -> ExperimentResult {
        let experiment = Fields(experiment);
        let (variation, way) = self.assign(experiment);
        let result = self.result(experiment, feature, variation, way);
        if result.in_experiment && result.hash_used {
            self.keep(experiment, &result);
        }
        result
    }

    /// The place of the variation, and how it came to that.
    fn assign(&mut self, experiment: Fields<'_>) -> (Option<usize>, Way) {
        let key = experiment.text("key").unwrap_or_default();
        let variations = experiment.list("variations").unwrap_or_default().len();
        if variations < 2 || !self.user.is_enabled || !self.is_targeted(experiment) {
            return OUT;
        }
        let by_hand = self.user.url.as_deref();
        if let Some(variation) = by_hand.and_then(|page| url::variation(page, key, variations)) {
            return (Some(variation), Way::default());
        }
        if let Some(variation) = self.user.forced_variations.get(key) {
            return (usize::try_from(*variation).ok(), Way::default());
        }
        if experiment.0.get("status").and_then(Json::as_str) == Some("draft")
            || experiment.0.get("active") == Some(&Json::Bool(false))
        {
            return OUT;
        }
        let (attribute, _) = self.hash_attribute(experiment);
        let Some(unit) = self.user.unit(attribute) else {
            return OUT;
        };
        self.assign_unit(experiment, key, &unit)
    }

    /// The same, once it is known which unit it is.
    fn assign_unit(&mut self, experiment: Fields<'_>, key: &str, unit: &str) -> (Option<usize>, Way) {
        let found = match &self.kept {
            Some(kept) if !experiment.is("disableStickyBucketing") => {
                sticky::find(kept, self.user, key, experiment)
            }
            _ => Found::Nothing,
        };
        let kept = match found {
            Found::Variation(variation) => Some(variation),
            _ => None,
        };
        if kept.is_none() && !self.is_for(experiment, unit) {
            return OUT;
        }
        let seed = experiment.text("seed").unwrap_or(key);
        let version = experiment.number("hashVersion").filter(|version| *version != 0.0);
        let Some(place) = bucketing::hash(seed, unit, version.unwrap_or(1.0)) else {
            return OUT;
        };
        let is_sticky = kept.is_some();
        let variation = kept.or_else(|| bucketing::variation(place, &ranges(experiment)));
        if found == Found::Blocked {
            return (
                None,
                Way {
                    is_sticky: true,
                    ..Way::default()
                },
            );
        }
        if variation.is_none() {
            return OUT;
        }
        if let Some(forced) = experiment.0.get("force") {
            let forced = forced.as_u64().and_then(|forced| usize::try_from(forced).ok());
            return (forced, Way::default());
        }
        if self.user.is_testing || experiment.0.get("status").and_then(Json::as_str) == Some("stopped") {
            return OUT;
        }
        let way = Way {
            is_by_hash: true,
            bucket: Some(place),
            is_sticky,
        };
        (variation, way)
    }

    fn is_targeted(&self, experiment: Fields<'_>) -> bool {
        let targets = experiment.list("urlPatterns");
        targets.is_none_or(|targets| url::is_targeted(self.user.url.as_deref().unwrap_or_default(), targets))
    }

    /// Whether it is for this unit, whatever part of all it covers.
    fn is_for(&mut self, experiment: Fields<'_>, unit: &str) -> bool {
        let is_in = match (experiment.list("filters"), experiment.list("namespace")) {
            (Some(filters), _) => self.pass(filters),
            (None, Some([name, from, to])) => {
                let range = (from.as_f64().unwrap_or(0.0), to.as_f64().unwrap_or(0.0));
                bucketing::is_in_namespace(unit, name.as_str().unwrap_or_default(), range)
            }
            _ => true,
        };
        is_in
            && experiment
                .some("condition")
                .is_none_or(|condition| self.fits(condition))
            && self.parents_allow(experiment)
    }

    /// Whether the features that an experiment needs have the values that it needs.
    fn parents_allow(&mut self, experiment: Fields<'_>) -> bool {
        let parents = experiment.list("parentConditions").unwrap_or_default();
        parents
            .iter()
            .all(|parent| self.parent_fits(parent) == Some(true))
    }

    fn keep(&mut self, experiment: Fields<'_>, result: &ExperimentResult) {
        let (attribute, _) = self.hash_attribute(experiment);
        let Some(unit) = self.user.unit(attribute) else {
            return;
        };
        if let Some(kept) = &mut self.kept
            && !experiment.is("disableStickyBucketing")
        {
            let key = experiment.text("key").unwrap_or_default();
            sticky::keep(kept, (attribute, &unit), experiment, (key, &result.key));
        }
    }

    fn result(
        &self,
        experiment: Fields<'_>,
        feature: Option<&str>,
        variation: Option<usize>,
        way: Way,
    ) -> ExperimentResult {
        let variations = experiment.list("variations").unwrap_or_default();
        let variation = variation.filter(|place| *place < variations.len());
        let place = variation.unwrap_or(0);
        let meta = experiment
            .list("meta")
            .and_then(|meta| Fields::of(meta.get(place)?));
        let (attribute, value) = self.hash_attribute(experiment);
        let bandit = experiment.object("contextualBandit");
        ExperimentResult {
            key: match meta.and_then(|meta| meta.text("key")) {
                Some(key) => key.to_owned(),
                None => place.to_string(),
            },
            name: meta.and_then(|meta| meta.text("name")).map(str::to_owned),
            feature_id: feature.map(str::to_owned),
            in_experiment: variation.is_some(),
            hash_used: way.is_by_hash,
            variation_id: place,
            value: variations.get(place).cloned().unwrap_or_default(),
            hash_attribute: attribute.to_owned(),
            hash_value: value,
            sticky_bucket_used: way.is_sticky,
            bucket: way.bucket,
            passthrough: meta.filter(|meta| meta.is("passthrough")).map(|_| true),
            bandit: bandit
                .filter(|_| way.is_by_hash && variation.is_some())
                .map(|bandit| bandit.0.clone()),
        }
    }
}

/// The part of all units that each variation gets.
pub(super) fn ranges(experiment: Fields<'_>) -> Vec<Range> {
    if let Some(ranges) = experiment.list("ranges") {
        return bucketing::read_ranges(ranges);
    }
    let variations = experiment.list("variations").unwrap_or_default().len();
    let weights: Option<Vec<f64>> = experiment.list("weights").map(|weights| {
        weights
            .iter()
            .map(|weight| weight.as_f64().unwrap_or(f64::NAN))
            .collect()
    });
    bucketing::ranges(
        variations,
        experiment.number("coverage").unwrap_or(1.0),
        weights.as_deref(),
    )
}
