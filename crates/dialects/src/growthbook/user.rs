//! Who asks.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::condition::REMOTE_GROUPS;
use super::json::{at, unit};

/// What is known of who asks.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// An object; those named by features decide.
    pub(super) attributes: Json,
    /// The page that they are on.
    pub url: Option<String>,
    /// Places of variations by experiment, for testers.
    pub forced_variations: BTreeMap<String, i64>,
    /// Values by feature, for testers.
    pub forced_features: BTreeMap<String, Json>,
    /// Whether experiments run at all.
    pub is_enabled: bool,
    /// Whether nobody is put into an experiment by chance.
    pub is_testing: bool,
}

impl User {
    /// Somebody with these attributes, of whom nothing else is known.
    pub fn new(attributes: Map<String, Json>) -> Self {
        Self {
            attributes: attributes.into(),
            url: None,
            forced_variations: BTreeMap::new(),
            forced_features: BTreeMap::new(),
            is_enabled: true,
            is_testing: false,
        }
    }

    /// Says in which groups they are, of those whose members the payload does not say.
    pub fn put_remote_groups(&mut self, ids: Vec<String>) {
        if let Json::Object(attributes) = &mut self.attributes {
            attributes.insert(REMOTE_GROUPS.to_owned(), ids.into());
        }
    }

    /// An attribute by its name, or else by its path; `null` if it is not known.
    pub(super) fn attribute(&self, name: &str) -> Json {
        match self.attributes.get(name) {
            Some(value) => value.clone(),
            None => at(&self.attributes, name).into_owned(),
        }
    }

    /// Which unit they are by an attribute, if that is known.
    pub(super) fn unit(&self, attribute: &str) -> Option<String> {
        unit(&self.attribute(attribute))
    }
}
