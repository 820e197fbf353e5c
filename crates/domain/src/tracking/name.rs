//! Names of event types.

use crate::name::name_type;

name_type! {
    /// What an event type is called: 1 to 100 letters, digits, `_`, `-`, `.` and `:`, the first one a letter.
    ///
    /// Wider than [`Name`](crate::Name), because these names stand in other people's code: `order_completed`,
    /// `page.viewed`, `com.example.order:paid`. Upper and lower case differ.
    EventTypeName {
        bytes_max: 100,
        is: |text| {
            let known = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(byte);
            text[0].is_ascii_alphabetic() && text.iter().all(known)
        },
        wanted: "the name of an event type: use 1 to 100 letters, digits, `_`, `-`, `.` and `:`, a letter first",
        pattern: "^[A-Za-z][A-Za-z0-9_.:-]{0,99}$",
        example: "purchase"
    }
}

#[cfg(test)]
mod tests {
    use super::EventTypeName;

    #[test]
    fn names_are_those_that_programs_use_for_events() {
        for good in [
            "a",
            "purchase",
            "page.viewed",
            "com.example:Paid-2_b",
            &"x".repeat(100),
        ] {
            assert_eq!(good.parse::<EventTypeName>().unwrap().as_str(), good);
        }
        for bad in ["", "1a", ".a", "_a", "a b", "a/b", "ä", "a\n", &"x".repeat(101)] {
            assert!(bad.parse::<EventTypeName>().is_err(), "{bad}");
        }
    }
}
