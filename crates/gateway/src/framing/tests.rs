use proptest::prelude::{any, prop_assert_eq, proptest};

use super::{HeadLimits, Scanner, Violation};

const LIMITS: HeadLimits = HeadLimits {
    bytes_max: 1024,
    fields_max: 10,
};

/// Scans everything at once; the violation, or the number of messages begun.
fn scan(bytes: &[u8]) -> Result<u32, Violation> {
    let scanned = Scanner::new(LIMITS).scan(bytes);
    scanned.violation.map_or(Ok(scanned.heads), Err)
}

/// Scans in pieces, as a reader would; bytes passed on and the violation.
fn scan_pieces(bytes: &[u8], cuts: impl Iterator<Item = usize>) -> (Vec<u8>, Option<Violation>) {
    let mut scanner = Scanner::new(LIMITS);
    let (mut passed, mut kept, mut rest) = (Vec::new(), Vec::new(), bytes);
    for cut in cuts.chain([usize::MAX]) {
        let (piece, after) = rest.split_at(cut.min(rest.len()));
        rest = after;
        kept.extend_from_slice(piece);
        let scanned = scanner.scan(&kept);
        passed.extend(kept.drain(..scanned.passed));
        if scanned.violation.is_some() {
            return (passed, scanned.violation);
        }
    }
    (passed, None)
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
        assert!(Scanner::new(LIMITS).scan(&both).passed == both.len());
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
        let scanned = Scanner::new(LIMITS).scan(&second);
        assert_eq!(
            (scanned.passed, scanned.violation),
            (GOOD[0].len(), Some(*expected)),
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
        let scanned = Scanner::new(LIMITS).scan(&[head, *body].concat());
        assert_eq!(
            (scanned.passed, scanned.violation, scanned.in_body),
            (0, Some(*expected), false),
            "{}",
            body.escape_ascii()
        );
        let mut scanner = Scanner::new(LIMITS);
        assert_eq!(scanner.scan(head).passed, head.len());
        let scanned = scanner.scan(body);
        assert_eq!(
            (scanned.passed, scanned.violation, scanned.in_body),
            (0, Some(*expected), true)
        );
    }
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
        let (passed, violation) = scan_pieces(&bytes, cuts.into_iter());
        prop_assert_eq!(violation, None);
        prop_assert_eq!(passed, bytes);
    }

    #[test]
    fn no_bytes_make_it_panic_or_pass_what_was_refused(bytes in any::<Vec<u8>>(), cuts in proptest::collection::vec(1_usize..9, 0..60)) {
        let bytes = [b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", bytes.as_slice()].concat();
        let whole = Scanner::new(LIMITS).scan(&bytes);
        let (passed, violation) = scan_pieces(&bytes, cuts.into_iter());
        prop_assert_eq!(violation, whole.violation);
        prop_assert_eq!(&bytes[..passed.len()], &passed[..]);
    }
}
