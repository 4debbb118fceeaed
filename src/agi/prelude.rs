//! The `agi_*` block that opens a session. Knows its keys; what a value means to a route is not known here.

mod relay;

use super::{line::Lines, request::Request};
use crate::proto;
use bytes::{Bytes, BytesMut};
use std::{collections::HashMap, ops::Range};

/// A whole prelude, its empty line included. Asterisk's own has some 500 bytes.
const PRELUDE_BYTES_MAX: usize = 32 * 1024;
/// One line of it, without the LF.
const LINE_BYTES_MAX: usize = 8 * 1024;
/// Bytes of a stranger's greeting that are worth logging.
const START_BYTES_MAX: usize = 32;

/// The keys that Asterisk writes, besides `agi_arg_N`. Nothing else is believed: a caller's name or an argument that
/// holds a line feed can inject lines.
const KEYS: [&str; 22] = [
    "agi_network",
    "agi_network_script",
    "agi_request",
    "agi_channel",
    "agi_language",
    "agi_type",
    "agi_uniqueid",
    "agi_version",
    "agi_callerid",
    "agi_calleridname",
    "agi_callingpres",
    "agi_callingani2",
    "agi_callington",
    "agi_callingtns",
    "agi_dnid",
    "agi_rdnis",
    "agi_context",
    "agi_extension",
    "agi_priority",
    "agi_enhanced",
    "agi_accountcode",
    "agi_threadid",
];
/// Asterisk joins all arguments from this one on into it.
const ARGUMENTS_MAX: u8 = 127;

/// Reads the prelude as its bytes come, within 32 KiB in all and 8 KiB a line.
#[derive(Debug, Default)]
pub struct PreludeReader {
    lines: Lines,
    entries: Vec<Entry>,
}

/// Why a peer is no Asterisk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PreludeError {
    /// More came than a prelude ever has.
    #[error("the peer sent a {what} of more than {limit} bytes before the session began")]
    TooLong {
        /// `line` or `prelude`.
        what: &'static str,
        /// Bytes.
        limit: usize,
    },
    /// The first line is not `agi_…: `, as of an HTTP probe or a TLS handshake.
    #[error("the peer does not speak AGI: its first bytes are {start:?}")]
    NotAgi {
        /// The first bytes, lossy.
        start: String,
    },
}

/// What Asterisk told of the call: known keys only, the first occurrence of each, raw bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prelude {
    bytes: Bytes,
    entries: Vec<Entry>,
}

/// Small, since a call keeps some two dozen as long as it lives.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    key: Key,
    start: u16,
    end: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    /// By its place in [`KEYS`].
    Known(u8),
    Argument(u8),
}

impl PreludeReader {
    /// Expects the first byte of a session.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes as they come; `Some` once the empty line was read. What follows it stays for [`Self::into_rest`].
    /// The errors say that the peer is no Asterisk: the connection is of no use any more.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<Prelude>, PreludeError> {
        self.lines.push(bytes);
        self.check_start()?;
        while let Some(line) = self.lines.advance() {
            check_length(line.len(), line.end + 1)?;
            if line.is_empty() {
                let entries = std::mem::take(&mut self.entries);
                return Ok(Some(Prelude { bytes: self.lines.take(line.end + 1), entries }));
            }
            self.keep(line)?;
        }
        check_length(self.lines.len() - self.lines.line_start(), self.lines.len())?;
        Ok(None)
    }

    /// True while nothing came at all: the peer is a probe.
    pub fn is_empty(&self) -> bool {
        self.lines.len() == 0
    }

    /// The bytes that followed the empty line.
    pub fn into_rest(self) -> BytesMut {
        self.lines.into_bytes()
    }

    /// A stranger is known by its first bytes, which may never become a line.
    fn check_start(&self) -> Result<(), PreludeError> {
        let start = self.lines.as_slice();
        if start.iter().zip(b"agi_").all(|(left, right)| left == right) {
            return Ok(());
        }
        Err(self.not_agi())
    }

    fn not_agi(&self) -> PreludeError {
        let start = self.lines.as_slice();
        let start = &start[..start.len().min(START_BYTES_MAX)];
        PreludeError::NotAgi { start: String::from_utf8_lossy(start).into_owned() }
    }

    fn keep(&mut self, line: Range<usize>) -> Result<(), PreludeError> {
        let bytes = &self.lines.as_slice()[line.clone()];
        let Some(colon) = bytes.windows(2).position(|pair| pair == b": ") else {
            return if line.start == 0 { Err(self.not_agi()) } else { Ok(()) };
        };
        if let Some(key) = Key::parse(&bytes[..colon])
            && self.entries.iter().all(|entry| entry.key != key)
        {
            let at = |place| u16::try_from(place).expect("a prelude has no more than 32 KiB");
            let (start, end) = (at(line.start + colon + 2), at(line.end));
            self.entries.push(Entry { key, start, end });
        }
        Ok(())
    }
}

fn check_length(line: usize, all: usize) -> Result<(), PreludeError> {
    if line > LINE_BYTES_MAX {
        return Err(PreludeError::TooLong { what: "line", limit: LINE_BYTES_MAX });
    }
    if all > PRELUDE_BYTES_MAX {
        return Err(PreludeError::TooLong { what: "prelude", limit: PRELUDE_BYTES_MAX });
    }
    Ok(())
}

impl Prelude {
    /// The raw value of a key, named as on the wire: `agi_channel`.
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.find(Key::parse(key.as_bytes())?)
    }

    /// The value as text, odd bytes as U+FFFD, empty when absent; `unknown` is kept as it is.
    pub fn text(&self, key: &str) -> String {
        String::from_utf8_lossy(self.get(key).unwrap_or_default()).into_owned()
    }

    /// `agi_arg_1`, `agi_arg_2`, … as far as they come without a gap.
    pub fn arguments(&self) -> impl Iterator<Item = &[u8]> {
        (1..=ARGUMENTS_MAX).map_while(|number| self.find(Key::Argument(number)))
    }

    /// Every kept line as text, for `CallStarted.environment`.
    pub fn environment(&self) -> HashMap<String, String> {
        let text = |entry: &Entry| {
            let value = String::from_utf8_lossy(&self.bytes[entry.value()]).into_owned();
            (entry.key.name(), value)
        };
        self.entries.iter().map(text).collect()
    }

    /// Every kept line: the key, and the raw value.
    pub fn lines(&self) -> impl Iterator<Item = (String, &[u8])> {
        self.entries.iter().map(|entry| (entry.key.name(), &self.bytes[entry.value()]))
    }

    /// The channel; what is absent or `unknown` is empty.
    pub fn channel(&self) -> proto::Channel {
        let text = |key| {
            let text = self.text(key);
            if text == "unknown" { String::new() } else { text }
        };
        proto::Channel {
            name: text("agi_channel"),
            unique_id: text("agi_uniqueid"),
            r#type: text("agi_type"),
            language: text("agi_language"),
            caller_id_number: text("agi_callerid"),
            caller_id_name: text("agi_calleridname"),
            dialed_number: text("agi_dnid"),
            redirecting_number: text("agi_rdnis"),
            context: text("agi_context"),
            extension: text("agi_extension"),
            priority: text("agi_priority").parse().unwrap_or_default(),
            account_code: text("agi_accountcode"),
            asterisk_version: text("agi_version"),
        }
    }

    /// Path and query of the AGI URL.
    pub fn request(&self) -> Request {
        Request::parse(self.get("agi_network_script").unwrap_or_default())
    }

    fn find(&self, key: Key) -> Option<&[u8]> {
        Some(&self.bytes[self.find_range(key)?])
    }

    fn find_range(&self, key: Key) -> Option<Range<usize>> {
        self.entries.iter().find(|entry| entry.key == key).map(Entry::value)
    }
}

impl Entry {
    fn value(&self) -> Range<usize> {
        self.start.into()..self.end.into()
    }
}

impl Key {
    fn parse(key: &[u8]) -> Option<Self> {
        if let Some(number) = key.strip_prefix(b"agi_arg_") {
            let canonical = number.first().is_some_and(|digit| (b'1'..=b'9').contains(digit));
            let number = std::str::from_utf8(number).ok()?.parse().ok()?;
            return (canonical && number <= ARGUMENTS_MAX).then_some(Self::Argument(number));
        }
        let place = KEYS.iter().position(|known| known.as_bytes() == key)?;
        u8::try_from(place).ok().map(Self::Known)
    }

    fn name(self) -> String {
        match self {
            Self::Known(place) => KEYS[usize::from(place)].to_owned(),
            Self::Argument(number) => format!("agi_arg_{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(super) const PLAIN: &[u8] = b"agi_network: yes\nagi_network_script: support/eu?lang=en\n\
        agi_request: agi://h/support/eu?lang=en\nagi_channel: PJSIP/100-0000002a\nagi_language: en\n\
        agi_type: PJSIP\nagi_uniqueid: 1795219769.0\nagi_version: 22.10.1\nagi_callerid: 100\n\
        agi_calleridname: Zo\xeb\nagi_callingpres: 0\nagi_callingani2: 0\nagi_callington: 0\nagi_callingtns: 0\n\
        agi_dnid: unknown\nagi_rdnis: unknown\nagi_context: from-trunk\nagi_extension: 500\nagi_priority: 3\n\
        agi_enhanced: 0.0\nagi_accountcode: \nagi_threadid: 139722345477824\nagi_arg_1: a\r: ::b\nagi_arg_2: \n\
        agi_arg_3:  lead \n\n";

    pub(super) fn read(bytes: &[u8]) -> Prelude {
        PreludeReader::new().push(bytes).expect("a prelude").expect("a whole prelude")
    }

    #[test]
    fn a_plain_prelude_is_read_raw() {
        let prelude = read(PLAIN);
        assert_eq!(prelude.get("agi_calleridname"), Some(&b"Zo\xeb"[..]));
        assert_eq!(prelude.text("agi_calleridname"), "Zo\u{fffd}");
        assert_eq!(prelude.get("agi_accountcode"), Some(&b""[..]));
        assert_eq!(prelude.text("agi_dnid"), "unknown");
        let arguments: Vec<_> = prelude.arguments().collect();
        assert_eq!(arguments, [&b"a\r: ::b"[..], b"", b" lead "]);
        let environment = prelude.environment();
        assert_eq!(environment.len(), 25);
        assert_eq!(environment["agi_arg_3"], " lead ");
        assert_eq!(environment["agi_dnid"], "unknown");
    }

    #[test]
    fn the_channel_leaves_unknown_values_empty() {
        let channel = read(PLAIN).channel();
        assert_eq!(channel.name, "PJSIP/100-0000002a");
        assert_eq!(channel.priority, 3);
        assert_eq!((channel.dialed_number, channel.redirecting_number), Default::default());
    }

    #[test]
    fn the_request_is_the_network_script() {
        let request = read(PLAIN).request();
        assert_eq!(
            (request.path.as_str(), request.query_value("lang")),
            ("/support/eu", Some("en"))
        );
        assert_eq!(read(b"agi_network: yes\n\n").request().path, "/");
    }

    #[test]
    fn unknown_keys_injected_lines_and_repeats_are_dropped() {
        let prelude = read(
            b"agi_network: yes\nagi_calleridname: Eve\nagi_evil: 1\nno colon\nagi_channel: mine\n\
              agi_channel: other\nagi_arg_1: one\nagi_arg_1: two\nagi_arg_01: x\nagi_arg_0: x\nagi_arg_128: x\n\
              agi_arg_+2: x\nagi_arg_3: past a gap\n\n",
        );
        assert_eq!(prelude.get("agi_evil"), None);
        assert_eq!(prelude.text("agi_channel"), "mine");
        assert_eq!(prelude.arguments().collect::<Vec<_>>(), [b"one"]);
        assert_eq!(prelude.environment().len(), 5);
    }

    #[test]
    fn what_follows_the_empty_line_stays() {
        let mut reader = PreludeReader::new();
        assert!(reader.is_empty());
        let prelude = reader.push(b"agi_network: yes\n\nb\nagi_arg_2: end\n").expect("a prelude");
        assert!(prelude.is_some());
        assert_eq!(&reader.into_rest()[..], b"b\nagi_arg_2: end\n");
    }

    #[test]
    fn strangers_are_known_by_their_first_bytes() {
        for bytes in
            [&b"GET / HTTP/1.1\r\n"[..], b"\x16\x03\x01", b"\n", b"agi_ x\n", b"agX", b"HANGUP\n"]
        {
            let error = PreludeReader::new().push(bytes).expect_err("no prelude");
            assert!(matches!(error, PreludeError::NotAgi { .. }), "{bytes:?}: {error}");
        }
        assert_eq!(PreludeReader::new().push(b"ag"), Ok(None));
    }

    #[test]
    fn length_is_bounded() {
        let mut reader = PreludeReader::new();
        assert_eq!(reader.push(b"agi_network: "), Ok(None));
        let error = reader.push(&[b'x'; LINE_BYTES_MAX]).expect_err("too long a line");
        assert_eq!(error, PreludeError::TooLong { what: "line", limit: LINE_BYTES_MAX });

        let mut reader = PreludeReader::new();
        let line = [&b"agi_network: "[..], &[b'x'; 4000], b"\n"].concat();
        let error = (0..20).find_map(|_| reader.push(&line).err()).expect("too long a prelude");
        assert_eq!(error, PreludeError::TooLong { what: "prelude", limit: PRELUDE_BYTES_MAX });
    }

    fn in_pieces(bytes: &[u8], cuts: &[usize]) -> (Result<Option<Prelude>, PreludeError>, Vec<u8>) {
        let mut reader = PreludeReader::new();
        let mut rest = bytes;
        let mut read = Ok(None);
        for cut in cuts.iter().copied().chain([usize::MAX]) {
            let (piece, behind) = rest.split_at(cut.min(rest.len()));
            rest = behind;
            read = reader.push(piece);
            if !matches!(read, Ok(None)) {
                break;
            }
        }
        let mut left = reader.into_rest().to_vec();
        left.extend_from_slice(rest);
        (read, left)
    }

    proptest! {
        #[test]
        fn no_segmentation_changes_the_prelude(
            lines in prop::collection::vec("(agi_arg_[1-4]: |agi_channel: |agi_network: |x)[a-z: \r]{0,6}\n", 0..8),
            cuts in prop::collection::vec(0usize..20, 0..12),
        ) {
            let bytes = format!("agi_request: r\n{}\nrest\n", lines.concat()).into_bytes();
            prop_assert_eq!(in_pieces(&bytes, &cuts), in_pieces(&bytes, &[]));
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(bytes: Vec<u8>, cuts in prop::collection::vec(0usize..20, 0..6)) {
            let _ = in_pieces(&bytes, &cuts);
            let _ = in_pieces(&[&b"agi_x: "[..], &bytes, b"\n\n"].concat(), &cuts);
        }
    }
}
