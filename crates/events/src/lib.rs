//! What happened, kept until it is counted: events, the durable log and its sinks.
//!
//! One call of the gateway takes this way, and every arrow has a bound and a figure:
//!
//! ```text
//! gateway core ─Reservation::record─► ring (one per core) ─Pump─► Log (fsync per ≤ 10 ms) ─ship─► Sink
//!                                                                                                  └ usage::fold
//! ```
//!
//! Here belongs what an event is, how it is written ([`wire`]), how it gets to the disk ([`ring`], [`pump`],
//! [`log`]) and from there to whoever counts it ([`sink`], [`usage`]). SQL belongs to `store`, HTTP to `gateway`
//! and `api`. Start with [`call`].
//!
//! Promises: what is in the log is handed to the sink until the sink has committed it, in order and without
//! gaps; a sink that keeps the sequence number together with what it counted counts nothing twice.

pub mod call;
pub mod exposure;
pub mod fault;
pub mod ingest;
pub mod intake;
pub mod log;
pub mod pump;
pub mod recognise;
pub mod ring;
pub mod rollup;
mod seen;
pub mod sink;
pub mod usage;
pub mod wire;

pub use call::{Call, Callee, Caller, Event, Method, Subscribed, Variant};
pub use exposure::{Exposure, Exposures};
pub use ingest::Ingest;
pub use intake::Intake;
pub use log::{Hold, Log};
pub use pump::Pump;
pub use recognise::Recogniser;
pub use ring::{Overloaded, Recorder, Reservation, WhenFull};
pub use sink::{Sink, ship};
pub use wire::{Batch, Tracked};
