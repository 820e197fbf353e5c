use proptest::prelude::{any, prop_assert_eq, proptest};
use uuid::Uuid;

use super::{ApiId, KeyId, ParseError, decode, encode};

#[test]
fn typeid_vectors_agree() {
    // From the specification's `valid.yml`: name, suffix, UUID.
    let vectors = [
        (
            "00000000000000000000000000",
            "00000000-0000-0000-0000-000000000000",
        ),
        (
            "00000000000000000000000001",
            "00000000-0000-0000-0000-000000000001",
        ),
        (
            "7zzzzzzzzzzzzzzzzzzzzzzzzz",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
        ),
        (
            "01h455vb4pex5vsknk084sn02q",
            "01890a5d-ac96-774b-bcce-b302099a8057",
        ),
    ];
    for (suffix, uuid) in vectors {
        let uuid: Uuid = uuid.parse().unwrap();
        assert_eq!(encode(uuid.as_u128()), suffix);
        assert_eq!(decode(suffix), Some(uuid.as_u128()));
    }
}

#[test]
fn wrong_ids_are_refused() {
    let suffix = "01h455vb4pex5vsknk084sn02q";
    assert_eq!(
        format!("key_{suffix}").parse::<ApiId>(),
        Err(ParseError::Prefix { expected: "api" })
    );
    for wrong in [
        "api_",
        "api_8zzzzzzzzzzzzzzzzzzzzzzzzz",
        "api_01h455vb4pex5vsknk084sn02u",
        "api_0",
    ] {
        assert_eq!(
            wrong.parse::<ApiId>(),
            Err(ParseError::Suffix { expected: "api" }),
            "{wrong}"
        );
    }
}

proptest! {
    #[test]
    fn ids_survive_writing_and_sort_by_their_bits(a in any::<u128>(), b in any::<u128>()) {
        let (a, b) = (KeyId::new(Uuid::from_u128(a)), KeyId::new(Uuid::from_u128(b)));
        prop_assert_eq!(a.to_string().parse::<KeyId>(), Ok(a));
        prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
    }
}

#[test]
fn ids_are_bytes_where_nobody_reads() {
    let id = KeyId::new(Uuid::from_u128(7));
    let text = serde_json::to_string(&id).unwrap();
    assert_eq!(text, "\"key_00000000000000000000000007\"");
    assert_eq!(serde_json::from_str::<KeyId>(&text).unwrap(), id);
    // Escapes are no reason for another answer.
    let escaped = text.replace('k', "\\u006b");
    assert_eq!(serde_json::from_str::<KeyId>(&escaped).unwrap(), id);
    let bytes = postcard::to_allocvec(&id).unwrap();
    assert_eq!(bytes.len(), 17);
    assert_eq!(postcard::from_bytes::<KeyId>(&bytes).unwrap(), id);
    assert!(postcard::from_bytes::<KeyId>(&bytes[..16]).is_err());
    assert!(postcard::from_bytes::<KeyId>(b"\x02ab").is_err());
    assert!(serde_json::from_str::<KeyId>("7").is_err());
}
