//! Sums that are too much for one process, computed by a Ballista cluster.
//!
//! A scheduler takes plans from control planes and cuts them into tasks; executors come for tasks, read files of the
//! store, and keep what they found until somebody fetches it. All three are this program, so that they have the same
//! engine and the same functions. Whoever talks shows what all of them know: a plan may read whatever the store has.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ballista_core::execution_plans::execute_physical_plan;
use ballista_core::extension::{EndpointOverrideFn, SessionConfigExt as _};
use datafusion_proto::protobuf::PhysicalPlanNode;
use deltalake::datafusion::error::Result;
use deltalake::datafusion::execution::SendableRecordBatchStream;
use deltalake::datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use deltalake::datafusion::logical_expr::LogicalPlan;
use deltalake::datafusion::prelude::SessionConfig;
use domain::lake::SumsQuery;
use sha2::{Digest as _, Sha256};

pub use self::executor::{Executor, ExecutorOptions};
pub use self::scheduler::Scheduler;

mod executor;
mod scheduler;
mod server;

/// What control planes, scheduler and executors all know; it is not shown.
#[derive(Clone)]
pub struct Secret(String);

impl From<String> for Secret {
    fn from(secret: String) -> Self {
        Self(secret)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// How a cluster is asked.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// Where its scheduler answers, as `host:port`.
    pub scheduler: String,
    /// What shows that it may be asked.
    pub secret: Secret,
    /// Sums over so many days and more are computed there.
    pub days_min: u32,
    /// Into how many parts they are cut: about as many as the executors have cores.
    pub partitions: usize,
}

/// A cluster that can be asked.
#[derive(Clone)]
pub struct Cluster {
    url: String,
    days_min: u32,
    config: SessionConfig,
    /// What the scheduler calls whoever asks.
    session: String,
}

impl Cluster {
    /// Takes a cluster; it is called when there is something to compute.
    pub fn new(options: &ClusterOptions) -> Self {
        Self {
            url: format!("http://{}", options.scheduler),
            days_min: options.days_min,
            config: session(&options.secret).with_target_partitions(options.partitions),
            session: uuid::Uuid::now_v7().to_string(),
        }
    }

    /// Whether sums are to be computed there.
    pub(crate) fn is_for(&self, query: &SumsQuery) -> bool {
        let micros = query.to.as_micros().saturating_sub(query.from.as_micros());
        micros >= i64::from(self.days_min) * 24 * domain::time::HOUR_MICROS
    }

    /// Has everything fetched as if from other machines.
    #[cfg(test)]
    pub(crate) fn far(self) -> Self {
        let config = self.config.with_ballista_shuffle_reader_force_remote_read(true);
        Self { config, ..self }
    }

    /// What plans of one question are made with.
    pub(crate) fn state(&self) -> SessionState {
        SessionStateBuilder::new()
            .with_config(self.config.clone())
            .with_default_features()
            .build()
    }

    /// Computes the rows of a plan there, and returns when all are there to be fetched.
    pub(crate) async fn compute(
        &self,
        state: &SessionState,
        plan: &LogicalPlan,
    ) -> Result<SendableRecordBatchStream> {
        let plan = state.create_physical_plan(plan).await?;
        let config = state.config();
        execute_physical_plan::<PhysicalPlanNode>(
            self.url.clone(),
            &config.ballista_config(),
            plan,
            config.ballista_physical_extension_codec().as_ref(),
            self.session.clone(),
            config.clone(),
        )
        .await
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("url", &self.url)
            .field("days_min", &self.days_min)
            .finish_non_exhaustive()
    }
}

/// An address as the host of a URL.
pub fn host(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// What each process of a cluster computes with.
fn session(secret: &Secret) -> SessionConfig {
    SessionConfig::new_with_ballista()
        .with_ballista_override_create_grpc_client_endpoint(showing(secret))
        .set_bool("datafusion.execution.parquet.pushdown_filters", true)
}

/// Shows the secret on each connection.
///
/// The name of the program is the only header that Ballista lets be set on all of them.
fn showing(secret: &Secret) -> EndpointOverrideFn {
    let shown = shown(secret);
    Arc::new(move |endpoint| Ok(endpoint.user_agent(shown.as_str())?))
}

/// What is shown of a secret: who learns it can ask the cluster, and nobody else.
fn shown(secret: &Secret) -> String {
    let mut hash = Sha256::new();
    hash.update(b"gateline lake cluster\0");
    hash.update(&secret.0);
    format!("gateline-{}", data_encoding::HEXLOWER.encode(&hash.finalize()))
}
