use super::attributes;

#[test]
fn what_is_known_is_flat_and_has_a_unit() {
    let known =
        attributes(br#"{"attributes": {"id": "7", "company": {"plan": "pro"}}, "url": "https://a.example"}"#);
    let known = known.unwrap();
    assert_eq!(known.text("user_id").unwrap(), "7");
    assert_eq!(known.text("id").unwrap(), "7");
    assert_eq!(known.text("company.plan").unwrap(), "pro");
    assert_eq!(known.text("url"), None);
    assert!(attributes(br#"{"attributes": []}"#).is_err());
}
