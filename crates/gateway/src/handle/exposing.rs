//! What flags have to do with a call: asked by its route and its policies, counted and recorded here.

use std::net::IpAddr;

use events::Exposure;
use flags::{Asking, Facts};
use http::Method;
use policy::Moment;

use crate::core::Core;
use crate::named::Named;

/// What flags are asked about a call; the query has its question mark.
pub(super) fn facts<'a>(
    (method, named): (&'a Method, &'a Named),
    (path, query): (&'a str, &'a str),
    (address, moment): (IpAddr, Moment),
) -> Facts<'a> {
    Facts {
        method: method.as_str(),
        host: &named.name,
        path,
        query: query.strip_prefix('?').unwrap_or_default(),
        address: Some(address),
        now: moment.calendar,
    }
}

/// Counts what the call was given since it was told before, and records what depended on who it is.
pub(super) fn tell(core: &Core, flags: &Asking<'_>, moment: Moment) {
    flags.tell(|exposed| {
        let Some(exposures) = &core.exposures else { return };
        let exposure = Exposure {
            event_type: exposed.event_type,
            flag: exposed.flag,
            version: exposed.version,
            variant: exposed.variant,
            by: exposed.by,
            unit: exposed.unit,
        };
        let whose = (exposed.organization, exposed.environment);
        exposures.borrow_mut().note_own(whose, &exposure, moment.calendar);
    });
}
