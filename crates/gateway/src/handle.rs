//! The way of a request, step by step.

use std::rc::Rc;
use std::time::{Duration, Instant};

use domain::catalog::Stage;
use domain::release::Importance;
use flags::Asking;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, ORIGIN};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri, Version};
use hyper::body::Body as _;
use memchr::memchr;
use policy::effects::Later;
use policy::{Answer, Moment, Policy};

use self::connect::connect;
use self::debug::{begin_span, debugged, tell_timing};
use self::judge::{Said, judge};
use self::pages::{before_routing, own_page};
use self::way::{On, Way, asked, way};
use crate::body::{AnswerBody, Arriving, RequestBody, Upload};
use crate::brake::Brake;
use crate::compile::{Chain, Route};
use crate::conn::{Conn, Open};
use crate::core::{Core, Installed};
use crate::ease::{brakes, ease};
use crate::exchange::{Going, exchange};
use crate::forward::{self, Added};
use crate::framing::Violation;
use crate::grpc_web::Form;
use crate::interim::Interims;
use crate::mirror::Maker;
use crate::place;
use crate::recent;
use crate::refusal::{Asked, Cause};
use crate::split::Sided;
use crate::ticket::Ticket;
use crate::websocket;
use crate::{grpc, grpc_web};

mod connect;
mod debug;
mod exposing;
mod judge;
mod pages;
mod questions;
mod way;

const ALT_SVC: HeaderName = HeaderName::from_static("alt-svc");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const OVER_LIMIT: HeaderName = HeaderName::from_static("gateline-over-limit");

/// A request as its connection brings it; it is passed by reference, since it is large.
#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Arriving,
    /// Whether the connection or stream shall become a WebSocket.
    pub(crate) is_websocket: bool,
    /// Where interim answers wait for the client, unless it is at its connection.
    pub(crate) interims: Option<Rc<Interims>>,
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
    /// Policies for an audience of which the call is.
    answers: Vec<&'a dyn Policy>,
    /// What the answer says of the variant that the call got.
    sided: Option<Box<Sided>>,
    /// The page that may read what is answered about flags and events.
    page: Option<Box<HeaderValue>>,
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

    /// Completes the head of an answer that is a stream's; whether its body is to be sent.
    pub(crate) fn complete(&self, core: &Core, response: &mut Response<AnswerBody>, is_head: bool) -> bool {
        let status = response.status();
        let is_end = response.body().is_end_stream();
        let length = response.body().size_hint().exact();
        let headers = response.headers_mut();
        self.each(|name, value| {
            headers.insert(name, value.clone());
        });
        headers.entry(DATE).or_insert_with(|| {
            let date = core.clock.date();
            HeaderValue::from_bytes(&date).expect("visible ASCII")
        });
        if status == StatusCode::NO_CONTENT {
            // Not even of 0: RFC 9110 section 8.6.
            headers.remove(CONTENT_LENGTH);
        }
        let has_none = is_head || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if has_none || is_end {
            return false;
        }
        if let Some(length) = length {
            headers
                .entry(CONTENT_LENGTH)
                .or_insert_with(|| HeaderValue::from(length));
        }
        true
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
pub(crate) async fn handle(open: Open, request: &mut Request) -> (Response<AnswerBody>, Tail) {
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
        answers: Vec::new(),
        sided: None,
        page: None,
    };
    let course = ticket.course();
    course.id_hash = recent::hash(context.request_id.as_bytes());
    course.full = debugged(core, request, moment);
    if let Some(tracer) = &core.tracer {
        begin_span(tracer, (&conn, request), course);
    }
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
    for later in context.later.drain(..) {
        later.answered(response.status());
    }
    finish(&mut response, &context, &conn);
    tell_timing(&mut response, ticket.course());
    let tail = Tail {
        request_id: context.request_id,
        limits: context.limits,
    };
    response.body_mut().ends_with(ticket);
    (response, tail)
}

#[expect(clippy::too_many_lines, reason = "the steps of a request, in their order")]
async fn serve<'a>(
    conn: &Rc<Conn>,
    installed: Option<&'a Installed>,
    context: &mut Context<'a>,
    (ticket, moment): (&mut Ticket, Moment),
    request: &mut Request,
) -> Result<Response<AnswerBody>, Cause> {
    let core = conn.core();
    let arrived_ms = core.deadlines.now_ms();
    let Request {
        method,
        uri,
        version,
        headers,
        body,
        is_websocket,
        interims,
    } = request;
    let (method, version) = (&*method, *version);
    if headers.len() > core.settings.limits.fields_max {
        // The crate `h2` bounds the bytes of a head, not its fields.
        return Err(Cause::Violation(Violation::HeadTooLarge));
    }
    if *method == Method::CONNECT {
        // Large and rare: each call would carry room for it.
        return Box::pin(connect(conn, installed, context, (ticket, moment), request)).await;
    }

    // 1. Where it goes: one host, a path that means the same to everybody.
    let whole = uri.path_and_query().map_or("", PathAndQuery::as_str);
    place::check_target(whole, version)?;
    let (path, query) = whole.split_at(memchr(b'?', whole.as_bytes()).unwrap_or(whole.len()));
    let named = conn.named(uri, headers)?;
    place::check_path(path)?;

    // 2. Which operation that is; where there is no route, the node speaks for itself.
    let Some(installed) = installed else {
        return own_page(conn, path, ticket.course()).ok_or(Cause::NotReady);
    };
    let compiled = &installed.compiled;
    if let Some(answer) = before_routing(conn, &compiled.shelf, &named.name, path)? {
        return Ok(answer);
    }
    let address = conn.client(headers);
    let from = (address, moment);
    let facts = exposing::facts((method, &named), (path, query), from);
    let flags = Asking::new(&compiled.flags.sets, facts);
    let asked = asked((conn, method), &named, headers, &flags);
    let found = way((conn, from), compiled, (context, ticket), &asked);
    exposing::tell(core, &flags, moment);
    let (on, to) = match found? {
        Way::On(on, to) => (on, to),
        Way::Answered(response) => return Ok(*response),
        Way::Asked => {
            let asked = questions::Asked {
                path,
                method,
                query,
                headers,
                moment,
            };
            let body = std::mem::replace(body, Arriving::None);
            return Box::pin(questions::answer(
                conn,
                compiled,
                (&asked, body),
                &mut context.page,
            ))
            .await;
        }
        Way::Tunnel(..) => unreachable!("only `CONNECT` leads there"),
    };
    let On { route, chain, .. } = on;

    // 3. Whether its record will find a place, and whether the version is still served.
    ticket.reserve().map_err(|events::Overloaded| Cause::Overloaded)?;
    if route.stage == Stage::Retired {
        return Err(Cause::Retired {
            api: route.place.api_name.to_string(),
        });
    }

    // 4. Who calls, the plan's rate, the other policies, the quota.
    forward::clean_request(headers);
    let mut said = Said {
        method,
        headers,
        host: &named.name,
        path: &path[on.rest..],
        query,
        from,
        flags: &flags,
    };
    let judged = judge(core, compiled, (context, ticket), &on, &mut said);
    exposing::tell(core, &flags, moment);
    let judged = judged?;
    let (up, down) = brakes(core, judged.flows);
    ticket.down = down;

    // 5. The body: no more than is allowed, refused at once if the client says so beforehand.
    let body = std::mem::replace(body, Arriving::None);
    let mut body = request_body(conn, body, chain, (ticket, up))?;
    let web = translate(chain, headers, &mut body);

    // 6. To the upstream and back.
    let who = (&*headers, address, judged.consumer);
    let upstream = On::upstream(to, core, who, (context, ticket));
    let balancer = &installed.balancers[upstream];
    let is_websocket = *is_websocket && *method == Method::GET && websocket::is_asked(headers);
    if is_websocket && !balancer.upstream().may_have_websockets() {
        return Err(Cause::NoWebsocket);
    }
    let due_ms = balancer.upstream().due_ms(arrived_ms);
    if !judged.eased.is_nothing() {
        ease(core, judged.eased, core.deadlines.left(due_ms), (headers, ticket)).await;
    }
    ticket.counted(judged.units);
    let request_id = context.request_id.clone();
    let rewritten = on.path(path)?;
    let grpc = grpc::Call::of(method, headers, ticket.course().began());
    let going = Going {
        added: Added::new(conn, (headers, version), &named, &request_id, judged.consumer),
        method,
        path: rewritten.as_deref().unwrap_or(&path[on.rest..]),
        query,
        version,
        is_copy: false,
        is_websocket,
        address,
        host: &named.header,
        host_sent: on.rewriting.and_then(|rewriting| rewriting.host.as_ref()),
        grpc,
        share: if balancer.upstream().is_bounded {
            compiled.share(upstream, route.importance)
        } else {
            100
        },
        due_ms,
        headers: std::mem::take(headers),
        interims: interims.clone(),
    };
    if let Some(span) = &mut ticket.course().span {
        span.forwarded = going.path.to_owned();
    }
    let watch = route.mirror.as_ref().and_then(|mirror| {
        let maker = Maker {
            named: &named,
            request_id: &request_id,
            consumer: judged.consumer,
            address,
        };
        let share = compiled.share(mirror.upstream, Importance::Sheddable);
        let to = (&installed.balancers[mirror.upstream], share);
        mirror.begin(conn, to, (&going, maker), &mut body)
    });
    let noted = (ticket.upload.clone(), ticket.notes());
    let mut response = exchange(conn, balancer, going, body, noted).await?;
    if let Some(watch) = watch {
        response = watch.observe(response);
    }
    if let Some(form) = web
        && grpc_web::answer_head(response.headers_mut(), form)
    {
        response.body_mut().encode(form);
    }
    Ok(response)
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

fn request_body(
    conn: &Rc<Conn>,
    body: Arriving,
    chain: &Chain,
    (ticket, brake): (&mut Ticket, Option<Box<Brake>>),
) -> Result<RequestBody, Cause> {
    if body.is_end() {
        ticket.up = brake;
        return Ok(RequestBody::empty());
    }
    let bytes_max = chain.body_bytes_max;
    if body.size_hint().lower() > bytes_max {
        return Err(Cause::TooLarge { bytes_max });
    }
    let core = conn.core();
    let upload = Rc::new(Upload::default());
    ticket.upload = Some(Rc::clone(&upload));
    let pause: (_, Duration) = (core.deadlines.deadline(), core.settings.limits.body_idle());
    Ok(RequestBody::new(body, bytes_max, pause, upload).braked(brake))
}

/// Adds what every answer carries.
fn finish(response: &mut Response<AnswerBody>, context: &Context<'_>, conn: &Conn) {
    let status = response.status();
    let headers = response.headers_mut();
    if let Some(route) = context.route {
        for (name, value) in route.notices.iter().flat_map(|notices| &**notices) {
            headers.insert(name, value.clone());
        }
    }
    if let Some(chain) = context.chain {
        let mut answer = Answer {
            status,
            headers,
            origin: context.origin.as_ref(),
        };
        for policy in context.answers.iter().rev() {
            policy.response(&mut answer);
        }
        for policy in chain.policies.iter().rev() {
            policy.response(&mut answer);
        }
    }
    if let Some(sided) = &context.sided {
        sided.say(response.headers_mut());
    }
    if let Some(page) = &context.page {
        questions::admit(page, response.headers_mut());
    }
    if let Some(over) = &context.over {
        response.headers_mut().insert(OVER_LIMIT, over.clone());
    }
    if let Some(elsewhere) = conn.alt_svc() {
        response.headers_mut().insert(ALT_SVC, elsewhere.clone());
    }
    if conn.is_leaving() {
        // HTTP/2 and HTTP/3 leave it out: GOAWAY says the same there.
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
}
