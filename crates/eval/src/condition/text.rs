//! Comparing texts whose capitals make no difference, without making new ones.

/// A text in small letters, to compare others with.
pub(super) fn small(text: &str) -> Box<str> {
    letters(text).collect::<String>().into()
}

fn letters(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

/// Whether a text is another one in small letters.
pub(super) fn is(text: &str, small: &str) -> bool {
    letters(text).eq(small.chars())
}

/// Whether it begins with it.
pub(super) fn begins(text: &str, small: &str) -> bool {
    let mut letters = letters(text);
    small.chars().all(|letter| letters.next() == Some(letter))
}

/// Whether it contains it.
pub(super) fn contains(text: &str, small: &str) -> bool {
    small.is_empty()
        || text
            .char_indices()
            .any(|(place, _)| begins(&text[place..], small))
}

/// Whether it ends with it.
pub(super) fn ends(text: &str, small: &str) -> bool {
    let mut rest = small.chars().rev();
    let backwards = text.chars().rev().flat_map(|letter| letter.to_lowercase().rev());
    let mut backwards = backwards;
    rest.all(|letter| backwards.next() == Some(letter))
}
