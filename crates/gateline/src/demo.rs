//! The sample: the departures service on a port of its own, imported once, with a key to try.
//!
//! Loaded through the public API, as anybody would. The key is shown once by the API, so what the printed line
//! needs is kept in `demo.json` beside the data.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use client::types::{
    CreateQuickKeyParams, ImportApiParams, ImportSpec, ListApisParams, ListRoutesParams, QuickKeySpec,
    ReadUpstreamParams, Target, UpdateUpstreamParams, UpstreamPatch,
};
use client::{Call, Client};
use http::Method;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::folder::write_private;
use crate::serve::{Admin, Stop, client_of};

const NAME: &str = "departures";
const PLAN: &str = "free";
/// A call that needs no body and shows something.
const SHOWN: &str = "/stations/harbour/departures?limit=3";

/// A change is at the gateway within a second; a busy machine gets more.
const KNOWN_WITHIN: Duration = Duration::from_secs(15);

/// Why the sample cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A call of the API failed.
    #[error(transparent)]
    Call(#[from] client::Error),
    /// The service cannot listen.
    #[error("the sample service cannot listen")]
    Listen(#[source] io::Error),
    /// What the sample needs at the next start cannot be kept.
    #[error("{}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// The loaded sample and its running service.
#[derive(Debug)]
pub(crate) struct Demo {
    /// The API's id.
    pub(crate) api: String,
    /// A URL that answers 200.
    pub(crate) url: String,
    /// A key for it.
    pub(crate) key: String,
    stop: Stop,
    service: JoinHandle<()>,
}

/// What is kept between starts.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    port: u16,
    key: String,
}

impl Demo {
    /// Starts the service and makes sure that the gateway serves it.
    pub(crate) async fn start(
        data: &Path,
        control: &str,
        gateway: &str,
        admin: &Admin,
    ) -> Result<Self, Error> {
        let path = data.join("demo.json");
        let kept: Kept = std::fs::read(&path)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        // The port of last time, so that nothing needs to be changed; another one if somebody took it.
        let listener = match TcpListener::bind(("127.0.0.1", kept.port)).await {
            Ok(listener) => listener,
            Err(_) => TcpListener::bind("127.0.0.1:0").await.map_err(Error::Listen)?,
        };
        let port = listener.local_addr().map_err(Error::Listen)?.port();
        let stop = Stop::new();
        let told = stop.told();
        let service = tokio::spawn(async move {
            if let Err(error) = departures::serve(listener, told).await {
                tracing::error!(%error, "the sample service stopped");
            }
        });
        let loader = Loader {
            client: client_of(control, admin)?,
            upstream: format!("http://127.0.0.1:{port}"),
        };
        let api = loader.api().await?;
        let key = if kept.key.is_empty() {
            loader.key().await?
        } else {
            kept.key
        };
        let text = serde_json::to_string(&Kept {
            port,
            key: key.clone(),
        })
        .expect("plain data");
        write_private(&path, &text).map_err(|source| Error::File { path, source })?;
        let url = format!("{gateway}/{NAME}{SHOWN}");
        answers(gateway, &key).await?;
        Ok(Self {
            api,
            url,
            key,
            stop,
            service,
        })
    }

    /// Ends the service.
    pub(crate) async fn stop(self) {
        self.stop.now();
        // A service that panicked has ended, too.
        let _ = self.service.await;
    }
}

/// Waits until the gateway has heard of route and key.
async fn answers(gateway: &str, key: &str) -> Result<(), Error> {
    let gateway = Client::new(client::Settings::new(gateway))?;
    let end = Instant::now() + KNOWN_WITHIN;
    loop {
        // The sample's own operation: no method of the control API is made of it.
        let call = Call::new(Method::GET, format!("/{NAME}{SHOWN}")).header("x-api-key", Some(&key));
        match gateway.send_nothing(call).await {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() >= end => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

struct Loader {
    client: Client,
    upstream: String,
}

impl Loader {
    /// The sample API's id; imported if it is not there, pointed to the service's port if it is.
    async fn api(&self) -> Result<String, client::Error> {
        let named = ListApisParams {
            filter_name: Some(NAME.to_owned()),
            ..ListApisParams::default()
        };
        let found = self.client.list_apis(&named).await?;
        let Some(api) = found.data.into_iter().next() else {
            let wanted = ImportSpec {
                name: Some(NAME.to_owned()),
                upstream_url: Some(self.upstream.clone()),
                publish: Some(true),
                ..ImportSpec::new(departures::CONTRACT)
            };
            let imported = self
                .client
                .import_api(&ImportApiParams::default(), &wanted)
                .await?;
            return Ok(imported.api);
        };
        let of_api = ListRoutesParams {
            filter_api: Some(api.id.clone()),
            ..ListRoutesParams::default()
        };
        let routes = self.client.list_routes(&of_api).await?;
        if let Some(upstream) = routes.data.iter().find_map(|route| route.upstream_id.as_ref()) {
            self.point(upstream).await?;
        }
        Ok(api.id)
    }

    async fn point(&self, id: &str) -> Result<(), client::Error> {
        let upstream = self
            .client
            .read_upstream(id, &ReadUpstreamParams::default())
            .await?;
        let there = |target: &Target| target.url.trim_end_matches('/') == self.upstream;
        if upstream.targets.first().is_some_and(there) {
            return Ok(());
        }
        let params = UpdateUpstreamParams {
            if_match: Some(client::etag(upstream.revision)),
            ..UpdateUpstreamParams::default()
        };
        let patch = UpstreamPatch {
            targets: Some(vec![Target::new(&self.upstream)]),
            ..UpstreamPatch::default()
        };
        self.client.update_upstream(id, &params, &patch).await?;
        Ok(())
    }

    async fn key(&self) -> Result<String, client::Error> {
        let wanted = QuickKeySpec {
            title: Some("Sample".to_owned()),
            ..QuickKeySpec::new(NAME, PLAN)
        };
        let params = CreateQuickKeyParams::default();
        Ok(self.client.create_quick_key(&params, &wanted).await?.key)
    }
}
