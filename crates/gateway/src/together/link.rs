//! The connection to the store.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, IntoConnectionInfo, RedisError, Script, TlsCertificates};

use super::{Error, LimitsStore};

/// How long the store may take to answer, or to be connected to.
const ANSWER_MAX: Duration = Duration::from_millis(1_000);

/// Opens connections to the store, one at a time.
#[derive(Debug)]
pub(super) struct Link {
    client: Client,
    connection: Option<MultiplexedConnection>,
}

impl Link {
    pub(super) fn new(settings: &LimitsStore) -> Result<Self, Error> {
        let read = |path: &std::path::PathBuf| {
            std::fs::read(path).map_err(|source| Error::File {
                path: path.clone(),
                source,
            })
        };
        let mut info = settings.url.as_str().into_connection_info().map_err(Error::Url)?;
        if let Some(path) = &settings.password_file {
            let password = String::from_utf8_lossy(&read(path)?).trim().to_owned();
            let redis = info.redis_settings().clone().set_password(password);
            info = info.set_redis_settings(redis);
        }
        let is_tls = settings.url.starts_with("rediss:");
        if settings.roots.is_some() && !is_tls {
            return Err(Error::Roots);
        }
        let client = if is_tls {
            // The library takes the process's own, and asks for one where a program has two: it panics without.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
            let certificates = TlsCertificates {
                client_tls: None,
                root_cert: settings.roots.as_ref().map(read).transpose()?,
            };
            Client::build_with_tls(info, certificates)
        } else {
            Client::open(info)
        };
        Ok(Self {
            client: client.map_err(Error::Url)?,
            connection: None,
        })
    }

    /// Runs a script; after a failure, the next one gets a new connection.
    pub(super) async fn run(
        &mut self,
        script: &Script,
        keys: &[String],
        arguments: &[String],
    ) -> Result<Vec<f64>, RedisError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(ANSWER_MAX))
                    .set_response_timeout(Some(ANSWER_MAX));
                self.client
                    .get_multiplexed_async_connection_with_config(&config)
                    .await?
            }
        };
        let mut call = script.prepare_invoke();
        for key in keys {
            call.key(key);
        }
        for argument in arguments {
            call.arg(argument);
        }
        let answer = call.invoke_async(&mut connection).await?;
        self.connection = Some(connection);
        Ok(answer)
    }
}
