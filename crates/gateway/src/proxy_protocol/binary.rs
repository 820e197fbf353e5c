//! Version 2: addresses in bytes, and further values behind them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crc::{CRC_32_ISCSI, Crc};

use super::{Ends, Header, Invalid};

const BEGIN: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// What comes before the addresses.
const FIXED_BYTES: usize = 16;
/// The most bytes behind that; what proxies say takes some hundred.
const REST_BYTES_MAX: usize = 4096;

const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;

/// Types of further values: section 2.2.
const ALPN: u8 = 0x01;
const AUTHORITY: u8 = 0x02;
const CHECKSUM: u8 = 0x03;
const UNIQUE_ID: u8 = 0x05;
const SSL: u8 = 0x20;
/// What is said of TLS before further values of its own.
const SSL_BYTES: usize = 5;
const NAME_BYTES_MAX: usize = 255;
const UNIQUE_ID_BYTES_MAX: usize = 128;

/// CRC-32C, as section 2.2.3 wants it.
static CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

pub(super) fn read(bytes: &[u8]) -> Result<Option<Header>, Invalid> {
    let known = bytes.len().min(BEGIN.len());
    if bytes[..known] != BEGIN[..known] {
        return Err(Invalid::None);
    }
    let Some(fixed) = bytes.get(..FIXED_BYTES) else {
        return Ok(None);
    };
    let (command, family) = (fixed[12], fixed[13]);
    let rest = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if !matches!(command, LOCAL | PROXY) {
        return Err(Invalid::Kind);
    }
    if rest > REST_BYTES_MAX {
        return Err(Invalid::Length);
    }
    let length = FIXED_BYTES + rest;
    let Some(header) = bytes.get(..length) else {
        return Ok(None);
    };
    // The proxy speaks for itself: family and all the rest are to be ignored.
    let ends = if command == LOCAL {
        None
    } else {
        let (ends, values) = addresses(family, &header[FIXED_BYTES..])?;
        check(header, values)?;
        ends
    };
    Ok(Some(Header { length, ends }))
}

/// Splits what follows into addresses, if they are of the internet, and further values.
fn addresses(family: u8, rest: &[u8]) -> Result<(Option<Ends>, &[u8]), Invalid> {
    // Streams and datagrams: who passes HTTP/3 on as HTTP/1.1 has heard it over the latter.
    let length = match family {
        0x00 => 0,
        0x11 | 0x12 => 12,
        0x21 | 0x22 => 36,
        // Paths of sockets, which are no addresses here.
        0x31 | 0x32 => 216,
        _ => return Err(Invalid::Kind),
    };
    let (addresses, values) = rest.split_at_checked(length).ok_or(Invalid::Length)?;
    let ends = match addresses.len() {
        12 => ends::<4, Ipv4Addr>(addresses),
        36 => ends::<16, Ipv6Addr>(addresses),
        _ => None,
    };
    Ok((ends, values))
}

/// Two addresses of `N` bytes, then two ports.
fn ends<const N: usize, A: From<[u8; N]> + Into<IpAddr>>(bytes: &[u8]) -> Option<Ends> {
    let (source, rest) = bytes.split_first_chunk::<N>()?;
    let (destination, rest) = rest.split_first_chunk::<N>()?;
    let (from, rest) = rest.split_first_chunk::<2>()?;
    let to = rest.first_chunk::<2>()?;
    Some(Ends {
        source: SocketAddr::new(A::from(*source).into(), u16::from_be_bytes(*from)),
        destination: SocketAddr::new(A::from(*destination).into(), u16::from_be_bytes(*to)),
    })
}

/// Checks the further values; those that are not known have to have a length that fits, no more.
fn check(header: &[u8], values: &[u8]) -> Result<(), Invalid> {
    let mut checksum = None;
    for value in Values(values) {
        let (kind, value) = value?;
        let is_good = match kind {
            ALPN => (1..=NAME_BYTES_MAX).contains(&value.len()),
            AUTHORITY => value.len() <= NAME_BYTES_MAX && std::str::from_utf8(value).is_ok(),
            UNIQUE_ID => value.len() <= UNIQUE_ID_BYTES_MAX,
            SSL => match value.get(SSL_BYTES..) {
                Some(values) => Values(values).all(|value| value.is_ok()),
                None => false,
            },
            CHECKSUM => {
                let value = <[u8; 4]>::try_from(value).map_err(|_| Invalid::Values)?;
                checksum.replace(u32::from_be_bytes(value)).is_none()
            }
            _ => true,
        };
        if !is_good {
            return Err(Invalid::Values);
        }
    }
    match checksum {
        Some(said) if said != checksum_of(header, values) => Err(Invalid::Checksum),
        _ => Ok(()),
    }
}

/// The checksum of a header, in which its own bytes count as zeros.
fn checksum_of(header: &[u8], values: &[u8]) -> u32 {
    let mut digest = CRC32C.digest();
    digest.update(&header[..header.len() - values.len()]);
    let mut rest = values;
    for (kind, value) in Values(values).flatten() {
        let (this, behind) = rest.split_at(3 + value.len());
        if kind == CHECKSUM {
            digest.update(&this[..3]);
            digest.update(&[0; 4]);
        } else {
            digest.update(this);
        }
        rest = behind;
    }
    digest.finalize()
}

/// Values with their types, as they follow each other.
struct Values<'a>(&'a [u8]);

impl<'a> Iterator for Values<'a> {
    type Item = Result<(u8, &'a [u8]), Invalid>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let value = self.take().ok_or(Invalid::Values);
        if value.is_err() {
            self.0 = &[];
        }
        Some(value)
    }
}

impl<'a> Values<'a> {
    fn take(&mut self) -> Option<(u8, &'a [u8])> {
        let ([kind, high, low], rest) = self.0.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*kind, value))
    }
}

pub(super) fn write(ends: Option<&Ends>) -> Box<[u8]> {
    let mut header = BEGIN.to_vec();
    let Some(Ends { source, destination }) = ends else {
        header.extend_from_slice(&[LOCAL, 0, 0, 0]);
        return header.into();
    };
    match (source.ip(), destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            header.extend_from_slice(&[PROXY, 0x11, 0, 12]);
            header.extend_from_slice(&source.octets());
            header.extend_from_slice(&destination.octets());
        }
        (source, destination) => {
            header.extend_from_slice(&[PROXY, 0x21, 0, 36]);
            header.extend_from_slice(&super::mapped(source).octets());
            header.extend_from_slice(&super::mapped(destination).octets());
        }
    }
    header.extend_from_slice(&source.port().to_be_bytes());
    header.extend_from_slice(&destination.port().to_be_bytes());
    header.into()
}
