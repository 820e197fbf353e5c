use serde_json::json;

use super::{Attributes, Question, QuestionFault};

fn pointer(fault: QuestionFault) -> String {
    match fault {
        QuestionFault::Form(faults) => faults
            .into_iter()
            .map(|fault| fault.pointer)
            .collect::<Vec<_>>()
            .join(" "),
        QuestionFault::Syntax(_) => "syntax".to_owned(),
    }
}

#[test]
fn a_query_is_texts_without_the_key() {
    let known = Attributes::from_query("user_id=1&key=gl_x&name=a+b%26c&user_id=2").unwrap();
    assert_eq!(known.text("user_id").unwrap(), "2");
    assert_eq!(known.text("name").unwrap(), "a b&c");
    assert_eq!(known.text("key"), None);
}

#[test]
fn a_question_says_what_is_wrong_where() {
    let cases = [
        (r#"{"attributes": {"a/b": {}}}"#, "/attributes/a~1b"),
        (
            r#"{"attributes": {"a": [1], "b": 1, "c": {}}}"#,
            "/attributes/a /attributes/c",
        ),
        (r#"{"attributes": []}"#, "/attributes"),
        (r#"{"flags": ["a", 1]}"#, "/flags/1"),
        (r#"{"other": 1}"#, "/other"),
        ("[]", ""),
        ("{", "syntax"),
    ];
    for (body, place) in cases {
        assert_eq!(
            pointer(Question::read(body.as_bytes()).unwrap_err()),
            place,
            "{body}"
        );
    }
    let latin = Question::read(b"{\"attributes\": {\"name\": \"J\xfcrgen\"}}");
    assert_eq!(pointer(latin.unwrap_err()), "syntax");
    let question =
        Question::read(br#"{"attributes": {"a": 1, "b": null, "c": ["x"]}, "flags": ["f"]}"#).unwrap();
    assert_eq!(question.attributes.text("a").unwrap(), "1");
    assert_eq!(question.attributes.text("b"), None);
    assert_eq!(question.attributes.lists(), [["x"]]);
    assert_eq!(question.flags.unwrap(), ["f"]);
    assert_eq!(Question::read(b"").unwrap(), Question::default());
}

#[test]
fn all_that_is_wrong_is_listed() {
    let cases = [
        ("[]", "The body is not an object.", "field_invalid"),
        (
            r#"{"other": 1}"#,
            "/other: There is no field `other`.",
            "unknown_field",
        ),
        (
            "{",
            "The body is not JSON: EOF while parsing an object at line 1 column 1.",
            "json_malformed",
        ),
    ];
    for (body, detail, code) in cases {
        let fault = Question::read(body.as_bytes()).unwrap_err();
        assert_eq!(fault.detail(), detail);
        let faults = fault.into_faults();
        assert_eq!(faults.len(), 1, "{body}");
        assert_eq!(faults[0].code, code);
    }
    let fault = Question::read(br#"{"attributes": {"a": {}, "b": {}}}"#).unwrap_err();
    assert_eq!(fault.into_faults().len(), 2);
}

#[test]
fn a_context_is_flat_and_has_a_unit() {
    let body = json!({ "context": {
        "targetingKey": "u1", "company": { "name": "Acme", "sizes": [1] }, "plan": null
    } });
    let body = body.to_string();
    let known = Attributes::from_context(body.as_bytes()).unwrap();
    assert_eq!(known.text("user_id").unwrap(), "u1");
    assert_eq!(known.text("company.name").unwrap(), "Acme");
    assert_eq!(known.text("company.sizes"), None);
    let both = br#"{"context": {"targetingKey": "u1", "user_id": "u2"}}"#;
    assert_eq!(
        Attributes::from_context(both).unwrap().text("user_id").unwrap(),
        "u2"
    );
    assert!(Attributes::from_context(br#"{"context": 1}"#).is_err());
}

#[test]
fn attributes_have_a_bound() {
    let query = |count: usize| {
        let each = (0..count).map(|number| format!("a{number}=x"));
        each.collect::<Vec<_>>().join("&")
    };
    assert!(Attributes::from_query(&query(200)).is_ok());
    assert!(Attributes::from_query(&query(201)).is_err());
    let object = |count: usize| {
        let each = (0..count).map(|number| (format!("a{number}"), json!("x")));
        each.collect::<serde_json::Map<_, _>>()
    };
    assert!(Attributes::from_json(&object(200)).is_ok());
    assert_eq!(
        pointer(Attributes::from_json(&object(201)).unwrap_err()),
        "/attributes"
    );
    let context = json!({ "context": object(201) }).to_string();
    assert!(Attributes::from_context(context.as_bytes()).is_err());
}
