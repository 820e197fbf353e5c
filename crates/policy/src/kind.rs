//! The list of policies that can be configured.

use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::builtin::{
    bandwidth_limit, body_limit, call_cost, concurrency_limit, cors, feature_flags, grpc_web, headers,
    key_auth, rate_limit,
};
use crate::{Policy, State};

/// One thing wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {detail}")]
pub struct Fault {
    /// JSON Pointer (RFC 6901) to the place, empty for the whole.
    pub pointer: String,
    /// What is wrong there.
    pub detail: String,
}

impl Fault {
    /// Says what is wrong at a place.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            detail: detail.into(),
        }
    }
}

type Compile = fn(&Value, Option<&State>) -> Result<Arc<dyn Policy>, Vec<Fault>>;

/// One policy that can be configured.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Its name in configurations: `rate_limit`.
    pub name: &'static str,
    /// What people read.
    pub title: &'static str,
    /// What it does, in CommonMark.
    pub description: &'static str,
    /// Whether it can be for an audience only.
    pub takes_audience: bool,
    schema: fn() -> Value,
    compile: Compile,
    unheeded: fn(&Value) -> Vec<Fault>,
}

impl Kind {
    /// The JSON Schema (2020-12) of its configuration.
    pub fn schema(&self) -> Value {
        (self.schema)()
    }

    /// Checks a configuration that is to be saved; says everything that is wrong with it as far as it can be read.
    ///
    /// # Errors
    /// What cannot be compiled; else what would have no effect. Nodes ask for the first only: what was saved before the
    /// second was known goes on.
    pub fn validate(&self, config: &Value) -> Result<Arc<dyn Policy>, Vec<Fault>> {
        let made = self.compile(config, None)?;
        let unheeded = (self.unheeded)(config);
        if unheeded.is_empty() {
            Ok(made)
        } else {
            Err(unheeded)
        }
    }

    /// Makes a policy of a configuration, going on with what its predecessor remembers.
    pub fn compile(&self, config: &Value, state: Option<&State>) -> Result<Arc<dyn Policy>, Vec<Fault>> {
        (self.compile)(config, state)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Kind").field(&self.name).finish()
    }
}

/// A policy that ships with Gateline.
pub(crate) trait Builtin: Policy + Sized + 'static {
    /// What is written in the API body, the declarative file and the store.
    type Config: DeserializeOwned + JsonSchema;
    const NAME: &'static str;
    const TITLE: &'static str;
    const DESCRIPTION: &'static str;
    /// Not those on which it depends who may call, what may be sent, or whose answers everybody needs.
    const TAKES_AUDIENCE: bool = false;

    fn build(config: Self::Config, state: Option<&State>) -> Result<Self, Vec<Fault>>;

    /// Says what in a configuration that can be built has no effect.
    fn unheeded(config: &Self::Config) -> Vec<Fault> {
        let _ = config;
        Vec::new()
    }

    const KIND: Kind = Kind {
        name: Self::NAME,
        title: Self::TITLE,
        description: Self::DESCRIPTION,
        takes_audience: Self::TAKES_AUDIENCE,
        schema: schema::<Self::Config>,
        compile: compile::<Self>,
        unheeded: unheeded::<Self>,
    };
}

/// Every policy that can be configured.
pub fn kinds() -> &'static [Kind] {
    const {
        &[
            key_auth::KeyAuth::KIND,
            call_cost::CallCost::KIND,
            rate_limit::RateLimit::KIND,
            concurrency_limit::ConcurrencyLimit::KIND,
            bandwidth_limit::BandwidthLimit::KIND,
            body_limit::BodyLimit::KIND,
            headers::Headers::KIND,
            cors::Cors::KIND,
            feature_flags::FeatureFlags::KIND,
            grpc_web::GrpcWeb::KIND,
        ]
    }
}

/// The policy of that name.
pub fn kind(name: &str) -> Option<&'static Kind> {
    kinds().iter().find(|kind| kind.name == name)
}

fn schema<C: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<C>()
        .to_value()
}

fn compile<B: Builtin>(config: &Value, state: Option<&State>) -> Result<Arc<dyn Policy>, Vec<Fault>> {
    let config: B::Config = serde_path_to_error::deserialize(config)
        .map_err(|error| vec![Fault::new(pointer(error.path()), error.inner().to_string())])?;
    Ok(Arc::new(B::build(config, state)?))
}

fn unheeded<B: Builtin>(config: &Value) -> Vec<Fault> {
    // What cannot be read was told already.
    serde_json::from_value::<B::Config>(config.clone())
        .map_or_else(|_| Vec::new(), |config| B::unheeded(&config))
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { .. } | Segment::Unknown => String::new(),
        })
        .collect()
}

#[cfg(test)]
mod tests;
