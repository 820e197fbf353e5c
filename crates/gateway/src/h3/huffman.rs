//! The Huffman code of header strings: RFC 7541 section 5.2 and appendix B.

use std::sync::LazyLock;

/// How many bits each byte takes; the code is canonical, so nothing else is needed (RFC 7541 appendix B).
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28,
    28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6,
    6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7,
    8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7,
    15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24,
    23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23,
    23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26,
    26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20,
    21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27,
    27, 27, 26,
];
/// The end of the string, which may only be there as padding, has as many.
const END_LENGTH: u8 = 30;

/// Where a text is not one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotHuffman;

/// The code by length: the first code of each length, and where its symbols begin.
struct Code {
    /// By length: the first code, how many there are, and where they are in `symbols`.
    lengths: [(u32, u32, usize); 31],
    symbols: [u8; 256],
}

static CODE: LazyLock<Code> = LazyLock::new(|| {
    let mut code = Code {
        lengths: [(0, 0, 0); 31],
        symbols: [0; 256],
    };
    let (mut next, mut at) = (0_u32, 0);
    for length in 5..=END_LENGTH {
        next <<= 1;
        let first = (next, at);
        for symbol in (0..=u8::MAX).filter(|symbol| LENGTHS[usize::from(*symbol)] == length) {
            code.symbols[at] = symbol;
            at += 1;
            next += 1;
        }
        code.lengths[usize::from(length)] = (first.0, next - first.0, first.1);
    }
    code
});

/// Decodes a text; nothing of it may be left but the beginning of the end's code.
pub(super) fn decode(bytes: &[u8], text: &mut Vec<u8>) -> Result<(), NotHuffman> {
    let (code, mut bits, mut length) = (&*CODE, 0_u32, 0_u8);
    for byte in bytes {
        for place in (0..8).rev() {
            bits = bits << 1 | u32::from(byte >> place & 1);
            length += 1;
            let (first, count, at) = code.lengths[usize::from(length)];
            if bits.wrapping_sub(first) < count {
                text.push(code.symbols[at + (bits - first) as usize]);
                (bits, length) = (0, 0);
            } else if length == END_LENGTH {
                return Err(NotHuffman);
            }
        }
    }
    // Less than a byte of ones.
    (length < 8 && bits == (1 << length) - 1)
        .then_some(())
        .ok_or(NotHuffman)
}

#[cfg(test)]
mod tests {
    use super::{NotHuffman, decode};

    fn decoded(bytes: &[u8]) -> Result<String, NotHuffman> {
        let mut text = Vec::new();
        decode(bytes, &mut text)?;
        Ok(String::from_utf8(text).unwrap())
    }

    #[test]
    fn published_texts_are_decoded() {
        // RFC 7541 appendices C.4 and C.6.
        for (bytes, text) in [
            (
                &[
                    0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff,
                ][..],
                "www.example.com",
            ),
            (&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf], "no-cache"),
            (&[0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xa9, 0x7d, 0x7f], "custom-key"),
            (&[0x64, 0x02], "302"),
            (
                &[
                    0xd0, 0x7a, 0xbe, 0x94, 0x10, 0x54, 0xd4, 0x44, 0xa8, 0x20, 0x05, 0x95, 0x04, 0x0b, 0x81,
                    0x66, 0xe0, 0x82, 0xa6, 0x2d, 0x1b, 0xff,
                ],
                "Mon, 21 Oct 2013 20:13:21 GMT",
            ),
            (&[], ""),
        ] {
            assert_eq!(decoded(bytes).as_deref(), Ok(text));
        }
    }

    #[test]
    fn padding_is_the_beginning_of_the_end_and_short() {
        assert_eq!(
            decoded(&[0b0001_1111]).as_deref(),
            Ok("a"),
            "five bits and three ones"
        );
        assert_eq!(decoded(&[0b0001_1110]), Err(NotHuffman), "not ones");
        assert_eq!(
            decoded(&[0b0001_1111, 0xff]),
            Err(NotHuffman),
            "more than seven bits"
        );
        assert_eq!(decoded(&[0xff; 4]), Err(NotHuffman), "the end itself");
    }
}
