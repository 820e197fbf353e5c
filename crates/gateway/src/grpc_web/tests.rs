use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use hyper::body::Frame;
use proptest::prelude::{any, prop_assert_eq, proptest};

use super::{Decoder, Encoder, Form, NotBase64, answer_head, form, request_head};

fn headers(kind: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", kind.parse().unwrap());
    headers.insert("content-length", "7".parse().unwrap());
    headers
}

fn encode(encoder: &mut Encoder, bytes: &[u8]) -> Bytes {
    let frame = Frame::data(Bytes::copy_from_slice(bytes));
    encoder.encode(frame).into_data().unwrap()
}

#[test]
fn heads_are_translated_both_ways() {
    for (web, grpc, expected) in [
        ("application/grpc-web", "application/grpc", Some(Form::Binary)),
        (
            "application/grpc-web+proto",
            "application/grpc+proto",
            Some(Form::Binary),
        ),
        ("application/grpc-web-text", "application/grpc", Some(Form::Text)),
        (
            "application/grpc-web-text+proto",
            "application/grpc+proto",
            Some(Form::Text),
        ),
        ("application/grpc", "", None),
        ("application/grpc-website", "", None),
        ("text/plain", "", None),
    ] {
        let mut asked = headers(web);
        assert_eq!(form(&asked), expected, "{web}");
        let Some(form) = expected else { continue };
        request_head(&mut asked, form);
        assert_eq!(asked["content-type"], grpc);
        assert_eq!(asked["te"], "trailers");
        assert!(!asked.contains_key("content-length"));
        let mut answered = headers(grpc);
        assert!(answer_head(&mut answered, form));
        assert_eq!(answered["content-type"], web);
        assert!(!answered.contains_key("content-length"));
        let mut other = headers("text/html");
        assert!(!answer_head(&mut other, form) && other.contains_key("content-length"));
    }
}

#[test]
fn trailers_become_the_last_frame() {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    trailers.insert("grpc-message", "fine".parse().unwrap());
    let frame = Encoder::new(Form::Binary).encode(Frame::trailers(trailers));
    let lines = b"grpc-status: 0\r\ngrpc-message: fine\r\n";
    let expected = [&b"\x80\0\0\0"[..], &[lines.len() as u8], lines].concat();
    assert_eq!(frame.into_data().unwrap(), expected);
}

#[test]
fn each_message_is_whole_in_what_is_sent() {
    let mut encoder = Encoder::new(Form::Text);
    let message = b"\0\0\0\0\x02hi";
    for _ in 0..2 {
        assert_eq!(encode(&mut encoder, message), STANDARD.encode(message));
    }
    assert_eq!(encode(&mut encoder, b"\0\0\0\0"), STANDARD.encode(b"\0\0\0"));
}

#[test]
fn what_is_no_base_64_is_refused() {
    let decode = |text: &'static str| Decoder::new(Form::Text).decode(Bytes::from_static(text.as_bytes()));
    assert_eq!(decode("AA=="), Ok(Bytes::from_static(b"\0")));
    assert_eq!(
        decode("AA==AAA=\n"),
        Ok(Bytes::from_static(b"\0\0\0")),
        "padded parts"
    );
    assert_eq!(decode("A*AA"), Err(NotBase64));
    assert_eq!(decode("=AAA"), Err(NotBase64));
    let mut decoder = Decoder::new(Form::Text);
    assert_eq!(decoder.decode(Bytes::from_static(b"AAA")), Ok(Bytes::new()));
    assert!(!decoder.is_whole());
}

proptest! {
    #[test]
    fn what_was_encoded_is_decoded(
        messages in proptest::collection::vec(any::<Vec<u8>>(), 0..5),
        cuts in proptest::collection::vec(1_usize..20, 0..60),
    ) {
        let mut stream = Vec::new();
        for message in &messages {
            stream.push(0);
            stream.extend_from_slice(&(message.len() as u32).to_be_bytes());
            stream.extend_from_slice(message);
        }
        let (mut encoder, mut decoder) = (Encoder::new(Form::Text), Decoder::new(Form::Text));
        let (mut rest, mut found) = (stream.as_slice(), Vec::new());
        for cut in cuts.into_iter().chain([usize::MAX]) {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            rest = after;
            found.extend_from_slice(&decoder.decode(encode(&mut encoder, piece)).unwrap());
        }
        prop_assert_eq!(found, stream);
        prop_assert_eq!(decoder.is_whole(), true);
    }

    #[test]
    fn no_bytes_make_it_panic(pieces in proptest::collection::vec(any::<Vec<u8>>(), 0..5)) {
        let (mut encoder, mut decoder) = (Encoder::new(Form::Text), Decoder::new(Form::Text));
        for piece in pieces {
            let _ = encode(&mut encoder, &piece);
            let _ = decoder.decode(piece.into());
        }
    }
}
