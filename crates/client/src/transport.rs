//! How a call travels.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, RootCertStore};
use serde::de::DeserializeOwned;
use url::Url;

use crate::types::{self, TokenRequest};
use crate::{Call, Error, Events, Problem, Session, Tokens};

/// The most bytes of an answer; the largest contract is 10 MB.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long a call may take unless [`Settings::timeout`] says otherwise; imports of large contracts take seconds.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);

/// Where a client calls, and as whom.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The server, as `http://127.0.0.1:8081`.
    pub base_url: String,
    /// The caller.
    pub session: Session,
    /// The organization to act in: name or id; the caller's first one if absent.
    pub organization: Option<String>,
    /// How long a call may take.
    pub timeout: Duration,
}

impl Settings {
    /// A caller that is nobody yet.
    pub fn new(base_url: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            session: Session::default(),
            organization: None,
            timeout: TIMEOUT_DEFAULT,
        }
    }
}

/// A client of one server; cheap to clone, clones share connections and tokens.
#[derive(Debug, Clone)]
pub struct Client {
    settings: Settings,
    /// Without a slash at the end.
    base: String,
    http: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// An answer with its status, all of it in memory.
struct Received {
    status: StatusCode,
    problem: bool,
    body: Bytes,
}

impl Client {
    /// A client with these settings; fails if the URL is none. Connects with the first call.
    ///
    /// TLS trusts the system's certificates.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let wrong = || Error::BaseUrl {
            url: settings.base_url.clone(),
        };
        let url = Url::parse(&settings.base_url).map_err(|_| wrong())?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() || url.query().is_some() {
            return Err(wrong());
        }
        let base = url.as_str().trim_end_matches('/').to_owned();
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let builder = match HttpsConnectorBuilder::new().with_provider_and_native_roots(provider.clone()) {
            Ok(builder) => builder,
            // Without the system's certificates a server on this machine can still be called.
            Err(_) => HttpsConnectorBuilder::new().with_tls_config(trusting_nobody(provider)?),
        };
        let connector = builder.https_or_http().enable_http1().build();
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(20))
            .build(connector);
        Ok(Self { settings, base, http })
    }

    /// The server, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.base
    }

    /// Who calls; holds new tokens after a refresh.
    pub fn session(&self) -> &Session {
        &self.settings.session
    }

    /// Sends a call and reads the answer's JSON.
    pub async fn send_json<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        let title = call.title();
        let body = self.send_raw(call).await?;
        serde_json::from_slice(&body).map_err(|source| Error::Unreadable { call: title, source })
    }

    /// Sends a call whose answer has no body that matters.
    pub async fn send_nothing(&self, call: Call) -> Result<(), Error> {
        self.send_raw(call).await.map(drop)
    }

    /// Sends a call and gives the answer's body as it is. An expired access token is renewed once.
    pub async fn send_raw(&self, call: Call) -> Result<Bytes, Error> {
        let tokens = self.settings.session.tokens();
        let received = self.exchange(&call, tokens.as_ref()).await?;
        let answer = judge(received);
        let expired = answer
            .as_ref()
            .is_err_and(|error| error.is("token_expired") || error.is("token_invalid"));
        let refresh = tokens.and_then(|tokens| tokens.refresh).filter(|_| expired);
        let Some(refresh) = refresh else { return answer };
        let Some(renewed) = self.renew(&refresh).await? else {
            return answer;
        };
        self.settings.session.replace(Some(renewed.clone()));
        judge(self.exchange(&call, Some(&renewed)).await?)
    }

    /// Sends a call whose answer is a stream of events; its beginning must come in time, its end need not. An expired
    /// access token is renewed once, at the beginning.
    pub async fn open_events(&self, call: &Call) -> Result<Events, Error> {
        let tokens = self.settings.session.tokens();
        let refused = match self.open(call, tokens.as_ref()).await? {
            Ok(events) => return Ok(events),
            Err(refused) => refused,
        };
        let expired = refused.is("token_expired") || refused.is("token_invalid");
        let refresh = tokens.and_then(|tokens| tokens.refresh).filter(|_| expired);
        let Some(refresh) = refresh else {
            return Err(refused);
        };
        let Some(renewed) = self.renew(&refresh).await? else {
            return Err(refused);
        };
        self.settings.session.replace(Some(renewed.clone()));
        self.open(call, Some(&renewed)).await?
    }

    /// The events, or what the server says is wrong.
    async fn open(&self, call: &Call, tokens: Option<&Tokens>) -> Result<Result<Events, Error>, Error> {
        let answer = self.in_time(self.begin(call, tokens)).await?;
        if answer.status().is_success() {
            return Ok(Ok(Events::new(&self.base, answer.into_body())));
        }
        let received = self.in_time(self.collect(call, answer)).await?;
        let status = received.status;
        Ok(Err(judge(received)
            .err()
            .unwrap_or(Error::Unexplained { status })))
    }

    /// New tokens for a refresh token; `None` if the server does not take it any more.
    async fn renew(&self, refresh: &str) -> Result<Option<Tokens>, Error> {
        let wanted = TokenRequest {
            refresh_token: Some(refresh.to_owned()),
            ..TokenRequest::new("refresh_token")
        };
        // Not the generated method: that renews an expired token, which is what is being done here.
        let call = Call::new(Method::POST, "/api/v1/auth/token").form(&wanted)?;
        let Ok(body) = judge(self.exchange(&call, None).await?) else {
            return Ok(None);
        };
        let renewed: types::Tokens = serde_json::from_slice(&body).map_err(|source| Error::Unreadable {
            call: call.title(),
            source,
        })?;
        let refresh = renewed.refresh_token.or_else(|| Some(refresh.to_owned()));
        Ok(Some(Tokens {
            access: renewed.access_token,
            refresh,
        }))
    }

    async fn exchange(&self, call: &Call, tokens: Option<&Tokens>) -> Result<Received, Error> {
        self.in_time(async {
            let answer = self.begin(call, tokens).await?;
            self.collect(call, answer).await
        })
        .await
    }

    /// Sends a call and waits for the head of the answer.
    async fn begin(&self, call: &Call, tokens: Option<&Tokens>) -> Result<Response<Incoming>, Error> {
        let request = self.request(call, tokens)?;
        let answer = self.http.request(request).await;
        answer.map_err(|source| self.unreachable(source))
    }

    /// Reads an answer to its end.
    async fn collect(&self, call: &Call, answer: Response<Incoming>) -> Result<Received, Error> {
        let (head, body) = answer.into_parts();
        let kind = head
            .headers
            .get(header::CONTENT_TYPE)
            .map(HeaderValue::as_bytes)
            .unwrap_or_default();
        let problem = kind.starts_with(b"application/problem+json");
        let body = Limited::new(body, ANSWER_BYTES_MAX)
            .collect()
            .await
            .map_err(|source| {
                if source.is::<LengthLimitError>() {
                    Error::TooLarge {
                        call: call.title(),
                        bytes_max: ANSWER_BYTES_MAX,
                    }
                } else {
                    self.unreachable(source)
                }
            })?;
        Ok(Received {
            status: head.status,
            problem,
            body: body.to_bytes(),
        })
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let done = tokio::time::timeout(self.settings.timeout, work).await;
        done.unwrap_or_else(|_| {
            Err(Error::TimedOut {
                base: self.base.clone(),
                seconds: self.settings.timeout.as_secs(),
            })
        })
    }

    fn request(&self, call: &Call, tokens: Option<&Tokens>) -> Result<Request<Full<Bytes>>, Error> {
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(format!("{}{}", self.base, call.path))
            .header(
                header::USER_AGENT,
                concat!("gateline/", env!("CARGO_PKG_VERSION")),
            )
            .header(
                header::ACCEPT,
                "application/json, application/problem+json, */*;q=0.1",
            );
        if let Some(tokens) = tokens {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", tokens.access));
        }
        if let Some(organization) = &self.settings.organization {
            request = request.header("x-gateline-organization", organization);
        }
        let mut request = request
            .body(Full::new(call.body.clone()))
            .map_err(|source| Error::Request {
                call: call.title(),
                source: source.into(),
            })?;
        request.headers_mut().extend(call.headers.clone());
        Ok(request)
    }

    fn unreachable(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::Unreachable {
            base: self.base.clone(),
            source: source.into(),
        }
    }
}

/// The body of a success, or what the server says is wrong.
fn judge(received: Received) -> Result<Bytes, Error> {
    if received.status.is_success() {
        return Ok(received.body);
    }
    let problem: Option<Problem> = received
        .problem
        .then(|| serde_json::from_slice(&received.body).ok())
        .flatten();
    Err(match problem {
        Some(mut problem) => {
            problem.status = received.status.as_u16();
            Error::Problem(Box::new(problem))
        }
        None => Error::Unexplained {
            status: received.status,
        },
    })
}

/// A configuration that trusts no certificate.
fn trusting_nobody(provider: CryptoProvider) -> Result<ClientConfig, Error> {
    let builder = ClientConfig::builder_with_provider(Arc::new(provider));
    let builder = builder
        .with_safe_default_protocol_versions()
        .map_err(Error::Tls)?;
    Ok(builder
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}
