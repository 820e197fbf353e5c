//! The way of snapshots to a node, and what became of them.

use std::sync::{Arc, Weak};

use domain::Snapshot;
use tokio::sync::watch;

use crate::causes::chain;
use crate::node::{Node, Rejection};

/// Brings snapshots to a node, and hears what became of them.
#[derive(Debug, Clone)]
pub struct Feeder {
    snapshots: watch::Sender<Arc<Snapshot>>,
    node: Weak<Node>,
}

impl Feeder {
    pub(crate) fn new(snapshots: watch::Sender<Arc<Snapshot>>, node: &Arc<Node>) -> Self {
        let node = Arc::downgrade(node);
        Self { snapshots, node }
    }

    /// Revision of the newest snapshot that was brought; 0 before the first.
    pub fn revision(&self) -> u64 {
        self.snapshots.borrow().revision
    }

    /// Whether the node has ended.
    pub fn is_closed(&self) -> bool {
        self.snapshots.is_closed()
    }

    /// Whether the node serves any snapshot.
    pub fn serves(&self) -> bool {
        let node = self.node.upgrade();
        node.is_some_and(|node| node.status().revision.is_some())
    }

    /// Brings a snapshot, and waits until it is known what became of it: whether the node serves it now.
    ///
    /// It does not if it rejected it, if it has ended, or if it serves a newer one.
    pub async fn offer(&self, snapshot: Arc<Snapshot>) -> bool {
        let revision = snapshot.revision;
        let Some(mut statuses) = self.node.upgrade().map(|node| node.statuses()) else {
            return false;
        };
        self.snapshots.send_replace(snapshot);
        // The one of a node that has heard of nothing yet: it is nothing to serve.
        if revision == 0 {
            return false;
        }
        let settled = statuses.wait_for(|status| {
            let rejected = status.rejected.as_ref();
            status.revision >= Some(revision) || rejected.is_some_and(|it| it.revision == revision)
        });
        settled
            .await
            .is_ok_and(|status| status.revision == Some(revision))
    }

    /// Notes that there is a snapshot of this revision that cannot even be read: it is rejected like one that cannot
    /// be compiled.
    pub fn unreadable(&self, revision: u64, error: &(dyn std::error::Error + 'static)) {
        let reason = chain(error);
        tracing::error!(revision, %reason, "a snapshot was rejected");
        if let Some(node) = self.node.upgrade() {
            let rejection = Rejection { revision, reason };
            node.change(|status| status.rejected = Some(rejection));
        }
    }
}
