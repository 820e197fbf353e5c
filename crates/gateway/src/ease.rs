//! What becomes of a call that is over a limit and passes all the same.

use std::future::poll_fn;
use std::rc::Rc;
use std::time::Duration;

use domain::limit::Mode;
use http::{HeaderMap, HeaderName, HeaderValue};
use policy::builtin::bandwidth_limit::{Flow, Way};

use crate::brake::Brake;
use crate::core::Core;
use crate::ticket::Ticket;

/// Tells the service behind which kind of limit the call is over; nobody else can say it.
pub(crate) const DEGRADED: HeaderName = HeaderName::from_static("gateline-degraded");

/// What limits want of a call that they let pass.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Eased {
    pub(crate) delay_ns: u64,
    pub(crate) degraded: Option<&'static str>,
    pub(crate) is_warned: bool,
}

impl Eased {
    pub(crate) const fn is_nothing(&self) -> bool {
        self.delay_ns == 0 && self.degraded.is_none() && !self.is_warned
    }
}

/// Counts the call as over a limit, tells the service behind, and holds it back as long as it has to wait, but no longer
/// than is left.
///
/// How many wait at a time is bounded by the limits themselves: no more than come due within the longest delay.
pub(crate) async fn ease(
    core: &Rc<Core>,
    eased: Eased,
    left: Option<Duration>,
    (headers, ticket): (&mut HeaderMap, &mut Ticket),
) {
    let delay = Duration::from_nanos(eased.delay_ns);
    let delay = left.map_or(delay, |left| left.min(delay));
    let figures = &core.figures;
    if eased.is_warned {
        figures.limits_warned.add(1);
        ticket.over(Mode::Warn);
    }
    if eased.delay_ns > 0 {
        figures.limits_delayed.add(1);
        figures
            .limits_delay_us
            .add(u64::try_from(delay.as_micros()).unwrap_or(u64::MAX));
        ticket.over(Mode::SlowDown);
    }
    if let Some(kind) = eased.degraded {
        figures.limits_degraded.add(1);
        ticket.over(Mode::Degrade);
        headers.insert(DEGRADED, HeaderValue::from_static(kind));
    }
    if eased.delay_ns > 0 {
        let deadline = core.deadlines.deadline();
        deadline.arm(delay);
        poll_fn(|context| deadline.poll_over(context)).await;
    }
}

/// The brakes of a call's bodies, that of the request and that of the answer.
pub(crate) fn brakes(core: &Rc<Core>, flows: Vec<Flow>) -> (Option<Box<Brake>>, Option<Box<Brake>>) {
    if flows.is_empty() {
        return (None, None);
    }
    let (up, down): (Vec<_>, Vec<_>) = flows.into_iter().partition(|flow| flow.way == Way::Request);
    let brake = |flows: Vec<Flow>| (!flows.is_empty()).then(|| Box::new(Brake::new(core, flows)));
    (brake(up), brake(down))
}
