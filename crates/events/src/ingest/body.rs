//! Bodies that were packed for the way.

use std::borrow::Cow;
use std::io::Read;

use flate2::bufread::MultiGzDecoder;

use super::Refusal;

/// How far back a zstd frame may refer, as a power of two: 8 MiB, which every decoder should have (RFC 8878).
const WINDOW_LOG_MAX: u32 = 23;

/// Unpacks a body; never makes more of it than `bytes_max` and a little.
pub(super) fn unpack<'a>(
    body: &'a [u8],
    encoding: Option<&str>,
    bytes_max: usize,
) -> Result<Cow<'a, [u8]>, Refusal> {
    let encoding = encoding.unwrap_or_default().trim();
    let is = |name: &str| encoding.eq_ignore_ascii_case(name);
    if encoding.is_empty() || is("identity") {
        return if body.len() > bytes_max {
            Err(Refusal::TooLarge { bytes_max })
        } else {
            Ok(Cow::Borrowed(body))
        };
    }
    let unpacked = if is("gzip") || is("x-gzip") {
        bounded(MultiGzDecoder::new(body), "gzip", bytes_max)?
    } else if is("zstd") {
        let packed = |_| Refusal::Packed { encoding: "zstd" };
        let mut decoder = zstd::stream::read::Decoder::with_buffer(body).map_err(packed)?;
        decoder.window_log_max(WINDOW_LOG_MAX).map_err(packed)?;
        bounded(decoder, "zstd", bytes_max)?
    } else {
        let found = encoding.chars().take(80).collect();
        return Err(Refusal::Encoding { found });
    };
    Ok(Cow::Owned(unpacked))
}

fn bounded(reader: impl Read, encoding: &'static str, bytes_max: usize) -> Result<Vec<u8>, Refusal> {
    let mut unpacked = Vec::new();
    let mut limited = reader.take(bytes_max as u64 + 1);
    limited
        .read_to_end(&mut unpacked)
        .map_err(|_| Refusal::Packed { encoding })?;
    if unpacked.len() > bytes_max {
        return Err(Refusal::TooLarge { bytes_max });
    }
    Ok(unpacked)
}
