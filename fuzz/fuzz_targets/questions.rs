//! Questions about flags in every form that is read: they are read or refused, and a query means what its pairs mean.

#![no_main]

use flags::unleash::Context;
use flags::{Asker, Attributes, Question, growthbook, unleash};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let _ = Question::read(body).map(Question::of_one);
    let _ = Attributes::from_context(body);
    let _ = growthbook::attributes(body);
    let _ = Context::from_body(body);
    let _ = unleash::metrics(body, (None, Asker::Anybody));
    let Ok(query) = str::from_utf8(body) else { return };
    let pairs: Vec<(String, String)> = form_urlencoded::parse(body).into_owned().collect();
    assert_eq!(Attributes::from_query(query), Attributes::from_pairs(&pairs));
    let borrowed = pairs.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into()));
    let _ = Context::from_pairs(borrowed);
});
