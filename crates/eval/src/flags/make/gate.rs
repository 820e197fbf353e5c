//! Shares of all units, of rules and within conditions.

use super::thousandths;
use crate::bucketing::Order;
use crate::condition::Compiler;
use crate::definition;
use crate::flags::{Gate, PARTS, Units, WHOLE};

impl Compiler<'_, '_> {
    /// Compiles a share of all units.
    pub(crate) fn gate(&mut self, gate: &definition::Gate, pointer: &str) -> Gate {
        let order = Order::of_gate(gate.dialect, &gate.key);
        let parts = self.parts(&gate.parts, &order, &format!("{pointer}/parts"));
        Gate {
            by: self.units(&gate.by, &gate.or_by, order.is_native()),
            order,
            parts,
        }
    }

    /// Parts of all in an order: the first and last place of each.
    pub(crate) fn parts(&mut self, source: &[(f64, f64)], order: &Order, pointer: &str) -> Box<[(u64, u64)]> {
        // A part ends where a place ends.
        let step = match order {
            Order::Native(_) => 1,
            other @ Order::Other(_) => u32::try_from(u64::from(WHOLE) / other.places()).unwrap_or(1),
        };
        let mut parts = Vec::with_capacity(source.len());
        for (number, (from, to)) in source.iter().enumerate() {
            match (thousandths(*from), thousandths(*to)) {
                (Some(from), Some(to)) if from <= to && from % step == 0 && to % step == 0 => {
                    parts.push((first_place(from, order), first_place(to, order)));
                }
                _ => {
                    let step = f64::from(step) / PARTS;
                    let detail = format!("From {from} to {to} is no part of 0 to 100 in steps of {step}.");
                    self.problems
                        .add(&format!("{pointer}/{number}"), "out_of_range", detail);
                }
            }
        }
        parts.into()
    }

    /// The attributes that say which unit it is. An empty text is one only where it always has been.
    pub(crate) fn units(&mut self, by: &str, or_by: &[String], is_native: bool) -> Units {
        Units {
            first: self.names.slot(by),
            others: or_by.iter().map(|name| self.names.slot(name)).collect(),
            with_empty: is_native && or_by.is_empty(),
        }
    }
}

/// The first place that is not below a share of all.
fn first_place(thousandths: u32, order: &Order) -> u64 {
    (u64::from(thousandths) * order.places()).div_ceil(u64::from(WHOLE))
}
