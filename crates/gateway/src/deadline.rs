//! Timeouts that cost a store: one coarse clock per core instead of a timer per request.
//!
//! Every request arms several timeouts of which hardly any fires. So arming one only writes down when it is
//! due; a task of the core looks through all of them every [`TICK`] and wakes those that are over. A timeout
//! fires at most two ticks late and never early.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use slab::Slab;
use tokio::sync::Notify;
use tokio::time::sleep;

/// How often timeouts are looked at.
pub(crate) const TICK: Duration = Duration::from_millis(50);

/// Milliseconds of a clock that all cores share and that nobody sets; never 0.
pub(crate) fn steady_ms() -> u64 {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    1 + millis(BEGAN.get_or_init(Instant::now).elapsed())
}

/// The timeouts of one core.
#[derive(Debug)]
pub(crate) struct Deadlines {
    /// [`steady_ms`], read once per tick: reading a clock costs more than all the rest.
    now_ms: Cell<u64>,
    slots: RefCell<Slab<Slot>>,
    /// Wakes the task when there is something to look at again.
    begun: Notify,
}

#[derive(Debug, Default)]
struct Slot {
    /// In [`steady_ms`]; `None` while not armed.
    due_ms: Option<u64>,
    waker: Option<Waker>,
}

/// One timeout, armed again and again.
#[derive(Debug)]
pub(crate) struct Deadline {
    owner: Rc<Deadlines>,
    slot: usize,
}

impl Deadlines {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            now_ms: Cell::new(steady_ms()),
            slots: RefCell::default(),
            begun: Notify::new(),
        })
    }

    /// A timeout that is not armed yet.
    pub(crate) fn deadline(self: &Rc<Self>) -> Deadline {
        let mut slots = self.slots.borrow_mut();
        if slots.is_empty() {
            self.refresh();
            self.begun.notify_one();
        }
        let slot = slots.insert(Slot::default());
        Deadline {
            owner: Rc::clone(self),
            slot,
        }
    }

    /// [`steady_ms`], up to a tick old.
    pub(crate) fn now_ms(&self) -> u64 {
        self.now_ms.get()
    }

    /// What is left until something is due, if it is.
    pub(crate) fn left(&self, due_ms: Option<u64>) -> Option<Duration> {
        let left_ms = due_ms?.saturating_sub(self.now_ms());
        Some(Duration::from_millis(left_ms))
    }

    /// Runs the clock; the core's task. `each` is called at every tick.
    pub(crate) async fn run(self: Rc<Self>, mut each: impl FnMut()) {
        loop {
            if self.slots.borrow().is_empty() {
                self.begun.notified().await;
            }
            each();
            sleep(TICK).await;
            self.wake_due();
        }
    }

    fn wake_due(&self) {
        self.refresh();
        let now_ms = self.now_ms.get();
        self.wake(|slot| slot.due_ms.is_some_and(|due_ms| due_ms <= now_ms));
    }

    /// Wakes everybody who waits with a timeout: the core has news for all.
    pub(crate) fn wake_all(&self) {
        self.wake(|_| true);
    }

    fn wake(&self, is_due: impl Fn(&Slot) -> bool) {
        let mut due = Vec::new();
        for (_, slot) in self.slots.borrow_mut().iter_mut() {
            if is_due(slot) {
                due.extend(slot.waker.take());
            }
        }
        // Outside of the borrow: a waker may do anything.
        due.into_iter().for_each(Waker::wake);
    }

    fn refresh(&self) {
        self.now_ms.set(steady_ms());
    }
}

impl Deadline {
    /// Fires after a while, unless it is armed again or disarmed before.
    pub(crate) fn arm(&self, after: Duration) {
        // The time is up to a tick old.
        let due_ms = self.owner.now_ms.get().saturating_add(millis(after + TICK));
        self.owner.slots.borrow_mut()[self.slot].due_ms = Some(due_ms);
    }

    /// Fires after a while from the first of several such calls.
    pub(crate) fn arm_once(&self, after: Duration) {
        let is_armed = self.owner.slots.borrow()[self.slot].due_ms.is_some();
        if !is_armed {
            self.arm(after);
        }
    }

    /// Does not fire any more.
    pub(crate) fn disarm(&self) {
        self.owner.slots.borrow_mut()[self.slot].due_ms = None;
    }

    /// Ready once it has fired, until it is armed again.
    pub(crate) fn poll_over(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut slots = self.owner.slots.borrow_mut();
        let slot = &mut slots[self.slot];
        if slot
            .due_ms
            .is_some_and(|due_ms| due_ms <= self.owner.now_ms.get())
        {
            return Poll::Ready(());
        }
        if !slot
            .waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(context.waker()))
        {
            slot.waker = Some(context.waker().clone());
        }
        Poll::Pending
    }

    /// Waits for a future, but no longer than until it fires.
    pub(crate) async fn bound<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut future = std::pin::pin!(future);
        poll_fn(|context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            self.poll_over(context).map(|()| None)
        })
        .await
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.owner.slots.borrow_mut().remove(self.slot);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
