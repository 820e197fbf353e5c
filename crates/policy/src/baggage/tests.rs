use std::borrow::Cow;

use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, proptest};

use super::{BYTES_MAX, MEMBERS_MAX, Member, encoded, merged};

fn text(lines: &[&str], ours: &[(&str, Option<&str>)]) -> Option<String> {
    let ours: Vec<_> = ours
        .iter()
        .map(|(key, value)| Member {
            key,
            value: value.map(encoded),
        })
        .collect();
    merged(lines.iter().map(|line| line.as_bytes()), &ours).map(|field| String::from_utf8(field).unwrap())
}

/// The lines that came, what is put there, and what becomes of it.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, Option<&'a str>)], Option<&'a str>);

#[test]
fn ours_take_the_place_of_those_with_the_same_key() {
    let cases: [Case<'_>; 9] = [
        (&[], &[], None),
        (&[], &[("f.a", Some("on"))], Some("f.a=on")),
        (&["a=1,b=2;p=q"], &[("f.a", None)], Some("a=1,b=2;p=q")),
        (&["a=1", " b=2 ,, "], &[("f.a", Some("x"))], Some("a=1,b=2,f.a=x")),
        (
            &["f.a=1, a=1 ,f.a = 2;p, f.a;p"],
            &[("f.a", Some("x"))],
            Some("a=1,f.a=x"),
        ),
        (&["f.a=1"], &[("f.a", None)], None),
        (&["F.a=1,f.ab=2"], &[("f.a", None)], Some("F.a=1,f.ab=2")),
        // What nobody understands is not ours to take away.
        (
            &["???=", "=\"1,2\""],
            &[("f.a", Some("x"))],
            Some("???=,=\"1,2\",f.a=x"),
        ),
        (
            &[],
            &[("f.a", Some("a b,c;\"\\%ä"))],
            Some("f.a=a%20b%2Cc%3B%22%5C%25%C3%A4"),
        ),
    ];
    for (lines, ours, expected) in cases {
        assert_eq!(text(lines, ours).as_deref(), expected, "{lines:?} {ours:?}");
    }
}

#[test]
fn a_field_grows_no_larger_than_everybody_passes_on() {
    let ours = [("f.a", Some("on")), ("f.b", Some("on"))];
    let many = |count: usize| vec!["a=1"; count].join(",");
    let count = |field: &str| field.split(',').count();
    for (before, after) in [(0, 2), (62, 64), (63, 64), (64, 64), (70, 70)] {
        let found = text(&[&many(before)], &ours).unwrap();
        assert_eq!(count(&found), after, "{before}");
    }
    // `,f.a=on` are seven bytes.
    for (room, fits) in [(6, 0), (7, 1), (13, 1), (14, 2)] {
        let long = format!("a={}", "1".repeat(BYTES_MAX - 2 - room));
        let found = text(&[&long], &ours).unwrap();
        assert_eq!(count(&found), 1 + fits, "{room}");
        assert!(found.len() <= BYTES_MAX);
    }
}

/// Members as they are, whatever they are.
fn members(field: &[u8]) -> Vec<Vec<u8>> {
    let members = field.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    members
        .filter(|member| !member.is_empty())
        .map(<[u8]>::to_vec)
        .collect()
}

proptest! {
    #[test]
    fn members_of_others_stay_in_their_order(
        lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..4),
        values in prop::collection::vec(prop::option::of("\\PC{0,10}"), 1..4),
    ) {
        let keys = ["f.a", "f.b", "f.c", "f.d"];
        let ours: Vec<_> = keys
            .iter()
            .zip(&values)
            .map(|(key, value)| Member { key, value: value.as_deref().map(encoded) })
            .collect();
        let field = merged(lines.iter().map(Vec::as_slice), &ours).unwrap_or_default();
        let found = members(&field);
        let names_ours = |member: &Vec<u8>| ours.iter().any(|one| super::key(member) == one.key.as_bytes());
        let before: Vec<_> = lines.iter().flat_map(|line| members(line)).filter(|it| !names_ours(it)).collect();
        prop_assert_eq!(&found[..before.len()], &before[..]);
        let told: Vec<_> = ours.iter().filter_map(|one| Some((one.key, one.value.as_deref()?))).collect();
        if before.len() + told.len() <= MEMBERS_MAX {
            let told = told.iter().map(|(key, value)| format!("{key}={value}").into_bytes());
            prop_assert_eq!(&found[before.len()..], &told.collect::<Vec<_>>()[..]);
        }
        // Doing it twice changes nothing.
        let again = merged([field.as_slice()].into_iter(), &ours).unwrap_or_default();
        prop_assert_eq!(again, field);
    }

    #[test]
    fn what_is_encoded_can_be_read_again(text in "\\PC{0,20}|[ -~]{0,20}".prop_map(Cow::Owned::<str>)) {
        let written = encoded(&text);
        prop_assert!(written.bytes().all(|byte| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte)));
        let mut read = Vec::new();
        let mut rest = written.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            let (byte, after) = match first {
                b'%' => (u8::from_str_radix(str::from_utf8(&after[..2]).unwrap(), 16).unwrap(), &after[2..]),
                plain => (*plain, after),
            };
            read.push(byte);
            rest = after;
        }
        prop_assert_eq!(read, text.as_bytes());
    }
}
