//! What all requests share.

use std::sync::Arc;

use control::Control;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::try_it::TryIt;

/// What all requests share; cheap to clone.
#[derive(Clone)]
pub(crate) struct App {
    /// The use cases.
    pub(crate) control: Control,
    /// How the control plane is served.
    pub(crate) settings: Arc<Settings>,
    /// What is counted and shown under `/metrics`.
    pub(crate) metrics: Arc<Metrics>,
    /// The OpenAPI document.
    pub(crate) document: Arc<Value>,
    /// The way to the gateway.
    pub(crate) try_it: Arc<TryIt>,
    /// Places for streams of changes of flags.
    pub(crate) flag_streams: Arc<Semaphore>,
}
