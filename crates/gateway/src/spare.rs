//! Buffers and header maps that calls hand on to each other, so that a call allocates neither and a connection that
//! waits holds none.

use std::cell::RefCell;

use bytes::BytesMut;
use http::{HeaderMap, HeaderValue};

/// The least room for a read.
pub(crate) const BUFFER_BYTES: usize = 8 * 1024;
/// The most of each kind that a core keeps; more are given back to the system.
const KEPT_MAX: usize = 256;
/// The room for short texts.
const TEXTS_BYTES: usize = 4 * 1024;
/// A header map of a larger head is not kept.
const FIELDS_MAX: usize = 128;

/// What a core has to spare.
#[derive(Debug, Default)]
pub(crate) struct Spare {
    buffers: RefCell<Vec<BytesMut>>,
    headers: RefCell<Vec<HeaderMap>>,
    /// Where short texts are written, one behind the other.
    texts: RefCell<BytesMut>,
}

impl Spare {
    /// An empty buffer.
    pub(crate) fn buffer(&self) -> BytesMut {
        let kept = self.buffers.borrow_mut().pop();
        kept.unwrap_or_else(|| BytesMut::with_capacity(BUFFER_BYTES))
    }

    /// Takes a buffer back; what it holds is forgotten.
    pub(crate) fn keep_buffer(&self, mut buffer: BytesMut) {
        buffer.clear();
        let mut buffers = self.buffers.borrow_mut();
        // Not after a large message, nor while somebody still refers to a field that was read into it.
        let is_good = buffer.try_reclaim(BUFFER_BYTES) && buffer.capacity() <= 4 * BUFFER_BYTES;
        if is_good && buffers.len() < KEPT_MAX {
            buffers.push(buffer);
        }
    }

    /// A short text as a field's value; many share an allocation.
    ///
    /// # Panics
    /// If it is not visible ASCII.
    pub(crate) fn text(&self, text: &[u8]) -> HeaderValue {
        let mut texts = self.texts.borrow_mut();
        if texts.capacity() - texts.len() < text.len() {
            texts.reserve(TEXTS_BYTES.max(text.len()));
        }
        texts.extend_from_slice(text);
        HeaderValue::from_maybe_shared(texts.split().freeze()).expect("visible ASCII")
    }

    /// An empty header map.
    pub(crate) fn headers(&self) -> HeaderMap {
        self.headers.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes a header map back; what it holds is forgotten.
    pub(crate) fn keep_headers(&self, mut headers: HeaderMap) {
        headers.clear();
        let mut kept = self.headers.borrow_mut();
        if kept.len() < KEPT_MAX && (1..=FIELDS_MAX).contains(&headers.capacity()) {
            kept.push(headers);
        }
    }
}
