use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::{Call, Client, Error, Session, Settings, Tokens, segment};

/// A server that gives prepared answers, one per call, and remembers what it was asked.
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn answering(answers: Vec<(u16, &'static str, Value)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let remembered = Arc::clone(&asked);
        tokio::spawn(async move {
            for (status, kind, body) in answers {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut bytes = vec![0; 64 * 1024];
                let mut filled = 0;
                while !complete(&bytes[..filled]) {
                    filled += socket.read(&mut bytes[filled..]).await.unwrap();
                }
                remembered
                    .lock()
                    .unwrap()
                    .push(String::from_utf8_lossy(&bytes[..filled]).into_owned());
                let body = body.to_string();
                let head = format!(
                    "HTTP/1.1 {status} x\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                socket.write_all((head + &body).as_bytes()).await.unwrap();
            }
        });
        Self { url, asked }
    }

    fn client(&self, tokens: Option<Tokens>) -> Client {
        let settings = Settings {
            session: Session::new(tokens),
            organization: Some("acme".to_owned()),
            timeout: Duration::from_secs(5),
            ..Settings::new(&self.url)
        };
        Client::new(settings).unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Whether head and body of a request have arrived.
fn complete(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .to_lowercase()
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

fn tokens(access: &str, refresh: Option<&str>) -> Option<Tokens> {
    Some(Tokens {
        access: access.to_owned(),
        refresh: refresh.map(str::to_owned),
    })
}

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

#[tokio::test]
async fn a_call_carries_who_and_where() {
    let server = Server::answering(vec![(200, JSON, json!({ "ok": true }))]).await;
    let call = Call::new(Method::GET, format!("/api/v1/apis/{}", segment("a b/ä")))
        .query("filter[name]", Some(&"x&y"))
        .query("cursor", None::<&String>)
        .header("If-Match", Some(&"\"3\""));
    let answer: Value = server
        .client(tokens("secret", None))
        .send_json(call)
        .await
        .unwrap();
    assert_eq!(answer, json!({ "ok": true }));
    let asked = server.asked().remove(0);
    for part in [
        "GET /api/v1/apis/a%20b%2F%C3%A4?filter%5Bname%5D=x%26y HTTP/1.1\r\n",
        "authorization: Bearer secret\r\n",
        "x-gateline-organization: acme\r\n",
        "if-match: \"3\"\r\n",
    ] {
        assert!(asked.contains(part), "{part} is not in {asked}");
    }
}

#[tokio::test]
async fn a_refusal_keeps_what_the_server_says() {
    let body = json!({
        "code": "contract_invalid", "title": "The contract cannot be imported", "detail": "1 error",
        "suggestion": "Mend it.", "status": 400,
        "errors": [{ "pointer": "/paths", "code": "paths_missing", "detail": "no paths", "suggestion": "Add paths.", "line": 3 }]
    });
    let server = Server::answering(vec![(400, PROBLEM, body), (502, "text/html", json!("<html>"))]).await;
    let client = server.client(None);
    let error = client
        .send_nothing(Call::new(Method::POST, "/x"))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "contract_invalid: 1 error");
    assert_eq!(error.problem().unwrap().errors[0].line, Some(3));
    let error = client
        .send_nothing(Call::new(Method::POST, "/x"))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Unexplained { status } if status == 502));
}

#[tokio::test]
async fn an_expired_token_is_renewed_once() {
    let expired = || (401, PROBLEM, json!({ "code": "token_expired" }));
    let renewed =
        json!({ "access_token": "new", "refresh_token": "r2", "token_type": "Bearer", "expires_in": 900 });
    let server = Server::answering(vec![expired(), (200, JSON, renewed), (200, JSON, json!(1))]).await;
    let client = server.client(tokens("old", Some("r1")));
    let answer: Value = client.send_json(Call::new(Method::GET, "/x")).await.unwrap();
    assert_eq!(answer, json!(1));
    assert_eq!(client.session().tokens(), tokens("new", Some("r2")));
    let asked = server.asked();
    assert!(
        asked[1].ends_with("grant_type=refresh_token&refresh_token=r1"),
        "{}",
        asked[1]
    );
    assert!(asked[2].contains("authorization: Bearer new\r\n"), "{}", asked[2]);
}

#[tokio::test]
async fn a_refused_refresh_leaves_the_first_answer() {
    let refused = (401, PROBLEM, json!({ "code": "token_invalid" }));
    let server = Server::answering(vec![(401, PROBLEM, json!({ "code": "token_expired" })), refused]).await;
    let error = server
        .client(tokens("old", Some("r1")))
        .send_nothing(Call::new(Method::GET, "/x"))
        .await
        .unwrap_err();
    assert!(error.is("token_expired"), "{error}");
}

#[tokio::test]
async fn nobody_there_is_not_a_refusal() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = Client::new(Settings::new(&url))
        .unwrap()
        .send_nothing(Call::new(Method::GET, "/"))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), format!("{url} cannot be reached"));
}

#[test]
fn only_servers_have_a_client() {
    for url in [
        "",
        "127.0.0.1:8081",
        "ftp://example.com",
        "http://",
        "http://a/?x=1",
    ] {
        assert!(
            matches!(Client::new(Settings::new(url)), Err(Error::BaseUrl { .. })),
            "{url}"
        );
    }
    assert_eq!(
        Client::new(Settings::new("http://a/b/")).unwrap().base_url(),
        "http://a/b"
    );
}
