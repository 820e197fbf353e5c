//! The header field `baggage`: members of others stay as they came and in their order, whatever they are.

#![no_main]

use libfuzzer_sys::fuzz_target;
use policy::baggage::{BYTES_MAX, MEMBERS_MAX, Member, encoded, merged};

/// Members as they are.
fn members(field: &[u8]) -> Vec<&[u8]> {
    let members = field.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    members.filter(|member| !member.is_empty()).collect()
}

/// Whether a member is one of ours.
fn is_ours(member: &[u8]) -> bool {
    let key = member.split(|byte| b"=;".contains(byte)).next().unwrap_or_default();
    [b"f.a", b"f.b"].iter().any(|ours| key.trim_ascii() == *ours)
}

fuzz_target!(|bytes: &[u8]| {
    // Lines of a field; the first of them is what is to be told.
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let told = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let lines: Vec<&[u8]> = lines.collect();
    let ours = [
        Member { key: "f.a", value: Some(encoded(&told)) },
        Member { key: "f.b", value: None },
    ];
    let field = merged(lines.iter().copied(), &ours).unwrap_or_default();
    let found = members(&field);
    let before: Vec<_> = lines.iter().flat_map(|line| members(line)).filter(|it| !is_ours(it)).collect();
    assert_eq!(found[..before.len()], before[..], "members of others");
    let added: Vec<_> = found[before.len()..].to_vec();
    let member = format!("f.a={}", encoded(&told));
    if before.len() < MEMBERS_MAX && field.len() + member.len() < BYTES_MAX {
        assert_eq!(added, [member.as_bytes()]);
    } else {
        assert!(added.is_empty() || added == [member.as_bytes()]);
    }
    assert_eq!(merged([field.as_slice()].into_iter(), &ours).unwrap_or_default(), field, "twice");
});
