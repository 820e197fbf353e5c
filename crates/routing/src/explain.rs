//! Says where a request would go, by asking the same table as the gateway.

use domain::Timestamp;
use domain::certificate::Facts;
use domain::explain::ExplainSpec;
use domain::id::OperationId;
use domain::snapshot::Route;
use flags::{Asking, Sets};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use crate::action::Action;
use crate::conditions::Miss;
use crate::fault::{Fault, Faults};
use crate::operations::Operations;
use crate::path::check_path;
use crate::table::{Request, Table};

/// Where a request goes, by places in the list of routes.
#[derive(Debug)]
pub struct Explained {
    /// The routes that were tried, with the condition that did not hold; the last one took it if there is none.
    pub tried: Vec<(usize, Option<Miss>)>,
    /// What becomes of it.
    pub end: End,
    /// Path and query as they were asked for.
    pub target: (String, String),
}

/// What becomes of a request.
#[derive(Debug)]
pub enum End {
    /// No route takes it.
    NoRoute,
    /// The route's version does not have the path.
    NoOperation,
    /// The route's version has the path with these methods.
    OtherMethods(String),
    /// It is forwarded.
    Forward {
        /// The operation.
        operation: OperationId,
        /// The path for the upstream, behind the path of its target.
        path: String,
        /// The `Host` for the upstream, if the route says one.
        host: Option<String>,
    },
    /// It opens a tunnel.
    Tunnel,
    /// The client names a port to which the route opens none.
    OtherPorts,
    /// The client is sent elsewhere.
    Redirect {
        /// The status.
        status: u16,
        /// `Location`.
        location: String,
    },
    /// It is answered with this status.
    Answer(u16),
}

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What is asked about is no request, or one that the gateway refuses before it looks for a route.
    #[error("this is not a request")]
    Request(Vec<Fault>),
    /// The routes cannot be served as they are, so nodes keep what they have.
    #[error("the routes cannot be served")]
    Routes(String),
}

/// Explains where a request would go.
///
/// `certificate` is what the client's certificate says, which `asked` has as text; flags give what they give at a moment.
pub fn explain(
    routes: &[Route],
    asked: &ExplainSpec,
    certificate: Option<&Facts>,
    (sets, now): (&Sets, Timestamp),
) -> Result<Explained, Error> {
    let parsed = parse(asked).map_err(Error::Request)?;
    let table = Table::compile(routes, None).map_err(|error| Error::Routes(error.to_string()))?;
    let request = parsed.request();
    let facts = flags::Facts {
        method: request.method.as_str(),
        host: request.host,
        path: request.path,
        query: request.query,
        address: None,
        now,
    };
    let flags = Asking::new(sets, facts);
    let request = Request {
        certificate,
        flags: Some(&flags),
        ..request
    };
    let mut tried = Vec::new();
    let found = table.walk(&request, &mut |candidate| {
        let checked = candidate.check(&request);
        tried.push((candidate.route, checked.err()));
        checked.is_ok()
    });
    let end = match found {
        None => End::NoRoute,
        Some(found) => end(&routes[found.route], &request, (found.base, parsed.scheme))?,
    };
    let target = (request.path.to_owned(), request.query.to_owned());
    Ok(Explained { tried, end, target })
}

/// What a route does with a request that it takes.
fn end(route: &Route, request: &Request<'_>, (base, scheme): (usize, &str)) -> Result<End, Error> {
    let unusable = |detail: String| Error::Routes(format!("route {}: {detail}", route.id));
    let action = Action::compile(route).map_err(|faults| unusable(faults[0].to_string()))?;
    let rewriting = match action {
        Action::Redirect(redirection) => {
            let location = redirection.location(request, base, scheme);
            let location = location.as_ref().and_then(|location| location.to_str().ok());
            return Ok(End::Redirect {
                status: redirection.status.as_u16(),
                location: location.unwrap_or_default().to_owned(),
            });
        }
        Action::Answer(answer) => return Ok(End::Answer(answer.status.as_u16())),
        Action::Tunnel(connect) => {
            let is_taken = parsed_port(request).is_some_and(|port| connect.takes(port));
            return Ok(if is_taken { End::Tunnel } else { End::OtherPorts });
        }
        Action::Forward(rewriting) => rewriting,
    };
    let mut operations = Operations::default();
    for operation in &route.operations {
        let method = Method::from_bytes(operation.method.as_bytes())
            .map_err(|_| unusable(format!("`{}` is no method", operation.method)))?;
        operations.insert(method, &operation.path, operation);
    }
    let path = &request.path[base..];
    let Some(operation) = operations.find(request.method, path) else {
        let allowed = operations.allowed(path);
        return Ok(if allowed.is_empty() {
            End::NoOperation
        } else {
            End::OtherMethods(allowed)
        });
    };
    let rewritten = rewriting
        .as_ref()
        .and_then(|rewriting| rewriting.path(request.path, base, &operation.path));
    let host = rewriting.as_ref().and_then(|rewriting| rewriting.host.as_ref());
    Ok(End::Forward {
        operation: operation.id,
        path: rewritten.unwrap_or_else(|| path.to_owned()),
        host: host.and_then(|host| host.to_str().ok()).map(str::to_owned),
    })
}

/// The port that a request names.
fn parsed_port(request: &Request<'_>) -> Option<u16> {
    Authority::try_from(request.authority).ok()?.port_u16()
}

/// A request as it would arrive.
struct Parsed {
    method: Method,
    uri: Uri,
    host: String,
    headers: HeaderMap,
    scheme: &'static str,
}

impl Parsed {
    fn request(&self) -> Request<'_> {
        let is_tunnel = self.method == Method::CONNECT;
        Request {
            method: &self.method,
            host: &self.host,
            authority: self
                .uri
                .authority()
                .map_or(b"", |authority| authority.as_str().as_bytes()),
            // What asks for a tunnel has neither.
            path: if is_tunnel { "" } else { self.uri.path() },
            query: self.uri.query().filter(|_| !is_tunnel).unwrap_or_default(),
            headers: &self.headers,
            certificate: None,
            flags: None,
        }
    }
}

fn parse(asked: &ExplainSpec) -> Result<Parsed, Vec<Fault>> {
    let mut faults = Faults::default();
    let method = Method::from_bytes(asked.method.as_bytes()).unwrap_or_else(|_| {
        faults.add(
            "/method",
            "method_invalid",
            "It is not a method.",
            "Write it in capitals, as `GET`.",
        );
        Method::GET
    });
    // A fragment is never sent.
    let url = asked.url.split('#').next().unwrap_or_default();
    let uri: Uri = match url.parse() {
        Ok(uri) => uri,
        Err(_) => {
            faults.add(
                "/url",
                "url_invalid",
                "It is not a URL.",
                "Write it as `https://api.example.com/shop/pets`, or as a path for any host.",
            );
            return Err(faults.0);
        }
    };
    let wrong = if method == Method::CONNECT {
        let has_port = uri.port_u16().is_some_and(|port| port > 0);
        (!has_port).then_some("A tunnel is asked for with a host and a port.")
    } else {
        check_path(uri.path()).err()
    };
    if let Some(detail) = wrong {
        let suggestion = "The gateway refuses it with 400 `message_malformed`.";
        faults.add("/url", "url_invalid", detail, suggestion);
    }
    let mut headers = HeaderMap::new();
    for (index, line) in asked.headers.iter().enumerate() {
        let name = HeaderName::from_bytes(line.name.as_bytes());
        match (name, HeaderValue::from_str(&line.value)) {
            (Ok(name), Ok(value)) => {
                headers.append(name, value);
            }
            _ => faults.add(
                format!("/headers/{index}"),
                "field_invalid",
                "It is not a header field.",
                "Write a name of letters, digits and hyphens, and a value without control characters.",
            ),
        }
    }
    let host = uri.host().unwrap_or_default();
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let scheme = if uri.scheme_str() == Some("https") {
        "https"
    } else {
        "http"
    };
    faults.or(Parsed {
        method,
        host,
        headers,
        scheme,
        uri,
    })
}
