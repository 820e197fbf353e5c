//! What a YAML scalar means: the core schema of YAML 1.2 (chapter 10.3), as far as JSON can hold it.

use std::borrow::Cow;

use saphyr_parser::{ScalarStyle, Tag};

use crate::node::Value;

/// A scalar as the parser hands it over.
pub(super) struct Scalar<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) style: ScalarStyle,
    pub(super) tag: Option<Cow<'a, Tag>>,
}

/// What came of a scalar.
#[derive(Debug)]
pub(super) enum Resolved<'a> {
    Value(Value<'a>),
    /// Infinite, or not a number.
    Unrepresentable(Cow<'a, str>),
    /// It has a tag that means nothing here.
    Foreign(Value<'a>),
}

/// Decides by tag, then by quotes, then by spelling; `yes`, `no`, `on` and `off` are text.
pub(super) fn resolve<'a>(text: Cow<'a, str>, style: ScalarStyle, tag: Option<&Tag>) -> Resolved<'a> {
    let Some(tag) = tag else {
        return if style == ScalarStyle::Plain {
            plain(text)
        } else {
            Resolved::Value(Value::Text(text))
        };
    };
    match (tag.is_yaml_core_schema(), tag.suffix.as_str()) {
        (true, "str") => Resolved::Value(Value::Text(text)),
        (true, "int" | "float" | "bool" | "null") => plain(text),
        // `!` alone says: not by its spelling.
        (false, "") if tag.handle == "!" => Resolved::Value(Value::Text(text)),
        _ => Resolved::Foreign(Value::Text(text)),
    }
}

fn plain(text: Cow<'_, str>) -> Resolved<'_> {
    let value = match text.as_ref() {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf" | "-.INF" | ".nan"
        | ".NaN" | ".NAN" => return Resolved::Unrepresentable(text),
        spelled => match number(spelled) {
            None => Value::Text(text),
            Some(Spelling::AsInJson) => Value::Number(text),
            Some(Spelling::Other(number)) => Value::Number(Cow::Owned(number)),
            Some(Spelling::TooLarge) => return Resolved::Unrepresentable(text),
        },
    };
    Resolved::Value(value)
}

enum Spelling {
    AsInJson,
    Other(String),
    TooLarge,
}

fn number(text: &str) -> Option<Spelling> {
    if !text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.')) {
        return None;
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            let valid = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
            return valid.then(|| {
                u64::from_str_radix(digits, radix)
                    .map_or(Spelling::TooLarge, |value| Spelling::Other(value.to_string()))
            });
        }
    }
    let (sign, unsigned) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (if text.starts_with('-') { "-" } else { "" }, rest),
        None => ("", text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let has_digits = !whole.is_empty() || fraction.is_some_and(|fraction| !fraction.is_empty());
    let exponent_fits = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    if !has_digits || !digits(whole) || !fraction.is_none_or(digits) || !exponent_fits {
        return None;
    }
    let stripped = whole.trim_start_matches('0');
    let json_whole = if stripped.is_empty() { "0" } else { stripped };
    let mut json = format!("{sign}{json_whole}");
    if let Some(fraction) = fraction.filter(|fraction| !fraction.is_empty()) {
        json.push('.');
        json.push_str(fraction);
    }
    if let Some(exponent) = exponent {
        json.push('e');
        json.push_str(exponent);
    }
    Some(match json.parse::<f64>() {
        Ok(value) if value.is_infinite() => Spelling::TooLarge,
        _ if json == text => Spelling::AsInJson,
        _ => Spelling::Other(json),
    })
}
