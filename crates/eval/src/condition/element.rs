//! Conditions on single elements of a list.

use super::{Check, Compiler, Condition, DEPTH_MAX, Set};
use crate::definition::{self, Op};
use crate::subject::{Known, Reads, Slot, Subject};

/// What single elements, which are texts, can be compared by.
const OPERATORS: [Op; 6] = [
    Op::In,
    Op::NotIn,
    Op::StartsWith,
    Op::EndsWith,
    Op::Contains,
    Op::Matches,
];

/// What holds of an element. Its comparisons are not among the tests of the set: those are of whole attributes.
#[derive(Debug)]
pub(crate) enum Element {
    All(Box<[Element]>),
    Any(Box<[Element]>),
    Not(Box<Element>),
    Is(Check),
}

impl Element {
    /// Whether the list at a place has an element that fits.
    pub(super) fn is_in(&self, slot: Slot, subject: &Subject<'_>, set: &Set<'_>) -> bool {
        let reads = set.names.reads(slot);
        subject.get(slot).is_some_and(|list| {
            let mut texts = list.value.texts();
            texts.any(|text| self.fits(&Known::of_element(text, reads), subject, reads))
        })
    }

    fn fits(&self, element: &Known<'_>, subject: &Subject<'_>, reads: &Reads) -> bool {
        match self {
            Self::All(all) => all.iter().all(|one| one.fits(element, subject, reads)),
            Self::Any(any) => any.iter().any(|one| one.fits(element, subject, reads)),
            Self::Not(not) => !not.fits(element, subject, reads),
            Self::Is(check) => check.fits(element, subject, || reads),
        }
    }
}

impl<'d> Compiler<'_, 'd> {
    /// Compiles a condition on the elements of a list.
    pub(super) fn element(
        &mut self,
        list: &str,
        fits: &'d definition::Condition,
        pointer: &str,
        depth: usize,
    ) -> Condition {
        let slot = self.names.slot(list);
        let element = self.of_element((list, slot), fits, &format!("{pointer}/fits"), depth + 1);
        Condition::Element(Box::new((slot, element)))
    }

    fn of_element(
        &mut self,
        (list, slot): (&str, Slot),
        source: &'d definition::Condition,
        pointer: &str,
        depth: usize,
    ) -> Element {
        let nothing = || Element::All(Box::default());
        if depth > DEPTH_MAX {
            let detail = format!("Conditions are nested more than {DEPTH_MAX} deep.");
            self.problems.add(pointer, "too_deep", detail);
            return nothing();
        }
        let mut parts = |all: &'d [definition::Condition], name: &str| -> Box<[Element]> {
            let parts = all.iter().enumerate();
            parts
                .map(|(place, one)| {
                    self.of_element((list, slot), one, &format!("{pointer}/{name}/{place}"), depth + 1)
                })
                .collect()
        };
        match source {
            definition::Condition::All { all } => Element::All(parts(all, "all")),
            definition::Condition::Any { any } => Element::Any(parts(any, "any")),
            definition::Condition::Not { not } => {
                let inner = self.of_element((list, slot), not, &format!("{pointer}/not"), depth + 1);
                Element::Not(Box::new(inner))
            }
            definition::Condition::Attribute(test)
                if test.attribute == list && OPERATORS.contains(&test.op) =>
            {
                Element::Is(self.check(test, pointer, slot))
            }
            _ => {
                let detail = format!(
                    "Of an element of `{list}`, itself is compared, by `in`, `not_in`, `starts_with`, `ends_with`, \
                     `contains` and `matches` only."
                );
                self.problems.add(pointer, "element_invalid", detail);
                nothing()
            }
        }
    }
}
