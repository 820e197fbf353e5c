//! The body of a batch in postcard's form.

use std::collections::HashMap;
use std::hash::Hash;

use domain::id::TargetId;
use domain::limit::Mode;
use domain::{Code, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::{DecodeError, EVENTS_MAX, FORM_CALLS, FORM_SIDES, FORM_VARIANTS, seal};
use crate::call::{Call, Callee, Caller, Event, Method, Subscribed, Variant};

/// An id as 16 bytes in one piece; byte by byte, as serde sees arrays, takes several times as long.
#[derive(Clone, Copy)]
struct Id([u8; 16]);

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = <&[u8]>::deserialize(deserializer)?;
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| serde::de::Error::invalid_length(bytes.len(), &"16 bytes"))
    }
}

impl From<Uuid> for Id {
    fn from(uuid: Uuid) -> Self {
        Self(uuid.into_bytes())
    }
}

/// Writes into memory that is kept.
struct Append<'a>(&'a mut Vec<u8>);

impl postcard::ser_flavors::Flavor for Append<'_> {
    type Output = ();

    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(data);
        Ok(())
    }

    fn try_push(&mut self, data: u8) -> postcard::Result<()> {
        self.0.push(data);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Where the form stands in a frame.
const FORM_PLACE: usize = 4;
const COUNTED: u32 = 1;
/// Where the mode of a limit stands in the flags.
const OVER_SHIFT: u32 = 1;
/// Where the units stand, less one: frames of calls that count once are as they were before there were units.
const UNITS_SHIFT: u32 = 3;
/// The most units that are told apart.
const UNITS_MAX: u32 = (u32::MAX >> UNITS_SHIFT) - 1;

/// What a call counts for, and how, in one number.
fn flags(call: &Call) -> u32 {
    let over = match call.over_limit {
        None | Some(Mode::Enforce) => 0,
        Some(Mode::Warn) => 1,
        Some(Mode::SlowDown) => 2,
        Some(Mode::Degrade) => 3,
    };
    let units = call.units.min(UNITS_MAX).wrapping_sub(1) << UNITS_SHIFT;
    units | over << OVER_SHIFT | if call.counted { COUNTED } else { 0 }
}

fn over_limit(flags: u32) -> Option<Mode> {
    match flags >> OVER_SHIFT & 3 {
        0 => None,
        1 => Some(Mode::Warn),
        2 => Some(Mode::SlowDown),
        _ => Some(Mode::Degrade),
    }
}

/// No units are written as the largest number.
const fn units(flags: u32) -> u32 {
    match flags >> UNITS_SHIFT {
        units if units > UNITS_MAX => 0,
        units => units + 1,
    }
}

/// The codes are one text with commas, so that no length in the bytes can ask for much memory.
#[derive(Deserialize)]
struct Body<'a> {
    base_us: i64,
    callees: Vec<WireCallee>,
    callers: Vec<WireCaller>,
    periods: Vec<i64>,
    codes: &'a str,
    calls: Vec<WireCall>,
}

/// [`Body`] as it is written: the same fields in the same order.
#[derive(Serialize)]
struct BodyRef<'a> {
    base_us: i64,
    callees: &'a [WireCallee],
    callers: &'a [WireCaller],
    periods: &'a [i64],
    codes: &'a str,
    calls: &'a [WireCall],
}

/// Which targets calls were sent to, behind a body.
#[derive(Deserialize)]
struct Targets {
    targets: Vec<Id>,
    /// For each call its place in the list, from 1; 0 is none. Empty if none was sent anywhere.
    chosen: Vec<u32>,
}

/// [`Targets`] as it is written.
#[derive(Serialize)]
struct TargetsRef<'a> {
    targets: &'a [Id],
    chosen: &'a [u32],
}

/// Which variants calls got.
#[derive(Deserialize)]
struct Variants<'a> {
    routes: Vec<Id>,
    /// As many, with commas.
    names: &'a str,
    /// For each call its place in these lists, from 1; 0 is none. Empty if none got any.
    chosen: Vec<u32>,
}

/// [`Variants`] as it is written.
#[derive(Serialize)]
struct VariantsRef<'a> {
    routes: &'a [Id],
    names: &'a str,
    chosen: &'a [u32],
}

#[derive(Serialize, Deserialize)]
struct WireCallee {
    organization: Id,
    api: Id,
    version: Id,
    operation: Option<Id>,
}

#[derive(Serialize, Deserialize)]
struct WireCaller {
    organization: Id,
    application: Id,
    key: Id,
    subscribed: Option<(Id, Id)>,
}

/// References are places in the lists, from 1; 0 is none.
#[derive(Serialize, Deserialize)]
struct WireCall {
    request: Id,
    after_us: i64,
    callee: u32,
    caller: u32,
    period: u32,
    method: u8,
    flags: u32,
    status: u16,
    code: u8,
    bytes_in: u64,
    bytes_out: u64,
    latency_us: u64,
}

/// Encodes batches, one after the other, into memory that it keeps.
#[derive(Default)]
pub struct Encoder {
    frame: Vec<u8>,
    calls: Vec<WireCall>,
    callees: Places<Callee, WireCallee>,
    callers: Places<Caller, WireCaller>,
    periods: Places<i64, i64>,
    codes: Vec<Code>,
    codes_text: String,
    targets: Places<TargetId, Id>,
    to: Vec<u32>,
    variants: Places<Variant, Variant>,
    chosen: Vec<u32>,
}

impl Encoder {
    /// Writes the frame of a batch; events after the first [`EVENTS_MAX`] are left out.
    pub fn encode(&mut self, sequence: u64, events: &[Event]) -> &[u8] {
        self.clear();
        let events = &events[..events.len().min(EVENTS_MAX)];
        let base_us = events
            .first()
            .map_or(0, |Event::Call(call)| call.started_at.as_micros());
        for Event::Call(call) in events {
            self.add(call, base_us);
        }
        let body = BodyRef {
            base_us,
            callees: &self.callees.items,
            callers: &self.callers.items,
            periods: &self.periods.items,
            codes: &self.codes_text,
            calls: &self.calls,
        };
        self.frame.clear();
        self.frame.extend_from_slice(&[0, 0, 0, 0, FORM_CALLS]);
        postcard::serialize_with_flavor(&body, Append(&mut self.frame))
            .expect("plain data into memory cannot fail");
        if !(self.targets.items.is_empty() && self.variants.items.is_empty()) {
            self.add_sides();
        }
        seal(sequence, &mut self.frame);
        &self.frame
    }

    fn add_sides(&mut self) {
        fn chosen<'a, T, W>(places: &Places<T, W>, chosen: &'a [u32]) -> &'a [u32] {
            if places.items.is_empty() { &[] } else { chosen }
        }
        let targets = TargetsRef {
            targets: &self.targets.items,
            chosen: chosen(&self.targets, &self.to),
        };
        let variants = &self.variants.items;
        let routes: Vec<Id> = variants.iter().map(|side| side.route.uuid().into()).collect();
        let names: Vec<_> = variants.iter().map(|side| side.name.as_str()).collect();
        let variants = VariantsRef {
            routes: &routes,
            names: &names.join(","),
            chosen: chosen(&self.variants, &self.chosen),
        };
        self.frame[FORM_PLACE] = FORM_SIDES;
        postcard::serialize_with_flavor(&(targets, variants), Append(&mut self.frame))
            .expect("plain data into memory cannot fail");
    }

    fn clear(&mut self) {
        self.targets.clear();
        self.to.clear();
        self.variants.clear();
        self.chosen.clear();
        self.calls.clear();
        self.callees.clear();
        self.callers.clear();
        self.periods.clear();
        self.codes.clear();
        self.codes_text.clear();
    }

    fn add(&mut self, call: &Call, base_us: i64) {
        self.to
            .push(call.target.map_or(0, |target| self.targets.place(target)));
        self.chosen
            .push(call.variant.map_or(0, |variant| self.variants.place(variant)));
        let wire = WireCall {
            request: call.request.uuid().into(),
            after_us: call.started_at.as_micros() - base_us,
            callee: call.callee.map_or(0, |callee| self.callees.place(callee)),
            caller: call.caller.map_or(0, |caller| self.callers.place(caller)),
            period: match call.quota_period_start {
                0 => 0,
                start => self.periods.place(start),
            },
            method: call.method as u8,
            flags: flags(call),
            status: call.status,
            code: call.refusal.map_or(0, |code| self.code(code)),
            bytes_in: call.bytes_in,
            bytes_out: call.bytes_out,
            latency_us: call.latency_us,
        };
        self.calls.push(wire);
    }

    fn code(&mut self, code: Code) -> u8 {
        let known = self.codes.iter().position(|known| *known == code);
        let place = known.unwrap_or_else(|| {
            if !self.codes.is_empty() {
                self.codes_text.push(',');
            }
            self.codes_text.push_str(code.as_str());
            self.codes.push(code);
            self.codes.len() - 1
        });
        // The catalogue has fewer than 255 codes; a test holds it to that.
        u8::try_from(place + 1).unwrap_or(u8::MAX)
    }
}

/// A list without doubles, and where each item stands in it.
struct Places<T, W> {
    items: Vec<W>,
    places: HashMap<T, u32>,
    last: Option<(T, u32)>,
}

impl<T, W> Default for Places<T, W> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            places: HashMap::new(),
            last: None,
        }
    }
}

impl<T: Copy + Eq + Hash, W: From<T>> Places<T, W> {
    fn place(&mut self, item: T) -> u32 {
        // Calls of one client come in runs, and a comparison is cheaper than a hash.
        if let Some((last, place)) = self.last
            && last == item
        {
            return place;
        }
        let next = u32::try_from(self.items.len() + 1).expect("at most EVENTS_MAX items");
        let place = *self.places.entry(item).or_insert_with(|| {
            self.items.push(item.into());
            next
        });
        self.last = Some((item, place));
        place
    }

    fn clear(&mut self) {
        self.items.clear();
        self.places.clear();
        self.last = None;
    }
}

/// Reads what [`Encoder::encode`] wrote after the head of the frame.
pub(super) fn decode(bytes: &[u8], form: u8) -> Result<Vec<Event>, DecodeError> {
    let (body, mut rest) =
        postcard::take_from_bytes::<Body<'_>>(bytes).map_err(|_| DecodeError::Malformed)?;
    let (mut targets, mut variants) = (Vec::new(), Vec::new());
    if form == FORM_SIDES {
        (targets, rest) = read_targets(rest, body.calls.len())?;
    }
    if matches!(form, FORM_SIDES | FORM_VARIANTS) {
        (variants, rest) = read_variants(rest, body.calls.len())?;
    }
    if !rest.is_empty() {
        return Err(DecodeError::Malformed);
    }
    if body.calls.len() > EVENTS_MAX {
        return Err(DecodeError::TooLarge { limit: EVENTS_MAX });
    }
    let codes = read_codes(body.codes);
    let callees: Vec<Callee> = body.callees.iter().map(Callee::from).collect();
    let callers: Vec<Caller> = body.callers.iter().map(Caller::from).collect();
    let read = |(place, wire): (usize, &WireCall)| {
        Ok(Event::Call(Call {
            request: id(wire.request, domain::id::RequestId::new),
            started_at: Timestamp::from_micros(body.base_us.saturating_add(wire.after_us)),
            callee: at(&callees, wire.callee)?,
            caller: at(&callers, wire.caller)?,
            method: Method::from_number(wire.method),
            status: wire.status,
            refusal: at(&codes, u32::from(wire.code))?,
            bytes_in: wire.bytes_in,
            bytes_out: wire.bytes_out,
            latency_us: wire.latency_us,
            quota_period_start: at(&body.periods, wire.period)?.unwrap_or(0),
            counted: wire.flags & COUNTED != 0,
            units: units(wire.flags),
            over_limit: over_limit(wire.flags),
            target: targets.get(place).copied().flatten(),
            variant: variants.get(place).copied().flatten(),
        }))
    };
    body.calls.iter().enumerate().map(read).collect()
}

/// What each of so many calls chose of a list, and what follows.
type Chosen<'a, T> = (Vec<Option<T>>, &'a [u8]);

fn read_targets(bytes: &[u8], calls: usize) -> Result<Chosen<'_, TargetId>, DecodeError> {
    let malformed = DecodeError::Malformed;
    let (read, rest) = postcard::take_from_bytes::<Targets>(bytes).map_err(|_| malformed)?;
    let targets: Vec<_> = read
        .targets
        .iter()
        .map(|bytes| id(*bytes, TargetId::new))
        .collect();
    Ok((choose(&targets, &read.chosen, calls)?, rest))
}

fn read_variants(bytes: &[u8], calls: usize) -> Result<Chosen<'_, Variant>, DecodeError> {
    let malformed = DecodeError::Malformed;
    let (read, rest) = postcard::take_from_bytes::<Variants<'_>>(bytes).map_err(|_| malformed)?;
    if read.routes.is_empty() {
        return Ok((choose(&[], &read.chosen, calls)?, rest));
    }
    let names: Vec<_> = read.names.split(',').take(EVENTS_MAX + 1).collect();
    if names.len() != read.routes.len() {
        return Err(malformed);
    }
    let variants = read.routes.iter().zip(names).map(|(route, name)| {
        Ok(Variant {
            route: id(*route, domain::id::RouteId::new),
            name: name.parse().map_err(|_| malformed)?,
        })
    });
    let variants = variants.collect::<Result<Vec<_>, _>>()?;
    Ok((choose(&variants, &read.chosen, calls)?, rest))
}

fn choose<T: Copy>(list: &[T], chosen: &[u32], calls: usize) -> Result<Vec<Option<T>>, DecodeError> {
    if chosen.len() != if list.is_empty() { 0 } else { calls } {
        return Err(DecodeError::Malformed);
    }
    chosen.iter().map(|place| at(list, *place)).collect()
}

/// A code that only a newer version knows is read as `internal`: that the call was refused is what counts.
fn read_codes(text: &str) -> Vec<Code> {
    let known = |name: &str| Code::ALL.iter().copied().find(|code| code.as_str() == name);
    text.split(',')
        .take(usize::from(u8::MAX))
        .map(|name| known(name).unwrap_or(Code::Internal))
        .collect()
}

fn at<T: Copy>(list: &[T], place: u32) -> Result<Option<T>, DecodeError> {
    match (place as usize).checked_sub(1) {
        None => Ok(None),
        Some(index) => list.get(index).copied().map(Some).ok_or(DecodeError::Malformed),
    }
}

fn id<T>(bytes: Id, make: impl FnOnce(Uuid) -> T) -> T {
    make(Uuid::from_bytes(bytes.0))
}

impl From<TargetId> for Id {
    fn from(target: TargetId) -> Self {
        target.uuid().into()
    }
}

impl From<Callee> for WireCallee {
    fn from(callee: Callee) -> Self {
        Self {
            organization: callee.organization.uuid().into(),
            api: callee.api.uuid().into(),
            version: callee.version.uuid().into(),
            operation: callee.operation.map(|id| id.uuid().into()),
        }
    }
}

impl From<&WireCallee> for Callee {
    fn from(wire: &WireCallee) -> Self {
        Self {
            organization: id(wire.organization, domain::id::OrganizationId::new),
            api: id(wire.api, domain::id::ApiId::new),
            version: id(wire.version, domain::id::VersionId::new),
            operation: wire
                .operation
                .map(|bytes| id(bytes, domain::id::OperationId::new)),
        }
    }
}

impl From<Caller> for WireCaller {
    fn from(caller: Caller) -> Self {
        let subscribed = caller.subscribed;
        Self {
            organization: caller.organization.uuid().into(),
            application: caller.application.uuid().into(),
            key: caller.key.uuid().into(),
            subscribed: subscribed.map(|under| (under.subscription.uuid().into(), under.plan.uuid().into())),
        }
    }
}

impl From<&WireCaller> for Caller {
    fn from(wire: &WireCaller) -> Self {
        Self {
            organization: id(wire.organization, domain::id::OrganizationId::new),
            application: id(wire.application, domain::id::ApplicationId::new),
            key: id(wire.key, domain::id::KeyId::new),
            subscribed: wire.subscribed.map(|(subscription, plan)| Subscribed {
                subscription: id(subscription, domain::id::SubscriptionId::new),
                plan: id(plan, domain::id::PlanId::new),
            }),
        }
    }
}
