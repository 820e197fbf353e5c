use bytes::BytesMut;
use http::HeaderMap;
use proptest::prelude::{any, prop_assert_eq, proptest};

use super::super::coming::check_chunks;
use super::super::foreign::requests;
use super::Reader;
use crate::framing::{HeadLimits, Violation};

const LIMITS: HeadLimits = HeadLimits {
    bytes_max: 1024,
    fields_max: 10,
};

/// Reads everything at once; the violation, or the number of requests.
fn scan(bytes: &[u8]) -> Result<usize, Violation> {
    let found = requests(LIMITS, [bytes].into_iter());
    found.violation.map_or(Ok(found.heads.len()), Err)
}

/// Cuts bytes into pieces of the given sizes, and the rest.
fn cut<'a>(bytes: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = bytes;
    sizes.iter().chain([&usize::MAX]).map(move |size| {
        let (piece, after) = rest.split_at((*size).min(rest.len()));
        rest = after;
        piece
    })
}

const GOOD: &[&[u8]] = &[
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
    b"GET /a?b=%20 HTTP/1.1\r\nHost: a\r\nX: \t\xc3\xa9 \r\nY:\r\n\r\n",
    b"POST / HTTP/1.1\r\nhOST: a\r\ncontent-LENGTH:  5 \r\n\r\nGET /",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0005;a=\"b\"\r\nhello\r\nA\r\n0123456789\r\n0\r\nX: y\r\nZ: w\r\n\r\n",
];

#[test]
fn good_messages_pass_one_after_the_other() {
    for good in GOOD {
        assert_eq!(scan(good), Ok(1), "{}", good.escape_ascii());
        let both = [good, *good, GOOD[0]].concat();
        assert_eq!(scan(&both), Ok(3), "{}", both.escape_ascii());
    }
}

#[test]
fn heads_are_read_to_the_letter() {
    let found = requests(LIMITS, [GOOD[4]].into_iter());
    let (line, headers) = &found.heads[0];
    assert_eq!(line, "GET /a?b=%20");
    assert_eq!(headers["host"], "a");
    assert_eq!(
        headers["x"].as_bytes(),
        b"\xc3\xa9",
        "without the blanks around it"
    );
    assert_eq!(headers["y"], "");
    assert_eq!(
        requests(LIMITS, [GOOD[8]].into_iter()).bodies[0],
        b"hello0123456789"
    );
}

#[test]
fn what_a_head_says_about_its_connection() {
    for (fields, lasts, expects, trailers, websocket) in [
        ("", true, false, false, false),
        ("Connection: close\r\n", false, false, false, false),
        ("Connection: x, CLOSE\r\n", false, false, false, false),
        ("Connection: keep-alive\r\n", true, false, false, false),
        (
            "Content-Length: 1\r\nExpect: 100-Continue\r\n",
            true,
            true,
            false,
            false,
        ),
        ("Expect: 100-continue\r\n", true, false, false, false),
        ("TE: gzip, trailers;q=0.5\r\n", true, false, true, false),
        (
            "Connection: Upgrade\r\nUpgrade: WebSocket\r\n",
            true,
            false,
            false,
            true,
        ),
        ("Upgrade: websocket\r\n", true, false, false, false),
        (
            "Connection: upgrade\r\nUpgrade: h2c\r\n",
            true,
            false,
            false,
            false,
        ),
        (
            "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n",
            true,
            false,
            false,
            false,
        ),
    ] {
        for (version, is_old) in [("1.1", false), ("1.0", true)] {
            let mut input = BytesMut::from(&*format!("GET / HTTP/{version}\r\nHost: a\r\n{fields}\r\n"));
            let mut reader = Reader::new(LIMITS);
            assert_eq!(reader.read(&input), Ok(Some(input.len())));
            let head = reader.take(&mut input, &mut HeaderMap::new()).unwrap();
            let keeps = lasts && (!is_old || fields.contains("keep-alive"));
            assert_eq!(head.is_persistent, keeps, "{fields} {version}");
            assert_eq!(head.expects, expects && !is_old, "{fields} {version}");
            assert_eq!(head.takes_trailers, trailers, "{fields}");
            assert_eq!(head.is_websocket, websocket && !is_old, "{fields} {version}");
        }
    }
}

const AMBIGUOUS: &[(&[u8], Violation)] = &[
    (b"GET / HTTP/1.1\nHost: a\r\n\r\n", Violation::LineEnd),
    (b"GET / HTTP/1.1\r\nHost: a\n\r\n", Violation::LineEnd),
    (b"GET / HTTP/1.1\r\nHost: a\r\n\n", Violation::LineEnd),
    (b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Violation::LineEnd),
    (
        b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        Violation::RequestLine,
    ),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\nX: b\rY: c\r\n\r\n",
        Violation::LineEnd,
    ),
    (b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", Violation::LineEnd),
    (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", Violation::RequestLine),
    (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", Violation::RequestLine),
    (b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", Violation::RequestLine),
    (b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", Violation::RequestLine),
    (b"GET /\r\nHost: a\r\n\r\n", Violation::RequestLine),
    (
        b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
        Violation::RequestLine,
    ),
    (b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", Violation::RequestLine),
    (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", Violation::RequestLine),
    (b"GET / http/1.1\r\nHost: a\r\n\r\n", Violation::RequestLine),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
        Violation::Folded,
    ),
    (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", Violation::Folded),
    (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", Violation::FieldName),
    (b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", Violation::FieldName),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
        Violation::FieldName,
    ),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\nX\x0b: b\r\n\r\n",
        Violation::FieldName,
    ),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
        Violation::FieldValue,
    ),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n",
        Violation::FieldValue,
    ),
    (b"GET / HTTP/1.1\r\n\r\n", Violation::Host),
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", Violation::Host),
    (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        Violation::ContentLengths,
    ),
    (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        Violation::ContentLengths,
    ),
    (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n",
        Violation::ContentLength,
    ),
    (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
        Violation::ContentLength,
    ),
    (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        Violation::ContentLength,
    ),
    (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n",
        Violation::ContentLength,
    ),
    (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
        Violation::ContentLength,
    ),
    (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
        Violation::ContentLength,
    ),
    (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
        Violation::BothLengths,
    ),
    (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n",
        Violation::BothLengths,
    ),
    (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        Violation::TransferEncoding,
    ),
    (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
        Violation::TransferEncoding,
    ),
    (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
        Violation::TransferEncoding,
    ),
    (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n",
        Violation::FieldValue,
    ),
    (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n",
        Violation::TransferEncoding,
    ),
    (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        Violation::TransferEncoding,
    ),
    (
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        Violation::OldTransferEncoding,
    ),
];

#[test]
fn ambiguous_messages_are_refused() {
    for (bytes, expected) in AMBIGUOUS {
        assert_eq!(scan(bytes), Err(*expected), "{}", bytes.escape_ascii());
        let second = [GOOD[0], bytes].concat();
        let found = requests(LIMITS, [&*second].into_iter());
        assert_eq!(
            (found.heads.len(), found.violation),
            (1, Some(*expected)),
            "the message before passes"
        );
    }
}

#[test]
fn bad_chunks_are_refused() {
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let table: &[(&[u8], Violation)] = &[
        (b"x\r\n", Violation::ChunkSize),
        (b"\r\n", Violation::ChunkSize),
        (b"-1\r\n", Violation::ChunkSize),
        (b"0x5\r\nhello\r\n", Violation::ChunkSize),
        (b"5 \r\nhello\r\n", Violation::ChunkSize),
        (b" 5\r\nhello\r\n", Violation::ChunkSize),
        (b"5\nhello\r\n", Violation::ChunkSize),
        (b"5;a\nhello\r\n", Violation::ChunkSize),
        (b"5\rhello\r\n", Violation::ChunkSize),
        (b"10000000000000005\r\nhello\r\n", Violation::ChunkSize),
        (b"5\r\nhello0\r\n\r\n", Violation::ChunkEnd),
        (b"5\r\nhello\n0\r\n\r\n", Violation::ChunkEnd),
        (b"3\r\nhello\r\n", Violation::ChunkEnd),
        (b"0\r\nX: y\n\r\n", Violation::Trailer),
        (b"0\r\n folded\r\n\r\n", Violation::Trailer),
        (b"0\r\n\n", Violation::Trailer),
        (b"0\r\nX: \0\r\n\r\n", Violation::Trailer),
    ];
    for (body, expected) in table {
        for size in [1, 2, 1000] {
            let whole = [head, *body].concat();
            let sizes = vec![size; whole.len()];
            let found = requests(LIMITS, cut(&whole, &sizes));
            assert_eq!(found.violation, Some(*expected), "{}", body.escape_ascii());
        }
        assert_eq!(check_chunks(body), Err(*expected), "{}", body.escape_ascii());
    }
    assert_eq!(check_chunks(b"5\r\nhello\r\n0\r\n\r\nGET /"), Ok(()));
}

#[test]
fn large_heads_are_refused() {
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(1024));
    assert_eq!(scan(long.as_bytes()), Err(Violation::HeadTooLarge));
    assert_eq!(
        scan(&long.as_bytes()[..1025]),
        Err(Violation::HeadTooLarge),
        "before the line is whole"
    );
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(10));
    assert_eq!(scan(many.as_bytes()), Err(Violation::HeadTooLarge));
    let endless = format!("GET / HTTP/1.1\r\nHost: a\r\n{}", "X: y\r\n".repeat(200));
    assert_eq!(scan(endless.as_bytes()), Err(Violation::HeadTooLarge));
}

proptest! {
    #[test]
    fn pieces_make_no_difference(order in proptest::collection::vec(0..GOOD.len(), 1..5), cuts in proptest::collection::vec(1_usize..40, 0..60)) {
        let bytes = order.iter().flat_map(|index| GOOD[*index]).copied().collect::<Vec<u8>>();
        let found = requests(LIMITS, cut(&bytes, &cuts));
        prop_assert_eq!(found.heads.len(), order.len());
        let whole = requests(LIMITS, [bytes.as_slice()].into_iter());
        prop_assert_eq!((&found.heads, &found.bodies), (&whole.heads, &whole.bodies));
    }

    #[test]
    fn no_bytes_make_it_panic_or_pass_what_was_refused(bytes in any::<Vec<u8>>(), cuts in proptest::collection::vec(1_usize..9, 0..60)) {
        let bytes = [b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", bytes.as_slice()].concat();
        let whole = requests(LIMITS, [bytes.as_slice()].into_iter());
        let found = requests(LIMITS, cut(&bytes, &cuts));
        prop_assert_eq!(found, whole);
    }
}
