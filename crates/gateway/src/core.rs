//! What one core has for itself: its clock, ids, connections and its copy of the snapshot.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use domain::Timestamp;
use domain::id::RequestId;
use events::{Exposures, Recorder};
use policy::Moment;
use tokio::sync::watch;
use uuid::Builder;

use crate::balance::Balancer;
use crate::compile::Compiled;
use crate::deadline::Deadlines;
use crate::metrics::CoreFigures;
use crate::node::Node;
use crate::pool::{Pools, Shared};
use crate::recent::Recent;
use crate::settings::Settings;
use crate::spare::Spare;
use crate::tls::{Outward, Shown};
use crate::traces::Tracer;

/// How often idle upstream connections are looked through: every five seconds.
const TICKS_PER_SWEEP: u32 = 100;

/// One core; lives on its thread.
pub(crate) struct Core {
    pub(crate) settings: Arc<Settings>,
    pub(crate) node: Arc<Node>,
    pub(crate) figures: Arc<CoreFigures>,
    pub(crate) deadlines: Rc<Deadlines>,
    pub(crate) recorder: Recorder,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    /// Its number among the node's.
    pub(crate) index: usize,
    pub(crate) spare: Spare,
    /// Its last calls.
    pub(crate) recent: Recent,
    /// Takes spans, if traces are sent.
    pub(crate) tracer: Option<Tracer>,
    /// Gathers who was given which variant of a flag; nothing is recorded if absent.
    pub(crate) exposures: Option<RefCell<Exposures>>,
    /// For texts that are copied into header values.
    pub(crate) scratch: RefCell<String>,
    pools: Rc<Pools>,
    /// What is shown to clients of hosts without a certificate in the snapshot.
    own_certificate: RefCell<Option<Arc<Shown>>>,
    installed: RefCell<Option<Rc<Installed>>>,
    /// The revision that is installed, for those who wait for another one.
    installs: watch::Sender<u64>,
    ticks: Cell<u32>,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").finish_non_exhaustive()
    }
}

/// A snapshot with this core's connections to its upstreams.
#[derive(Debug)]
pub(crate) struct Installed {
    pub(crate) compiled: Arc<Compiled>,
    pub(crate) balancers: Vec<Rc<Balancer>>,
}

impl Core {
    pub(crate) fn new(
        index: usize,
        (settings, node): (Arc<Settings>, Arc<Node>),
        tls: Outward,
        tracer: Option<Tracer>,
    ) -> Rc<Self> {
        let figures = Arc::clone(&node.cores[index]);
        let recorder = node.recorders[index].clone();
        let deadlines = Deadlines::new();
        let pools = Pools::new(Shared {
            ids: Ids::new(),
            deadlines: Rc::clone(&deadlines),
            figures: Arc::clone(&figures),
            tls,
            personal: RefCell::default(),
        });
        let clock = Clock::new(node.began);
        let exposures = node
            .ingest
            .as_ref()
            .map(|ingest| RefCell::new(Exposures::new(ingest.intake().clone())));
        Rc::new(Self {
            recent: Recent::new(settings.recent_calls),
            tracer,
            settings,
            node,
            figures,
            deadlines,
            recorder,
            clock,
            ids: Ids::new(),
            index,
            spare: Spare::default(),
            exposures,
            scratch: RefCell::default(),
            pools,
            own_certificate: RefCell::default(),
            installed: RefCell::default(),
            installs: watch::Sender::new(0),
            ticks: Cell::new(0),
        })
    }

    /// The snapshot that requests beginning now are served by.
    pub(crate) fn installed(&self) -> Option<Rc<Installed>> {
        self.installed.borrow().clone()
    }

    /// Tells when another snapshot is installed.
    pub(crate) fn installs(&self) -> watch::Receiver<u64> {
        self.installs.subscribe()
    }

    /// What is shown to clients of hosts without a certificate in the snapshot.
    pub(crate) fn own_certificate(&self) -> Option<Arc<Shown>> {
        self.own_certificate.borrow().clone()
    }

    /// Whether clients are asked for certificates where the node's own one is shown.
    pub(crate) fn asks_clients(&self) -> bool {
        self.own_certificate
            .borrow()
            .as_ref()
            .is_some_and(|own| own.asks.is_some())
    }

    /// Shows another one from now on.
    pub(crate) fn show(&self, own: Option<Arc<Shown>>) {
        *self.own_certificate.borrow_mut() = own;
    }

    /// Does what has to be done now and then; called at every tick of the core's clock.
    pub(crate) fn tick(&self) {
        self.clock.renew();
        let ticks = self.ticks.get().wrapping_add(1);
        self.ticks.set(ticks);
        if let Some(exposures) = &self.exposures {
            exposures
                .borrow_mut()
                .flush(self.clock.at(Instant::now()).calendar);
        }
        if ticks.is_multiple_of(TICKS_PER_SWEEP) {
            self.pools.sweep();
        }
    }

    /// Serves by another snapshot from now on; what belongs to an upstream that stays is kept.
    ///
    /// Requests under way keep the snapshot they began with.
    pub(crate) fn install(&self, compiled: Arc<Compiled>) {
        let before = self.installed();
        let before = before.as_ref().map(|before| {
            let known = before
                .balancers
                .iter()
                .map(|balancer| (balancer.upstream().id, balancer));
            known.collect::<HashMap<_, _>>()
        });
        let balancers = compiled.upstreams.iter().map(|upstream| {
            let known = before.as_ref().and_then(|before| before.get(&upstream.id));
            match known.filter(|known| Arc::ptr_eq(known.upstream(), upstream)) {
                Some(known) => Rc::clone(known),
                None => {
                    let zone = self.settings.zone.clone();
                    let balancer = Balancer::new(Arc::clone(upstream), Rc::clone(&self.pools), zone);
                    Rc::new(balancer.keeping(known.map(|known| &***known)))
                }
            }
        });
        let installed = Installed {
            balancers: balancers.collect(),
            compiled,
        };
        let revision = installed.compiled.revision;
        *self.installed.borrow_mut() = Some(Rc::new(installed));
        self.installs.send_replace(revision);
    }
}

/// Tells both times of a call with one look at one clock.
#[derive(Debug)]
pub(crate) struct Clock {
    /// The same for all cores: they share counters.
    began: Instant,
    /// A moment of the steady clock, and the calendar's microseconds at it; renewed at every tick, since
    /// calendars are set.
    base: Cell<(Instant, i64)>,
    /// The calendar's second, and how the `Date` field says it.
    date: Cell<(i64, [u8; DATE_BYTES])>,
}

/// How long a date as in RFC 9110 section 5.6.7 is.
const DATE_BYTES: usize = 29;

impl Clock {
    pub(crate) fn new(began: Instant) -> Self {
        let clock = Self {
            began,
            base: Cell::new(look()),
            date: Cell::new((-1, [b' '; DATE_BYTES])),
        };
        clock.renew();
        clock
    }

    /// Follows the calendar.
    pub(crate) fn renew(&self) {
        let (instant, micros) = look();
        self.base.set((instant, micros));
        let seconds = micros / 1_000_000;
        if seconds != self.date.get().0 {
            let since = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
            let text = httpdate::fmt_http_date(UNIX_EPOCH + since);
            let bytes = text.as_bytes().try_into().expect("the format has one length");
            self.date.set((seconds, bytes));
        }
    }

    /// The value of `Date`.
    pub(crate) const fn date(&self) -> [u8; DATE_BYTES] {
        self.date.get().1
    }

    pub(crate) fn at(&self, instant: Instant) -> Moment {
        let (base, base_micros) = self.base.get();
        let since = i64::try_from(instant.saturating_duration_since(base).as_micros()).unwrap_or(i64::MAX);
        let steady = instant.saturating_duration_since(self.began).as_nanos();
        Moment {
            calendar: Timestamp::from_micros(base_micros.saturating_add(since)),
            steady_ns: u64::try_from(steady).unwrap_or(u64::MAX),
        }
    }
}

fn look() -> (Instant, i64) {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (
        Instant::now(),
        i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX),
    )
}

/// Mints ids without asking the system for randomness each time; they have to be unique, not secret.
#[derive(Debug)]
pub(crate) struct Ids {
    state: Cell<u64>,
}

impl Ids {
    pub(crate) fn new() -> Self {
        let mut seed = [0; 8];
        aws_lc_rs::rand::fill(&mut seed).expect("the system has randomness");
        Self {
            state: Cell::new(u64::from_le_bytes(seed)),
        }
    }

    /// SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
    pub(crate) fn random(&self) -> u64 {
        let state = self.state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.state.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what it holds")]
    pub(crate) fn fraction(&self) -> f64 {
        (self.random() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn request(&self, at: Timestamp) -> RequestId {
        let mut random = [0; 10];
        random[..8].copy_from_slice(&self.random().to_le_bytes());
        random[8..].copy_from_slice(&self.random().to_le_bytes()[..2]);
        let millis = u64::try_from(at.as_micros() / 1000).unwrap_or(0);
        RequestId::new(Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }
}
