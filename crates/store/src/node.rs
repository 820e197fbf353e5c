//! What gateway nodes say of themselves.

use domain::Timestamp;
use domain::id::NodeId;
use domain::node::{Node, NodeHealth, NodeMirrors, NodeState};

use crate::entity::Read;
use crate::{Arg, Error, Row, Tx};

/// Reads all nodes, the one heard of last first.
pub async fn all(read: &mut impl Read) -> Result<Vec<Node>, Error> {
    let sql = "SELECT id, environment, revision, state, reason, seen_at FROM nodes ORDER BY seen_at DESC, id";
    read.rows(sql, &[]).await?.iter().map(node).collect()
}

/// Reads how nodes see the targets of upstreams, the one heard of last first.
pub async fn health(read: &mut impl Read) -> Result<Vec<(Node, NodeHealth)>, Error> {
    let sql = "SELECT id, environment, revision, state, reason, seen_at, health FROM nodes
               WHERE health IS NOT NULL ORDER BY seen_at DESC, id";
    let rows = read.rows(sql, &[]).await?;
    let health = |row: &Row| Ok((node(row)?, row.read("health", "health")?));
    rows.iter().map(health).collect()
}

/// Reads what nodes counted of mirrors and when they told it, the one heard of last first.
pub async fn mirrors(read: &mut impl Read) -> Result<Vec<(Node, NodeMirrors, Timestamp)>, Error> {
    let sql = "SELECT id, environment, revision, state, reason, seen_at, mirrors, mirrors_at FROM nodes
               WHERE mirrors IS NOT NULL ORDER BY seen_at DESC, id";
    let rows = read.rows(sql, &[]).await?;
    let mirrors = |row: &Row| {
        Ok((
            node(row)?,
            row.read("mirrors", "mirrors")?,
            row.time("mirrors_at")?,
        ))
    };
    rows.iter().map(mirrors).collect()
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
    /// Notes that a node was heard of.
    pub async fn saw_node(&mut self, id: NodeId, now: Timestamp) -> Result<(), Error> {
        let sql = "UPDATE nodes SET seen_at = $2 WHERE id = $1 AND seen_at < $2";
        self.execute(sql, &[Arg::text(id), Arg::time(now)])
            .await
            .map(drop)
    }

    /// Keeps what a node says, in place of what it said before; what it does not say is as before.
    pub async fn note_node(
        &mut self,
        node: &Node,
        health: Option<&NodeHealth>,
        mirrors: Option<&NodeMirrors>,
    ) -> Result<(), Error> {
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
        self.execute(sql, &args).await?;
        if let Some(health) = health {
            let sql = "UPDATE nodes SET health = $2 WHERE id = $1";
            let args = [Arg::text(node.id), Arg::json(health, "health")?];
            self.execute(sql, &args).await?;
        }
        if let Some(mirrors) = mirrors {
            let sql = "UPDATE nodes SET mirrors = $2, mirrors_at = $3 WHERE id = $1";
            let args = [
                Arg::text(node.id),
                Arg::json(mirrors, "mirrors")?,
                Arg::time(node.seen_at),
            ];
            self.execute(sql, &args).await?;
        }
        Ok(())
    }
}
