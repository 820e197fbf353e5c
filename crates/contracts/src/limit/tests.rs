use crate::{Limit, Limits, Reason, Refusal, read};

fn refusal(text: &str, limits: &Limits) -> (Limit, usize, Refusal) {
    let refusal = read(text, limits).unwrap_err();
    match refusal.reason {
        Reason::TooLarge { limit, maximum } => (limit, maximum, refusal),
        Reason::Invalid => panic!("{refusal}"),
    }
}

#[test]
fn each_limit_is_named() {
    let small = Limits {
        bytes_max: 500,
        depth_max: 6,
        nodes_max: 60,
        repeated_bytes_max: 40,
        operations_max: 2,
        findings_max: 10,
    };
    let operations =
        "openapi: 3.0.0\ninfo: {title: t, version: v}\npaths:\n  /a: {get: {}, put: {}, post: {}}\n";
    let cases = [
        ("x".repeat(501), Limit::Bytes, 500, 0),
        ("[[[[[[[1]]]]]]]".to_owned(), Limit::Depth, 6, 1),
        ("- - - - - - - 1\n".to_owned(), Limit::Depth, 6, 1),
        (format!("[{}0]", "0,".repeat(60)), Limit::Nodes, 60, 1),
        ("- 1\n".repeat(61), Limit::Nodes, 60, 60),
        (
            format!("- &a {}\n- *a\n- *a", "x".repeat(15)),
            Limit::RepeatedBytes,
            40,
            3,
        ),
        (operations.to_owned(), Limit::Operations, 2, 4),
    ];
    for (text, limit, maximum, line) in cases {
        let (found, most, refusal) = refusal(&text, &small);
        assert_eq!((found, most), (limit, maximum), "{text}");
        assert_eq!(refusal.findings[0].code, "limit_exceeded");
        assert_eq!(refusal.findings[0].line, line, "{text}");
        assert!(refusal.findings[0].detail.contains(limit.name()), "{refusal}");
        assert!(refusal.to_string().contains(&maximum.to_string()), "{refusal}");
    }
}

#[test]
fn exactly_the_limit_is_read() {
    let text = format!(
        "openapi: 3.1.0\ninfo: {{title: t, version: v}}\ncomponents: {}1{}\n",
        "[".repeat(99),
        "]".repeat(99)
    );
    assert!(read(&text, &Limits::default()).is_ok());
    let limits = Limits {
        bytes_max: text.len(),
        ..Limits::default()
    };
    assert!(read(&text, &limits).is_ok());
    let (limit, ..) = refusal(
        &text,
        &Limits {
            bytes_max: text.len() - 1,
            ..Limits::default()
        },
    );
    assert_eq!(limit, Limit::Bytes);
}

#[test]
fn findings_are_cut_off_after_the_gravest() {
    let mut text = "openapi: 3.0.0\ninfo: {title: t, version: v}\npaths:\n".to_owned();
    for number in 0..30 {
        text.push_str(&format!("  /{number}: {{get: {{responses: {{}}}}}}\n"));
    }
    text.push_str("  pets: {}\n");
    let limits = Limits {
        findings_max: 5,
        ..Limits::default()
    };
    let refusal = read(&text, &limits).unwrap_err();
    assert_eq!(refusal.findings.len(), 6);
    assert_eq!(refusal.findings[0].code, "path_without_slash");
    assert_eq!(refusal.findings[5].code, "findings_omitted");
}
