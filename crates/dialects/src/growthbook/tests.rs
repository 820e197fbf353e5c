//! What GrowthBook's own cases do not look at; those are run by `examples/growthbook_cases.rs`.

use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};
use serde_json::{Map, Value as Json, json};

use super::{Evaluator, Payload, Source, User, Wanted, crypt, decrypted, fits, prune, reduce, sticky, url};

pub(crate) mod people;

fn object(value: &Json) -> Map<String, Json> {
    value.as_object().cloned().unwrap()
}

#[test]
fn what_was_encrypted_is_read_again() {
    let key = "Zvwv/+uhpFDznZ6SX28Yjg==";
    for text in ["", "{}", "äöü", &"x".repeat(1000)] {
        let encrypted = crypt::encrypt(text, key, [7; 16]).unwrap();
        assert_eq!(crypt::decrypt(&encrypted, key).as_deref(), Ok(text));
    }
    assert_eq!(crypt::encrypt("", "short", [0; 16]), Err(crypt::Error::Key));
    assert_eq!(crypt::decrypt("no point", key), Err(crypt::Error::Form));
}

#[test]
fn an_encrypted_payload_is_read_as_the_plain_one() {
    let key = "Zvwv/+uhpFDznZ6SX28Yjg==";
    let plain = Payload {
        features: object(&json!({ "a": { "defaultValue": 1 } })),
        experiments: vec![json!({ "key": "e" })],
        saved_groups: object(&json!({ "g": ["1"] })),
        contextual_bandits: object(&json!({ "b": { "contexts": [] } })),
    };
    let encrypted = plain
        .to_encrypted_json(key, [[1; 16], [2; 16], [3; 16], [4; 16]])
        .unwrap();
    assert_eq!(encrypted["features"], json!({}));
    assert!(!Json::from(encrypted.clone()).to_string().contains("defaultValue"));
    let read = decrypted(&encrypted.into(), key).unwrap();
    assert_eq!(Payload::of(&read), plain);
    let other = "AAAAAAAAAAAAAAAAAAAAAA==";
    let once = plain.to_encrypted_json(key, [[1; 16]; 4]).unwrap();
    assert_eq!(decrypted(&once.into(), other), Err(crypt::Error::Text));
}

#[test]
fn pages_are_found_by_their_addresses() {
    let table = [
        ("simple", "/shop", "https://a.example/shop/", true),
        ("simple", "/shop/*", "https://a.example/shop/shoes", true),
        ("simple", "/shop/*", "https://a.example/about", false),
        ("simple", "a.example/*", "https://A.example/x", true),
        ("simple", "*.example/x", "https://a.example/x", true),
        (
            "simple",
            "https://a.example/x?y=*",
            "https://a.example/x?y=7",
            true,
        ),
        (
            "simple",
            "https://a.example/x?y=8",
            "https://a.example/x?y=7",
            false,
        ),
        ("simple", "/x#part", "https://a.example/x#part", true),
        ("simple", "/x#part", "https://a.example/x", false),
        ("regex", "^/shop", "https://a.example/shop", true),
        ("regex", "example/shop$", "https://a.example/shop", true),
        ("regex", "(", "https://a.example/", false),
        ("unknown", "/", "https://a.example/", false),
    ];
    for (kind, pattern, page, wanted) in table {
        let target = json!({ "type": kind, "pattern": pattern, "include": true });
        assert_eq!(url::is_targeted(page, &[target]), wanted, "{pattern} {page}");
    }
    let not = json!({ "type": "simple", "pattern": "/admin/*", "include": false });
    let yes = json!({ "type": "simple", "pattern": "/*", "include": true });
    assert!(url::is_targeted("https://a.example/", std::slice::from_ref(&not)));
    assert!(!url::is_targeted(
        "https://a.example/admin/x",
        &[yes.clone(), not.clone()]
    ));
    assert!(url::is_targeted("https://a.example/x", &[yes, not]));
    assert!(!url::is_targeted("https://a.example/x", &[]));
}

/// Features that each need the one before, several times.
fn chain(length: usize, times: usize) -> Payload {
    let feature = |place: usize| {
        let before = json!({ "id": format!("f{}", place.wrapping_sub(1)), "condition": { "value": true } });
        let parents = if place == 0 { vec![] } else { vec![before; times] };
        json!({ "defaultValue": false, "rules": [{ "parentConditions": parents, "force": true }] })
    };
    Payload {
        features: (0..length)
            .map(|place| (format!("f{place}"), feature(place)))
            .collect(),
        ..Payload::default()
    }
}

#[test]
fn prerequisites_are_asked_in_bounded_time_and_depth() {
    let user = User::new(Map::new());
    let source = |payload: &Payload, key: &str| Evaluator::new(payload, &user).feature(key).source;
    assert_eq!(source(&chain(100, 1), "f99"), Source::Force);
    assert_eq!(source(&chain(10_000, 1), "f9999"), Source::CyclicPrerequisite);
    assert_eq!(source(&chain(60, 2), "f59"), Source::CyclicPrerequisite);
}

#[test]
fn conditions_are_looked_at_in_bounded_time_and_depth() {
    let mut deep = json!({});
    for _ in 0..100 {
        deep = json!({ "$and": [deep] });
    }
    let mut groups = Map::new();
    for place in 0..100 {
        let next = json!({ "$savedGroup": { "id": format!("g{}", place + 1) } });
        groups.insert(
            format!("g{place}"),
            json!({ "type": "condition", "condition": { "$or": [next, next, deep] } }),
        );
    }
    groups.insert(
        "g100".to_owned(),
        json!({ "type": "condition", "condition": { "a": 1 } }),
    );
    let condition = json!({ "$savedGroup": { "id": "g0" } });
    assert!(!fits(&condition, &json!({}), &groups));
    assert_eq!(prune(&condition, &Map::new(), &groups), condition);
    let long: Vec<_> = (0..10_000).collect();
    assert!(!fits(
        &json!({ "a": { "$in": long } }),
        &json!({ "a": vec![-1; 10_000] }),
        &groups
    ));
}

/// Any JSON whose texts are likely to mean something.
fn anything() -> impl Strategy<Value = Json> {
    let words = [
        "id",
        "a",
        "$or",
        "$and",
        "$not",
        "$nor",
        "$in",
        "$nin",
        "$eq",
        "$gt",
        "$vgt",
        "$regex",
        "$elemMatch",
        "$size",
        "$all",
        "$savedGroup",
        "$inGroup",
        "g",
        "type",
        "list",
        "condition",
        "values",
        "attributeKey",
        "force",
        "rules",
        "variations",
        "weights",
        "coverage",
        "hashVersion",
        "namespace",
        "filters",
        "ranges",
        "meta",
        "key",
        "parentConditions",
        "seed",
        "defaultValue",
        "features",
        "urlPatterns",
        "pattern",
        "minBucketVersion",
        "bucketVersion",
        "contextualBanditRef",
    ];
    let word = proptest::sample::select(words.to_vec()).prop_map(str::to_owned);
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        (-3..3_i64).prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        word.clone().prop_map(Json::from),
        ".{0,8}".prop_map(Json::from),
    ];
    leaf.prop_recursive(5, 40, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            proptest::collection::vec((word.clone(), inner), 0..5)
                .prop_map(|fields| fields.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn nothing_makes_an_evaluation_fail(rule in anything(), condition in anything(), group in anything(), known in anything()) {
        let fields = |value: &Json| value.as_object().cloned().unwrap_or_default();
        let mut with_variations = fields(&rule);
        with_variations.insert("variations".to_owned(), json!([1, 2, 3]));
        with_variations.insert("condition".to_owned(), condition.clone());
        let payload = Payload::of(&json!({
            "features": { "a": { "rules": [rule, with_variations, { "force": 1, "condition": condition }] } },
            "savedGroups": { "g": group },
            "experiments": [with_variations],
            "contextualBandits": { "a": group },
        }));
        let mut attributes = fields(&known);
        attributes.insert("id".to_owned(), "7".into());
        let mut user = User::new(attributes.clone());
        user.url = Some("https://a.example/?a=1".to_owned());
        let plain = Evaluator::new(&payload, &user).feature("a");
        prop_assert_eq!(plain.on, !plain.off);
        let mut sticky = Evaluator::sticky(&payload, &user, sticky::Kept::new());
        let first = sticky.feature("a");
        let again = sticky.feature("a");
        if first.experiment_result.as_ref().is_none_or(|result| result.hash_used) {
            prop_assert_eq!(first.value, again.value);
        }
        sticky.redirect();
        reduce(&payload.to_json().into(), &attributes, &Wanted::default());
    }

    #[test]
    fn who_knows_everything_prunes_to_an_answer(condition in anything(), group in anything(), known in anything()) {
        let groups = object(&json!({ "g": group }));
        let known = known.as_object().cloned().unwrap_or_default();
        let pruned = prune(&condition, &known, &groups);
        let whole = fits(&condition, &known.clone().into(), &groups);
        // What is decided is decided as it is; what is left says the same.
        let again = match pruned.as_bool() {
            Some(is) => is,
            None => fits(&pruned, &known.into(), &groups),
        };
        prop_assert_eq!(again, whole);
    }
}
