use std::future::poll_fn;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode};
use proptest::prelude::{ProptestConfig, any, prop, proptest};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::super::foreign::{self, dechunk};
use super::super::outgoing::Coding;
use super::{Download, Fault, Line, answer};
use super::{Invalid, Length};
use crate::socket::Socket;
use crate::spare::BUFFER_BYTES;

fn take(text: &str, method: &Method) -> Result<answer::Answer, Invalid> {
    let mut input = BytesMut::from(text);
    let length = answer::head_end(&input, 0).unwrap_or(input.len());
    answer::take(&mut input, length, method, &mut HeaderMap::new())
}

#[test]
fn heads_say_how_long_the_body_is_and_whether_the_connection_lasts() {
    let get = Method::GET;
    for (head, method, body, lasts) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n",
            &get,
            Length::Bytes(12),
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
            &get,
            Length::Bytes(3),
            true,
        ),
        (
            "HTTP/1.1 200\r\ntransfer-encoding: Chunked\r\n\r\n",
            &get,
            Length::Chunked,
            true,
        ),
        ("HTTP/1.1 200 OK\r\n\r\n", &get, Length::UntilClose, false),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n",
            &Method::HEAD,
            Length::Bytes(0),
            true,
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n", &get, Length::Bytes(0), true),
        (
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
            &get,
            Length::Bytes(0),
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 1\r\n\r\n",
            &get,
            Length::Bytes(1),
            false,
        ),
        (
            "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n",
            &get,
            Length::Bytes(1),
            false,
        ),
        (
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n",
            &get,
            Length::Bytes(1),
            true,
        ),
        (
            "HTTP/1.1 200 OK\nContent-Length: 1\n\n",
            &get,
            Length::Bytes(1),
            true,
        ),
    ] {
        let answer = take(head, method).unwrap();
        assert_eq!((answer.body, answer.is_persistent), (body, lasts), "{head:?}");
    }
}

#[test]
fn heads_whose_end_is_in_doubt_are_refused() {
    for (head, expected) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            Some(Invalid::ContentLength),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
            Some(Invalid::ContentLength),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
            Some(Invalid::ContentLength),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
            Some(Invalid::ContentLength),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            Some(Invalid::TransferEncoding),
        ),
        (
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            Some(Invalid::TransferEncoding),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
            Some(Invalid::BothLengths),
        ),
        ("HTTP/2 200 OK\r\n\r\n", None),
        ("HTTP/1.1 2x0 OK\r\n\r\n", None),
        ("HTTP/1.1 200 OK\r\n folded: 1\r\n\r\n", None),
        ("HTTP/1.1 200 OK\r\na : 1\r\n\r\n", None),
        ("HTTP/1.1 200 OK\r\na: 1\r2\r\n\r\n", None),
        ("garbage\r\n\r\n", None),
        ("\r\n\r\n", Some(Invalid::Endless)),
    ] {
        let found = take(head, &Method::GET).unwrap_err();
        match expected {
            Some(expected) => assert_eq!(found, expected, "{head:?}"),
            None => assert!(matches!(found, Invalid::Head(_)), "{head:?}: {found}"),
        }
    }
}

#[test]
fn an_end_is_found_wherever_reading_stopped() {
    for text in [
        "HTTP/1.1 200 OK\r\na: b\r\n\r\nrest",
        "HTTP/1.1 200 OK\na: b\n\nrest",
    ] {
        let end = text.find("rest").unwrap();
        for searched in 0..end {
            assert_eq!(
                answer::head_end(text.as_bytes(), searched.min(end - 1)),
                Some(end)
            );
            assert_eq!(answer::head_end(&text.as_bytes()[..searched], 0), None);
        }
    }
}

#[test]
fn chunks_are_read_with_extensions_blanks_and_trailers() {
    let text =
        b"5\r\nhello\r\n1  ;x=\"y\"\r\n \r\n0005\r\nworld\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\n\r\n";
    let (body, trailers, is_end) = dechunk(&[text]).unwrap();
    assert_eq!((&body[..], is_end), (&b"hello world"[..], true));
    let trailers = trailers.unwrap();
    assert_eq!(trailers["x-sum"], "1");
    assert!(
        !trailers.contains_key("content-length"),
        "it would change how the message is read"
    );
    assert_eq!(dechunk(&[b"0\r\n\r\n"]).unwrap(), (Vec::new(), None, true));
}

#[test]
fn broken_chunks_are_refused() {
    for text in [
        &b"x\r\n"[..],
        b"5\nhello\r\n",
        b"5\r\nhelloX",
        b"5\r\nhello\rX",
        b"-1\r\n",
        b"0x5\r\n",
        b"1234567890abcdef\r\n",
        b"0\r\n: x\r\n\r\n",
        b"0\r\na b: x\r\n\r\n",
    ] {
        assert!(dechunk(&[text]).is_err(), "{}", text.escape_ascii());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_chunked_body_is_the_same_however_it_is_cut(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
        cuts in prop::collection::vec(1_usize..9, 1..80),
    ) {
        let mut text = Vec::new();
        for part in &parts {
            text.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
            text.extend_from_slice(part);
            text.extend_from_slice(b"\r\n");
        }
        text.extend_from_slice(b"0\r\nx-sum: 1\r\n\r\n");
        let mut pieces = Vec::new();
        let mut rest = &text[..];
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, more) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = more;
        }
        let (body, trailers, is_end) = dechunk(&pieces).unwrap();
        assert_eq!(body, parts.concat());
        assert_eq!(trailers.unwrap()["x-sum"], "1");
        assert!(is_end);
    }

    #[test]
    fn nonsense_is_refused_and_not_worse(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = dechunk(&[&bytes]);
        let mut head = b"HTTP/1.1 200 OK\r\n".to_vec();
        head.extend_from_slice(&bytes);
        for text in [&bytes, &head] {
            let _ = foreign::head(text);
        }
    }
}

/// A line whose request was sent, and the upstream's end of it.
async fn asked() -> (Line, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (far, _) = listener.accept().await.unwrap();
    let mut line = Line::new(Socket::Plain(near));
    line.download = Download::Head { searched: 0 };
    line.upload.begin(None, |out| {
        out.extend_from_slice(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n");
        Coding::Plain
    });
    (line, far)
}

async fn answered(line: &mut Line) -> Result<(StatusCode, Vec<u8>), Fault> {
    let mut headers = HeaderMap::new();
    let (status, _) = poll_fn(|context| line.poll_answer(context, &mut headers, &mut |_, _| {})).await?;
    let mut body = Vec::new();
    while let Some(frame) = poll_fn(|context| line.poll_frame(context)).await {
        body.extend_from_slice(&frame?.into_data().unwrap_or_else(|_| Bytes::new()));
    }
    Ok((status, body))
}

#[tokio::test]
async fn interim_answers_are_passed_over() {
    let (mut line, mut far) = asked().await;
    let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n\
        HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    far.write_all(text.as_bytes()).await.unwrap();
    let (status, body) = answered(&mut line).await.unwrap();
    assert_eq!((status, &body[..]), (StatusCode::OK, &b"ok"[..]));
    assert!(line.is_reusable() && line.is_open());
}

#[tokio::test]
async fn what_is_not_asked_for_is_refused() {
    for text in [
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n".to_owned(),
        "HTTP/1.1 100 Continue\r\n\r\n".repeat(20),
    ] {
        let (mut line, mut far) = asked().await;
        far.write_all(text.as_bytes()).await.unwrap();
        let fault = answered(&mut line).await.unwrap_err();
        assert!(matches!(fault, Fault::Invalid(_)), "{fault:?}");
        assert!(!line.is_reusable());
    }
}

#[tokio::test]
async fn a_line_with_words_left_is_not_used_again() {
    let (mut line, mut far) = asked().await;
    far.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(answered(&mut line).await.unwrap().1, b"ok");
    assert!(!line.is_reusable(), "somebody else's answer would come next");
    // The same said a moment later is noticed when the line is taken.
    let (mut line, mut far) = asked().await;
    far.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    answered(&mut line).await.unwrap();
    assert!(line.is_reusable() && line.is_open());
    far.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    line.input.bytes.clear();
    while line.is_open() {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn ends_are_told_apart() {
    let (mut line, far) = asked().await;
    drop(far);
    let fault = answered(&mut line).await.unwrap_err();
    assert!(matches!(fault, Fault::Closed | Fault::Read(_)) && line.is_unanswered());
    let (mut line, mut far) = asked().await;
    let mut request = [0; 512];
    far.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
        .await
        .unwrap();
    let mut headers = HeaderMap::new();
    let (status, _) = poll_fn(|context| line.poll_answer(context, &mut headers, &mut |_, _| {}))
        .await
        .unwrap();
    assert_eq!(status, StatusCode::OK);
    let _ = far.read(&mut request).await.unwrap();
    drop(far);
    assert!(poll_fn(|context| line.poll_frame(context)).await.unwrap().is_ok());
    let cut = poll_fn(|context| line.poll_frame(context)).await.unwrap();
    assert!(matches!(cut, Err(Fault::Cut)), "{cut:?}");
}

#[tokio::test]
async fn a_line_at_rest_holds_little() {
    let (mut line, mut far) = asked().await;
    let body = vec![b'x'; 2 << 20];
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    let sent = tokio::spawn(async move {
        far.write_all(head.as_bytes()).await.unwrap();
        far.write_all(&body).await.unwrap();
        far
    });
    assert_eq!(answered(&mut line).await.unwrap().1.len(), 2 << 20);
    let _far = sent.await.unwrap();
    assert!(line.is_reusable());
    line.rest();
    let kept = line.input.bytes.capacity() + line.upload.take_buffer().capacity();
    assert!(kept <= 2 * BUFFER_BYTES, "{kept}");
}

#[tokio::test]
async fn words_on_a_line_that_took_nothing_are_no_answer() {
    let (mut line, mut far) = asked().await;
    far.write_all(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")
        .await
        .unwrap();
    line.socket.shutdown().await.unwrap();
    let fault = answered(&mut line).await.unwrap_err();
    assert!(matches!(fault, Fault::Write(_)), "{fault:?}");
    assert!(line.is_unsent() && !line.is_reusable());
}
