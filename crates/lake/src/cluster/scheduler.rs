//! The scheduler: cuts plans into tasks, and knows which executor has what.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::{self, Next};
use ballista_core::config::TaskSchedulingPolicy;
use ballista_core::error::BallistaError;
use ballista_core::serde::protobuf::scheduler_grpc_server::SchedulerGrpcServer;
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::create_scheduler;
use datafusion_proto::protobuf::{LogicalPlanNode, PhysicalPlanNode};
use deltalake::datafusion::execution::session_state::SessionStateBuilder;
use tokio::net::TcpListener;
use tonic::Status;
use tonic::service::RoutesBuilder;

use super::Secret;
use crate::query::functions;

/// Executors that say nothing for so long are gone; they come every five seconds at least, however busy.
const SILENCE: Duration = Duration::from_secs(20);
/// How often the scheduler looks for such.
const LOOK: Duration = Duration::from_secs(2);
/// How long work waits for an executor when the last one has gone.
const GRACE: Duration = Duration::from_secs(5);

/// A scheduler that listens.
#[derive(Debug)]
pub struct Scheduler {
    listener: TcpListener,
    secret: Secret,
}

impl Scheduler {
    /// Listens; port 0 takes a free one.
    pub async fn bind(address: SocketAddr, secret: Secret) -> std::io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(address).await?,
            secret,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Schedules until it is told to stop; what is under way is forgotten then, and asked for again by whoever needs it.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), BallistaError> {
        let config = SchedulerConfig::default()
            // Executors come for tasks, so that nobody needs to reach them but for results.
            .with_scheduler_policy(TaskSchedulingPolicy::PullStaged)
            .with_no_executors_grace_period_seconds(GRACE.as_secs());
        let config = SchedulerConfig {
            executor_timeout_seconds: SILENCE.as_secs(),
            expire_dead_executor_interval_seconds: LOOK.as_secs(),
            ..config
        };
        let (decoding, encoding) = (
            config.grpc_server_max_decoding_message_size as usize,
            config.grpc_server_max_encoding_message_size as usize,
        );
        let secret = self.secret.clone();
        let cluster = BallistaCluster::new_memory(
            config.scheduler_endpoint(),
            Arc::new(|config| {
                let mut state = SessionStateBuilder::new()
                    .with_config(config)
                    .with_default_features()
                    .build();
                functions::register(&mut state)?;
                Ok(state)
            }),
            Arc::new(move || super::session(&secret)),
        );
        let scheduler =
            create_scheduler::<LogicalPlanNode, PhysicalPlanNode>(cluster, Arc::new(config)).await?;
        let is_ready = {
            let scheduler = scheduler.clone();
            move || scheduler.is_ready()
        };
        let service = SchedulerGrpcServer::new(scheduler)
            .max_decoding_message_size(decoding)
            .max_encoding_message_size(encoding);
        let mut services = RoutesBuilder::default();
        services.add_service(service);
        let asked = is_ready.clone();
        let services = services.routes().into_axum_router().layer(middleware::from_fn(
            move |request: Request, next: Next| {
                let is_work = request.uri().path().contains("/ExecuteQuery");
                // Without executors it would wait for the first to come; whoever asks has another way.
                let refused = is_work && !asked();
                async move {
                    match refused {
                        true => Status::unavailable("there is no executor").into_http(),
                        false => next.run(request).await,
                    }
                }
            },
        ));
        super::server::serve(self.listener, services, &self.secret, is_ready, stop).await?;
        Ok(())
    }
}
