//! Questions to nodes: nodes only make outgoing calls, so they poll for what they are asked and bring answers.
//!
//! Questions and answers lie in the database for a few seconds: whoever asks and the node may speak with different
//! control planes. Within one process nobody waits for the next look at the database.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use domain::id::NodeId;
use domain::node::NodeQuestion;
use domain::recent::Remembered;
use tokio::sync::watch;

use crate::{Control, Error};

/// How long a node's question for questions waits.
const LONG_POLL: Duration = Duration::from_secs(25);
/// How long a question is put to nodes.
const OPEN: Duration = Duration::from_secs(5);
/// How long a question may stay if whoever asked could not remove it.
pub(crate) const KEPT: Duration = Duration::from_secs(60);
/// How often it is looked for questions that came to another control plane.
const LOOK: Duration = Duration::from_millis(300);

/// What this process knows of questions.
pub(crate) struct Questions {
    /// Told when a question was asked here.
    asked: watch::Sender<u64>,
    /// Told when an answer came here.
    pub(crate) answered: watch::Sender<u64>,
    /// What was in the database lately; one look serves all nodes.
    seen: Mutex<Option<(Instant, Arc<Vec<NodeQuestion>>)>>,
}

impl Default for Questions {
    fn default() -> Self {
        Self {
            asked: watch::Sender::new(0),
            answered: watch::Sender::new(0),
            seen: Mutex::default(),
        }
    }
}

impl Control {
    /// What a node is asked, as soon as there is something, or nothing after a while; the node is known to live.
    ///
    /// For nodes that have shown the cluster token. A question that was given is not given again by this call, but by
    /// the next one until it is answered.
    ///
    /// # Errors
    /// [`Error::Store`] if the database is away.
    pub async fn questions(&self, node: NodeId) -> Result<Vec<NodeQuestion>, Error> {
        let mut tx = self.store().begin().await?;
        tx.saw_node(node, self.now()).await?;
        tx.commit().await?;
        let mut asked = self.inner.questions.asked.subscribe();
        let until = tokio::time::Instant::now() + LONG_POLL;
        loop {
            asked.borrow_and_update();
            let mut open = Vec::new();
            for question in self.open_questions().await?.iter() {
                let answers = store::question::answers(&mut self.store(), &question.id).await?;
                if answers.iter().all(|(answered, _)| *answered != node) {
                    open.push(question.clone());
                }
            }
            if !open.is_empty() {
                return Ok(open);
            }
            tokio::select! {
                _ = asked.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
                () = tokio::time::sleep_until(until) => return Ok(Vec::new()),
            }
        }
    }

    /// Keeps what a node answers to a question; too late, it is forgotten.
    ///
    /// # Errors
    /// [`Error::Store`] if the database is away.
    pub async fn answer(&self, node: NodeId, question: &str, calls: &[Remembered]) -> Result<(), Error> {
        let body =
            serde_json::to_value(calls).map_err(|error| Error::internal("writing a node's answer", error))?;
        let mut tx = self.store().begin().await?;
        let is_kept = tx.answer(question, node, body).await?;
        tx.commit().await?;
        if is_kept {
            self.inner.questions.answered.send_modify(|count| *count += 1);
        }
        Ok(())
    }

    /// Puts a question to all nodes.
    pub(crate) async fn ask(&self, question: &NodeQuestion) -> Result<(), Error> {
        let mut tx = self.store().begin().await?;
        tx.ask(question, self.now()).await?;
        tx.commit().await?;
        *self.seen() = None;
        self.inner.questions.asked.send_modify(|count| *count += 1);
        Ok(())
    }

    /// Takes a question back, with its answers.
    pub(crate) async fn forget(&self, question: &NodeQuestion) -> Result<(), Error> {
        let mut tx = self.store().begin().await?;
        tx.forget_question(&question.id).await?;
        tx.commit().await?;
        *self.seen() = None;
        Ok(())
    }

    async fn open_questions(&self) -> Result<Arc<Vec<NodeQuestion>>, Error> {
        let known = self.seen().clone();
        if let Some((at, known)) = known.filter(|(at, _)| at.elapsed() < LOOK) {
            tracing::trace!(age = ?at.elapsed(), "questions looked at lately");
            return Ok(known);
        }
        let since = self.now().before(OPEN);
        let open = Arc::new(store::question::since(&mut self.store(), since).await?);
        *self.seen() = Some((Instant::now(), Arc::clone(&open)));
        Ok(open)
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Option<(Instant, Arc<Vec<NodeQuestion>>)>> {
        self.inner
            .questions
            .seen
            .lock()
            .expect("nothing panics while holding it")
    }
}
