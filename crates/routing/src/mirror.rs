//! Which calls of a route are copied.

use domain::release::{Compare, Mirror};
use eval::bucketing::Shares;
use http::{HeaderName, Method};

use crate::conditions::methods;
use crate::fault::{Fault, Faults};
use crate::split::{Unit, Units};

/// What shares are parts of.
const ALL: u32 = 10_000;
/// The largest body that is copied or compared.
const BODY_BYTES_MAX: u32 = 1 << 20;
/// The most copies of a core under way at a time.
const IN_FLIGHT_MAX: u32 = 10_000;
/// The most fields or places that may differ, and the longest pointer.
const IGNORED_MAX: usize = 50;
const POINTER_BYTES_MAX: usize = 500;

/// A mirror, compiled.
#[derive(Debug)]
pub struct Mirroring {
    shares: Shares,
    units: Option<Units>,
    methods: Box<[Method]>,
}

impl Mirroring {
    /// Compiles the mirror of a route with this id.
    ///
    /// # Errors
    /// Everything that is wrong with it; pointers begin with `/mirror`.
    pub fn compile(mirror: &Mirror, route: &str) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::default();
        share("/mirror/calls_per_10000", mirror.calls_per_10000, &mut faults);
        range(
            "/mirror/body_bytes_max",
            mirror.body_bytes_max,
            (0, BODY_BYTES_MAX),
            &mut faults,
        );
        range(
            "/mirror/in_flight_max",
            mirror.in_flight_max,
            (1, IN_FLIGHT_MAX),
            &mut faults,
        );
        let units = units(mirror, route, &mut faults);
        let methods = methods("/mirror/methods", &mirror.methods, &mut faults);
        if let Some(compare) = &mirror.compare {
            self::compare(compare, &mut faults);
        }
        let copied = mirror.calls_per_10000.min(ALL);
        let compiled = Shares::new(&[copied, ALL - copied]).map(|shares| Self {
            shares,
            units,
            methods: methods.into(),
        });
        faults.or(compiled.expect("the shares are a whole"))
    }

    /// Whether a call is copied; `random` is asked for if chance decides.
    pub fn takes(&self, method: &Method, unit: &Unit<'_>, random: impl FnOnce() -> u32) -> bool {
        let has_method = match &*self.methods {
            [] => matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS),
            methods => methods.contains(method),
        };
        has_method && {
            let hash = match &self.units {
                Some(units) => units.hash_or_address(unit),
                None => random(),
            };
            self.shares.place(hash) == 0
        }
    }
}

fn units(mirror: &Mirror, route: &str, faults: &mut Faults) -> Option<Units> {
    let Some(by) = mirror.by else {
        if mirror.by_name.is_some() {
            faults.add(
                "/mirror/by_name",
                "combination_invalid",
                "Chance decides, so there is nothing to name.",
                "Leave it out, or set `by`.",
            );
        }
        return None;
    };
    // Another key than that of a split: copies are of all variants.
    let key = format!("{route}/mirror");
    Units::compile(by, mirror.by_name.as_deref(), "/mirror/by_name", &key, faults)
}

fn compare(compare: &Compare, faults: &mut Faults) {
    let at = |field: &str| format!("/mirror/compare/{field}");
    share(&at("calls_per_10000"), compare.calls_per_10000, faults);
    range(
        &at("body_bytes_max"),
        compare.body_bytes_max,
        (0, BODY_BYTES_MAX),
        faults,
    );
    range(
        &at("slower_percent"),
        compare.slower_percent,
        (0, 100_000),
        faults,
    );
    range(&at("slower_min_ms"), compare.slower_min_ms, (0, 60_000), faults);
    for (field, found) in [
        ("ignore_headers", compare.ignore_headers.len()),
        ("ignore_json_pointers", compare.ignore_json_pointers.len()),
    ] {
        if found > IGNORED_MAX {
            faults.add(
                at(field),
                "field_out_of_range",
                format!("It has {found} entries; at most {IGNORED_MAX} are allowed."),
                "Remove some.",
            );
        }
    }
    for (index, name) in compare.ignore_headers.iter().enumerate() {
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            faults.add(
                at(&format!("ignore_headers/{index}")),
                "name_invalid",
                "It is not the name of a header field.",
                "Write the name as it stands in answers.",
            );
        }
    }
    for (index, pointer) in compare.ignore_json_pointers.iter().enumerate() {
        let is_pointer = pointer.starts_with('/') && pointer.len() <= POINTER_BYTES_MAX;
        if !is_pointer {
            faults.add(
                at(&format!("ignore_json_pointers/{index}")),
                "field_invalid",
                "It is no JSON Pointer to a part of a body.",
                "Write it as `/items/*/updated_at`.",
            );
        }
    }
}

fn share(pointer: &str, value: u32, faults: &mut Faults) {
    range(pointer, value, (1, ALL), faults);
}

fn range(pointer: &str, value: u32, (min, max): (u32, u32), faults: &mut Faults) {
    if !(min..=max).contains(&value) {
        faults.add(
            pointer,
            "field_out_of_range",
            format!("{value} is not between {min} and {max}."),
            "Choose a number in that range.",
        );
    }
}

#[cfg(test)]
mod tests {
    use domain::release::Mirror;
    use http::{HeaderMap, Method};
    use serde_json::{Value, json};

    use super::Mirroring;
    use crate::Unit;

    fn compile(change: &Value) -> Result<Mirroring, Vec<crate::Fault>> {
        let mut mirror = json!({ "upstream_id": "ups_00000000000000000000000001" });
        for (name, value) in change.as_object().unwrap() {
            mirror[name] = value.clone();
        }
        let mirror: Mirror = serde_json::from_value(mirror).unwrap();
        Mirroring::compile(&mirror, "rte_1")
    }

    fn takes(mirroring: &Mirroring, method: &Method, last: u8, random: u32) -> bool {
        let unit = Unit {
            headers: &HeaderMap::new(),
            address: [10, 0, 0, last].into(),
            application: None,
            subscription: None,
        };
        mirroring.takes(method, &unit, || random)
    }

    #[test]
    fn safe_methods_are_copied_unless_others_are_named() {
        let (safe, named) = (
            compile(&json!({})).unwrap(),
            compile(&json!({ "methods": ["POST"] })).unwrap(),
        );
        for (method, is_safe) in [(Method::GET, true), (Method::HEAD, true), (Method::POST, false)] {
            assert_eq!(takes(&safe, &method, 1, u32::MAX), is_safe, "{method}");
            assert_eq!(
                takes(&named, &method, 1, u32::MAX),
                method == Method::POST,
                "{method}"
            );
        }
    }

    #[test]
    fn a_share_is_taken_by_chance_or_of_the_same_callers() {
        let by_chance = compile(&json!({ "calls_per_10000": 2_500 })).unwrap();
        assert!(takes(&by_chance, &Method::GET, 1, (1 << 30) - 1));
        assert!(!takes(&by_chance, &Method::GET, 1, 1 << 30));
        let same = compile(&json!({ "calls_per_10000": 2_500, "by": "client_address" })).unwrap();
        let taken = (0..=255)
            .filter(|last| takes(&same, &Method::GET, *last, 0))
            .count();
        assert!((40..90).contains(&taken), "{taken}");
        for last in 0..=255 {
            assert_eq!(
                takes(&same, &Method::GET, last, 0),
                takes(&same, &Method::GET, last, u32::MAX)
            );
        }
    }

    #[test]
    fn what_cannot_be_is_told_with_its_place() {
        let compare = |change: Value| json!({ "compare": change });
        let table = [
            (json!({ "calls_per_10000": 0 }), "/mirror/calls_per_10000"),
            (json!({ "calls_per_10000": 10_001 }), "/mirror/calls_per_10000"),
            (json!({ "methods": ["get"] }), "/mirror/methods/0"),
            (json!({ "by": "header" }), "/mirror/by_name"),
            (json!({ "by_name": "x" }), "/mirror/by_name"),
            (json!({ "body_bytes_max": 1_048_577 }), "/mirror/body_bytes_max"),
            (json!({ "in_flight_max": 0 }), "/mirror/in_flight_max"),
            (
                compare(json!({ "calls_per_10000": 0 })),
                "/mirror/compare/calls_per_10000",
            ),
            (
                compare(json!({ "ignore_headers": ["a b"] })),
                "/mirror/compare/ignore_headers/0",
            ),
            (
                compare(json!({ "ignore_json_pointers": ["a"] })),
                "/mirror/compare/ignore_json_pointers/0",
            ),
            (
                compare(json!({ "ignore_headers": vec!["a"; 51] })),
                "/mirror/compare/ignore_headers",
            ),
            (
                compare(json!({ "slower_min_ms": 60_001 })),
                "/mirror/compare/slower_min_ms",
            ),
        ];
        for (change, pointer) in table {
            let faults = compile(&change).unwrap_err();
            assert!(
                faults.iter().any(|fault| fault.pointer == pointer),
                "{change}: {faults:?}"
            );
        }
    }
}
