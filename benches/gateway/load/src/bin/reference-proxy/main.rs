//! A floor for the benchmark: about the least a gateway built on hyper can cost.
//!
//! Each core has a single-threaded runtime, a listening socket and a pool of upstream connections
//! of its own; the kernel spreads the clients (`SO_REUSEPORT`) and a request never leaves its
//! core. With `--keys` and `--records` it also does what the benchmark calls policy: key check,
//! rate limit, one record per request.
//!
//! It is no product. It has one upstream, no TLS, no HTTP/2, no timeouts and no retries.

mod policy;
mod pool;
mod records;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use gateway_bench_load::Options;
use http_body_util::{Either, Full};
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONNECTION, HeaderMap, HeaderName, UPGRADE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime;
use tokio::task::{LocalSet, spawn_local};

use crate::policy::Policy;
use crate::pool::{Pool, Relayed};
use crate::records::Record;

const USAGE: &str = "reference-proxy --listen ADDRESS --upstream ADDRESS [--cores COUNT] \
                     [--keys FILE --records FILE]";
const BACKLOG: u32 = 4096;
/// Headers that concern one connection only and are not passed on.
const HOP_BY_HOP: [HeaderName; 3] = [CONNECTION, HeaderName::from_static("keep-alive"), UPGRADE];

/// An answer of the upstream, or one of our own.
type Body = Either<Relayed, Full<Bytes>>;

fn main() -> io::Result<()> {
    let mut options = Options::from_args(USAGE);
    let listen: SocketAddr = options.require("--listen");
    let upstream: SocketAddr = options.require("--upstream");
    let cores = options.optional("--cores");
    let keys: Option<PathBuf> = options.optional("--keys");
    let records: Option<PathBuf> = options.optional("--records");
    options.finish();

    // Counts only the cores this process is pinned to.
    let cores = cores.map_or_else(|| thread::available_parallelism().map(usize::from), Ok)?;
    let policy = match (keys, records) {
        (Some(keys), Some(records)) => Some(Arc::new(Policy::load(&keys, &records)?)),
        (None, None) => None,
        _ => return Err(io::Error::other("--keys and --records belong together")),
    };
    let threads: Vec<_> = (0..cores)
        .map(|_| {
            let policy = policy.clone();
            thread::spawn(move || run_core(listen, upstream, policy))
        })
        .collect();
    for thread in threads {
        thread.join().expect("a panic aborts the process")?;
    }
    Ok(())
}

fn run_core(listen: SocketAddr, upstream: SocketAddr, policy: Option<Arc<Policy>>) -> io::Result<()> {
    let gateway = Rc::new(Gateway {
        pool: Pool::new(upstream),
        policy,
    });
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = bind(listen)?;
        loop {
            let (stream, _) = listener.accept().await?;
            spawn_local(serve(stream, Rc::clone(&gateway)));
        }
    })
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves one client connection until it closes.
async fn serve(stream: TcpStream, gateway: Rc<Gateway>) {
    if stream.set_nodelay(true).is_err() {
        return; // already closed by the client
    }
    let service = service_fn(move |request| {
        let gateway = Rc::clone(&gateway);
        async move { Ok::<_, Infallible>(gateway.handle(request).await) }
    });
    // An error here is a client that went away; there is nobody left to tell.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// What a core needs to handle requests.
struct Gateway {
    pool: Rc<Pool>,
    policy: Option<Arc<Policy>>,
}

impl Gateway {
    async fn handle(&self, request: Request<Incoming>) -> Response<Body> {
        match &self.policy {
            Some(policy) => self.handle_with(policy, request).await,
            None => self.forward(request).await,
        }
    }

    /// Checks a request, forwards it if it is admitted, and records it either way.
    async fn handle_with(&self, policy: &Policy, request: Request<Incoming>) -> Response<Body> {
        let started = Instant::now();
        let time = SystemTime::now();
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let (key, response) = match policy.admit(request.headers(), started) {
            Ok(key) => (Some(key), self.forward(request).await),
            Err(status) => (None, plain(status)),
        };
        policy.record(Record {
            time,
            key,
            method,
            path,
            status: response.status(),
            latency: started.elapsed(),
            bytes: response.body().size_hint().lower(),
        });
        response
    }

    async fn forward(&self, mut request: Request<Incoming>) -> Response<Body> {
        remove_hop_by_hop(request.headers_mut());
        match self.pool.send(request).await {
            Ok(mut response) => {
                remove_hop_by_hop(response.headers_mut());
                response.map(Either::Left)
            }
            Err(_) => plain(StatusCode::BAD_GATEWAY),
        }
    }
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

/// An answer without a body.
fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Either::Right(Full::default()));
    *response.status_mut() = status;
    response
}
