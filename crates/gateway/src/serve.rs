//! One core: its listeners, its connections, and how they end.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use http::Method;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_local};
use tokio_rustls::server::TlsStream;

use crate::causes::chain;
use crate::compile::Compiled;
use crate::conn::{Conn, Open};
use crate::core::Core;
use crate::h1::server::{self, End, Wire};
#[cfg(feature = "http3")]
use crate::h3::{Choosing, Port, Seat};
use crate::http2;
use crate::listen::{Door, Entrance, Leaving};
use crate::passage::Passage;
use crate::proxy_protocol::{self, Ends};
use crate::refusal::{Asked, Cause};
use crate::rewound::Rewound;
use crate::settings::{Others, Protocols, ProxyProtocol};
use crate::socket::Socket;
use crate::ticket::Ticket;
use crate::tls::{Shown, greet, shake};

/// What an HTTP/2 connection begins with: RFC 9113 section 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How long a client gets to read our last words before its connection is closed.
const LINGER: Duration = Duration::from_secs(1);
/// How long to wait before accepting again when the system has no more descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a core hears from the node.
#[derive(Clone)]
pub(crate) struct Signals {
    pub(crate) compiled: watch::Receiver<Option<Arc<Compiled>>>,
    pub(crate) own_certificate: watch::Receiver<Option<Arc<Shown>>>,
    /// What is to be listened on.
    pub(crate) doors: watch::Receiver<Vec<Arc<Door>>>,
    /// Where HTTP/3 is to be listened for.
    #[cfg(feature = "http3")]
    pub(crate) ports: watch::Receiver<Vec<Arc<Port>>>,
    /// Which certificates are shown there.
    #[cfg(feature = "http3")]
    pub(crate) choosing: Choosing,
    pub(crate) draining: watch::Receiver<bool>,
}

/// A door that this core listens at.
struct Entered {
    leaving: Rc<Leaving>,
    tasks: Vec<JoinHandle<()>>,
}

impl Entered {
    fn new(core: &Rc<Core>, door: &Door, connections: &Rc<()>) -> Self {
        let alt_svc = door.way.alt_svc.map(|said| said.value(door.address.port()));
        let leaving = Rc::new(Leaving::new(alt_svc, door.way.flagd.clone()));
        // One for this core: nothing that every connection counts may be shared with others.
        let entrance = Rc::new(Entrance::of(door));
        let mut tasks = Vec::new();
        for socket in door.sockets_of(core.index, core.node.cores.len()) {
            let listener = socket.try_clone().and_then(TcpListener::from_std);
            match listener {
                Ok(listener) => tasks.push(spawn_local(accept(
                    Rc::clone(core),
                    (listener, Rc::clone(&entrance)),
                    Rc::clone(&leaving),
                    Rc::clone(connections),
                ))),
                Err(error) => tracing::error!(%error, address = %door.address, "listening"),
            }
        }
        Self { leaving, tasks }
    }

    /// Takes a seat at a port of HTTP/3.
    #[cfg(feature = "http3")]
    fn at(core: &Rc<Core>, port: &Arc<Port>, choosing: &Choosing, connections: &Rc<()>) -> Self {
        let leaving = Rc::new(Leaving::default());
        let mut tasks = Vec::new();
        for socket in port.sockets_of(core.index, core.node.cores.len()) {
            match socket.try_clone() {
                Ok(socket) => tasks.push(spawn_local(
                    Seat {
                        core: Rc::clone(core),
                        socket,
                        port: Arc::clone(port),
                        choosing: choosing.clone(),
                        leaving: Rc::clone(&leaving),
                        connections: Rc::clone(connections),
                    }
                    .serve(),
                )),
                Err(error) => tracing::error!(%error, address = %port.address, "listening for HTTP/3"),
            }
        }
        Self { leaving, tasks }
    }
}

/// Which doors and ports a core is at.
#[derive(Default)]
struct Rounds {
    doors: HashMap<u64, Entered>,
    #[cfg(feature = "http3")]
    ports: HashMap<u64, Entered>,
    closing: Vec<JoinHandle<()>>,
}

impl Rounds {
    /// Goes where it is to be listened now, and leaves the others.
    fn follow(&mut self, core: &Rc<Core>, signals: &mut Signals, connections: &Rc<()>) {
        let doors = signals.doors.borrow_and_update().clone();
        // New ones first: one that only changes its way has the same sockets.
        for door in &doors {
            let entered = self.doors.entry(door.id);
            entered.or_insert_with(|| Entered::new(core, door, connections));
        }
        let stays = |id| doors.iter().any(|door| door.id == id);
        leave(&mut self.doors, stays, &mut self.closing);
        #[cfg(feature = "http3")]
        {
            let ports = signals.ports.borrow_and_update().clone();
            for port in &ports {
                let entered = self.ports.entry(port.id);
                entered.or_insert_with(|| Entered::at(core, port, &signals.choosing, connections));
            }
            let stays = |id| ports.iter().any(|port| port.id == id);
            leave(&mut self.ports, stays, &mut self.closing);
        }
        core.deadlines.wake_all();
    }

    /// Leaves all of them.
    fn end(&mut self, core: &Core) -> Vec<JoinHandle<()>> {
        leave(&mut self.doors, |_| false, &mut self.closing);
        #[cfg(feature = "http3")]
        leave(&mut self.ports, |_| false, &mut self.closing);
        core.deadlines.wake_all();
        std::mem::take(&mut self.closing)
    }
}

/// Leaves what does not stay; who waits there is served first.
fn leave(
    entered: &mut HashMap<u64, Entered>,
    stays: impl Fn(u64) -> bool,
    closing: &mut Vec<JoinHandle<()>>,
) {
    entered.retain(|id, door| {
        let stays = stays(*id);
        if !stays {
            door.leaving.leave();
            closing.append(&mut door.tasks);
        }
        stays
    });
}

/// Waits until it is to be listened somewhere else; false if that will never be.
async fn moved(signals: &mut Signals) -> bool {
    #[cfg(feature = "http3")]
    let ports = signals.ports.changed();
    #[cfg(not(feature = "http3"))]
    let ports = std::future::pending::<Result<(), watch::error::RecvError>>();
    tokio::select! {
        changed = signals.doors.changed() => changed.is_ok(),
        changed = ports => changed.is_ok(),
    }
}

/// Serves until the node drains and the last connection has ended.
pub(crate) async fn run(core: Rc<Core>, mut signals: Signals) {
    let ticking = Rc::clone(&core);
    spawn_local(Rc::clone(&core.deadlines).run(move || ticking.tick()));
    if let Some(compiled) = signals.compiled.borrow_and_update().clone() {
        core.install(compiled);
    }
    core.show(signals.own_certificate.borrow_and_update().clone());
    spawn_local(follow(Rc::clone(&core), signals.compiled.clone()));
    spawn_local(show(Rc::clone(&core), signals.own_certificate.clone()));
    let connections = Rc::new(());
    let mut rounds = Rounds::default();
    loop {
        rounds.follow(&core, &mut signals, &connections);
        let draining = signals.draining.clone();
        tokio::select! {
            is_moved = moved(&mut signals) => if is_moved { continue },
            () = drained(draining) => {}
        }
        // Nobody changes doors any more, or the node drains.
        break;
    }
    for task in rounds.end(&core) {
        let _ = task.await;
    }
    // Each connection holds one.
    while Rc::strong_count(&connections) > 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Installs every new snapshot.
async fn follow(core: Rc<Core>, mut compiled: watch::Receiver<Option<Arc<Compiled>>>) {
    while compiled.changed().await.is_ok() {
        let new = compiled.borrow_and_update().clone();
        if let Some(new) = new {
            core.install(new);
        }
    }
}

/// Shows the node's own certificate as it is now.
async fn show(core: Rc<Core>, mut own: watch::Receiver<Option<Arc<Shown>>>) {
    while own.changed().await.is_ok() {
        let new = own.borrow_and_update().clone();
        core.show(new);
    }
}

/// Accepts connections until the door is left; then those that wait at it already, unless another process takes them.
async fn accept(
    core: Rc<Core>,
    (listener, entrance): (TcpListener, Rc<Entrance>),
    leaving: Rc<Leaving>,
    connections: Rc<()>,
) {
    let mut stop = pin!(leaving.left());
    loop {
        let accepted = poll_fn(|context| {
            // Not polled again once it was ready.
            let is_left = leaving.is_left() || stop.as_mut().poll(context).is_ready();
            if is_left && core.node.is_handed_over() {
                return Poll::Ready(None);
            }
            match listener.poll_accept(context) {
                Poll::Pending if is_left => Poll::Ready(None),
                accepted => accepted.map(Some),
            }
        });
        match accepted.await {
            None => return,
            Some(Ok((stream, peer))) => {
                let figures = &core.figures;
                if figures.connections_open.get() >= core.settings.limits.connections_max as u64 {
                    figures.connections_refused.add(1);
                    continue;
                }
                let guest = Guest::new(&core, &connections);
                spawn_local(welcome(
                    guest,
                    (stream, peer),
                    Rc::clone(&entrance),
                    Rc::clone(&leaving),
                ));
            }
            Some(Err(_)) if leaving.is_left() => return,
            Some(Err(error)) => {
                // The client gave up meanwhile, or there are no descriptors left; both pass.
                tracing::debug!(%error, "accepting a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// A connection as the core counts it.
pub(crate) struct Guest {
    core: Rc<Core>,
    _connections: Rc<()>,
}

impl Guest {
    pub(crate) fn new(core: &Rc<Core>, connections: &Rc<()>) -> Self {
        core.figures.connections.add(1);
        core.figures.connections_open.add(1);
        Self {
            core: Rc::clone(core),
            _connections: Rc::clone(connections),
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.core.figures.connections_open.sub(1);
    }
}

/// Serves one connection from its first byte to its last.
///
/// What a connection may become is in boxes, so that one that waits does not take the room of all of it.
async fn welcome(
    guest: Guest,
    (mut stream, peer): (TcpStream, SocketAddr),
    entrance: Rc<Entrance>,
    leaving: Rc<Leaving>,
) {
    // Fails only if the client has closed it already; then the next read says so.
    let _ = stream.set_nodelay(true);
    let mut ends = Ends {
        source: peer,
        destination: entrance.destination(&stream),
    };
    let way = &entrance.way;
    let mut first = BytesMut::new();
    if let Some(rules) = &way.proxy_protocol {
        match Box::pin(introduced(&guest.core, rules, (&mut stream, &mut first), ends)).await {
            Some(said) => ends = said,
            None => return guest.core.figures.proxy_headers_refused.add(1),
        }
    }
    let conn = Conn::new(&guest.core, ends, way.tls, leaving);
    if !way.tls && way.protocols == Protocols::Tcp {
        let passage = Passage::find(&conn, entrance.address.port(), None, true);
        return Box::pin(pass(&conn, passage, stream, first.to_vec())).await;
    }
    if !way.tls {
        return Box::pin(begin(guest, conn, (stream, first), way.protocols)).await;
    }
    let shaken = Box::pin(shaken(&conn, (stream, first), &entrance)).await;
    if let Some(stream) = shaken {
        if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            Box::pin(serve_http2(guest, conn, stream)).await;
        } else {
            let socket = Socket::Served(Box::new(stream));
            Box::pin(serve_http1(guest, conn, socket, BytesMut::new())).await;
        }
    }
}

/// Ends TLS on a connection, or passes it on until its end if a stream route takes it.
async fn shaken(
    conn: &Rc<Conn>,
    (stream, first): (TcpStream, BytesMut),
    entrance: &Entrance,
) -> Option<TlsStream<Rewound<TcpStream>>> {
    let protocols = entrance.way.protocols;
    let is_stream = protocols == Protocols::Tcp;
    let greeting = conn.deadline.bound(greet(stream, &first)).await;
    conn.core().spare.keep_buffer(first);
    let mut greeting = greeting??;
    if !greeting.is_challenge(conn) {
        let passage = Passage::find(conn, entrance.address.port(), greeting.host(), is_stream);
        if is_stream || passage.is_some() {
            if passage.is_none() {
                greeting.refuse().await;
            }
            let (stream, first) = greeting.unread();
            pass(conn, passage, stream, first).await;
            return None;
        }
    }
    conn.deadline.bound(shake(conn, greeting, protocols)).await?
}

/// Passes a connection on that is not read, or closes one that nobody takes.
async fn pass(conn: &Conn, passage: Option<Passage>, stream: TcpStream, first: Vec<u8>) {
    match passage {
        Some(passage) => passage.pass(conn, stream, first).await,
        None => conn.core().figures.streams_refused.add(1),
    }
}

/// Whom a connection comes from, as the proxy says that passes it on; nothing if it is to be closed.
async fn introduced(
    core: &Rc<Core>,
    rules: &ProxyProtocol,
    (stream, first): (&mut TcpStream, &mut BytesMut),
    ends: Ends,
) -> Option<Ends> {
    let proxy = ends.source.ip();
    if !rules.expects(proxy) {
        return (rules.others == Others::Serve).then_some(ends);
    }
    *first = core.spare.buffer();
    let deadline = core.deadlines.deadline();
    deadline.arm(rules.header());
    match deadline.bound(proxy_protocol::receive(stream, first)).await {
        // What a proxy opens for itself, to look whether we are there, comes from it.
        Some(Ok(said)) => Some(said.unwrap_or(ends)),
        Some(Err(error)) => {
            tracing::debug!(%proxy, error = %chain(&error), "a proxy does not say whom it speaks for");
            None
        }
        None => {
            tracing::debug!(%proxy, "a proxy did not say in time whom it speaks for");
            None
        }
    }
}

/// Finds out which HTTP a plain connection speaks.
async fn begin(
    guest: Guest,
    conn: Rc<Conn>,
    (mut stream, mut first): (TcpStream, BytesMut),
    protocols: Protocols,
) {
    // What came behind the word of a proxy is there already.
    let mut is_there = !first.is_empty();
    if !is_there {
        let said = async {
            tokio::select! {
                ready = stream.readable() => ready.ok(),
                () = conn.last_chance() => None,
            }
        };
        // Whoever waits holds no buffer.
        let Some(Some(())) = conn.deadline.bound(said).await else {
            return;
        };
        first = conn.core().spare.buffer();
    }
    loop {
        if !std::mem::take(&mut is_there) {
            let read = async {
                tokio::select! {
                    read = stream.read_buf(&mut first) => read.ok(),
                    () = conn.last_chance() => None,
                }
            };
            // Who says nothing hears nothing.
            let Some(Some(1..)) = conn.deadline.bound(read).await else {
                return;
            };
        }
        let known = first.len().min(PREFACE.len());
        let is_http1 = first[..known] != PREFACE[..known] || protocols == Protocols::Http1;
        if is_http1 && protocols == Protocols::Http2 {
            // Whatever would be said would be said in a protocol that is not spoken here.
            return;
        }
        if is_http1 {
            return Box::pin(serve_http1(guest, conn, Socket::Plain(stream), first)).await;
        }
        if known == PREFACE.len() {
            let stream = Rewound::new(stream, first.to_vec());
            return Box::pin(serve_http2(guest, conn, stream)).await;
        }
    }
}

async fn serve_http1(guest: Guest, conn: Rc<Conn>, socket: Socket, first: BytesMut) {
    let wire = Wire::new(&conn, socket, first);
    match server::serve(&wire).await {
        End::Quiet => {
            let _ = tokio::time::timeout(LINGER, wire.ends().shutdown()).await;
        }
        End::Refused(cause) => say_last(&conn, &mut wire.ends(), cause).await,
        End::Unread => linger(&mut wire.ends(), b"").await,
        End::Cut => wire.will_reset(),
    }
    drop(guest);
}

/// Waits until the node drains.
pub(crate) async fn drained(mut draining: watch::Receiver<bool>) {
    let _ = draining.wait_for(|draining| *draining).await;
}

/// Answers what never became a request, and waits until the client has read it.
async fn say_last<S: AsyncRead + AsyncWrite + Unpin>(conn: &Rc<Conn>, stream: &mut S, cause: Cause) {
    let core = conn.core();
    let (mut ticket, _) = Ticket::begin(Open::new(conn), &Method::GET, Instant::now());
    let installed = core.installed();
    let control_url = installed
        .as_ref()
        .map_or("", |installed| &installed.compiled.control_url);
    let request_id = ticket.request().to_string();
    let own = cause.answer(&Asked {
        method: None,
        request_id: &request_id,
        grpc: None,
        control_url,
    });
    ticket.answered(own.status, own.code);
    drop(ticket);
    linger(stream, &own.text(&request_id)).await;
}

/// Ends a connection whose client may still be sending: says the last words and waits until it has read them.
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, text: &[u8]) {
    let said = async {
        stream.write_all(text).await?;
        stream.shutdown().await?;
        // Closing with unread bytes would reset the connection before the client has read the answer.
        let mut rest = [0; 1024];
        while stream.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    let _ = tokio::time::timeout(LINGER, said).await;
}

async fn serve_http2<S>(guest: Guest, conn: Rc<Conn>, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    http2::serve(&conn, stream).await;
    drop(guest);
}
