//! What hyper itself costs: every request gets the same JSON, on one thread.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::{fs, io};

use bytes::Bytes;
use gateway_bench_load::Options;
use http_body_util::Full;
use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::task::{LocalSet, spawn_local};

const USAGE: &str = "hello --port PORT --answer FILE";

fn main() -> io::Result<()> {
    let mut options = Options::from_args(USAGE);
    let port: u16 = options.require("--port");
    let answer: PathBuf = options.require("--answer");
    options.finish();

    let answer = Bytes::from(fs::read(answer)?);
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            spawn_local(serve(stream, answer.clone()));
        }
    })
}

/// Serves one client connection until it closes.
async fn serve(stream: TcpStream, answer: Bytes) {
    if stream.set_nodelay(true).is_err() {
        return; // already closed by the client
    }
    let service = service_fn(|_| {
        let mut response = Response::new(Full::new(answer.clone()));
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        async { Ok::<_, Infallible>(response) }
    });
    // An error here is a client that went away; there is nobody left to tell.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
