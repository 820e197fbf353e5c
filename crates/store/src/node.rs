//! What gateway nodes say of themselves.

use domain::id::NodeId;
use domain::node::{Node, NodeState};

use crate::entity::Read;
use crate::{Arg, Error, Row, Tx};

/// Reads all nodes, the one heard of last first.
pub async fn all(read: &mut impl Read) -> Result<Vec<Node>, Error> {
    let sql = "SELECT id, environment, revision, state, reason, seen_at FROM nodes ORDER BY seen_at DESC, id";
    read.rows(sql, &[]).await?.iter().map(node).collect()
}

fn node(row: &Row) -> Result<Node, Error> {
    Ok(Node {
        id: row.parse::<NodeId>("id")?,
        environment: row.parse("environment")?,
        revision: row.int("revision")?,
        state: match row.text("state")?.as_str() {
            "applied" => NodeState::Applied,
            _ => NodeState::Rejected,
        },
        reason: row.text("reason")?,
        seen_at: row.time("seen_at")?,
    })
}

impl Tx {
    /// Keeps what a node says, in place of what it said before.
    pub async fn note_node(&mut self, node: &Node) -> Result<(), Error> {
        let sql = "INSERT INTO nodes (id, environment, revision, state, reason, seen_at)
                   VALUES ($1, $2, $3, $4, $5, $6)
                   ON CONFLICT (id) DO UPDATE SET environment = excluded.environment,
                   revision = excluded.revision, state = excluded.state, reason = excluded.reason,
                   seen_at = excluded.seen_at";
        let state = match node.state {
            NodeState::Applied => "applied",
            NodeState::Rejected => "rejected",
        };
        let args = [
            Arg::text(node.id),
            Arg::text(&node.environment),
            Arg::int(node.revision),
            Arg::text(state),
            Arg::text(&node.reason),
            Arg::time(node.seen_at),
        ];
        self.execute(sql, &args).await.map(drop)
    }
}
