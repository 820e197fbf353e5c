//! Tracked events as rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use deltalake::arrow::array::{ArrayRef, RecordBatch, StringArray};
use deltalake::arrow::error::ArrowError;
use events::wire::EventId;
use events::{Batch, Tracked};

use super::{DayFile, Error, date, day, few, longs, own, times, written};
use crate::schema::EVENTS;

/// Writes the tracked events of some batches as files, one for each day in which some happened.
pub(crate) fn event_files(batches: &[Batch]) -> Result<Vec<DayFile>, Error> {
    let mut days: BTreeMap<i32, Vec<Tracked<'_>>> = BTreeMap::new();
    for batch in batches {
        for event in batch.tracked()? {
            days.entry(day(event.at)).or_default().push(event);
        }
    }
    let files = days.into_iter().map(|(day, mut events)| {
        events.sort_unstable_by_key(|event| {
            (
                event.organization,
                event.environment,
                event.type_name,
                event.at,
                key(event.id),
            )
        });
        written(&EVENTS, date(day), &rows(&events)?)
    });
    files.collect()
}

/// What ids are sorted by: their texts begin with the same signs.
fn key(id: EventId<'_>) -> (u128, &str) {
    match id {
        EventId::Uuid(uuid) => (uuid.as_u128(), ""),
        EventId::Text(text) => (0, text),
    }
}

fn rows(events: &[Tracked<'_>]) -> Result<RecordBatch, ArrowError> {
    let columns: Vec<ArrayRef> = vec![
        times(events.iter().map(|event| Some(event.at.as_micros()))),
        times(events.iter().map(|event| Some(event.received_at.as_micros()))),
        few(events, |event| Some(event.organization)),
        few(events, |event| Some(event.environment)),
        few(events, |event| Some(event.type_name)),
        few(events, |event| Some(event.event_type)),
        few(events, |event| Some(event.key)),
        own(events.iter().map(|event| event.id)),
        texts(events, |event| event.source),
        texts(events, |event| event.user),
        texts(events, |event| event.anonymous),
        texts(events, |event| event.properties),
        longs(events.iter().map(Tracked::bytes)),
    ];
    RecordBatch::try_new(EVENTS.file_schema(), columns)
}

fn texts<'a>(events: &'a [Tracked<'a>], value: impl Fn(&'a Tracked<'a>) -> Option<&'a str>) -> ArrayRef {
    Arc::new(events.iter().map(value).collect::<StringArray>())
}

#[cfg(test)]
mod tests;
