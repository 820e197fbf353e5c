use bytes::{Bytes, BytesMut};
use http::StatusCode;
use proptest::prelude::{any, prop};
use proptest::proptest;

use super::{Name, STATIC, Unreadable, begin, read, write, write_status};

fn fields(section: &[u8], bytes_max: usize) -> Result<Vec<(String, String)>, Unreadable> {
    let mut found = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let done = read(
        &Bytes::copy_from_slice(section),
        bytes_max,
        |name: Name, value| {
            found.push((text(name.as_bytes()), text(&value)));
            Ok::<(), ()>(())
        },
    )?;
    assert_eq!(done, Ok(()));
    Ok(found)
}

#[test]
fn what_the_rfc_shows_is_read() {
    // RFC 9204 appendix B.1.
    let section = b"\0\0\x51\x0b/index.html";
    let path = (":path".to_owned(), "/index.html".to_owned());
    assert_eq!(fields(section, 100), Ok(vec![path]));
    // Indexed fields, a name from the table, a name that is written (with Huffman's code), and bits for
    // "never indexed".
    let section =
        b"\0\0\xd1\xd7\xc1\x50\x01a\x7f\x50\x01b\x2f\x01\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x01c\x31d\x01e";
    let found = fields(section, 1000).unwrap();
    let expected = [
        (":method", "GET"),
        (":scheme", "https"),
        (":path", "/"),
        (":authority", "a"),
        ("user-agent", "b"),
        ("custom-key", "c"),
        ("d", "e"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(found, expected);
}

#[test]
fn what_cannot_be_read_is_refused() {
    for section in [
        &b""[..],
        b"\0",
        b"\x01\0",
        b"\0\x80",
        b"\0\0\x80",
        b"\0\0\x10",
        b"\0\0\x00\x01a",
        b"\0\0\x40\x01a",
        b"\0\0\xff\x24",
        b"\0\0\xff\xff\xff\xff\xff\x0f",
        b"\0\0\x51\x02a",
        b"\0\0\x51\x81\x1e",
        b"\0\0\x21",
        b"\0\0\x21a",
    ] {
        let shown = section.escape_ascii().to_string();
        assert_eq!(fields(section, 1000), Err(Unreadable::Broken), "{shown}");
    }
    let section = b"\0\0\xd1\xd7";
    assert_eq!(fields(section, 85), Err(Unreadable::TooLarge));
    assert_eq!(fields(section, 86).map(|found| found.len()), Ok(2));
}

#[test]
fn statuses_are_written_short_where_the_table_has_them() {
    for (status, expected) in [
        (200, &b"\0\0\xd9"[..]),
        (500, b"\0\0\xff\x08"),
        (418, b"\0\0\x5f\x09\x03418"),
    ] {
        let mut section = BytesMut::new();
        begin(&mut section);
        write_status(&mut section, StatusCode::from_u16(status).unwrap());
        assert_eq!(&section[..], expected, "{status}");
        let (name, value) = fields(&section, 1000).unwrap().remove(0);
        assert_eq!((&*name, value), (":status", status.to_string()));
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        written in prop::collection::vec(("[a-z][a-z0-9-]{0,40}", "[ -~]{0,300}"), 0..20),
        known in 0..STATIC.len(),
    ) {
        let mut section = BytesMut::new();
        begin(&mut section);
        let mut expected = vec![(STATIC[known].0.to_owned(), "x".to_owned())];
        expected.extend(written);
        for (name, value) in &expected {
            write(&mut section, name, value.as_bytes());
        }
        assert_eq!(fields(&section, 1 << 20), Ok(expected));
    }

    #[test]
    fn anything_is_read_or_refused(section in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = 0;
        let done = read(&Bytes::from(section), 500, |name: Name, value| {
            bytes += name.as_bytes().len() + value.len() + 32;
            Ok::<(), ()>(())
        });
        assert!(bytes <= 500, "{done:?}");
    }
}
