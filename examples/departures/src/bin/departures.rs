//! Serves the sample service alone: `departures --listen 127.0.0.1:9000`.

use std::io::Write;
use std::process::ExitCode;

const USAGE: &str = "usage: departures [--listen HOST:PORT | --contract]\n";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [] => serve("127.0.0.1:9000").await,
        ["--listen", address] => serve(address).await,
        ["--contract"] => say(departures::CONTRACT),
        ["--help" | "-h"] => say(USAGE),
        _ => {
            // Nothing is left to do when even the standard error is closed.
            let _ = std::io::stderr().write_all(USAGE.as_bytes());
            ExitCode::from(2)
        }
    }
}

async fn serve(address: &str) -> ExitCode {
    let served = async {
        let listener = tokio::net::TcpListener::bind(address).await?;
        say(&format!("departures on http://{}\n", listener.local_addr()?));
        let stop = async {
            // Without a signal handler the process would only end by being killed.
            let _ = tokio::signal::ctrl_c().await;
        };
        departures::serve(listener, stop).await
    };
    match served.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "departures: {address}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn say(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
