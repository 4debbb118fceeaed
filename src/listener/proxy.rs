//! The header of the PROXY protocol, version 2, by which a balancer tells whose connection it passes on. Pure: bytes in, an
//! address out; knows no socket.
//!
//! Version 1, a line of text, is refused: a balancer that speaks it speaks version 2 as well.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Signature, version, family and length.
pub(super) const START_BYTES: usize = 16;
/// Of the part behind the start: more than any balancer sends, certificates included.
const REST_BYTES_MAX: usize = 4096;
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const TLV_CRC32C: u8 = 0x03;

/// Who is behind the balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The balancer itself: it looks whether the bridge is there.
    Local,
    /// Someone else.
    Peer(SocketAddr),
}

/// Why the bytes are no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeaderError {
    #[error(
        "it does not begin with a PROXY protocol header: set `send-proxy-v2` or the like on the balancer"
    )]
    NoHeader,
    #[error("it begins with a PROXY protocol header of version 1: set version 2 on the balancer")]
    VersionOne,
    #[error("its PROXY protocol header has an unknown version or command")]
    Version,
    #[error("its PROXY protocol header is longer than {REST_BYTES_MAX} bytes")]
    TooLong,
    #[error("its PROXY protocol header is no TCP connection over IPv4 or IPv6")]
    Family,
    #[error("the lengths in its PROXY protocol header do not fit")]
    Length,
    #[error("the checksum of its PROXY protocol header is wrong")]
    Checksum,
}

/// The start of a header, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    is_local: bool,
    family: u8,
    /// Bytes that follow.
    pub(super) rest: usize,
}

/// Reads the start; what follows has the length that it says.
pub(super) fn start(bytes: &[u8; START_BYTES]) -> Result<Start, HeaderError> {
    if !bytes.starts_with(SIGNATURE) {
        return Err(if bytes.starts_with(b"PROXY ") {
            HeaderError::VersionOne
        } else {
            HeaderError::NoHeader
        });
    }
    let is_local = match bytes[12] {
        0x20 => true,
        0x21 => false,
        _ => return Err(HeaderError::Version),
    };
    let rest = usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
    if rest > REST_BYTES_MAX {
        return Err(HeaderError::TooLong);
    }
    Ok(Start { is_local, family: bytes[13], rest })
}

/// Reads the whole header: `start` are its first bytes, `rest` as many as these said.
pub(super) fn source(start_bytes: &[u8; START_BYTES], rest: &[u8]) -> Result<Source, HeaderError> {
    let Start { is_local, family, rest: length } = start(start_bytes)?;
    if rest.len() != length {
        return Err(HeaderError::Length);
    }
    let (source, tlvs) = match (is_local, family) {
        // What a local connection says of addresses is to be ignored, and so are its additions.
        (true, _) => return Ok(Source::Local),
        (false, 0x11) => {
            let (addresses, tlvs) = rest.split_first_chunk::<12>().ok_or(HeaderError::Length)?;
            let [a, b, c, d, _, _, _, _, high, low, _, _] = *addresses;
            let address = IpAddr::V4(Ipv4Addr::new(a, b, c, d));
            (SocketAddr::new(address, u16::from_be_bytes([high, low])), tlvs)
        }
        (false, 0x21) => {
            let (addresses, tlvs) = rest.split_first_chunk::<36>().ok_or(HeaderError::Length)?;
            let source = addresses.first_chunk::<16>().ok_or(HeaderError::Length)?;
            let address = IpAddr::V6(Ipv6Addr::from(*source)).to_canonical();
            (SocketAddr::new(address, u16::from_be_bytes([addresses[32], addresses[33]])), tlvs)
        }
        _ => return Err(HeaderError::Family),
    };
    check_tlvs(start_bytes, rest, tlvs)?;
    Ok(Source::Peer(source))
}

/// The additions behind the addresses: each is whole, and a checksum is right.
fn check_tlvs(start: &[u8; START_BYTES], rest: &[u8], mut tlvs: &[u8]) -> Result<(), HeaderError> {
    let mut is_summed = false;
    while let Some(([kind, high, low], behind)) = tlvs.split_first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (value, next) = behind.split_at_checked(length).ok_or(HeaderError::Length)?;
        if *kind == TLV_CRC32C {
            if std::mem::replace(&mut is_summed, true) {
                return Err(HeaderError::Checksum);
            }
            let told = value.first_chunk::<4>().filter(|_| length == 4);
            let told = u32::from_be_bytes(*told.ok_or(HeaderError::Length)?);
            // It is counted with its own place filled with zeros.
            let at = rest.len() - next.len() - length;
            let whole = start.iter().chain(&rest[..at]).chain(&[0; 4]).chain(next);
            if crc32c(whole.copied()) != told {
                return Err(HeaderError::Checksum);
            }
        }
        tlvs = next;
    }
    if tlvs.is_empty() { Ok(()) } else { Err(HeaderError::Length) }
}

/// The checksum of Castagnoli. A header is short, and comes once a connection: no table is worth its while.
fn crc32c(bytes: impl Iterator<Item = u8>) -> u32 {
    !bytes.fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0x82f6_3b78 & 0_u32.wrapping_sub(crc & 1))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).expect("short").to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest].concat()
    }

    fn parse(bytes: &[u8]) -> Result<Source, HeaderError> {
        let (first, rest) = bytes.split_first_chunk().ok_or(HeaderError::Length)?;
        source(first, rest)
    }

    const V4: [u8; 12] = [10, 1, 2, 3, 10, 9, 9, 9, 0x12, 0x34, 0x11, 0xdd];

    #[test]
    fn the_source_is_who_is_behind_the_balancer() {
        let peer = |text: &str| Ok(Source::Peer(text.parse().expect("an address")));
        assert_eq!(parse(&header(0x21, 0x11, &V4)), peer("10.1.2.3:4660"));
        let mut v6 = [0; 36];
        (v6[15], v6[32], v6[33]) = (1, 0, 80);
        assert_eq!(parse(&header(0x21, 0x21, &v6)), peer("[::1]:80"));
        v6[..16].copy_from_slice(&Ipv4Addr::new(10, 1, 2, 3).to_ipv6_mapped().octets());
        assert_eq!(parse(&header(0x21, 0x21, &v6)), peer("10.1.2.3:80"));
        let with_noop = [&V4[..], &[4, 0, 2, 9, 9]].concat();
        assert_eq!(parse(&header(0x21, 0x11, &with_noop)), peer("10.1.2.3:4660"));
    }

    #[test]
    fn a_local_connection_is_the_balancers_own() {
        for (family, rest) in
            [(0, &b""[..]), (0x11, &V4[..]), (0x31, b"junk"), (0, &[4, 0xff, 0xff])]
        {
            assert_eq!(parse(&header(0x20, family, rest)), Ok(Source::Local));
        }
    }

    #[test]
    fn a_header_that_lies_is_refused() {
        let tlv = |tlv: &[u8]| header(0x21, 0x11, &[&V4[..], tlv].concat());
        let table = [
            (b"agi_network: yes".to_vec(), HeaderError::NoHeader),
            (b"PROXY TCP4 10.1.".to_vec(), HeaderError::VersionOne),
            (header(0x11, 0x11, &V4), HeaderError::Version),
            (header(0x22, 0x11, &V4), HeaderError::Version),
            (header(0x21, 0x11, &V4[..11]), HeaderError::Length),
            (header(0x21, 0x21, &[0; 35]), HeaderError::Length),
            (header(0x21, 0, b""), HeaderError::Family),
            (header(0x21, 0x12, &V4), HeaderError::Family),
            (header(0x21, 0x31, &[0; 216]), HeaderError::Family),
            (header(0x21, 0x99, &V4), HeaderError::Family),
            (header(0x21, 0x11, &[0; 4097]), HeaderError::TooLong),
            (tlv(&[4, 0, 3, 9, 9]), HeaderError::Length),
            (tlv(&[4, 0]), HeaderError::Length),
            (tlv(&[3, 0, 3, 0, 0, 0]), HeaderError::Length),
            (tlv(&[3, 0, 4, 0, 0, 0, 0]), HeaderError::Checksum),
        ];
        for (bytes, error) in table {
            assert_eq!(parse(&bytes), Err(error), "{bytes:?}");
        }
    }

    #[test]
    fn the_checksum_is_castagnolis() {
        assert_eq!(crc32c(b"123456789".iter().copied()), 0xe306_9283);
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in prop::collection::vec(any::<u8>(), 0..80), lie in any::<u16>()) {
            let _ = parse(&bytes);
            let mut header = header(0x21, 0x11, &bytes);
            let _ = parse(&header);
            header[14..16].copy_from_slice(&lie.to_be_bytes());
            let is_true = usize::from(lie) == bytes.len();
            prop_assert!(is_true || parse(&header).is_err());
        }

        #[test]
        fn a_right_checksum_is_taken_and_a_flipped_bit_is_not(noise in prop::collection::vec(any::<u8>(), 0..20), bit in 0..32_usize) {
            let length = u16::try_from(noise.len()).expect("short").to_be_bytes();
            let rest = [&V4[..], &[3, 0, 4, 0, 0, 0, 0, 0xe0], &length, &noise].concat();
            let mut header = header(0x21, 0x11, &rest);
            let crc = crc32c(header.iter().copied());
            header[31..35].copy_from_slice(&crc.to_be_bytes());
            prop_assert!(parse(&header).is_ok());
            header[16 + bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(parse(&header), Err(HeaderError::Checksum));
        }
    }
}
