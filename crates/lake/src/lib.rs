//! Events as Delta Lake tables, which any engine can read.
//!
//! ```text
//! log of a node ─events::ship─► Lake::commit ─rows─► a Parquet file per day ─┐
//!                                                    watermark of the node ──┴─► one version of the table
//! SQL ─► Lake::query ─guard─► plan ─fence─► rows of the asker ─► NDJSON, CSV, Parquet, Arrow
//! Lake::sums ─► plan ─fence─► sums of the asker's calls; over many days from a cluster
//! ```
//!
//! Belongs here: the tables ([`mod@place`], and what they hold), how events get into them once, how they are kept in
//! order ([`maintain`]), and reading them, alone ([`query`]) or with others ([`cluster`]). Does not belong here: what an
//! event is (`events`), who may ask what, and when maintenance runs (`control`). Start with [`Lake`]; `docs/lake.md` is for those who use it.
//!
//! Promises: a batch of a node is in the table once or not at all, whoever commits it and how often; a commit that was
//! answered outlives a power failure; whatever dies leaves a table that can be read.

pub mod cluster;
mod commit;
pub mod compact;
#[cfg(test)]
mod faults;
pub mod maintain;
pub mod place;
pub mod query;
mod rows;
#[cfg(test)]
mod sample;
mod schema;
mod table;

pub use cluster::{Cluster, ClusterOptions};
pub use place::{Place, S3Options};
pub use query::{Answer, Limits, Tenant};

use self::table::Table;

/// The tables of one place.
///
/// It commits events as [`events::Sink`]. Nothing is read or written before it is needed, so that a store that is
/// away does not hold up the start.
pub struct Lake {
    calls: Table,
    events: Table,
    places: query::Places,
    cluster: Option<Cluster>,
}

impl Lake {
    /// Takes the tables of a place.
    pub fn new(place: &Place) -> Self {
        Self {
            calls: Table::new(place, &schema::CALLS),
            events: Table::new(place, &schema::EVENTS),
            places: query::Places::default(),
            cluster: None,
        }
    }

    /// Has sums over many days computed by a cluster.
    #[must_use]
    pub fn with_cluster(self, cluster: Cluster) -> Self {
        let cluster = Some(cluster);
        Self { cluster, ..self }
    }
}

impl std::fmt::Debug for Lake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lake")
            .field("calls", &self.calls.url().as_str())
            .finish()
    }
}
