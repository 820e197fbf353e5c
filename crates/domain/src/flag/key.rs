//! Keys of feature flags.

use crate::name::name_type;

name_type! {
    /// What programs call a feature flag: 1 to 100 letters, digits, `_`, `-`, `.` and `~`, the first one a letter or digit.
    ///
    /// As wide as what LaunchDarkly and Unleash allow, so that flags keep their keys when they come from there. Upper and
    /// lower case differ.
    FlagKey {
        bytes_max: 100,
        is: |text| {
            let known = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.~".contains(byte);
            text[0].is_ascii_alphanumeric() && text.iter().all(known)
        },
        wanted: "the key of a flag: use 1 to 100 letters, digits, `_`, `-`, `.` and `~`, a letter or digit first",
        pattern: "^[A-Za-z0-9][A-Za-z0-9_.~-]{0,99}$",
        example: "new-checkout"
    }
}

#[cfg(test)]
mod tests {
    use super::FlagKey;

    #[test]
    fn keys_are_those_of_other_products_too() {
        for good in ["a", "1", "new-checkout", "shop.New_Checkout~2", &"x".repeat(100)] {
            assert_eq!(good.parse::<FlagKey>().unwrap().as_str(), good);
        }
        for bad in ["", "-a", ".a", "~", "a b", "a/b", "ä", "a\n", &"x".repeat(101)] {
            assert!(bad.parse::<FlagKey>().is_err(), "{bad}");
        }
    }
}
