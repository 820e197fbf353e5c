use super::target_url;

#[test]
fn target_urls_have_one_form() {
    let table = [
        ("http://127.0.0.1:9000/base/", Some("http://127.0.0.1:9000/base")),
        ("http://127.0.0.1:9000", Some("http://127.0.0.1:9000")),
        ("https://Example.COM:443/a/../b", Some("https://example.com/b")),
        ("http://[::1]:9000/", Some("http://[::1]:9000")),
        (" http://a ", Some("http://a")),
        ("ftp://a", None),
        ("//a", None),
        ("/base", None),
        ("http://", None),
        ("http://user@a", None),
        ("http://user:secret@a", None),
        ("http://a?b", None),
        ("http://a#b", None),
        ("http://a:0", None),
        ("http://{host}/", None),
        ("file:///etc/passwd", None),
        ("javascript:alert(1)", None),
        ("tcp://db.internal:5432", Some("tcp://db.internal:5432")),
        ("tcp://db.internal", None),
        ("tcp://db.internal:5432/x", None),
    ];
    for (text, expected) in table {
        assert_eq!(target_url(text).ok().as_deref(), expected, "{text}");
    }
    assert!(target_url(&format!("http://a/{}", "x".repeat(2000))).is_err());
}
