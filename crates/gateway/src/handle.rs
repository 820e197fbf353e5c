//! The way of a request, step by step.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::catalog::Stage;
use http::header::{
    ACCESS_CONTROL_REQUEST_METHOD, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, ORIGIN,
};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri, Version};
use memchr::memchr;
use policy::builtin::bandwidth_limit::Flow;
use policy::effects::Later;
use policy::{Answer, Call, Consumer, Cost, Effects, Limits, Moment, Verdict};
use routing::Rewriting;

use crate::body::{AnswerBody, Arriving, RequestBody, Upload};
use crate::brake::Brake;
use crate::compile::{Action, Chain, Compiled, Matched, Operation, Route};
use crate::conn::{Conn, Open};
use crate::core::{Core, Installed};
use crate::ease::{Eased, brakes, ease};
use crate::exchange::{Going, exchange};
use crate::forward::{self, Added};
use crate::grpc_web::Form;
use crate::named::Named;
use crate::place;
use crate::refusal::{Asked, Cause};
use crate::ticket::Ticket;
use crate::tls::Shelf;
use crate::websocket;
use crate::{grpc, grpc_web};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const OVER_LIMIT: HeaderName = HeaderName::from_static("gateline-over-limit");

/// A request as its connection brings it.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Arriving,
    /// Whether the connection or stream shall become a WebSocket.
    pub(crate) is_websocket: bool,
}

/// What the answer needs to know of what happened on the way there.
struct Context<'a> {
    request_id: HeaderValue,
    origin: Option<HeaderValue>,
    route: Option<&'a Route>,
    chain: Option<&'a Chain>,
    limits: Option<(HeaderValue, HeaderValue)>,
    /// Limits over which the call was and that let it pass.
    over: Option<HeaderValue>,
    /// Limits that count the call by the status of its answer.
    later: Vec<Later<'a>>,
}

/// What every answer says at its end, besides what its head holds.
#[derive(Debug)]
pub(crate) struct Tail {
    request_id: HeaderValue,
    limits: Option<(HeaderValue, HeaderValue)>,
}

impl Tail {
    /// Names each field with its value.
    pub(crate) fn each(&self, mut take: impl FnMut(&HeaderName, &HeaderValue)) {
        if let Some((policy, limits)) = &self.limits {
            take(&RATE_LIMIT_POLICY, policy);
            take(&RATE_LIMIT, limits);
        }
        take(&forward::REQUEST_ID, &self.request_id);
    }

    /// Whether a field of the head is said here instead.
    pub(crate) fn replaces(&self, name: &str) -> bool {
        match name {
            "x-request-id" => true,
            "ratelimit" | "ratelimit-policy" => self.limits.is_some(),
            _ => false,
        }
    }
}

/// Serves one request; whatever happens, there is an answer and a record of it.
pub(crate) async fn handle(open: Open, request: Request) -> (Response<AnswerBody>, Tail) {
    let conn = Rc::clone(open.conn());
    let core = conn.core();
    let installed = core.installed();
    let (mut ticket, moment) = Ticket::begin(open, &request.method, Instant::now());
    let mut context = Context {
        request_id: forward::request_id(&request.headers, ticket.request(), &core.spare),
        origin: request.headers.get(ORIGIN).cloned(),
        route: None,
        chain: None,
        limits: None,
        over: None,
        later: Vec::new(),
    };
    let method = request.method.clone();
    let grpc = match method {
        Method::POST => grpc::content_type(&request.headers).cloned(),
        _ => None,
    };
    let outcome = serve(
        &conn,
        installed.as_deref(),
        &mut context,
        (&mut ticket, moment),
        request,
    )
    .await;
    let mut response = match outcome {
        Ok(response) => {
            ticket.answered(response.status(), None);
            response
        }
        Err(cause) => {
            let control_url = installed
                .as_ref()
                .map_or("", |installed| &installed.compiled.control_url);
            let request_id = context.request_id.to_str().unwrap_or_default();
            let own = cause.answer(&Asked {
                method: Some(&method),
                request_id,
                grpc: grpc.as_ref(),
                control_url,
            });
            ticket.answered(own.status, own.code);
            own.response
        }
    };
    for later in &context.later {
        later.answered(response.status());
    }
    finish(&mut response, &context, conn.is_leaving());
    let tail = Tail {
        request_id: context.request_id,
        limits: context.limits,
    };
    let brake = ticket.down.take();
    (response.map(|body| body.braked(brake).with_ticket(ticket)), tail)
}

async fn serve<'a>(
    conn: &Rc<Conn>,
    installed: Option<&'a Installed>,
    context: &mut Context<'a>,
    (ticket, moment): (&mut Ticket, Moment),
    request: Request,
) -> Result<Response<AnswerBody>, Cause> {
    let core = conn.core();
    let Request {
        method,
        uri,
        version,
        mut headers,
        body,
        is_websocket,
    } = request;

    // 1. Where it goes: one host, a path that means the same to everybody.
    let whole = uri.path_and_query().map_or("", PathAndQuery::as_str);
    let (path, query) = whole.split_at(memchr(b'?', whole.as_bytes()).unwrap_or(whole.len()));
    let named = conn.named(&method, &uri, &headers)?;
    place::check_path(path)?;

    // 2. Which operation that is; where there is no route, the node speaks for itself.
    let Some(installed) = installed else {
        return own_page(conn, path).ok_or(Cause::NotReady);
    };
    let compiled = &installed.compiled;
    if let Some(answer) = before_routing(conn, &compiled.shelf, &named.name, path)? {
        return Ok(answer);
    }
    let address = conn.client(&headers);
    let asked = asked(&method, &named, (path, query), &headers);
    let from = (address, moment);
    let on = match way((conn, from), compiled, (context, ticket), &asked)? {
        Way::On(on) => on,
        Way::Answered(response) => return Ok(*response),
    };
    let On { route, operation, .. } = on;

    // 3. Whether its record will find a place, and whether the version is still served.
    ticket.reserve().map_err(|events::Overloaded| Cause::Overloaded)?;
    if route.stage == Stage::Retired {
        return Err(Cause::Retired {
            api: route.place.api_name.to_string(),
        });
    }

    // 4. Who calls, the plan's rate, the other policies, the quota.
    forward::clean_request(&mut headers);
    let mut said = Said {
        method: &method,
        headers: &mut headers,
        path: &path[on.rest..],
        query,
        from,
    };
    let judged = judge(core, compiled, (context, ticket), &on, &mut said)?;
    if !judged.eased.is_nothing() {
        ease(core, judged.eased, (&mut headers, ticket)).await;
    }
    let (up, down) = brakes(core, judged.flows);
    ticket.down = down;

    // 5. The body: no more than is allowed, refused at once if the client says so beforehand.
    let mut body = request_body(conn, body, operation, (ticket, up))?;
    ticket.counted(judged.units);
    let web = translate(&operation.chain, &mut headers, &mut body);

    // 6. To the upstream and back.
    let request_id = context.request_id.clone();
    let rewritten = on.path(path)?;
    let going = Going {
        added: Added::new(conn, (&headers, version), &named, &request_id, judged.consumer),
        method: &method,
        path: rewritten.as_deref().unwrap_or(&path[on.rest..]),
        query,
        version,
        is_websocket: is_websocket && method == Method::GET && websocket::is_asked(&headers),
        host: &named.header,
        host_sent: on.rewriting.and_then(|rewriting| rewriting.host.as_ref()),
        headers,
    };
    let balancer = &installed.balancers[on.upstream];
    let response = exchange(conn, balancer, going, body, ticket.upload.clone()).await?;
    Ok(translated(response, web))
}

/// What a request says to the policies.
struct Said<'h> {
    method: &'h Method,
    headers: &'h mut HeaderMap,
    /// Below the route.
    path: &'h str,
    query: &'h str,
    from: (IpAddr, Moment),
}

/// What the policies say to a request that may go on.
struct Judged<'a> {
    consumer: Option<Consumer<'a>>,
    units: u32,
    eased: Eased,
    flows: Vec<Flow>,
}

/// Asks who calls, the plan's rate, the other policies, the quota.
fn judge<'a>(
    core: &Core,
    compiled: &'a Compiled,
    (context, ticket): (&mut Context<'a>, &mut Ticket),
    on: &On<'a>,
    said: &mut Said<'_>,
) -> Result<Judged<'a>, Cause> {
    let (address, moment) = said.from;
    let mut call = Call {
        method: said.method,
        headers: &mut *said.headers,
        path: said.path,
        query: said.query,
        template: &on.operation.template,
        address,
        moment,
        standing: core.node.standing(),
        place: &on.route.place,
        directory: &compiled.directory,
        consumer: None,
        limits: Limits::default(),
        cost: Cost::default(),
        effects: Effects::default(),
    };
    let decided = decide(&on.operation.chain, &mut call, ticket);
    context.limits = call.limits.fields(&mut core.scratch.borrow_mut());
    context.over = call.limits.over();
    let (consumer, units, effects) = (call.consumer, call.units(), call.effects);
    context.later = effects.later;
    ticket.holds.append(effects.holds);
    decided?;
    Ok(Judged {
        consumer,
        units,
        eased: Eased {
            delay_ns: effects.delay_ns,
            degraded: effects.degraded,
            is_warned: effects.is_warned,
        },
        flows: effects.flows,
    })
}

/// Makes a call of gRPC-Web one of gRPC, where that is configured; how it was written.
fn translate(chain: &Chain, headers: &mut HeaderMap, body: &mut RequestBody) -> Option<Form> {
    if !chain.translates_grpc_web {
        return None;
    }
    let form = grpc_web::form(headers)?;
    grpc_web::request_head(headers, form);
    body.decode(form);
    Some(form)
}

/// Makes an answer of gRPC what the caller understands.
fn translated(mut response: Response<AnswerBody>, web: Option<Form>) -> Response<AnswerBody> {
    if let Some(form) = web
        && grpc_web::answer_head(response.headers_mut(), form)
    {
        response.body_mut().encode(form);
    }
    response
}

/// What of a request decides where it goes.
fn asked<'a>(
    method: &'a Method,
    named: &'a Named,
    (path, query): (&'a str, &'a str),
    headers: &'a HeaderMap,
) -> routing::Request<'a> {
    routing::Request {
        method,
        host: &named.name,
        authority: named.header.as_bytes(),
        path,
        query: query.strip_prefix('?').unwrap_or_default(),
        headers,
    }
}

/// Where a request goes on.
enum Way<'a> {
    /// To an upstream.
    On(On<'a>),
    /// Nowhere: this is the answer.
    Answered(Box<Response<AnswerBody>>),
}

/// The way to an upstream.
struct On<'a> {
    route: &'a Route,
    operation: &'a Operation,
    upstream: usize,
    rewriting: Option<&'a Rewriting>,
    /// Where the path goes on after the base path.
    rest: usize,
}

impl On<'_> {
    /// The path for the upstream, if it is not what follows the base path.
    fn path(&self, path: &str) -> Result<Option<String>, Cause> {
        let Some(rewriting) = self.rewriting else {
            return Ok(None);
        };
        let template = &*self.operation.template;
        let rewritten = rewriting.path(path, self.rest, template);
        // Parts that mean nothing each may make a dot segment together.
        rewritten.as_deref().map_or(Ok(()), place::check_path)?;
        Ok(rewritten)
    }
}

/// Finds the operation of a request, or why there is none; a node that takes no more calls says so instead.
fn way<'a>(
    (conn, (address, moment)): (&Conn, (IpAddr, Moment)),
    compiled: &'a Compiled,
    (context, ticket): (&mut Context<'a>, &mut Ticket),
    asked: &routing::Request<'_>,
) -> Result<Way<'a>, Cause> {
    let matched = compiled.find(asked, || conn.core().figures.expression_errors.add(1));
    if matches!(matched, Matched::NoRoute)
        && let Some(page) = own_page(conn, asked.path)
    {
        return Ok(Way::Answered(Box::new(page)));
    }
    if let Some(gate) = &conn.core().node.gate {
        gate.admit(address, moment, &mut ticket.holds)
            .map_err(Cause::Policy)?;
    }
    match matched {
        Matched::Operation {
            route,
            operation,
            rest,
        } => {
            let route = &compiled.routes[route];
            let Action::Forward(upstream, rewriting) = &route.action else {
                unreachable!("only what is forwarded has operations");
            };
            context.route = Some(route);
            context.chain = Some(&operation.chain);
            ticket.matched(&route.place, Some(operation.id));
            Ok(Way::On(On {
                route,
                operation,
                upstream: *upstream,
                rewriting: rewriting.as_deref(),
                rest,
            }))
        }
        Matched::Answered { route, rest } => {
            let route = &compiled.routes[route];
            ticket.matched(&route.place, None);
            let _ = ticket.reserve();
            let response = answered(conn, &route.action, (asked, rest))?;
            Ok(Way::Answered(Box::new(response)))
        }
        Matched::NoRoute => {
            let _ = ticket.reserve();
            Err(Cause::NoRoute {
                host: asked.host.to_owned(),
            })
        }
        Matched::NoOperation { route } => {
            let route = &compiled.routes[route];
            miss(context, ticket, route);
            Err(Cause::NoOperation {
                api: route.place.api_name.to_string(),
            })
        }
        Matched::OtherMethods { route, rest, allow } => {
            let route = &compiled.routes[route];
            miss(context, ticket, route);
            if *asked.method == Method::OPTIONS {
                preflight(context, asked.headers, &allow, |wanted| {
                    let operation = route.operations.find(wanted, &asked.path[rest..]);
                    operation.map(|operation| &operation.chain)
                })?;
            }
            Err(Cause::OtherMethods { allow })
        }
    }
}

/// The answer of a route that does not forward.
fn answered(
    conn: &Conn,
    action: &Action,
    (asked, rest): (&routing::Request<'_>, usize),
) -> Result<Response<AnswerBody>, Cause> {
    let (status, headers, body) = match action {
        Action::Redirect(redirection) => {
            let location = redirection.location(asked, rest, conn.scheme());
            let location = location.ok_or(Cause::Target("The path cannot be sent back."))?;
            let headers = [
                (LOCATION, location),
                (CONTENT_LENGTH, HeaderValue::from_static("0")),
            ];
            (redirection.status, headers.into_iter().collect(), Bytes::new())
        }
        Action::Answer(answer) => (answer.status, answer.headers.clone(), answer.body.clone()),
        Action::Forward(..) => unreachable!("forwarded"),
    };
    let is_head = *asked.method == Method::HEAD;
    let mut response = Response::new(AnswerBody::own(if is_head { Bytes::new() } else { body }));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// Runs the policies, with the plan's rate between those that find out who calls and the others.
///
/// The quota comes last, so that calls that are refused for another reason do not use it up.
fn decide<'a>(chain: &'a Chain, call: &mut Call<'a, '_>, ticket: &mut Ticket) -> Result<(), Cause> {
    let (first, then) = chain.policies.split_at(chain.decide_from);
    for policy in first {
        proceed(policy.request(call))?;
    }
    let consumer = call.consumer;
    if let Some(consumer) = &consumer {
        ticket.called_by(consumer);
        proceed(consumer.subscription.admit_rate(call))?;
    }
    for policy in then {
        proceed(policy.request(call))?;
    }
    match consumer {
        Some(consumer) => proceed(consumer.subscription.admit_quota(call)),
        None => Ok(()),
    }
}

fn proceed(verdict: Verdict) -> Result<(), Cause> {
    match verdict {
        Verdict::Continue => Ok(()),
        Verdict::Refuse(refusal) => Err(Cause::Policy(refusal)),
        Verdict::Answer(reply) => Err(Cause::Reply(reply)),
    }
}

fn request_body(
    conn: &Rc<Conn>,
    body: Arriving,
    operation: &Operation,
    (ticket, brake): (&mut Ticket, Option<Box<Brake>>),
) -> Result<RequestBody, Cause> {
    if body.is_end() {
        return Ok(RequestBody::empty());
    }
    let bytes_max = operation.chain.body_bytes_max;
    if body.size_hint().lower() > bytes_max {
        return Err(Cause::TooLarge { bytes_max });
    }
    let core = conn.core();
    let upload = Rc::new(Upload::default());
    ticket.upload = Some(Rc::clone(&upload));
    let pause: (_, Duration) = (core.deadlines.deadline(), core.settings.limits.body_idle());
    Ok(RequestBody::new(body, bytes_max, pause, upload).braked(brake))
}

/// Notes a request that reached an API but none of its operations.
fn miss<'a>(context: &mut Context<'a>, ticket: &mut Ticket, route: &'a Route) {
    context.route = Some(route);
    context.chain = Some(&route.chain);
    ticket.matched(&route.place, None);
    // A record of it is worth having, but nothing that has to be kept.
    let _ = ticket.reserve();
}

/// Answers a CORS preflight by the policies of the operation that is asked for.
fn preflight<'a>(
    context: &mut Context<'a>,
    headers: &HeaderMap,
    allow: &str,
    find: impl FnOnce(&Method) -> Option<&'a Arc<Chain>>,
) -> Result<(), Cause> {
    let wanted = headers
        .get(ACCESS_CONTROL_REQUEST_METHOD)
        .and_then(|value| Method::from_bytes(value.as_bytes()).ok());
    let Some(chain) = wanted.as_ref().and_then(find) else {
        return Ok(());
    };
    match chain
        .policies
        .iter()
        .find_map(|policy| policy.preflight(headers, allow))
    {
        // The reply has everything; what policies add to other answers does not belong here.
        Some(reply) => {
            context.chain = None;
            Err(Cause::Reply(Box::new(reply)))
        }
        None => Ok(()),
    }
}

/// Adds what every answer carries.
fn finish(response: &mut Response<AnswerBody>, context: &Context<'_>, is_draining: bool) {
    let status = response.status();
    let headers = response.headers_mut();
    if let Some(route) = context.route {
        for (name, value) in &route.notices {
            headers.insert(name, value.clone());
        }
    }
    if let Some(chain) = context.chain {
        let mut answer = Answer {
            status,
            headers,
            origin: context.origin.as_ref(),
        };
        for policy in chain.policies.iter().rev() {
            policy.response(&mut answer);
        }
    }
    if let Some(over) = &context.over {
        response.headers_mut().insert(OVER_LIMIT, over.clone());
    }
    if is_draining {
        // hyper leaves it out of HTTP/2, where GOAWAY says the same.
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
}

/// Sees that a host that asks for certificates of clients is not reached without, and answers ACME servers
/// (RFC 8555 section 8.3).
fn before_routing(
    conn: &Conn,
    shelf: &Shelf,
    host: &str,
    path: &str,
) -> Result<Option<Response<AnswerBody>>, Cause> {
    let Some(answer) = shelf.answer(host, path) else {
        let asks = shelf.asks() || conn.core().asks_clients();
        return if asks {
            conn.check_asked(shelf, host).map(|()| None)
        } else {
            Ok(None)
        };
    };
    let mut response = Response::new(AnswerBody::own(answer.as_ref().to_owned().into()));
    let kind = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(Some(response))
}

/// Health and figures, where no route answers.
fn own_page(conn: &Conn, path: &str) -> Option<Response<AnswerBody>> {
    let node = &conn.core().node;
    if !conn.core().settings.observable {
        return None;
    }
    let (status, kind, text) = match path {
        "/health/live" => (
            StatusCode::OK,
            "application/json",
            r#"{"status":"live"}"#.to_owned(),
        ),
        "/health/ready" => {
            let missing = node.status().missing();
            let status = if missing.is_empty() {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            let word = if missing.is_empty() { "ready" } else { "not_ready" };
            let text = serde_json::json!({ "status": word, "missing": missing }).to_string();
            (status, "application/json", text)
        }
        "/health/upstreams" => (
            StatusCode::OK,
            "application/json",
            serde_json::json!({ "data": node.targets() }).to_string(),
        ),
        "/metrics" => (
            StatusCode::OK,
            "text/plain; version=0.0.4; charset=utf-8",
            node.metrics(),
        ),
        _ => return None,
    };
    let mut response = Response::new(AnswerBody::own(text.into()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    Some(response)
}
