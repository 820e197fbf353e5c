//! People of whom something is known, as SDKs and as we are told it.

use eval::{Flags, Value};
use proptest::prelude::{BoxedStrategy, Strategy, any};
use serde_json::{Map, Value as Json, json};

/// What is known of somebody: texts, a number, a boolean, a list.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    texts: Vec<(&'static str, String)>,
    age: Option<f64>,
    premium: Option<bool>,
    tags: Option<Vec<String>>,
}

impl Known {
    /// As an SDK is told it; what has a point in its name is within something.
    pub(crate) fn attributes(&self) -> Map<String, Json> {
        let mut all = Map::new();
        for (name, text) in &self.texts {
            match name.split_once('.') {
                Some((outer, inner)) => all.insert(outer.to_owned(), json!({ inner: text })),
                None => all.insert((*name).to_owned(), text.as_str().into()),
            };
        }
        all.extend(self.age.map(|age| ("age".to_owned(), json!(age))));
        all.extend(self.premium.map(|is| ("premium".to_owned(), json!(is))));
        all.extend(self.tags.clone().map(|tags| ("tags".to_owned(), json!(tags))));
        all
    }

    /// What we give of each flag.
    pub(crate) fn values(&self, flags: &Flags) -> Vec<(String, Json)> {
        let tags: Vec<&str> = self.tags.iter().flatten().map(String::as_str).collect();
        let mut subject = flags.subject(0);
        for (name, text) in &self.texts {
            flags.put(&mut subject, name, text.as_str());
        }
        if let Some(age) = self.age {
            flags.put(&mut subject, "age", age);
        }
        if let Some(premium) = self.premium {
            flags.put(&mut subject, "premium", premium);
        }
        if self.tags.is_some() {
            flags.put(&mut subject, "tags", Value::List(&tags));
        }
        let each = flags
            .iter()
            .map(|(key, flag)| (key.to_owned(), flags.evaluate(flag, &subject).value.clone()));
        each.collect()
    }
}

/// Somebody.
pub(crate) fn known() -> impl Strategy<Value = Known> {
    let word =
        || proptest::sample::select(vec!["a", "B", "b", "DE", "xyz", "äö", ""]).prop_map(str::to_owned);
    let version = (
        0..3_u32,
        0..12_u32,
        0..3_u32,
        proptest::option::of("[a-z]{1,3}(\\.(0|[1-9][0-9]?))?"),
    );
    let version = version.prop_map(|(one, two, three, before)| match before {
        Some(before) => format!("{one}.{two}.{three}-{before}"),
        None => format!("{one}.{two}.{three}"),
    });
    let maybe = |strategy: BoxedStrategy<String>| proptest::option::weighted(0.8, strategy);
    (
        maybe("[a-z0-9]{1,6}".boxed()),
        maybe("[a-z0-9]{1,6}".boxed()),
        maybe(word().boxed()),
        maybe(word().boxed()),
        maybe(version.boxed()),
        proptest::option::of((-3..6_i32).prop_map(|age| f64::from(age) / 2.0)),
        proptest::option::of(any::<bool>()),
        proptest::option::of(proptest::collection::vec(word(), 0..3)),
    )
        .prop_map(|(id, device, country, plan, version, age, premium, tags)| {
            let names = ["id", "device", "country", "company.plan", "version"];
            let texts = names.into_iter().zip([id, device, country, plan, version]);
            Known {
                texts: texts.filter_map(|(name, text)| Some((name, text?))).collect(),
                age,
                premium,
                tags,
            }
        })
}
