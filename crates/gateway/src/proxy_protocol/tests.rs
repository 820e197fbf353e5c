use std::net::SocketAddr;

use bytes::BytesMut;
use domain::traffic::ProxyVersion;
use proptest::prelude::{any, prop_assert_eq, proptest};

use super::{Ends, Error, Header, Invalid, read, receive, write};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn ends(source: &str, destination: &str) -> Ends {
    Ends {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
    }
}

/// A header of version 2.
fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &length, rest].concat()
}

/// Addresses of version 2, and values behind them.
fn inet(values: &[u8]) -> Vec<u8> {
    let addresses = [192, 0, 2, 1, 198, 51, 100, 2, 0x30, 0x39, 0x01, 0xbb];
    binary(0x21, 0x11, &[&addresses[..], values].concat())
}

fn value(kind: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[kind], &length[..], value].concat()
}

/// The same header with a checksum behind.
fn summed(values: &[u8]) -> Vec<u8> {
    let mut header = inet(&[values, &value(3, &[0; 4])].concat());
    let sum = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI).checksum(&header);
    let place = header.len() - 4;
    header[place..].copy_from_slice(&sum.to_be_bytes());
    header
}

#[test]
fn lines_are_read() {
    let longest = format!("PROXY UNKNOWN {}\r\n", "f".repeat(91));
    assert_eq!(longest.len(), 107);
    let four = ends("192.0.2.1:12345", "198.51.100.2:443");
    let six = ends("[2001:db8::1]:1", "[2001:db8::2]:65535");
    let table: &[(&str, Option<Ends>)] = &[
        ("PROXY TCP4 192.0.2.1 198.51.100.2 12345 443\r\n", Some(four)),
        ("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n", Some(six)),
        (
            "PROXY TCP4 0.0.0.0 255.255.255.255 0 0\r\n",
            Some(ends("0.0.0.0:0", "255.255.255.255:0")),
        ),
        ("PROXY UNKNOWN\r\n", None),
        ("PROXY UNKNOWN 2001:db8::1 whatever 1 2\r\n", None),
        (&longest, None),
    ];
    for (line, ends) in table {
        let header = Header {
            length: line.len(),
            ends: *ends,
        };
        let whole = format!("{line}GET / HTTP/1.1\r\n");
        assert_eq!(read(whole.as_bytes()), Ok(Some(header)), "{line}");
        for cut in 0..line.len() {
            assert_eq!(read(&line.as_bytes()[..cut]), Ok(None), "{line} cut at {cut}");
        }
    }
}

#[test]
fn other_lines_are_refused() {
    let endless = format!("PROXY UNKNOWN {}", "f".repeat(200));
    let late = format!("PROXY UNKNOWN {}\r\n", "f".repeat(92));
    let table = [
        ("PROXY TCP4 192.0.2.1 198.51.100.2 12345 443\n", Invalid::Line),
        ("PROXY TCP4 192.0.2.1 198.51.100.2 12345\r\n", Invalid::Line),
        ("PROXY TCP4 192.0.2.1 198.51.100.2 12345 443 \r\n", Invalid::Line),
        ("PROXY TCP4  192.0.2.1 198.51.100.2 12345 443\r\n", Invalid::Line),
        ("PROXY TCP4 192.0.2.01 198.51.100.2 12345 443\r\n", Invalid::Line),
        ("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n", Invalid::Line),
        ("PROXY TCP6 192.0.2.1 198.51.100.2 12345 443\r\n", Invalid::Line),
        ("PROXY TCP4 192.0.2.1 198.51.100.2 012345 443\r\n", Invalid::Line),
        ("PROXY TCP4 192.0.2.1 198.51.100.2 +1 443\r\n", Invalid::Line),
        ("PROXY TCP4 192.0.2.1 198.51.100.2 65536 443\r\n", Invalid::Line),
        ("PROXY TCP4 192.0.2.1 198.51.100.2 1 443\r\r\n", Invalid::Line),
        ("PROXY UDP4 192.0.2.1 198.51.100.2 1 443\r\n", Invalid::Line),
        ("PROXY tcp4 192.0.2.1 198.51.100.2 1 443\r\n", Invalid::Line),
        ("PROXY \r\n", Invalid::Line),
        ("PROXY UNKNOWNS\r\n", Invalid::Line),
        (&endless, Invalid::Line),
        (&late, Invalid::Line),
        ("PROXY\tTCP4 192.0.2.1 198.51.100.2 1 443\r\n", Invalid::None),
        ("POST / HTTP/1.1\r\n", Invalid::None),
        ("proxy TCP4 192.0.2.1 198.51.100.2 1 443\r\n", Invalid::None),
        ("GET / HTTP/1.1\r\n", Invalid::None),
        ("\x16\x03\x01", Invalid::None),
        ("\r\n\r\nGET / HTTP/1.1\r\n", Invalid::None),
    ];
    for (line, why) in table {
        assert_eq!(read(line.as_bytes()), Err(why), "{line:?}");
    }
}

#[test]
fn bytes_are_read() {
    let four = Some(ends("192.0.2.1:12345", "198.51.100.2:443"));
    let six = [
        &[0x20, 1, 0xd, 0xb8][..],
        &[0; 11],
        &[1],
        &[0; 15],
        &[1],
        &[0, 9, 1, 0],
    ]
    .concat();
    let ssl = [&[7, 0, 0, 0, 0][..], &value(0x21, b"TLSv1.3"), &value(0x23, b"X")].concat();
    let table = [
        ("four", inet(&[]), four),
        ("datagrams", binary(0x21, 0x12, &inet(&[])[16..]), four),
        (
            "six",
            binary(0x21, 0x21, &six),
            Some(ends("[2001:db8::1]:9", "[::1]:256")),
        ),
        ("a socket", binary(0x21, 0x31, &[b'x'; 216]), None),
        ("no family", binary(0x21, 0x00, &value(4, b"..")), None),
        ("itself", binary(0x20, 0x00, &[]), None),
        ("itself, with anything", binary(0x20, 0x77, &[1, 2, 3]), None),
        (
            "names",
            inet(&[value(1, b"h2"), value(2, b"a.example")].concat()),
            four,
        ),
        ("an id", inet(&value(5, &[7; 128])), four),
        ("TLS", inet(&value(0x20, &ssl)), four),
        ("what is not known", inet(&value(0xe0, &[0xff; 300])), four),
        ("a checksum", summed(&[]), four),
        ("a checksum of more", summed(&value(2, b"a.example")), four),
        ("as much as may be", inet(&value(4, &[0; 4096 - 12 - 3])), four),
    ];
    for (name, bytes, ends) in table {
        let header = Header {
            length: bytes.len(),
            ends,
        };
        assert_eq!(read(&[&bytes[..], b"more"].concat()), Ok(Some(header)), "{name}");
        for cut in 0..bytes.len() {
            assert_eq!(read(&bytes[..cut]), Ok(None), "{name} cut at {cut}");
        }
    }
}

#[test]
fn other_bytes_are_refused() {
    let mut wrong_sum = summed(&value(2, b"a.example"));
    wrong_sum[20] ^= 1;
    let two_sums = inet(&[value(3, &[0; 4]), value(3, &[0; 4])].concat());
    let table = [
        ("version 1", binary(0x11, 0x11, &[0; 12]), Invalid::Kind),
        ("version 3", binary(0x31, 0x11, &[0; 12]), Invalid::Kind),
        ("another command", binary(0x22, 0x11, &[0; 12]), Invalid::Kind),
        ("another family", binary(0x21, 0x41, &[0; 12]), Invalid::Kind),
        ("another transport", binary(0x21, 0x13, &[0; 12]), Invalid::Kind),
        ("half a family", binary(0x21, 0x10, &[0; 12]), Invalid::Kind),
        ("too few for four", binary(0x21, 0x11, &[0; 11]), Invalid::Length),
        ("too few for six", binary(0x21, 0x21, &[0; 35]), Invalid::Length),
        (
            "too few for a socket",
            binary(0x21, 0x31, &[0; 215]),
            Invalid::Length,
        ),
        ("too many", inet(&value(4, &[0; 4096 - 12 - 2])), Invalid::Length),
        (
            "too many of its own",
            binary(0x20, 0, &[0; 4097]),
            Invalid::Length,
        ),
        ("a value without length", inet(&[4, 0]), Invalid::Values),
        ("a value that is cut", inet(&[4, 0, 2, 0]), Invalid::Values),
        ("no protocol", inet(&value(1, b"")), Invalid::Values),
        (
            "a name that is no text",
            inet(&value(2, &[0xff])),
            Invalid::Values,
        ),
        (
            "a name that is too long",
            inet(&value(2, &[b'a'; 256])),
            Invalid::Values,
        ),
        (
            "an id that is too long",
            inet(&value(5, &[0; 129])),
            Invalid::Values,
        ),
        ("TLS that is cut", inet(&value(0x20, &[0; 4])), Invalid::Values),
        (
            "TLS with a value that is cut",
            inet(&value(0x20, &[0, 0, 0, 0, 0, 0x21, 0, 9])),
            Invalid::Values,
        ),
        ("half a checksum", inet(&value(3, &[0; 3])), Invalid::Values),
        ("two checksums", two_sums, Invalid::Values),
        ("no checksum", inet(&value(3, &[0; 4])), Invalid::Checksum),
        ("something else than was summed up", wrong_sum, Invalid::Checksum),
    ];
    for (name, bytes, why) in table {
        assert_eq!(read(&bytes), Err(why), "{name}");
    }
    let mut begin = SIGNATURE.to_vec();
    begin[11] = b'\r';
    assert_eq!(read(&begin), Err(Invalid::None));
    // Refused by its length, before a byte of it is kept.
    assert_eq!(read(&binary(0x21, 0x11, &[0; 5000])[..16]), Err(Invalid::Length));
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        source in any::<SocketAddr>(),
        destination in any::<SocketAddr>(),
        rest in any::<Vec<u8>>(),
    ) {
        let ends = Ends { source, destination };
        for version in [ProxyVersion::V1, ProxyVersion::V2] {
            let bytes = write(version, Some(&ends));
            let header = Header { length: bytes.len(), ends: Some(ends.of_one_family()) };
            prop_assert_eq!(read(&[&bytes[..], &rest].concat()), Ok(Some(header)));
        }
    }

    #[test]
    fn nothing_makes_the_reader_panic(bytes in any::<Vec<u8>>(), family in any::<u8>()) {
        let _ = read(&bytes);
        let whole = binary(0x21, family, &bytes);
        if let Ok(Some(header)) = read(&whole) {
            prop_assert_eq!(header.length, whole.len());
        }
    }
}

#[test]
fn connections_of_our_own_say_so() {
    assert_eq!(&*write(ProxyVersion::V1, None), b"PROXY UNKNOWN\r\n");
    assert_eq!(*write(ProxyVersion::V2, None), binary(0x20, 0, &[]));
    let mixed = ends("[::ffff:192.0.2.1]:7", "198.51.100.2:8");
    assert_eq!(
        &*write(ProxyVersion::V1, Some(&mixed)),
        b"PROXY TCP4 192.0.2.1 198.51.100.2 7 8\r\n"
    );
    let mixed = ends("[2001:db8::1]:7", "198.51.100.2:8");
    assert_eq!(
        &*write(ProxyVersion::V1, Some(&mixed)),
        b"PROXY TCP6 2001:db8::1 ::ffff:198.51.100.2 7 8\r\n"
    );
}

#[tokio::test]
async fn what_follows_a_header_is_kept() {
    let bytes = [&summed(&[])[..], b"GET /"].concat();
    for size in [1, 7, 64, 1000] {
        let mut pieces = in_pieces(&bytes, size);
        let mut first = BytesMut::new();
        let ends = receive(&mut pieces, &mut first).await.unwrap();
        assert_eq!(
            ends.map(|ends| ends.source.to_string()).as_deref(),
            Some("192.0.2.1:12345")
        );
        let mut rest = first.to_vec();
        tokio::io::AsyncReadExt::read_to_end(&mut pieces, &mut rest)
            .await
            .unwrap();
        assert_eq!(rest, b"GET /", "in pieces of {size}");
    }
    let cut = receive(&mut &bytes[..20], &mut BytesMut::new()).await;
    assert!(matches!(cut, Err(Error::Closed)), "{cut:?}");
}

/// Gives bytes in pieces of a size.
fn in_pieces(bytes: &[u8], size: usize) -> impl tokio::io::AsyncRead + Unpin + use<> {
    let (mut writer, reader) = tokio::io::duplex(size);
    let bytes = bytes.to_vec();
    tokio::spawn(async move {
        tokio::io::AsyncWriteExt::write_all(&mut writer, &bytes)
            .await
            .unwrap();
    });
    reader
}
