//! Server-sent events, read as they come (HTML Standard, 9.2).

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use crate::Error;

/// The most bytes of one event.
const EVENT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How long nothing may come; a server sends a sign of life every 15 seconds.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// Its kind; empty if it names none.
    pub name: String,
    /// What to go on after, if it has an id.
    pub id: Option<String>,
    /// Its lines.
    pub data: String,
}

/// The events of an answer, one after the other.
#[derive(Debug)]
pub struct Events {
    base: String,
    body: Incoming,
    reader: Reader,
}

impl Events {
    pub(crate) fn new(base: &str, body: Incoming) -> Self {
        Self {
            base: base.to_owned(),
            body,
            reader: Reader::default(),
        }
    }

    /// The next event; `None` when the server has ended the stream. May be dropped at any time.
    ///
    /// # Errors
    /// The connection broke, nothing came for a minute, or an event is larger than 8 MiB.
    pub async fn next(&mut self) -> Result<Option<Event>, Error> {
        loop {
            if let Some(event) = self.reader.next() {
                return Ok(Some(event));
            }
            if self.reader.text.len() > EVENT_BYTES_MAX {
                return Err(Error::TooLarge {
                    call: "an event".to_owned(),
                    bytes_max: EVENT_BYTES_MAX,
                });
            }
            let frame = tokio::time::timeout(SILENCE_MAX, self.body.frame()).await;
            let frame = frame.map_err(|_| Error::TimedOut {
                base: self.base.clone(),
                seconds: SILENCE_MAX.as_secs(),
            })?;
            match frame {
                None => return Ok(None),
                Some(Ok(frame)) => self.reader.text.extend(frame.data_ref().into_iter().flatten()),
                Some(Err(source)) => {
                    return Err(Error::Unreachable {
                        base: self.base.clone(),
                        source: source.into(),
                    });
                }
            }
        }
    }
}

/// Takes events out of what has come.
#[derive(Debug, Default)]
struct Reader {
    text: Vec<u8>,
    event: Event,
}

impl Reader {
    /// The next event that is complete.
    fn next(&mut self) -> Option<Event> {
        loop {
            let end = self.text.iter().position(|byte| *byte == b'\n')?;
            let line: Vec<u8> = self.text.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                let event = std::mem::take(&mut self.event);
                if event.data.is_empty() {
                    continue;
                }
                return Some(event);
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => value.clone_into(&mut self.event.name),
                "id" => self.event.id = Some(value.to_owned()),
                "data" => {
                    if !self.event.data.is_empty() {
                        self.event.data.push('\n');
                    }
                    self.event.data.push_str(value);
                }
                // Comments, `retry`, and what later servers may say.
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, Reader};

    #[test]
    fn events_are_read_however_they_are_cut() {
        let text = ": beat\n\nevent: call\nid: 1-2\ndata: {\"a\":\"é\"}\n\nretry: 5\ndata:x\r\ndata: y\r\n\r\nevent: half\n";
        let event = |name: &str, id: Option<&str>, data: &str| Event {
            name: name.to_owned(),
            id: id.map(str::to_owned),
            data: data.to_owned(),
        };
        let expected = [
            event("call", Some("1-2"), "{\"a\":\"é\"}"),
            event("", None, "x\ny"),
        ];
        for length in 1..text.len() {
            let mut reader = Reader::default();
            let mut found = Vec::new();
            for piece in text.as_bytes().chunks(length) {
                reader.text.extend(piece);
                found.extend(std::iter::from_fn(|| reader.next()));
            }
            assert_eq!(found, expected, "{length}");
        }
    }
}
