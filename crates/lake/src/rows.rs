//! Calls and events as rows, and rows as files of a day.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::hash::Hash;
use std::sync::Arc;

use bytes::Bytes;
use deltalake::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, Int16Array, Int32Array, Int64Array, RecordBatch,
    StringBuilder, TimestampMicrosecondArray,
};
use deltalake::arrow::datatypes::Int32Type;
use deltalake::arrow::error::ArrowError;
use deltalake::parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use deltalake::parquet::errors::ParquetError;
use domain::limit::Mode;
use events::{Batch, Call, Event};
use rustc_hash::FxHashMap;
use serde_json::{Map, Value, json};

use crate::schema::{self, Layout};

mod tracked;

pub(crate) use tracked::event_files;

/// Microseconds of a day.
const DAY_MICROS: i64 = 24 * domain::time::HOUR_MICROS;

/// Why rows cannot be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A batch is not readable.
    #[error(transparent)]
    Batch(#[from] events::wire::DecodeError),
    /// Arrow does not take the rows.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
    /// Parquet does not take them.
    #[error(transparent)]
    Parquet(#[from] ParquetError),
}

/// A file of what happened on one day.
#[derive(Debug)]
pub(crate) struct DayFile {
    /// The day, as in `2026-11-21`.
    pub(crate) date: String,
    /// The file.
    pub(crate) bytes: Bytes,
    /// What Delta Lake keeps about it.
    pub(crate) statistics: String,
}

/// Writes the calls of some batches as files, one for each day.
pub(crate) fn files(batches: &[Batch]) -> Result<Vec<DayFile>, Error> {
    let mut days: BTreeMap<i32, Vec<Call>> = BTreeMap::new();
    for batch in batches {
        for event in batch.events()? {
            let Event::Call(call) = event else { continue };
            days.entry(day(call.started_at)).or_default().push(call);
        }
    }
    days.into_iter().map(|(day, calls)| file(day, calls)).collect()
}

fn file(day: i32, mut calls: Vec<Call>) -> Result<DayFile, Error> {
    calls.sort_unstable_by_key(|call| {
        let callee = call.callee;
        (
            callee.map(|callee| (callee.organization, callee.api)),
            call.started_at,
            call.request,
        )
    });
    written(&schema::CALLS, date(day), &rows(&calls)?)
}

/// Writes sorted rows as a file of a day.
pub(crate) fn written(layout: &Layout, date: String, rows: &RecordBatch) -> Result<DayFile, Error> {
    let options = ArrowWriterOptions::new()
        .with_properties(layout.writer_properties())
        // That texts are kept in dictionaries is our business, not that of who reads.
        .with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), rows.schema(), options)?;
    writer.write(rows)?;
    Ok(DayFile {
        date,
        bytes: writer.into_inner()?.into(),
        statistics: statistics(layout, rows),
    })
}

/// The day of a moment in UTC, counted from 1970.
pub(crate) fn day(moment: domain::Timestamp) -> i32 {
    let day = moment.as_micros().div_euclid(DAY_MICROS);
    i32::try_from(day).expect("moments are within the years -9999 to 9999")
}

fn date(day: i32) -> String {
    let moment = domain::Timestamp::from_micros(i64::from(day).saturating_mul(DAY_MICROS));
    let mut text = moment.to_string();
    text.truncate(text.find('T').expect("RFC 3339"));
    text
}

fn rows(calls: &[Call]) -> Result<RecordBatch, ArrowError> {
    let columns: Vec<ArrayRef> = vec![
        times(calls.iter().map(|call| Some(call.started_at.as_micros()))),
        own(calls.iter().map(|call| call.request)),
        few(calls, |call| Some(call.callee?.organization)),
        few(calls, |call| Some(call.callee?.api)),
        few(calls, |call| Some(call.callee?.version)),
        few(calls, |call| call.callee?.operation),
        few(calls, |call| Some(call.caller?.organization)),
        few(calls, |call| Some(call.caller?.application)),
        few(calls, |call| Some(call.caller?.key)),
        few(calls, |call| Some(call.caller?.subscribed?.subscription)),
        few(calls, |call| Some(call.caller?.subscribed?.plan)),
        few(calls, |call| Some(call.method.as_str())),
        Arc::new(
            calls
                .iter()
                .map(|call| Some(clamp16(call.status)))
                .collect::<Int16Array>(),
        ),
        few(calls, |call| Some(call.refusal?.as_str())),
        longs(calls.iter().map(|call| call.bytes_in)),
        longs(calls.iter().map(|call| call.bytes_out)),
        longs(calls.iter().map(|call| call.latency_us)),
        Arc::new(
            calls
                .iter()
                .map(|call| Some(call.counted))
                .collect::<BooleanArray>(),
        ),
        longs(calls.iter().map(|call| u64::from(call.units))),
        times(calls.iter().map(|call| {
            let start = call.quota_period_start;
            (start != 0).then(|| start.saturating_mul(1_000_000))
        })),
        few(calls, |call| call.over_limit.map(mode)),
        few(calls, |call| Some(call.variant?.route)),
        few(calls, |call| Some(call.variant?.name)),
        few(calls, |call| call.target),
    ];
    RecordBatch::try_new(schema::CALLS.file_schema(), columns)
}

/// Texts that few rows share, each of which is written once.
fn few<'a, R, T>(rows: &'a [R], value: impl Fn(&'a R) -> Option<T>) -> ArrayRef
where
    T: Copy + Eq + Hash + Display,
{
    let mut places: FxHashMap<T, i32> = FxHashMap::default();
    let mut texts = StringBuilder::new();
    let mut place = |value: T| {
        let next = i32::try_from(places.len()).expect("a commit has fewer rows");
        *places.entry(value).or_insert_with(|| {
            append(&mut texts, value);
            next
        })
    };
    let keys: Int32Array = rows.iter().map(|row| value(row).map(&mut place)).collect();
    Arc::new(DictionaryArray::new(keys, Arc::new(texts.finish())))
}

fn own(values: impl Iterator<Item = impl Display>) -> ArrayRef {
    let mut texts = StringBuilder::new();
    values.for_each(|value| append(&mut texts, value));
    Arc::new(texts.finish())
}

fn append(texts: &mut StringBuilder, value: impl Display) {
    write!(texts, "{value}").expect("memory takes every text");
    texts.append_value("");
}

fn longs(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(
        values
            .map(|value| Some(i64::try_from(value).unwrap_or(i64::MAX)))
            .collect::<Int64Array>(),
    )
}

fn times(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    let times: TimestampMicrosecondArray = values.collect();
    Arc::new(times.with_timezone("UTC"))
}

fn clamp16(status: u16) -> i16 {
    i16::try_from(status).unwrap_or(i16::MAX)
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Enforce => "enforce",
        Mode::Warn => "warn",
        Mode::SlowDown => "slow_down",
        Mode::Degrade => "degrade",
    }
}

/// What readers pass over the file by: its rows, and the bounds of the columns that [`schema`] measures.
fn statistics(layout: &Layout, rows: &RecordBatch) -> String {
    let (mut least, mut greatest, mut absent) = (Map::new(), Map::new(), Map::new());
    for name in layout.measured() {
        let column = rows.column_by_name(name).expect("it is in the schema");
        let bounds = match column.as_dictionary_opt::<Int32Type>() {
            Some(texts) => bounds(texts),
            None => moments(column.as_primitive()),
        };
        if let Some([min, max]) = bounds {
            least.insert(name.to_owned(), Value::String(min));
            greatest.insert(name.to_owned(), Value::String(max));
        }
        absent.insert(name.to_owned(), column.null_count().into());
    }
    json!({
        "numRecords": rows.num_rows(),
        "minValues": least,
        "maxValues": greatest,
        "nullCount": absent,
    })
    .to_string()
}

/// The bounds of the texts that rows have; the dictionary may hold others.
fn bounds(texts: &DictionaryArray<Int32Type>) -> Option<[String; 2]> {
    let values = texts.values().as_string::<i32>();
    let mut is_used = vec![false; values.len()];
    for key in texts.keys().iter().flatten() {
        is_used[usize::try_from(key).expect("keys are places")] = true;
    }
    let used = || {
        values
            .iter()
            .zip(&is_used)
            .filter_map(|(text, used)| text.filter(|_| *used))
    };
    Some([used().min()?.to_owned(), used().max()?.to_owned()])
}

/// The bounds of the times: whole milliseconds, as the protocol wants them, with all calls between.
fn moments(times: &TimestampMicrosecondArray) -> Option<[String; 2]> {
    let text = |millis: i64| {
        let moment = domain::Timestamp::from_micros(millis.saturating_mul(1000));
        format!("{:.3}", moment.to_jiff())
    };
    let times = || times.iter().flatten();
    let (min, max) = (times().min()?, times().max()?);
    Some([text(min.div_euclid(1000)), text(max.div_euclid(1000) + 1)])
}

#[cfg(test)]
mod tests;
