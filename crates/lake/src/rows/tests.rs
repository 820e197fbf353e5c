use deltalake::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use events::{Batch, Event};
use serde_json::Value;

use super::files;
use crate::sample::{START_MICROS, Sample};
use crate::schema::{CALLS, Kind};

/// What an event may take in the lake.
const EVENT_BYTES_MAX: usize = 40;

#[test]
fn a_busy_hour_takes_few_bytes_per_call() {
    let mut sample = Sample::new(1, START_MICROS, 4000);
    let count = 100_000;
    let batches: Vec<Batch> = (1..=count / 1000)
        .map(|sequence| Batch::of(sequence, &sample.events(1000)))
        .collect();
    let files = files(&batches).unwrap();
    assert_eq!(files.len(), 1);
    let bytes = files[0].bytes.len();
    let reader = ParquetRecordBatchReaderBuilder::try_new(files[0].bytes.clone()).unwrap();
    let mut columns = String::new();
    for column in reader.metadata().row_group(0).columns() {
        let share = column.compressed_size() as f64 / count as f64;
        columns.push_str(&format!("{:>6.2} {}\n", share, column.column_path()));
    }
    let per_call = bytes as f64 / count as f64;
    assert!(
        per_call <= EVENT_BYTES_MAX as f64,
        "{per_call} bytes per call\n{columns}"
    );
}

#[test]
fn calls_of_two_days_are_two_files() {
    // Two hours before midnight, a call each hour on average.
    let mut sample = Sample::new(2, START_MICROS, 3_600_000_000);
    let events = sample.events(10);
    let files = files(&[Batch::of(1, &events)]).unwrap();
    let dates: Vec<&str> = files.iter().map(|file| file.date.as_str()).collect();
    assert_eq!(dates, ["2026-11-20", "2026-11-21"]);
    let rows = files.iter().map(|file| {
        let statistics: Value = serde_json::from_str(&file.statistics).unwrap();
        let began = events.iter().filter(|event| {
            let Event::Call(call) = event else { return false };
            call.started_at.to_string().starts_with(&file.date)
        });
        assert_eq!(statistics["numRecords"], began.count());
        assert!(
            statistics["minValues"]["started_at"]
                .as_str()
                .unwrap()
                .starts_with(&file.date)
        );
        statistics["numRecords"].as_u64().unwrap()
    });
    assert_eq!(rows.sum::<u64>(), 10);
}

#[test]
fn bounds_hold_all_rows() {
    let mut sample = Sample::new(3, START_MICROS, 10);
    let events = sample.events(2000);
    let file = files(&[Batch::of(1, &events)]).unwrap().remove(0);
    let statistics: Value = serde_json::from_str(&file.statistics).unwrap();
    let (min, max) = (&statistics["minValues"], &statistics["maxValues"]);
    let mut without_provider = 0;
    for event in &events {
        let Event::Call(call) = event else { continue };
        let at = |bounds: &Value| {
            bounds["started_at"]
                .as_str()
                .unwrap()
                .parse::<domain::Timestamp>()
                .unwrap()
        };
        assert!(at(min) <= call.started_at && call.started_at <= at(max));
        match call.callee {
            Some(callee) => {
                let provider = callee.organization.to_string();
                assert!(min["organization_id"].as_str().unwrap() <= provider.as_str());
                assert!(provider.as_str() <= max["organization_id"].as_str().unwrap());
            }
            None => without_provider += 1,
        }
    }
    assert!(without_provider > 0);
    assert_eq!(statistics["nullCount"]["organization_id"], without_provider);
    let measured: Vec<&str> = CALLS.measured().collect();
    let written: Vec<&String> = statistics["nullCount"].as_object().unwrap().keys().collect();
    assert_eq!(measured, written);
}

#[test]
fn files_hold_plain_types() {
    let mut sample = Sample::new(4, START_MICROS, 10);
    let file = files(&[Batch::of(1, &sample.events(100))]).unwrap().remove(0);
    let reader = ParquetRecordBatchReaderBuilder::try_new(file.bytes).unwrap();
    let fields = reader.schema().fields();
    assert_eq!(fields.len(), CALLS.columns.len() - 1);
    for (field, column) in fields.iter().zip(&CALLS.columns[1..]) {
        assert_eq!(field.name(), column.name);
        assert_eq!(field.is_nullable(), column.is_optional, "{}", column.name);
        let wanted = match column.kind {
            Kind::Few | Kind::Own | Kind::Text => "Utf8",
            Kind::Time => "Timestamp(µs, \"UTC\")",
            Kind::Short => "Int16",
            Kind::Long => "Int64",
            Kind::Flag => "Boolean",
            Kind::Date => "Date32",
        };
        assert_eq!(field.data_type().to_string(), wanted, "{}", column.name);
    }
}
