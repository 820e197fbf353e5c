//! Splits of which some keep what they were earlier.

use super::{Gate, Shares, Units};
use crate::subject::Subject;

/// A split, and earlier ones for those who were let pass when they held.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) by: Units,
    /// What those get who keep nothing.
    pub(super) shares: Shares,
    /// Who keeps what, by their places in the order of the rule's first gate.
    pub(super) earlier: Box<[(Gate, Shares)]>,
}

impl Kept {
    /// Which of the earlier splits a subject keeps.
    pub(super) fn place(&self, subject: &Subject<'_>) -> Option<usize> {
        // All of them look at the same place.
        let (gate, _) = self.earlier.first()?;
        let place = gate.place(subject)?;
        self.earlier.iter().position(|(gate, _)| gate.has(place))
    }

    /// The shares that hold for a subject.
    pub(super) fn shares(&self, subject: &Subject<'_>) -> &Shares {
        let kept = self.place(subject);
        kept.map_or(&self.shares, |place| &self.earlier[place].1)
    }
}
