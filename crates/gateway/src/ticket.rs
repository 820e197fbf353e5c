//! Follows a call from its head to its end, and records it then.

use std::rc::Rc;
use std::time::Instant;

use domain::Code;
use domain::limit::Mode;
use events::{Call, Callee, Caller, Method, Reservation};
use policy::effects::Holds;
use policy::{Consumer, Moment};

use crate::body::Upload;
use crate::brake::Brake;
use crate::compile::Route;
use crate::conn::Open;
use crate::course::Course;
use crate::recent::Notes;
use crate::split::Took;
use crate::traces::span::Finished;

/// One call that is being served; dropping it records the call as it stands.
#[derive(Debug)]
pub(crate) struct Ticket {
    open: Open,
    reservation: Option<Reservation>,
    call: Call,
    /// What happens on the way; none once it is kept.
    notes: Option<Box<Notes>>,
    /// The request's body, if it has one.
    pub(crate) upload: Option<Rc<Upload>>,
    /// Keeps the call counted as open until it is recorded.
    pub(crate) holds: Holds,
    /// The brake of what a client sends without it being a body, until there is a tunnel for it.
    pub(crate) up: Option<Box<Brake>>,
    /// The answer's brake, until there is an answer.
    pub(crate) down: Option<Box<Brake>>,
}

impl Ticket {
    pub(crate) fn begin(open: Open, method: &http::Method, began: Instant) -> (Box<Self>, Moment) {
        let core = open.conn().core();
        let moment = core.clock.at(began);
        core.figures.in_flight.add(1);
        let notes = core.recent.begin(began);
        let call = Call {
            method: Method::from_name(method.as_str()),
            ..Call::begun(core.ids.request(moment.calendar), moment.calendar)
        };
        (
            Box::new(Self {
                open,
                reservation: None,
                call,
                notes: Some(notes),
                upload: None,
                holds: Holds::default(),
                up: None,
                down: None,
            }),
            moment,
        )
    }

    pub(crate) const fn request(&self) -> domain::id::RequestId {
        self.call.request
    }

    /// Where it is noted what happens on the way.
    pub(crate) fn notes(&self) -> &Notes {
        self.notes.as_ref().expect("kept only when dropped")
    }

    /// The same, for whoever has the ticket to itself.
    pub(crate) fn course(&mut self) -> &mut Course {
        let notes = self.notes.as_mut();
        notes
            .map(|notes| notes.get_mut())
            .expect("kept only when dropped")
    }

    /// Takes a place for the record; without one, the call is not written down.
    pub(crate) fn reserve(&mut self) -> Result<(), events::Overloaded> {
        self.reservation = Some(self.open.conn().core().recorder.reserve()?);
        Ok(())
    }

    /// Notes what was called, in the snapshot of this revision.
    pub(crate) fn matched(
        &mut self,
        revision: u64,
        route: &Route,
        operation: Option<domain::id::OperationId>,
    ) {
        let place = &route.place;
        let series = route
            .series
            .place(place.route, &self.open.conn().core().node.places);
        self.course().routed(revision, place, series);
        self.call.callee = Some(Callee {
            organization: place.organization,
            api: place.api,
            version: place.version,
            operation,
        });
    }

    pub(crate) fn called_by(&mut self, consumer: &Consumer<'_>) {
        self.call.caller = Some(Caller {
            organization: consumer.application.organization,
            application: consumer.application.id,
            key: consumer.key,
            subscribed: Some(events::Subscribed {
                subscription: consumer.subscription.id,
                plan: consumer.subscription.plan,
            }),
        });
        self.call.quota_period_start = consumer.subscription.quota_period_start(self.call.started_at);
    }

    /// The call passed all policies, so it counts whatever becomes of it.
    pub(crate) const fn counted(&mut self, units: u32) {
        self.call.counted = true;
        self.call.units = units;
    }

    /// The call was over a limit and passed; of several modes the last one is recorded.
    pub(crate) const fn over(&mut self, mode: Mode) {
        self.call.over_limit = Some(mode);
    }

    /// The call got one of the variants of its route.
    pub(crate) fn sided(&mut self, took: Took) {
        self.call.variant = Some(events::Variant {
            route: took.side.route,
            name: took.side.name,
        });
        self.course().took = Some(took);
    }

    pub(crate) const fn answered(&mut self, status: http::StatusCode, refusal: Option<Code>) {
        self.call.status = status.as_u16();
        self.call.refusal = refusal;
    }

    pub(crate) const fn sent(&mut self, bytes: u64) {
        self.call.bytes_out += bytes;
    }

    /// The answer ended before its end.
    pub(crate) fn cut(&self) {
        self.open.conn().core().figures.upstream_errors.add(1);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let core = self.open.conn().core();
        let Some(mut notes) = self.notes.take() else {
            return;
        };
        let latency = notes.get_mut().began().elapsed();
        self.call.latency_us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.call.bytes_in = self.upload.as_ref().map_or(0, |upload| upload.bytes.get());
        self.call.target = notes.get_mut().target();
        let figures = &core.figures;
        let class = match self.call.status {
            Call::CLIENT_GONE => 0,
            status => usize::from(status / 100).min(5),
        };
        figures.answers[class].add(1);
        figures.latency.note(self.call.latency_us);
        let course = notes.get_mut();
        if let Some(route) = figures.routes.get(course.series as usize) {
            route.answers[class].add(1);
            route.latency_us.add(self.call.latency_us);
        }
        if let Some(took) = &course.took {
            took.side.note(self.call.status, self.call.latency_us);
        }
        if let Some(code) = self.call.refusal {
            figures.refusals[code as usize].add(1);
        }
        figures.in_flight.sub(1);
        figures.bytes_in.add(self.call.bytes_in);
        figures.bytes_out.add(self.call.bytes_out);
        figures.latency_us.add(self.call.latency_us);
        if let Some(reservation) = self.reservation.take() {
            reservation.record(self.call);
        }
        let course = notes.get_mut();
        if let Some(begun) = course.span.take()
            && let Some(tracer) = &core.tracer
        {
            tracer.take(Finished::new(begun, course, self.call));
        }
        course.call = Some(self.call);
        core.recent.keep(notes);
    }
}
