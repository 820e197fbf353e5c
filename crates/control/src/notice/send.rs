//! Sending: a notification is tried until it is received, with longer and longer waits, for a day.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::Timestamp;
use domain::alert::{AlertChannel, AlertTarget, WebhookFormat};
use domain::id::NoticeId;
use domain::report::{Report, ReportFormat};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioExecutor;
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart, header};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use store::notice::DueNotice;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tower::Service;

use super::target;
use crate::alert::MailSettings;
use crate::counter::Counters;
use crate::{Control, Error, report};

/// How often is looked for what is to be tried again.
const EVERY: Duration = Duration::from_secs(5);
/// How long one try may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long nobody else tries what somebody has begun to send.
const LEASE: Duration = Duration::from_secs(60);
/// Notifications that are sent at a time.
const AT_ONCE: u32 = 16;
/// The waits between tries; the last one again and again.
const WAITS: [Duration; 6] = [
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(120),
    Duration::from_secs(600),
    Duration::from_secs(1800),
    Duration::from_secs(3600),
];
/// How long a notification is tried.
const GIVEN_UP_AFTER: Duration = Duration::from_hours(24);
/// The most characters of an error that is kept.
const ERROR_CHARS_MAX: usize = 300;

/// Why a notification was not received.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Undelivered {
    /// The channel is not there any more.
    #[error("the channel was removed")]
    Removed,
    /// It may not be called.
    #[error("the URL is refused: {0}")]
    Refused(String),
    /// Its answer was no success.
    #[error("the server answered {0}")]
    Status(http::StatusCode),
    /// It did not answer in time.
    #[error("there was no answer within {} seconds", PATIENCE.as_secs())]
    Late,
    /// It cannot be reached.
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    /// No mail is sent here.
    #[error("this installation sends no mail")]
    MailOff,
    /// The mail server did not take it.
    #[error("the mail server did not take it: {0}")]
    Mail(String),
}

/// Sends what has to be told until `stop` holds true or its sender is gone.
pub(crate) async fn run(control: &Control, mut stop: watch::Receiver<bool>, news: &Notify) {
    loop {
        tokio::select! {
            () = news.notified() => {}
            () = tokio::time::sleep(EVERY) => {}
            stopped = stop.wait_for(|stopped| *stopped) => {
                drop(stopped);
                return;
            }
        }
        if let Err(error) = send_due(control).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "notifications were not sent"
            );
        }
    }
}

/// Sends what is due, a part at a time.
pub(super) async fn send_due(control: &Control) -> Result<(), Error> {
    loop {
        let now = control.now();
        let mut tx = control.store().begin().await?;
        let due = tx.claim_notices(now, now.after(LEASE), AT_ONCE).await?;
        tx.commit().await?;
        if due.is_empty() {
            return Ok(());
        }
        let mut sending = JoinSet::new();
        for notice in due {
            let control = control.clone();
            sending.spawn(async move {
                let sent = deliver(&control, &notice).await;
                note(&control, &notice, sent).await
            });
        }
        while let Some(noted) = sending.join_next().await {
            noted.map_err(|error| Error::internal("sending a notification", error))??;
        }
    }
}

/// Notes what became of a try.
async fn note(control: &Control, notice: &DueNotice, sent: Result<(), Undelivered>) -> Result<(), Error> {
    let now = control.now();
    let counters = &control.inner.counters;
    let mut tx = control.store().begin().await?;
    match sent {
        Ok(()) => {
            Counters::count(&counters.alert_notices_delivered);
            tx.deliver_notice(notice.id, now).await?;
        }
        Err(error) => {
            let wait = usize::try_from(notice.attempts)
                .unwrap_or(usize::MAX)
                .min(WAITS.len() - 1);
            let next = now.after(WAITS[wait]);
            let is_over =
                matches!(error, Undelivered::Removed) || next > notice.created_at.after(GIVEN_UP_AFTER);
            let words: String = error.to_string().chars().take(ERROR_CHARS_MAX).collect();
            Counters::count(&counters.alert_notice_tries_failed);
            if is_over {
                Counters::count(&counters.alert_notices_given_up);
            }
            tracing::info!(notice = %notice.id, error = words, given_up = is_over, "a notification was not received");
            tx.fail_notice(notice.id, &words, (!is_over).then_some(next), now)
                .await?;
        }
    }
    Ok(tx.commit().await?)
}

async fn deliver(control: &Control, notice: &DueNotice) -> Result<(), Undelivered> {
    let (channel, secret) = notice.channel.as_ref().ok_or(Undelivered::Removed)?;
    send(control, (channel, *secret), notice.id, &notice.body).await
}

/// Sends a notification that is about nothing.
pub(crate) async fn try_out(
    control: &Control,
    channel: &AlertChannel,
    secret: i64,
) -> Result<(), Undelivered> {
    let body = json!({
        "type": "alert.test",
        "timestamp": control.now(),
        "data": {
            "description": format!("Somebody tries out the channel {}. Nothing is wrong.", channel.spec.title),
            "url": control.console_url("alerts/channels"),
        },
    });
    let id = NoticeId::new(control.uuid());
    send(control, (channel, secret), id, &body).await
}

async fn send(
    control: &Control,
    (channel, secret): (&AlertChannel, i64),
    id: NoticeId,
    body: &Value,
) -> Result<(), Undelivered> {
    let settings = &control.settings().alerts;
    let sent = async {
        match &channel.spec.target {
            AlertTarget::Webhook { url, format } => {
                let url = target::webhook(settings.allows_private, url).map_err(Undelivered::Refused)?;
                let key = target::key(control, channel.id, secret);
                let request = request(url.as_str(), *format, (id, &key), body, control.now());
                call(settings.allows_private, request).await
            }
            AlertTarget::Email { to } => {
                let mail = settings.mail.as_ref().ok_or(Undelivered::MailOff)?;
                post(mail, to, id, body).await
            }
        }
    };
    tokio::time::timeout(PATIENCE, sent)
        .await
        .unwrap_or(Err(Undelivered::Late))
}

/// One line for people: how bad, what, and where to look.
fn line(body: &Value) -> String {
    let data = &body["data"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let alert = &data["alert"];
    if body["type"] == "report.made" {
        let period = &data["report"]["period"];
        let day = |moment: &Value| text(moment).chars().take(10).collect::<String>();
        return format!(
            "{}, {} to {}",
            text(&data["title"]),
            day(&period["from"]),
            day(&period["to"])
        );
    }
    if alert.is_null() {
        return text(&data["description"]);
    }
    let what = match body["type"].as_str() {
        Some("alert.resolved") => "Resolved".to_owned(),
        Some("alert.repeated") => format!("Still firing ({})", text(&alert["severity"])),
        _ => format!("Firing ({})", text(&alert["severity"])),
    };
    format!("{what}: {} - {}", text(&alert["title"]), text(&alert["summary"]))
}

/// The call of a webhook, signed as Standard Webhooks has it.
fn request(
    url: &str,
    format: WebhookFormat,
    (id, key): (NoticeId, &[u8]),
    body: &Value,
    now: Timestamp,
) -> http::Request<Full<Bytes>> {
    let body = match format {
        WebhookFormat::Standard => body.to_string(),
        WebhookFormat::Text => {
            let url = body["data"]["url"].as_str().unwrap_or_default();
            json!({ "text": format!("{}\n{url}", line(body)) }).to_string()
        }
    };
    let seconds = now.as_micros().div_euclid(1_000_000);
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key);
    let signature = aws_lc_rs::hmac::sign(&key, format!("{id}.{seconds}.{body}").as_bytes());
    http::Request::post(url)
        .header(http::header::CONTENT_TYPE, "application/json")
        .header(
            http::header::USER_AGENT,
            concat!("gateline/", env!("CARGO_PKG_VERSION")),
        )
        .header("webhook-id", id.to_string())
        .header("webhook-timestamp", seconds)
        .header("webhook-signature", format!("v1,{}", STANDARD.encode(signature)))
        .body(Full::new(Bytes::from(body)))
        .expect("the URL was parsed and the headers are ours")
}

/// Redirects are not followed: where they lead nobody has entered.
async fn call(allows_private: bool, request: http::Request<Full<Bytes>>) -> Result<(), Undelivered> {
    let client = client(allows_private);
    let response = client.request(request).await.map_err(|error| {
        let reason = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        Undelivered::Unreachable(reason)
    })?;
    match response.status() {
        status if status.is_success() => Ok(()),
        status => Err(Undelivered::Status(status)),
    }
}

type Caller = Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>;

/// The client of all webhooks of this process; it keeps no connections.
fn client(allows_private: bool) -> &'static Caller {
    static PUBLIC: OnceLock<Caller> = OnceLock::new();
    static ANY: OnceLock<Caller> = OnceLock::new();
    let place = if allows_private { &ANY } else { &PUBLIC };
    place.get_or_init(|| {
        let roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has the versions that are usual")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut http = HttpConnector::new_with_resolver(Resolver { allows_private });
        http.enforce_http(false);
        http.set_connect_timeout(Some(PATIENCE));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(connector)
    })
}

/// Finds addresses of hosts, and leaves out those that are not of the public internet.
///
/// Looked at where the connection is made, and not before it, so that a name cannot lead somewhere else by then.
#[derive(Debug, Clone, Copy)]
struct Resolver {
    allows_private: bool,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let allows_private = self.allows_private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<_> = found
                .filter(|address| allows_private || target::is_public(address.ip()))
                .collect();
            if allowed.is_empty() {
                return Err(io::Error::other("it has no address of the public internet"));
            }
            Ok(allowed.into_iter())
        })
    }
}

/// The file that a mail has with it: a report, as its schedule wants it.
fn attachment(data: &Value) -> Result<Option<SinglePart>, Error> {
    if data["report"].is_null() {
        return Ok(None);
    }
    let unreadable = |error| Error::internal("reading a report", error);
    let made: Report = serde_json::from_value(data["report"].clone()).map_err(unreadable)?;
    let format: ReportFormat = serde_json::from_value(data["format"].clone()).map_err(unreadable)?;
    let (kind, ending, content) = match format {
        ReportFormat::Csv => {
            let text =
                report::write_csv(&made, None).map_err(|error| Error::internal("writing a report", error))?;
            (
                header::ContentType::parse("text/csv; charset=utf-8"),
                "csv",
                text.into_bytes(),
            )
        }
        ReportFormat::Pdf => {
            let file =
                report::write_pdf(&made).map_err(|error| Error::internal("writing a report", error))?;
            (header::ContentType::parse("application/pdf"), "pdf", file)
        }
    };
    let kind = kind.map_err(|error| Error::internal("naming a kind of file", error))?;
    let name = format!("{}.{ending}", made.name);
    Ok(Some(Attachment::new(name).body(content, kind)))
}

/// Sends a mail to all mailboxes of a channel.
async fn post(mail: &MailSettings, to: &[String], id: NoticeId, body: &Value) -> Result<(), Undelivered> {
    let wrong = |error: &dyn std::fmt::Display| Undelivered::Mail(error.to_string());
    let from: Mailbox = mail
        .from
        .parse()
        .map_err(|error: lettre::address::AddressError| wrong(&error))?;
    let subject = line(body);
    let mut message = Message::builder()
        .from(from)
        .message_id(Some(format!("<{id}@gateline>")))
        .subject(subject.replace(['\r', '\n'], " "));
    for address in to {
        let mailbox = address
            .parse()
            .map_err(|error: lettre::address::AddressError| wrong(&error))?;
        message = message.to(mailbox);
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let data = &body["data"];
    let about = [&data["description"], &data["report"]["about"]].map(text);
    let parts = [&[subject], &about[..], &[text(&data["url"])]].concat();
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let words = parts.join("\n\n") + "\n";
    let message = match attachment(data).map_err(|error| wrong(&error))? {
        None => message.header(header::ContentType::TEXT_PLAIN).body(words),
        Some(file) => {
            let words = SinglePart::plain(words);
            message.multipart(MultiPart::mixed().singlepart(words).singlepart(file))
        }
    };
    let message = message.map_err(|error| wrong(&error))?;
    let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&mail.url)
        .map_err(|error| wrong(&error))?
        .timeout(Some(PATIENCE))
        .build();
    transport.send(message).await.map_err(|error| wrong(&error))?;
    Ok(())
}

#[cfg(test)]
mod tests;
