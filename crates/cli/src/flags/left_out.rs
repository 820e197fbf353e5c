//! `gateline flags left-out`: which flags programs of other products are not given, and why.

use clap::Args;
use client::types::{FlagExports, ReadFeatureFlagExportsParams};

use crate::Error;
use crate::output::{Output, table};
use crate::session::Connection;

/// Which flags are looked at.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Only this flag, by its key.
    key: Option<String>,
    /// Only in the environment of this name.
    #[arg(long)]
    environment: Option<String>,
    /// Only what programs of this product are not given: `unleash`, `growthbook` or `flagd`.
    #[arg(long, value_name = "PRODUCT")]
    protocol: Option<String>,
}

pub(super) async fn run(
    connection: &Connection,
    arguments: &Arguments,
    output: &Output,
) -> Result<(), Error> {
    let params = ReadFeatureFlagExportsParams {
        environment: arguments.environment.clone(),
        flag: arguments.key.clone(),
        protocol: arguments.protocol.as_deref().map(Into::into),
        limit: None,
    };
    let found = connection.client.read_feature_flag_exports(&params).await?;
    output.answer(&found, list);
    Ok(())
}

fn list(found: &FlagExports) -> String {
    let rows = found.left_out.iter().map(|one| {
        vec![
            one.flag.to_string(),
            one.environment.to_string(),
            one.protocol.to_string(),
            one.pointer.clone(),
            one.detail.clone(),
        ]
    });
    table(&["flag", "environment", "not given to", "place", "why"], rows)
}
