use std::collections::HashMap;

use proptest::collection::vec;
use proptest::prelude::{any, prop_assert_eq, proptest};
use serde_json::{Value as Json, json};

use super::{carry, without};
use crate::definition::Rule;
use crate::{Definitions, Flags};

/// A sticky rule that lets a part pass and splits it.
fn rule(parts: &Json, split: &Json) -> Rule {
    serde_json::from_value(json!({
        "name": "exp", "sticky": true, "by": "user_id", "split": split,
        "gates": [{ "key": "exp", "by": "user_id", "parts": parts }],
    }))
    .unwrap()
}

fn halves(share: u32) -> Json {
    json!({ "a": share, "b": 100 - share })
}

/// What a rule became by some changes of its parts and its split.
fn changed(changes: &[(Json, Json)]) -> Vec<Rule> {
    let mut all: Vec<Rule> = Vec::new();
    for (parts, split) in changes {
        let mut next = rule(parts, split);
        if let Some(before) = all.last() {
            carry(before, &mut next).unwrap();
        }
        all.push(next);
    }
    all
}

fn kept(rule: &Rule) -> Json {
    json!(rule.kept)
}

#[test]
fn newcomers_alone_get_the_new_split() {
    let rules = changed(&[
        (json!([[0, 30]]), halves(50)),
        (json!([[0, 60]]), halves(50)),
        (json!([[0, 60]]), halves(20)),
        (json!([[0, 80]]), halves(20)),
        (json!([[10, 20]]), halves(90)),
        (json!([[0, 100]]), halves(50)),
    ]);
    let fifty = json!({ "a": 50.0, "b": 50.0 });
    let twenty = json!({ "a": 20.0, "b": 80.0 });
    let to_60 = json!([{ "parts": [[0.0, 60.0]], "split": fifty }]);
    let both =
        json!([{ "parts": [[0.0, 60.0]], "split": fifty }, { "parts": [[60.0, 80.0]], "split": twenty }]);
    let last = json!([{ "parts": [[60.0, 80.0]], "split": twenty }]);
    let expected = [json!([]), json!([]), to_60.clone(), to_60, both, last];
    assert_eq!(rules.iter().map(kept).collect::<Vec<_>>(), expected);
}

#[test]
fn a_change_of_something_else_leaves_what_is_kept_as_it_is() {
    let mut before = rule(&json!([[0, 60]]), &halves(20));
    // Not as `carry` would write it.
    before.kept = serde_json::from_value(json!([
        { "parts": [[20, 30], [0, 10]], "split": { "a": 100, "b": 0 } }, { "parts": [[5, 25]], "split": { "b": 100 } },
    ]))
    .unwrap();
    let mut after = before.clone();
    after.until = Some("2027-01-01T00:00:00Z".to_owned());
    after.kept.clear();
    carry(&before, &mut after).unwrap();
    assert_eq!(after.kept, before.kept);
    // Weights of nothing make no other split, and the first that has somebody decides.
    after.split = serde_json::from_value(json!({ "b": 100 })).unwrap();
    carry(&before, &mut after).unwrap();
    let expected = json!([
        { "parts": [[0.0, 10.0], [20.0, 30.0]], "split": { "a": 100.0 } },
        { "parts": [[30.0, 60.0]], "split": { "a": 20.0, "b": 80.0 } },
    ]);
    assert_eq!(kept(&after), expected);
}

#[test]
fn what_would_move_everybody_is_refused() {
    let before = rule(&json!([[0, 50]]), &halves(50));
    let with = |field: &str, value: Json| {
        let mut after = json!(before);
        *after.pointer_mut(field).unwrap() = value;
        let mut after: Rule = serde_json::from_value(after).unwrap();
        carry(&before, &mut after).map_err(|problem| (problem.pointer, problem.code))
    };
    let gate = Err(("/gates/0".to_owned(), "sticky_moved"));
    assert_eq!(with("/gates/0/key", json!("other")), gate);
    assert_eq!(with("/gates/0/by", json!("device")), gate);
    assert_eq!(
        with("/by", json!("device")),
        Err(("/by".to_owned(), "sticky_moved"))
    );
    // Whoever takes it away first may do so.
    assert_eq!(with("/sticky", json!(false)), Ok(()));
    let loose = Rule {
        sticky: false,
        ..before.clone()
    };
    let mut after = rule(&json!([[0, 50]]), &halves(50));
    after.by = Some("device".to_owned());
    assert_eq!(carry(&loose, &mut after), Ok(()));
    assert_eq!(after.kept, []);
}

#[test]
fn more_than_twenty_are_not_kept() {
    let changes: Vec<_> = (0..=20)
        .map(|place| (json!([[0, place + 1]]), halves(place)))
        .collect();
    let last = changed(&changes).pop().unwrap();
    assert_eq!(last.kept.len(), 20);
    let mut next = rule(&json!([[0, 90]]), &halves(99));
    let refused = carry(&last, &mut next).unwrap_err();
    assert_eq!((&*refused.pointer, refused.code), ("/kept", "kept_count"));
}

/// The variant of each of 300 users; `none` of those who are not let pass.
fn given(rule: &Rule) -> Vec<String> {
    let flag = json!({
        "variants": { "a": 1, "b": 2, "c": 3, "none": 0 }, "off": "none", "otherwise": { "serve": "none" }, "rules": [rule],
    });
    let definitions: Definitions = serde_json::from_value(json!({ "flags": { "flag": flag } })).unwrap();
    let flags = Flags::compile(&definitions).unwrap_or_else(|problems| panic!("{problems:?}"));
    let users: Vec<_> = (0..300).map(|user| user.to_string()).collect();
    let each = users.iter().map(|user| {
        let mut subject = flags.subject(0);
        flags.put(&mut subject, "user_id", user.as_str());
        flags
            .evaluate(flags.get("flag").unwrap(), &subject)
            .variant
            .to_owned()
    });
    each.collect()
}

proptest! {
    /// Whatever becomes of the parts and the weights: whoever got something once never gets anything else, and newcomers get
    /// what the split says.
    #[test]
    fn who_got_something_keeps_it(
        changes in vec((vec((0..=100_u32, 0..=100_u32), 0..3), 0..=10_u32, 0..=10_u32, any::<bool>()), 1..8),
    ) {
        let changes: Vec<_> = changes
            .iter()
            .map(|(parts, one, other, has_c)| {
                let parts: Vec<_> = parts.iter().map(|(from, to)| [*from.min(to), *from.max(to)]).collect();
                let (one, other) = (one * 10, (10 - one) * other);
                let rest = 100 - one - other;
                let split = if *has_c { json!({ "a": one, "b": other, "c": rest }) } else { json!({ "a": one, "b": other + rest }) };
                (json!(parts), split)
            })
            .collect();
        let mut known: HashMap<usize, String> = HashMap::new();
        for rule in changed(&changes) {
            let alone = given(&Rule { kept: Vec::new(), ..rule.clone() });
            for (user, variant) in given(&rule).into_iter().enumerate() {
                if variant == "none" {
                    prop_assert_eq!(&alone[user], "none");
                    continue;
                }
                let first = known.entry(user).or_insert_with(|| alone[user].clone());
                prop_assert_eq!(&*first, &variant);
            }
        }
    }

    #[test]
    fn what_is_left_is_what_was_not_taken(
        parts in vec((0..40_u32, 0..40_u32), 0..4), taken in vec((0..40_u32, 0..40_u32), 0..4),
    ) {
        let (parts, taken) = (super::joined(&parts), super::joined(&taken));
        let left = without(&parts, &taken);
        let is_in = |parts: &[(u32, u32)], at: u32| parts.iter().any(|(from, to)| (*from..*to).contains(&at));
        for at in 0..40 {
            prop_assert_eq!(is_in(&left, at), is_in(&parts, at) && !is_in(&taken, at));
        }
    }
}
