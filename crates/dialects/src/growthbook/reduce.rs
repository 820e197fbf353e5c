//! Payloads for one of whom some attributes are known: what they can no longer reach is left out.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::json::{Fields, is_same, is_truthy};
use super::prune::Pruner;

/// Features whose keys begin so hold units out of all experiments; they are needed wherever they are named.
const HOLDOUT: &str = "$holdout:";

/// Which part of a payload is wanted.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Wanted {
    /// All of these must be so.
    #[serde(default)]
    pub include: Labels,
    /// None of these may be so.
    #[serde(default)]
    pub exclude: Labels,
    /// Whether features that others need are wanted whatever they are.
    #[serde(default)]
    pub prerequisites: Prerequisites,
}

/// How features and experiments are labelled; one of the values must be there.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Labels {
    /// Projects; what is in all projects is in each.
    pub projects: Option<Vec<Json>>,
    /// Tags.
    pub tags: Option<Vec<Json>>,
    /// Fields with a text or a list of texts.
    #[serde(default)]
    pub custom_fields: BTreeMap<String, Vec<Json>>,
}

/// What becomes of features that others need.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Prerequisites {
    /// They are there.
    #[default]
    Include,
    /// They are there if they are wanted themselves.
    Filter,
}

/// The part of a payload that is wanted, for one of whom some attributes are known.
///
/// Whoever agrees with what is known gets the same of every feature that is left.
pub fn reduce(payload: &Json, known: &Map<String, Json>, wanted: &Wanted) -> Json {
    let empty = Map::new();
    let object = |name: &str| payload.get(name).and_then(Json::as_object).unwrap_or(&empty);
    let groups = object("savedGroups");
    let mut reducer = Reducer {
        all: object("features"),
        pruner: Pruner::new(known, groups),
        wanted,
        features: Map::new(),
    };
    for (key, feature) in reducer.all {
        if wanted.has(feature.get("metadata")) {
            reducer.add(key);
        }
    }
    let experiments = payload.get("experiments").and_then(Json::as_array);
    let experiments = experiments
        .into_iter()
        .flatten()
        .filter(|one| wanted.has(one.get("metadata")));
    let experiments: Vec<_> = experiments.map(|one| reducer.item(one, false)).collect();
    for experiment in &experiments {
        reducer.add_all(&parents(experiment));
    }
    let bandits = reducer.bandits(object("contextualBandits"), &experiments);
    let Reducer { pruner, features, .. } = reducer;
    let left = json!([features, experiments, bandits]);
    let mut reduced = payload.as_object().cloned().unwrap_or_default();
    reduced.insert("features".to_owned(), features.into());
    reduced.insert("experiments".to_owned(), experiments.into());
    reduced.insert(
        "savedGroups".to_owned(),
        Groups::new(groups).left(&left, &pruner).into(),
    );
    match reduced.get("contextualBandits").is_some_and(is_truthy) {
        true => reduced.insert("contextualBandits".to_owned(), bandits.into()),
        false => reduced.shift_remove("contextualBandits"),
    };
    reduced.into()
}

impl Wanted {
    fn has(&self, labels: Option<&Json>) -> bool {
        let label = |name: &str| labels.and_then(|labels| labels.get(name));
        let custom = |name: &str| label("customFields").and_then(|fields| fields.get(name));
        let (include, exclude) = (&self.include, &self.exclude);
        self.has_project(labels)
            && include
                .tags
                .as_ref()
                .is_none_or(|tags| has_one(label("tags"), tags))
            && include
                .custom_fields
                .iter()
                .all(|(name, values)| has_one(custom(name), values))
            && !exclude
                .projects
                .as_ref()
                .is_some_and(|projects| has_one(label("projects"), projects))
            && !exclude
                .tags
                .as_ref()
                .is_some_and(|tags| has_one(label("tags"), tags))
            && !exclude
                .custom_fields
                .iter()
                .any(|(name, values)| has_one(custom(name), values))
    }

    fn has_project(&self, labels: Option<&Json>) -> bool {
        let label = |name: &str| labels.and_then(|labels| labels.get(name));
        let Some(projects) = &self.include.projects else {
            return true;
        };
        label("allProjects").is_some_and(is_truthy) || has_one(label("projects"), projects)
    }

    /// A rule that names no projects is for all of its feature's.
    fn has_rule(&self, labels: Option<&Json>) -> bool {
        let projects = labels
            .and_then(|labels| labels.get("projects"))
            .filter(|found| is_truthy(found));
        match &self.include.projects {
            Some(wanted) if projects.is_some() => has_one(projects, wanted),
            _ => true,
        }
    }
}

fn has_one(found: Option<&Json>, wanted: &[Json]) -> bool {
    let is_wanted = |one: &Json| wanted.iter().any(|wanted| is_same(one, wanted));
    match found {
        Some(Json::Array(all)) => all.iter().any(is_wanted),
        Some(one) => is_wanted(one),
        None => false,
    }
}

struct Reducer<'a> {
    all: &'a Map<String, Json>,
    pruner: Pruner<'a>,
    wanted: &'a Wanted,
    features: Map<String, Json>,
}

impl Reducer<'_> {
    /// Takes a feature, and those that it needs.
    fn add(&mut self, key: &str) {
        let mut waiting = vec![key.to_owned()];
        while let Some(key) = waiting.pop() {
            if self.features.contains_key(&key) {
                continue;
            }
            let Some(feature) = self.all.get(&key).filter(|feature| is_truthy(feature)) else {
                continue;
            };
            let feature = self.feature(feature);
            let rules = feature.get("rules").and_then(Json::as_array);
            let needed = rules.into_iter().flatten().flat_map(parents);
            waiting.extend(needed.filter(|key| self.takes_parent(key)));
            self.features.insert(key, feature);
        }
    }

    fn add_all(&mut self, keys: &[String]) {
        for key in keys {
            if self.takes_parent(key) {
                self.add(key);
            }
        }
    }

    fn takes_parent(&self, key: &str) -> bool {
        self.wanted.prerequisites == Prerequisites::Include || key.starts_with(HOLDOUT)
    }

    /// A feature that is there only because others need it keeps the rules of its own projects.
    fn feature(&self, feature: &Json) -> Json {
        let mut feature = feature.clone();
        let is_of_projects = self.wanted.has_project(feature.get("metadata"));
        if let Some(Json::Array(rules)) = feature.get_mut("rules") {
            rules.retain(|rule| !is_of_projects || self.wanted.has_rule(rule.get("metadata")));
            for rule in rules {
                *rule = self.item(rule, true);
            }
        }
        feature
    }

    /// A rule or an experiment without what is decided. One that nobody gets to by its condition stays: who was given a
    /// variation before keeps it.
    fn item(&self, item: &Json, is_rule: bool) -> Json {
        let mut item = item.clone();
        let Some(fields) = item.as_object_mut() else {
            return item;
        };
        let Some(condition) = fields.get("condition").filter(|condition| is_truthy(condition)) else {
            return item;
        };
        match self.pruner.root(condition) {
            Json::Bool(true) => {
                fields.shift_remove("condition");
            }
            Json::Bool(false) => {
                fields.insert("condition".to_owned(), json!({ "$not": {} }));
                if is_rule && fields.contains_key("force") {
                    fields.insert("force".to_owned(), Json::Null);
                }
            }
            pruned => {
                fields.insert("condition".to_owned(), pruned);
            }
        }
        item
    }

    /// The bandits of what is left, without the leaves that nobody gets to.
    fn bandits(&self, all: &Map<String, Json>, experiments: &[Json]) -> Map<String, Json> {
        let rules = self.features.values().filter_map(Fields::of);
        let rules = rules.flat_map(|feature| feature.list("rules").unwrap_or_default());
        let named = rules
            .chain(experiments)
            .filter_map(|one| one.get("contextualBanditRef")?.as_str());
        let named: BTreeSet<&str> = named.collect();
        let found = named
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), all.get(name)?.clone())));
        let mut found: Map<_, _> = found.collect();
        for bandit in found.values_mut().filter_map(Json::as_object_mut) {
            let leaves = bandit.get("contexts").and_then(Json::as_array);
            let leaves: Vec<_> = leaves
                .into_iter()
                .flatten()
                .filter_map(|leaf| self.leaf(leaf))
                .collect();
            bandit.insert("contexts".to_owned(), leaves.into());
        }
        found
    }

    fn leaf(&self, leaf: &Json) -> Option<Json> {
        let everybody = json!({});
        let condition = leaf.get("condition").filter(|condition| is_truthy(condition));
        let pruned = match self.pruner.root(condition.unwrap_or(&everybody)) {
            Json::Bool(false) => return None,
            Json::Bool(true) => everybody,
            pruned => pruned,
        };
        let mut leaf = leaf.clone();
        if let Some(fields) = leaf.as_object_mut() {
            fields.insert("condition".to_owned(), pruned);
        }
        Some(leaf)
    }
}

/// The features that a rule or an experiment needs.
fn parents(item: &Json) -> Vec<String> {
    let parents = item.get("parentConditions").and_then(Json::as_array);
    let keys = parents
        .into_iter()
        .flatten()
        .filter_map(|parent| parent.get("id")?.as_str());
    keys.map(str::to_owned).collect()
}

/// A saved group that something names, and whether it is asked about the user there: not about an element of a list, or about
/// another feature's value.
type Named<'a> = (&'a str, bool);

/// Saved groups, and which ones they name.
struct Groups<'a> {
    all: &'a Map<String, Json>,
    named: BTreeMap<&'a str, Vec<Named<'a>>>,
}

impl<'a> Groups<'a> {
    fn new(all: &'a Map<String, Json>) -> Self {
        let mut named = BTreeMap::new();
        for (id, group) in all {
            let mut found = Vec::new();
            if may_name(group) {
                names_in(group, all, true, &mut found);
            }
            named.insert(id.as_str(), found);
        }
        Self { all, named }
    }

    /// The groups that what is left of a payload names: any text in it may be such a name, as operators that nobody
    /// knows yet may have them. They are pruned, unless their answer depends on more than who the user is.
    fn left(&self, payload: &Json, pruner: &Pruner<'_>) -> Map<String, Json> {
        let mut roots = Vec::new();
        names_in(payload, self.all, true, &mut roots);
        let as_written = self.about_others(&roots);
        let mut left = Map::new();
        let mut waiting: Vec<String> = roots.iter().map(|(id, _)| (*id).to_owned()).collect();
        while let Some(id) = waiting.pop() {
            let Some(group) = self.all.get(&id).filter(|_| !left.contains_key(&id)) else {
                continue;
            };
            let mut group = group.clone();
            let is_pruned = !as_written.contains(id.as_str()) && !self.leads_back(&id);
            if let Some(pruned) = is_pruned.then(|| pruner.group(&id)).flatten()
                && let Some(fields) = group.as_object_mut()
            {
                fields.insert("condition".to_owned(), pruned);
            }
            if may_name(&group) {
                let mut found = Vec::new();
                names_in(&group, self.all, true, &mut found);
                waiting.extend(found.iter().map(|(id, _)| (*id).to_owned()));
            }
            left.insert(id, group);
        }
        left
    }

    /// Those that are asked about something else than the user, and those that they name.
    fn about_others(&self, roots: &[Named<'a>]) -> BTreeSet<&'a str> {
        let (mut about_users, mut about_others) = (BTreeSet::new(), BTreeSet::new());
        let mut waiting = roots.to_vec();
        while let Some((id, is_about_user)) = waiting.pop() {
            let seen = if is_about_user {
                &mut about_users
            } else {
                &mut about_others
            };
            if seen.insert(id) {
                let named = self.named.get(id).into_iter().flatten();
                waiting.extend(named.map(|(next, is)| (*next, is_about_user && *is)));
            }
        }
        about_others
    }

    /// Whether a group names itself, by itself or through others: its answer depends on where one comes from.
    fn leads_back(&self, id: &str) -> bool {
        let next = |id: &str| self.named.get(id).into_iter().flatten().map(|(id, _)| *id);
        let mut seen = BTreeSet::new();
        let mut waiting: Vec<_> = next(id).collect();
        while let Some(here) = waiting.pop() {
            if here == id {
                return true;
            }
            if seen.insert(here) {
                waiting.extend(next(here));
            }
        }
        false
    }
}

/// The values of lists are no names of groups.
fn may_name(group: &Json) -> bool {
    group.is_object() && group.get("type").and_then(Json::as_str) != Some("list")
}

/// The saved groups that are named somewhere in a value.
fn names_in<'a>(
    value: &Json,
    groups: &'a Map<String, Json>,
    is_about_user: bool,
    found: &mut Vec<Named<'a>>,
) {
    match value {
        Json::String(text) => {
            let known = groups.get_key_value(text);
            found.extend(known.map(|(id, _)| (id.as_str(), is_about_user)));
        }
        Json::Array(items) => items
            .iter()
            .for_each(|item| names_in(item, groups, is_about_user, found)),
        Json::Object(fields) => {
            for (key, item) in fields {
                let is_about_user = is_about_user && key != "$elemMatch" && key != "parentConditions";
                names_in(item, groups, is_about_user, found);
            }
        }
        _ => {}
    }
}
