//! What the control plane asks its nodes, and what they answer; over the database, so that it does not matter which
//! control plane a node speaks with.

use domain::Timestamp;
use domain::id::NodeId;
use domain::node::NodeQuestion;
use serde_json::Value;

use crate::entity::Read;
use crate::{Arg, Error, Tx};

/// The questions that were asked since a moment, the oldest first.
pub async fn since(read: &mut impl Read, moment: Timestamp) -> Result<Vec<NodeQuestion>, Error> {
    let sql = "SELECT id, request_id FROM node_questions WHERE asked_at >= $1 ORDER BY asked_at, id";
    let rows = read.rows(sql, &[Arg::time(moment)]).await?;
    let question = |row: &crate::Row| {
        Ok(NodeQuestion {
            id: row.text("id")?,
            request_id: row.text("request_id")?,
        })
    };
    rows.iter().map(question).collect()
}

/// What nodes have answered to a question.
pub async fn answers(read: &mut impl Read, question: &str) -> Result<Vec<(NodeId, Value)>, Error> {
    let sql = "SELECT node_id, body FROM node_answers WHERE question_id = $1 ORDER BY node_id";
    let rows = read.rows(sql, &[Arg::text(question)]).await?;
    let answer = |row: &crate::Row| Ok((row.parse("node_id")?, row.json("body")?));
    rows.iter().map(answer).collect()
}

impl Tx {
    /// Asks a question.
    pub async fn ask(&mut self, question: &NodeQuestion, now: Timestamp) -> Result<(), Error> {
        let sql = "INSERT INTO node_questions (id, request_id, asked_at) VALUES ($1, $2, $3)";
        let args = [
            Arg::text(&question.id),
            Arg::text(&question.request_id),
            Arg::time(now),
        ];
        self.execute(sql, &args).await.map(drop)
    }

    /// Keeps a node's first answer to a question that is still open; whether it is kept.
    pub async fn answer(&mut self, question: &str, node: NodeId, body: Value) -> Result<bool, Error> {
        let sql = "INSERT INTO node_answers (question_id, node_id, body)
                   SELECT id, $2, $3 FROM node_questions WHERE id = $1
                   ON CONFLICT (question_id, node_id) DO NOTHING";
        let args = [Arg::text(question), Arg::text(node), Arg::Json(body)];
        Ok(self.execute(sql, &args).await? > 0)
    }

    /// Forgets a question with its answers.
    pub async fn forget_question(&mut self, question: &str) -> Result<(), Error> {
        let sql = "DELETE FROM node_questions WHERE id = $1";
        self.execute(sql, &[Arg::text(question)]).await.map(drop)
    }

    /// Forgets questions of long ago with their answers.
    pub async fn forget_questions_before(&mut self, moment: Timestamp) -> Result<(), Error> {
        let sql = "DELETE FROM node_questions WHERE asked_at < $1";
        self.execute(sql, &[Arg::time(moment)]).await.map(drop)
    }
}
