//! Pages for people: console, portal and reference from `webui`, the error pages, and what crawlers ask for.

use axum::extract::{OriginalUri, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Extension, Router};
use control::Error;
use domain::Code;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};

use crate::app::App;
use crate::edge::Context;
use crate::problem::{self, Origin};

/// The style of the error pages is a file of its own because the policy of pages allows none in them.
const STYLE: &str = include_str!("pages/errors.css");

/// Everything that is not for programs.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/", get(|| async { Redirect::temporary("/portal/") }))
        .route("/console", get(|| async { Redirect::temporary("/console/") }))
        .route("/portal", get(|| async { Redirect::temporary("/portal/") }))
        .route("/console/", get(web))
        .route("/console/{*path}", get(web))
        .route("/portal/", get(web))
        .route("/portal/{*path}", get(web))
        .route("/assets/{*path}", get(web))
        .route("/favicon.svg", get(web))
        .route("/api/docs", get(web))
        .route("/docs/errors", get(error_index))
        .route("/docs/errors/style.css", get(style))
        .route("/docs/errors/{code}", get(error_page))
        .route("/llms.txt", get(llms))
}

/// A file of the web pages.
async fn web(
    State(app): State<App>,
    Extension(context): Extension<Context>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response {
    let accepted = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let path = uri.path().trim_start_matches('/');
    let Some(file) = webui::file(path, accepted) else {
        return missing(&app, &context, &uri, "Nothing answers under this path.");
    };
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok());
    let is_known = known.is_some_and(|known| known.split(',').any(|tag| tag.trim() == file.etag));
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        file.bytes.into_response()
    };
    let caching = if file.immutable {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let all = response.headers_mut();
    all.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.content_type));
    all.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    all.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    all.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(webui::CONTENT_SECURITY_POLICY),
    );
    if let Ok(tag) = HeaderValue::try_from(file.etag) {
        all.insert(header::ETAG, tag);
    }
    if let Some(encoding) = file.encoding {
        all.insert(
            header::CONTENT_ENCODING,
            HeaderValue::from_static(encoding.as_str()),
        );
    }
    response
}

async fn style() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
    ];
    (headers, STYLE).into_response()
}

/// All codes, as a page or as Markdown.
async fn error_index(headers: HeaderMap) -> Response {
    if wants_markdown(&headers) {
        let rows = Code::ALL.iter().map(|code| {
            format!(
                "| [`{0}`]({1}) | {2} | {3} |\n",
                code.as_str(),
                code.page(),
                code.status(),
                code.title()
            )
        });
        let rows: String = rows.collect();
        return markdown(format!("# Errors\n\n| code | status | |\n|---|---|---|\n{rows}"));
    }
    let rows = Code::ALL.iter().map(|code| {
        format!(
            "<tr><td><a href=\"{}\"><code>{}</code></a></td><td>{}</td><td>{}</td></tr>\n",
            code.page(),
            code.as_str(),
            code.status(),
            escape(code.title())
        )
    });
    let rows: String = rows.collect();
    let body = format!(
        "<h1>Errors</h1>\n<p>Every error of Gateline has one of these codes. Programs match the code, never the text.</p>\n\
         <table>\n<thead><tr><th>code</th><th>status</th><th>what happened</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"
    );
    page("Errors", &body)
}

/// The page of one code.
async fn error_page(
    State(app): State<App>,
    Extension(context): Extension<Context>,
    OriginalUri(uri): OriginalUri,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Some(code) = Code::ALL.iter().copied().find(|code| code.as_str() == name) else {
        let name: String = name.chars().take(60).collect();
        let detail = format!("There is no error code `{name}`; /docs/errors lists them.");
        return missing(&app, &context, &uri, &detail);
    };
    let entry = code.entry();
    if wants_markdown(&headers) {
        return markdown(format!(
            "# `{}`\n\n**{}** (HTTP {})\n\n{}\n\n[All codes](/docs/errors)\n",
            entry.code, entry.title, entry.status, entry.suggestion
        ));
    }
    let body = format!(
        "<p><a href=\"/docs/errors\">All errors</a></p>\n<h1><code>{}</code></h1>\n<p class=\"title\">{}</p>\n\
         <dl>\n<dt>HTTP status</dt><dd>{}</dd>\n<dt>What to do</dt><dd>{}</dd>\n</dl>\n\
         <p>The answer's <code>detail</code> says what exactly happened, <code>request_id</code> finds it in the log.</p>\n",
        entry.code,
        escape(entry.title),
        entry.status,
        escape(entry.suggestion)
    );
    page(entry.code, &body)
}

fn missing(app: &App, context: &Context, uri: &Uri, detail: &str) -> Response {
    let origin = Origin {
        control_url: &app.settings.control_url,
        request_id: &context.request_id,
        path: uri.path(),
    };
    problem::answer(&origin, &Error::refused(Code::NotFound, detail))
}

/// What language models should read first (llmstxt.org).
async fn llms(State(app): State<App>) -> Response {
    let base = &app.settings.control_url;
    let text = format!(
        "# Gateline\n\n> API management: gateway, control plane, developer portal, usage.\n\n\
         ## API\n\n- [OpenAPI document]({base}/api/v1/openapi.json): every operation of the control API\n\
         - [Reference]({base}/api/docs): the same for people\n\
         - [Error codes]({base}/docs/errors): every `code` with what to do (Markdown with `Accept: text/markdown`)\n\
         - [API catalog]({base}/.well-known/api-catalog): link set (RFC 9727)\n\n\
         ## Portal\n\n- [Catalogue]({base}/api/v1/catalogue/products): public API products as JSON, no sign-in needed\n\
         - [Portal]({base}/portal/): the same for people\n"
    );
    markdown(text)
}

fn wants_markdown(headers: &HeaderMap) -> bool {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    accept.contains("text/markdown") || accept.contains("text/plain")
}

fn markdown(text: String) -> Response {
    (
        [
            (header::CONTENT_TYPE, "text/markdown; charset=utf-8"),
            (header::VARY, "accept"),
        ],
        text,
    )
        .into_response()
}

fn page(title: &str, body: &str) -> Response {
    let text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{} – Gateline</title>\n\
         <link rel=\"icon\" href=\"/favicon.svg\">\n<link rel=\"stylesheet\" href=\"/docs/errors/style.css\">\n\
         </head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        escape(title)
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, webui::CONTENT_SECURITY_POLICY),
        (header::CACHE_CONTROL, "public, max-age=3600"),
        (header::VARY, "accept"),
    ];
    (headers, text).into_response()
}

/// Text of the catalogue as HTML; what stands in backquotes is code.
fn escape(text: &str) -> String {
    let text = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;");
    let mut html = String::with_capacity(text.len());
    for (index, part) in text.split('`').enumerate() {
        match index % 2 {
            0 => html.push_str(part),
            _ => html.push_str(&format!("<code>{part}</code>")),
        }
    }
    html
}
