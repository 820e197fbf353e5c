//! Fills a lake with calls as a busy installation has them: `fill URL NODE BATCHES EVENTS [compact]`.
//!
//! The same node makes the same calls, so two that run at once must count once. Prints as JSON what it made and what
//! SQL says of the whole table. A store beside AWS is named by `S3_ENDPOINT`, `S3_KEY_ID` and `S3_KEY`.

use std::error::Error;
use std::io::Write;
use std::num::NonZeroU64;

use domain::id::NodeId;
use domain::lake::RowFormat;
use events::{Batch, Call, Event, Sink};
use futures_util::TryStreamExt;
use lake::query::encode;
use lake::{Lake, Limits, Place, S3Options, Tenant};
use uuid::Uuid;

#[path = "../src/sample.rs"]
mod sample;

const TOTALS: &str = "SELECT count(*) AS calls, count(DISTINCT request_id) AS requests, \
                      sum(bytes_out) AS bytes_out, sum(latency_us) AS latency_us FROM calls";
const FILE_BYTES: NonZeroU64 = NonZeroU64::new(128 << 20).expect("more than none");

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [url, node, batches, events, rest @ ..] = words.as_slice() else {
        return Err("fill URL NODE BATCHES EVENTS [compact]".into());
    };
    let (node, batches, events): (u32, u64, usize) = (node.parse()?, batches.parse()?, events.parse()?);
    let setting = |name| std::env::var(name).ok();
    let options = S3Options {
        endpoint: setting("S3_ENDPOINT"),
        access_key_id: setting("S3_KEY_ID"),
        secret_access_key: setting("S3_KEY"),
        ..S3Options::default()
    };
    let lake = Lake::new(&Place::new(url, &options)?);
    let id = NodeId::new(Uuid::from_u128(u128::from(node) << 80 | 7 << 76 | 2 << 62));
    let mut calls = sample::Sample::new(node.into(), sample::START_MICROS, 20_000);
    let made: Vec<Batch> = (1..=batches)
        .map(|sequence| Batch::of(sequence, &calls.events(events)))
        .collect();
    for batch in made.chunks(1) {
        while lake.commit(id, batch).await? < batch[0].sequence() {}
    }
    if rest.iter().any(|word| word == "compact") {
        lake.compact(FILE_BYTES).await?;
    }
    let answer = lake
        .query(TOTALS, Tenant::Installation, Limits::default())
        .await?;
    let told: Vec<_> = encode(answer, RowFormat::Ndjson).try_collect().await?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", totals(&made)?)?;
    out.write_all(&told.concat())?;
    Ok(())
}

fn totals(batches: &[Batch]) -> Result<serde_json::Value, Box<dyn Error>> {
    let mut calls: Vec<Call> = Vec::new();
    for batch in batches {
        calls.extend(batch.events()?.into_iter().filter_map(|event| match event {
            Event::Call(call) => Some(call),
            _ => None,
        }));
    }
    Ok(serde_json::json!({
        "calls": calls.len(),
        "bytes_out": calls.iter().map(|call| call.bytes_out).sum::<u64>(),
        "latency_us": calls.iter().map(|call| call.latency_us).sum::<u64>(),
        "refused": calls.iter().filter(|call| call.refusal.is_some()).count(),
        "without_provider": calls.iter().filter(|call| call.callee.is_none()).count(),
    }))
}
