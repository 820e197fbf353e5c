//! An executor: comes for tasks, reads files of the store, and keeps what it found until somebody fetches it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_flight::flight_service_server::FlightServiceServer;
use ballista_core::config::TaskSchedulingPolicy;
use ballista_core::error::BallistaError;
use ballista_core::registry::BallistaFunctionRegistry;
use ballista_executor::ArrowFlightServerProvider;
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use ballista_executor::flight_service::BallistaFlightService;
use ballista_executor::health::ExecutorHealth;
use deltalake::datafusion::execution::runtime_env::RuntimeEnvBuilder;
use tokio::net::TcpListener;
use tonic::service::RoutesBuilder;

use super::Secret;
use crate::place::Place;
use crate::query::functions;

/// How long it waits for a scheduler that does not answer, until it gives up.
const PATIENCE_SECONDS: u16 = 600;
/// How long what was found for a question that nobody asks after any more is kept.
const KEPT_SECONDS: u64 = 3600;
/// How often it looks for such.
const TIDIED_SECONDS: u64 = 300;

/// How an executor works.
#[derive(Debug, Clone)]
pub struct ExecutorOptions {
    /// Where the scheduler answers: its host.
    pub scheduler_host: String,
    /// And its port.
    pub scheduler_port: u16,
    /// What shows that it may take work.
    pub secret: Secret,
    /// By which name others reach it; the address from which the scheduler sees it come if absent.
    pub host: Option<String>,
    /// Tasks at a time; 0 is as many as the machine has cores.
    pub cores: usize,
    /// Memory of all tasks together; what needs more goes to files.
    pub memory_bytes: u64,
    /// The folder for what was found; what is an hour old is removed.
    pub folder: PathBuf,
}

/// An executor that listens.
#[derive(Debug)]
pub struct Executor {
    listener: TcpListener,
    options: ExecutorOptions,
    place: Place,
}

impl Executor {
    /// Listens; port 0 takes a free one.
    pub async fn bind(address: SocketAddr, place: Place, options: ExecutorOptions) -> std::io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(address).await?,
            options,
            place,
        })
    }

    /// Where others fetch what it found.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Works until the process is told to stop (SIGTERM, Ctrl-C); tasks under way are finished.
    ///
    /// # Errors
    /// The scheduler's, when it has not answered for ten minutes at the start.
    pub async fn run(self) -> Result<(), BallistaError> {
        let address = self.address()?;
        let Self {
            listener,
            options,
            place,
        } = self;
        let (folder, secret) = (options.folder.clone(), options.secret.clone());
        let health = ExecutorHealth::new();
        let config = ExecutorProcessConfig {
            bind_host: super::host(address.ip()),
            port: address.port(),
            external_host: options.host,
            scheduler_host: options.scheduler_host,
            scheduler_port: options.scheduler_port,
            scheduler_connect_timeout_seconds: PATIENCE_SECONDS,
            vcores: options.cores,
            task_scheduling_policy: TaskSchedulingPolicy::PullStaged,
            work_dir: Some(folder.display().to_string()),
            job_data_ttl_seconds: KEPT_SECONDS,
            job_data_clean_up_interval_seconds: TIDIED_SECONDS,
            memory_pool_size: Some(options.memory_bytes),
            override_function_registry: Some(Arc::new(registry())),
            override_config_producer: Some(Arc::new(move || super::session(&secret))),
            override_runtime_producer: Some(Arc::new(move |_| {
                let runtime = RuntimeEnvBuilder::new()
                    .with_temp_file_path(folder.clone())
                    .build_arc()?;
                runtime.register_object_store(place.url(), place.root().clone());
                Ok(runtime)
            })),
            override_create_grpc_client_endpoint: Some(super::showing(&options.secret)),
            override_arrow_flight_service: Some(results(listener, options.secret, health.clone())),
            health,
            ..ExecutorProcessConfig::default()
        };
        start_executor_process(Arc::new(config)).await
    }
}

/// Gives out what was found.
fn results(listener: TcpListener, secret: Secret, health: ExecutorHealth) -> Arc<ArrowFlightServerProvider> {
    let listener = Mutex::new(Some(listener));
    Arc::new(move |folder, _, mut shutdown, _| {
        let listener = listener.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (secret, health) = (secret.clone(), health.clone());
        tokio::spawn(async move {
            let Some(listener) = listener else { return Ok(()) };
            let limits = ExecutorProcessConfig::default();
            let service = FlightServiceServer::new(BallistaFlightService::new(folder))
                .max_decoding_message_size(limits.grpc_max_decoding_message_size as usize)
                .max_encoding_message_size(limits.grpc_max_encoding_message_size as usize);
            let mut services = RoutesBuilder::default();
            services.add_service(service);
            let services = services.routes().into_axum_router();
            let stop = async move { shutdown.recv().await };
            let is_ready = move || health.is_ready();
            Ok(super::server::serve(listener, services, &secret, is_ready, stop).await?)
        })
    })
}

fn registry() -> BallistaFunctionRegistry {
    let mut known = BallistaFunctionRegistry::default();
    let (scalar, aggregate) = (&*functions::SPAN_OF, &*functions::SPREAD);
    known
        .scalar_functions
        .insert(scalar.name().to_owned(), scalar.clone());
    known
        .aggregate_functions
        .insert(aggregate.name().to_owned(), aggregate.clone());
    known
}
