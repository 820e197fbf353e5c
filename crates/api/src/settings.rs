//! What the edge must know beside the use cases.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use events::Ingest;
use tokio::sync::watch;

/// How the control plane is served.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where browsers and programs reach the control plane, as `https://gateline.example`, without a slash at the
    /// end. Cookies are `Secure` and answers carry HSTS if it is `https`.
    pub control_url: String,
    /// Where this process reaches the gateway, for try-it, as `http://127.0.0.1:8080`; `None` turns try-it off.
    pub gateway_url: Option<String>,
    /// Origins beside our own whose pages may call the API, as `https://console.example`.
    pub cors_origins: Vec<String>,
    /// Whether `X-Forwarded-For` of the peer names the client, because a proxy of ours is in front.
    pub trusts_proxy: bool,
    /// How long a request may take until its answer begins.
    pub timeout: Duration,
    /// How often it is looked whether those who watch live streams still may.
    pub stream_check: Duration,
    /// The most streams of changes of flags that are open at a time.
    pub flag_streams_max: usize,
    /// What must be well beside the database for `/health/ready` to say so.
    pub probes: Vec<Probe>,
    /// Holds true once the process is told to stop, so that answers that wait for something end early.
    pub stopping: Option<watch::Receiver<bool>>,
    /// What `/metrics` shows of other parts of the process.
    pub figures: Vec<Figure>,
    /// Takes tracked events; without it they are refused.
    pub ingest: Option<Ingest>,
}

/// Something that must be well for the process to be ready.
#[derive(Clone)]
pub struct Probe {
    /// Its name in the answer, as `gateway`.
    pub name: &'static str,
    /// Says whether it is well, or why not; must not block.
    pub check: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
}

/// A number of another part of the process.
#[derive(Clone)]
pub struct Figure {
    /// Its name in `/metrics`, as `gateline_log_lag_events`.
    pub name: &'static str,
    /// What it says.
    pub help: &'static str,
    /// Tells it; must not block.
    pub read: Arc<dyn Fn() -> f64 + Send + Sync>,
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Probe({})", self.name)
    }
}

impl fmt::Debug for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Figure({})", self.name)
    }
}

impl Settings {
    /// The settings of a control plane at this address, with defaults for the rest.
    pub fn new(control_url: impl Into<String>) -> Self {
        Self {
            control_url: control_url.into().trim_end_matches('/').to_owned(),
            gateway_url: None,
            cors_origins: Vec::new(),
            trusts_proxy: false,
            timeout: Duration::from_secs(60),
            stream_check: Duration::from_secs(30),
            flag_streams_max: 20_000,
            probes: Vec::new(),
            stopping: None,
            figures: Vec::new(),
            ingest: None,
        }
    }

    /// Ready once the process is told to stop; never if nobody can tell.
    pub(crate) async fn stopped(&self) {
        let Some(mut stopping) = self.stopping.clone() else {
            return std::future::pending().await;
        };
        // A sender that is gone tells nothing more: then it is over, too.
        let _ = stopping.wait_for(|told| *told).await;
    }

    /// Whether browsers reach us over TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.control_url.starts_with("https://")
    }
}
