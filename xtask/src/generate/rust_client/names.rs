//! From names in the document to names in Rust.

/// Words that cannot be names of fields.
const KEYWORDS: [&str; 39] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn", "else",
    "enum", "extern", "final", "fn", "for", "if", "impl", "in", "let", "loop", "macro", "match", "mod",
    "move", "mut", "override", "priv", "pub", "ref", "return", "static", "struct", "trait", "type", "use",
    "where", "while",
];

/// `page_of apis` gives `PageOfApis`.
pub(super) fn pascal(name: &str) -> String {
    let mut text = String::new();
    for word in name.split(|character: char| !character.is_ascii_alphanumeric()) {
        let mut characters = word.chars();
        text.extend(characters.next().map(|first| first.to_ascii_uppercase()));
        text.push_str(characters.as_str());
    }
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        text.insert(0, 'N');
    }
    text
}

/// `filter[api]` gives `filter_api`, `X-Request-ID` gives `x_request_id`, `type` gives `r#type`.
pub(super) fn snake(name: &str) -> String {
    let mut text = String::new();
    for character in name.chars() {
        if character.is_ascii_alphanumeric() {
            text.push(character.to_ascii_lowercase());
        } else if !text.is_empty() && !text.ends_with('_') {
            text.push('_');
        }
    }
    let text = text.trim_end_matches('_').to_owned();
    if KEYWORDS.contains(&text.as_str()) {
        format!("r#{text}")
    } else {
        text
    }
}

/// Doc comment lines; `fallback` when the document says nothing.
pub(super) fn doc(text: Option<&str>, fallback: &str, indent: &str) -> String {
    let text = text
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .unwrap_or(fallback);
    let mut lines = String::new();
    for line in text.lines() {
        // Intra-doc links of the server's source have no target here.
        let line = line.replace("[`", "`").replace("`]", "`");
        lines.push_str(format!("{indent}/// {line}").trim_end());
        lines.push('\n');
    }
    lines
}
