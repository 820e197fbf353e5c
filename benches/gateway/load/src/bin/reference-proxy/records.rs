//! The records of requests and the thread that writes them.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::{Method, StatusCode};

const QUEUE_RECORDS: usize = 64 * 1024;
const BUFFER_BYTES: usize = 256 * 1024;
const WRITE_INTERVAL: Duration = Duration::from_millis(20);

/// What is kept of a request.
pub(crate) struct Record {
    pub(crate) time: SystemTime,
    /// The id of the key, none for a refused request.
    pub(crate) key: Option<u32>,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) status: StatusCode,
    pub(crate) latency: Duration,
    pub(crate) bytes: u64,
}

/// Writes records to a file, one JSON object per line, on a thread of its own.
pub(crate) struct Records {
    queue: SyncSender<Record>,
}

impl Records {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let file = File::create(path)?;
        let (queue, records) = sync_channel(QUEUE_RECORDS);
        thread::spawn(move || {
            if let Err(error) = write_records(&records, file) {
                // Nothing is left to do when even the standard error is closed.
                let _ = writeln!(io::stderr(), "no more records: {error}");
            }
        });
        Ok(Self { queue })
    }

    /// Queues a record, or drops it if the queue is full; never waits.
    pub(crate) fn push(&self, record: Record) {
        // The benchmark counts the lines, so a loss would not go unnoticed.
        let _ = self.queue.try_send(record);
    }
}

/// Collects records at intervals instead of waiting for each: a waiting reader would have to be
/// woken by the request path, at the price of a system call.
fn write_records(records: &Receiver<Record>, file: File) -> io::Result<()> {
    let mut file = BufWriter::with_capacity(BUFFER_BYTES, file);
    loop {
        for record in records.try_iter() {
            write_record(&mut file, &record)?;
        }
        file.flush()?;
        thread::sleep(WRITE_INTERVAL);
    }
}

fn write_record(output: &mut impl Write, record: &Record) -> io::Result<()> {
    let since_epoch = record.time.duration_since(UNIX_EPOCH).unwrap_or_default();
    write!(output, r#"{{"ts":{},"key":"#, since_epoch.as_millis())?;
    match record.key {
        Some(id) => write!(output, "{id}")?,
        None => write!(output, "null")?,
    }
    write!(output, r#","method":"{}","path":"#, record.method)?;
    write_json_string(output, &record.path)?;
    let status = record.status.as_u16();
    let latency = record.latency.as_micros();
    writeln!(
        output,
        r#","status":{status},"latency_us":{latency},"bytes":{}}}"#,
        record.bytes
    )
}

/// Writes a URL path as a JSON string; paths contain no control characters.
fn write_json_string(output: &mut impl Write, text: &str) -> io::Result<()> {
    output.write_all(b"\"")?;
    for part in text.split_inclusive(['"', '\\']) {
        match part.as_bytes() {
            [plain @ .., special @ (b'"' | b'\\')] => {
                output.write_all(plain)?;
                output.write_all(&[b'\\', *special])?;
            }
            plain => output.write_all(plain)?,
        }
    }
    output.write_all(b"\"")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use hyper::{Method, StatusCode};

    use super::{Record, write_record};

    #[test]
    fn record_is_one_line_of_json() {
        let record = Record {
            time: UNIX_EPOCH + Duration::from_millis(1500),
            key: Some(42),
            method: Method::GET,
            path: r#"/a"b\c"#.into(),
            status: StatusCode::OK,
            latency: Duration::from_micros(70),
            bytes: 1024,
        };
        let mut line = Vec::new();
        write_record(&mut line, &record).unwrap();
        let expected = concat!(
            r#"{"ts":1500,"key":42,"method":"GET","path":"/a\"b\\c","#,
            r#""status":200,"latency_us":70,"bytes":1024}"#,
            "\n"
        );
        assert_eq!(String::from_utf8(line).unwrap(), expected);
    }
}
