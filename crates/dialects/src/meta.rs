//! What documents say of flags for people.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::Fault;

/// The most characters of a title, and of a description.
const TITLE_MAX: usize = 200;
const DESCRIPTION_MAX: usize = 20_000;
/// The most tags, and the most characters of each.
const TAGS_MAX: usize = 20;
const TAG_MAX: usize = 63;

/// What a document says of a flag or a segment beside who gets what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Meta {
    /// Where it stands, as a JSON Pointer into the document.
    pub place: String,
    /// What people read in the place of its key; empty if that is not said.
    pub title: String,
    /// What it is for; empty if that is not said.
    pub description: String,
    /// Words to find it by.
    pub tags: BTreeSet<String>,
    /// Whether pages may ask for it, if that is said.
    pub client_side: Option<bool>,
}

impl Meta {
    /// Of something that stands at a place: its `description` and its `tags`.
    pub(crate) fn of(source: &Json, place: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            description: text(source, "description"),
            tags: tags(source),
            ..Self::default()
        }
    }

    /// The same with its `name`, where that is one for people.
    pub(crate) fn with_name(source: &Json, place: impl Into<String>) -> Self {
        Self {
            title: text(source, "name"),
            ..Self::of(source, place)
        }
    }

    /// Makes it fit in what our API takes; tells what is lost of it.
    pub(crate) fn fit(&mut self, key: &str) -> Vec<Fault> {
        let mut lost = Vec::new();
        let plain = self.title.replace(char::is_control, " ");
        self.title = self.cut(plain.trim(), TITLE_MAX, "title", &mut lost);
        if self.title == key {
            self.title.clear();
        }
        let plain = self.description.replace('\0', "");
        self.description = self.cut(&plain, DESCRIPTION_MAX, "description", &mut lost);
        let mut tags = BTreeSet::new();
        let mut others = Vec::new();
        for tag in std::mem::take(&mut self.tags) {
            let name = tag_of(&tag);
            let is_kept = !name.is_empty() && (tags.len() < TAGS_MAX || tags.contains(&name));
            match is_kept {
                true if name == tag => {}
                true => others.push(format!("`{tag}` is `{name}`")),
                false => others.push(format!("`{tag}` is left out")),
            }
            if is_kept {
                tags.insert(name);
            }
        }
        self.tags = tags;
        if !others.is_empty() {
            let others = others.join(", ");
            let detail = format!(
                "There are at most {TAGS_MAX} tags, of lower-case letters, digits and hyphens: {others}."
            );
            lost.push(Fault::new(&self.place, "tags_changed", detail));
        }
        lost
    }

    fn cut(&self, text: &str, most: usize, what: &str, lost: &mut Vec<Fault>) -> String {
        if text.chars().count() <= most {
            return text.to_owned();
        }
        let detail = format!("Of its {what} the first {most} characters are kept.");
        lost.push(Fault::new(&self.place, "text_cut", detail));
        let cut: String = text.chars().take(most).collect();
        cut.trim_end().to_owned()
    }
}

fn text(source: &Json, name: &str) -> String {
    let text = source.get(name).and_then(Json::as_str);
    text.unwrap_or_default().to_owned()
}

/// The texts of a list `tags`.
pub(crate) fn tags(source: &Json) -> BTreeSet<String> {
    let list = source.get("tags").and_then(Json::as_array);
    let texts = list.into_iter().flatten().filter_map(Json::as_str);
    texts.map(str::to_owned).collect()
}

/// A tag as it can be with us; empty if nothing is left of it.
fn tag_of(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let is_other = |letter: char| !letter.is_ascii_alphanumeric();
    let words: Vec<&str> = lower.split(is_other).filter(|word| !word.is_empty()).collect();
    let mut name = words.join("-");
    name.truncate(TAG_MAX);
    name.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Meta, tag_of};

    #[test]
    fn what_is_too_much_is_cut_and_told() {
        let tags: Vec<_> = (0..19).map(|number| format!("t{number:02}")).collect();
        let mut source = json!({ "name": format!("a\n{}", "b".repeat(300)), "description": "d\0".repeat(20_001), "tags": tags });
        for tag in ["Team A", "team-a", "zz", "-"] {
            source["tags"].as_array_mut().unwrap().push(tag.into());
        }
        let mut meta = Meta::with_name(&source, "/flags/f");
        let lost = meta.fit("f");
        let codes: Vec<_> = lost.iter().map(|fault| fault.code).collect();
        assert_eq!(codes, ["text_cut", "text_cut", "tags_changed"]);
        assert_eq!(meta.title, format!("a {}", "b".repeat(198)));
        assert_eq!(meta.description, "d".repeat(20_000));
        assert_eq!(meta.tags.len(), 20);
        assert!(meta.tags.contains("team-a") && !meta.tags.contains("zz"));
        let told = "`-` is left out, `Team A` is `team-a`, `zz` is left out.";
        assert!(lost[2].detail.ends_with(told), "{}", lost[2].detail);
        assert!(meta.fit("f").is_empty());
    }

    #[test]
    fn what_fits_stays() {
        let source = json!({ "name": "f", "description": "Why.\nHow.", "tags": ["one", 2] });
        let mut meta = Meta::with_name(&source, "/flags/f");
        assert!(meta.fit("f").is_empty());
        assert_eq!(
            (meta.title.as_str(), meta.description.as_str()),
            ("", "Why.\nHow.")
        );
        assert_eq!(meta.tags, ["one".to_owned()].into());
        assert_eq!(
            Meta::of(&json!({ "description": null }), "/f"),
            Meta {
                place: "/f".to_owned(),
                ..Meta::default()
            }
        );
    }

    #[test]
    fn tags_are_names() {
        let cases = [
            ("a", "a"),
            ("Team  A!", "team-a"),
            ("--", ""),
            ("ä", ""),
            ("a_b", "a-b"),
        ];
        for (tag, name) in cases {
            assert_eq!(tag_of(tag), name);
        }
        assert_eq!(tag_of(&"x".repeat(100)).len(), 63);
    }
}
