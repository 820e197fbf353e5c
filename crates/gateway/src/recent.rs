//! The last calls of a core, and who asks about them.
//!
//! Each core remembers its own calls in a ring of bounded length and answers questions on its own thread, so that
//! noting a call takes no lock.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use domain::explain::{ExplainedOperation, TriedRoute};
use domain::id::RequestId;
use domain::recent::{
    CallCaller, CallLimit, CallRouting, CallStep, CallUpstream, CallVariant, ExplainedCall, Noted,
    Remembered, StepVerdict,
};
use tokio::sync::{mpsc, oneshot};

use crate::compile::{Compiled, Route};
use crate::core::Core;
use crate::course::{Course, Ended};

/// Memory of calls that have ended, kept for those to come.
const FREE_MAX: usize = 256;
/// Questions that wait for a core.
const QUESTIONS_MAX: usize = 16;
/// The most calls of one core that are told about one id.
const TOLD_MAX: usize = 10;
/// How long the cores may take for an answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is noted of one call; shared by those who serve it.
pub(crate) type Notes = RefCell<Course>;

/// The last calls of a core.
#[derive(Debug)]
pub(crate) struct Recent {
    most: usize,
    kept: RefCell<Kept>,
}

#[derive(Debug, Default)]
#[expect(
    clippy::vec_box,
    reason = "they go from hand to hand, and a pointer is less to copy"
)]
struct Kept {
    calls: Vec<Box<Notes>>,
    /// Where the next one goes once there are as many as may be.
    next: usize,
    free: Vec<Box<Notes>>,
}

impl Recent {
    /// Remembers so many calls.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            kept: RefCell::default(),
        }
    }

    /// Where a call is noted.
    pub(crate) fn begin(&self, began: Instant) -> Box<Notes> {
        let free = self.kept.borrow_mut().free.pop();
        let mut notes = free.unwrap_or_else(|| Box::new(RefCell::new(Course::new())));
        notes.get_mut().begin(began, self.most > 0);
        notes
    }

    /// Remembers a call that has ended.
    pub(crate) fn keep(&self, mut notes: Box<Notes>) {
        let kept = &mut *self.kept.borrow_mut();
        if self.most > 0 {
            if kept.calls.len() < self.most {
                kept.calls.push(notes);
                return;
            }
            std::mem::swap(&mut kept.calls[kept.next], &mut notes);
            kept.next += 1;
            if kept.next == self.most {
                kept.next = 0;
            }
        }
        if kept.free.len() < FREE_MAX {
            kept.free.push(notes);
        }
    }

    /// The calls whose client was told this id, the newest first.
    fn find(&self, request_id: &str, core: &Core) -> Vec<Remembered> {
        let (hash, ours) = (hash(request_id.as_bytes()), request_id.parse::<RequestId>().ok());
        let installed = core.installed();
        let compiled = installed.as_ref().map(|installed| &*installed.compiled);
        let kept = self.kept.borrow();
        let (newer, older) = kept.calls.split_at(kept.next);
        let newest_first = newer.iter().rev().chain(older.iter().rev());
        let told = newest_first.filter_map(|notes| {
            let course = notes.borrow();
            let call = course.call?;
            let is_it = course.id_hash == hash || Some(call.request) == ours;
            is_it.then(|| remember(&course, &call, (request_id, core), compiled))
        });
        told.take(TOLD_MAX).collect()
    }
}

/// Of a request's id; two that differ have different ones but for an accident.
pub(crate) fn hash(text: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut words = text.chunks_exact(8);
    let mix = |hash: u64, word: u64| ((hash ^ word).wrapping_mul(ODD)).rotate_left(29);
    let hash = words.by_ref().fold(text.len() as u64, |hash, word| {
        mix(hash, u64::from_le_bytes(word.try_into().expect("eight bytes")))
    });
    let rest = words
        .remainder()
        .iter()
        .fold(0, |rest, byte| rest << 8 | u64::from(*byte));
    mix(mix(hash, rest), 0)
}

/// Asks the cores of a node what they remember.
#[derive(Debug, Clone)]
pub struct Memory(pub(crate) Asker);

impl Memory {
    /// The calls whose client was told this id, the newest first; answered within a second or two.
    pub async fn calls(&self, request_id: &str) -> Vec<Remembered> {
        self.0.ask(request_id).await
    }
}

/// A question about a call.
#[derive(Debug)]
pub(crate) struct Question {
    request_id: String,
    answer: oneshot::Sender<Vec<Remembered>>,
}

/// Who asks the cores.
#[derive(Debug, Clone)]
pub(crate) struct Asker(Vec<mpsc::Sender<Question>>);

/// A way to ask each of some cores, and where each hears it.
pub(crate) fn questions(cores: usize) -> (Asker, Vec<mpsc::Receiver<Question>>) {
    let (askers, heard) = (0..cores).map(|_| mpsc::channel(QUESTIONS_MAX)).unzip();
    (Asker(askers), heard)
}

impl Asker {
    /// The calls whose client was told this id, as far as cores answer in time; the newest first.
    pub(crate) async fn ask(&self, request_id: &str) -> Vec<Remembered> {
        let mut answers = Vec::new();
        for core in &self.0 {
            let (answer, heard) = oneshot::channel();
            let question = Question {
                request_id: request_id.to_owned(),
                answer,
            };
            // One that has ended, or has too many questions already, has no answer.
            if core.try_send(question).is_ok() {
                answers.push(heard);
            }
        }
        let until = tokio::time::Instant::now() + PATIENCE;
        let mut told = Vec::new();
        for answer in answers {
            if let Ok(Ok(calls)) = tokio::time::timeout_at(until, answer).await {
                told.extend(calls);
            }
        }
        told.sort_by_key(|one| std::cmp::Reverse(one.call.started_at));
        told.truncate(TOLD_MAX);
        told
    }
}

/// Answers questions about the calls of a core, until nobody can ask any more.
pub(crate) async fn answer(core: Rc<Core>, mut questions: mpsc::Receiver<Question>) {
    while let Some(Question { request_id, answer }) = questions.recv().await {
        // Whoever does not wait any more has given up.
        let _ = answer.send(core.recent.find(&request_id, &core));
    }
}

/// Puts together what is known of a call.
fn remember(
    course: &Course,
    call: &events::Call,
    (request_id, core): (&str, &Core),
    compiled: Option<&Compiled>,
) -> Remembered {
    let full = course.full.as_deref();
    let route = course.route.and_then(|id| compiled?.route(id));
    let upstream = course.upstream.map(|upstream_id| CallUpstream {
        upstream_id,
        algorithm: course.algorithm.to_owned(),
        tries: course.sends().map(super::course::Try::told).collect(),
        candidates: full.map(|full| full.candidates.clone()).unwrap_or_default(),
        fallback: course.fallback.map(|(kind, _)| kind),
        fallback_age_seconds: course.fallback.and_then(|(_, age)| age),
    });
    let limits = course.limits().iter().map(|counted| CallLimit {
        name: counted.counts.to_owned(),
        limit: counted.quota,
        window_seconds: (counted.window_seconds > 0).then_some(counted.window_seconds),
        remaining: counted.remaining,
        reset_seconds: counted.reset_seconds,
        over: counted.over,
    });
    Remembered {
        provider: call.callee.map(|callee| callee.organization),
        asked_by: full.map(|full| full.claims.organization),
        call: ExplainedCall {
            request_id: request_id.to_owned(),
            id: call.request,
            node_id: None,
            environment: core.settings.environment.clone(),
            noted: if full.is_some() {
                Noted::Full
            } else {
                Noted::Summary
            },
            started_at: call.started_at,
            method: call.method.as_str().to_owned(),
            path: full.map(|full| full.path.clone()),
            status: call.status,
            code: call.refusal.map(|code| code.as_str().to_owned()),
            snapshot_revision: (course.revision > 0).then_some(course.revision),
            routing: routing(course, call, compiled),
            caller: call.caller.map(|caller| CallCaller {
                organization_id: caller.organization,
                application_id: caller.application,
                key_id: caller.key,
                subscription_id: caller.subscribed.map(|subscribed| subscribed.subscription),
                plan_id: caller.subscribed.map(|subscribed| subscribed.plan),
            }),
            steps: steps(course, call, route),
            limits: limits.collect(),
            cost: call.units,
            delay_us: course.delay_us,
            upstream,
            bytes_in: call.bytes_in,
            bytes_out: call.bytes_out,
            timing: course.timing(call.latency_us),
        },
    }
}

/// Which route it took. Routes are told by their places in the snapshot that it was served by.
fn routing(course: &Course, call: &events::Call, compiled: Option<&Compiled>) -> CallRouting {
    let (noted, missed) = course.misses();
    let same = compiled.filter(|compiled| compiled.revision == course.revision);
    let tried = noted.iter().filter_map(|(place, miss)| {
        let route = same?.routes.get(*place as usize)?;
        // Of other organizations' routes only the provider of this one may not know.
        let is_own = Some(route.place.organization) == call.callee.map(|callee| callee.organization);
        Some(TriedRoute {
            route_id: is_own.then_some(route.place.route),
            host: None,
            base_path: None,
            priority: None,
            fits: false,
            missed: is_own.then(|| miss.to_string()),
        })
    });
    let route = course.route.and_then(|id| compiled?.route(id));
    let operation = call.callee.and_then(|callee| callee.operation);
    CallRouting {
        tried: tried.collect(),
        missed,
        route_id: course.route,
        why: None,
        variant: course.took.as_ref().map(|took| CallVariant {
            details: course
                .full
                .as_ref()
                .map_or_else(Vec::new, |full| full.shares.clone()),
            ..took.told()
        }),
        api_id: call.callee.map(|callee| callee.api),
        api_name: route.map(|route| route.place.api_name.clone()),
        version_id: call.callee.map(|callee| callee.version),
        operation: operation.and_then(|id| {
            let known = route?.operations.values().find(|known| known.id == id)?;
            Some(ExplainedOperation {
                id,
                method: call.method.as_str().to_owned(),
                path: known.template.to_string(),
            })
        }),
    }
}

/// What the policies said, in the order they run; the plan's rate comes before those that decide, its quota last.
fn steps(course: &Course, call: &events::Call, route: Option<&Route>) -> Vec<CallStep> {
    if let Some(full) = course.full.as_deref().filter(|full| !full.steps.is_empty()) {
        return full.steps.clone();
    }
    if course.ended == Ended::NotAsked {
        return Vec::new();
    }
    let kinds: Vec<_> = course.kinds.names().collect();
    // With another configuration, nobody knows any more which policies these were.
    let operation = call.callee.and_then(|callee| callee.operation);
    let known = route
        .and_then(|route| {
            let Some(operation) = operation else {
                return Some(&route.chain.steps);
            };
            let operation = route.operations.values().find(|known| known.id == operation)?;
            Some(&operation.chain.steps)
        })
        .filter(|known| known.iter().map(|step| step.kind).eq(kinds.iter().copied()));
    let end = match call.refusal {
        Some(_) => StepVerdict::Refused,
        None => StepVerdict::Answered,
    };
    let mut has_ended = false;
    let mut verdict = |ends: bool| {
        let is_after = has_ended;
        has_ended |= ends;
        match (is_after, ends) {
            (true, _) => StepVerdict::NotRun,
            (false, true) => end,
            (false, false) => StepVerdict::Passed,
        }
    };
    let mut steps = Vec::new();
    let step = |kind: &str, policy_id, verdict| CallStep {
        kind: kind.to_owned(),
        policy_id,
        verdict,
        details: Vec::new(),
        took_ns: None,
    };
    let has_plan = call.caller.is_some_and(|caller| caller.subscribed.is_some());
    for place in 0..=kinds.len() {
        if place == course.kinds.decide_from() && has_plan {
            steps.push(step("plan_rate", None, verdict(course.ended == Ended::PlanRate)));
        }
        if let Some(kind) = kinds.get(place) {
            let ends = course.ended == Ended::Policy(u8::try_from(place).unwrap_or(u8::MAX));
            let policy = known.and_then(|known| known[place].policy);
            steps.push(step(kind, policy, verdict(ends)));
        }
    }
    if has_plan {
        steps.push(step(
            "plan_quota",
            None,
            verdict(course.ended == Ended::PlanQuota),
        ));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::hash;

    #[test]
    fn ids_that_differ_a_little_have_hashes_that_differ() {
        let ids = [
            "",
            "a",
            "b",
            "ab",
            "ba",
            "abcdefgh",
            "abcdefgi",
            "abcdefgh0",
            "0abcdefgh",
        ];
        let mut hashes: Vec<_> = ids.iter().map(|id| hash(id.as_bytes())).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), ids.len());
    }
}
