//! The prelude for others that speak AGI: a server, or a script. Knows which lines are Asterisk's own, and nothing of
//! who reads them.

use super::{ARGUMENTS_MAX, Key, Prelude};
use bytes::{Bytes, BytesMut};
use std::ops::Range;

impl Prelude {
    /// The prelude for another server that speaks AGI: every byte as Asterisk sent it, lines that are not believed
    /// included. With `request`, an authority and a path, the AGI URL reads as if Asterisk had called that place; the
    /// call's query stays. `argument`: stands behind the call's own.
    pub fn for_server(&self, request: Option<(&str, &str)>, argument: Option<&str>) -> Bytes {
        let argument = argument.and_then(|argument| self.one_more(argument));
        let Some((authority, path)) = request else {
            return argument.map_or_else(|| self.bytes.clone(), |edit| self.edited(vec![edit]));
        };
        let script = self.get("agi_network_script").unwrap_or_default();
        let query =
            script.iter().position(|&byte| byte == b'?').map_or(&b""[..], |at| &script[at..]);
        let path = path.strip_prefix('/').unwrap_or(path).as_bytes();
        let script = [path, query].concat();
        let url = [b"agi://", authority.as_bytes(), b"/", &script].concat();
        // As Asterisk does when nothing follows the host.
        let script =
            if script.is_empty() { Vec::new() } else { line("agi_network_script", &script) };
        let start = self.line("agi_network").map_or(0, |line| line.end);
        let mut edits = vec![
            (start..start, script),
            (self.line("agi_network_script").unwrap_or(0..0), Vec::new()),
            (self.line("agi_request").unwrap_or(start..start), line("agi_request", &url)),
        ];
        edits.extend(argument);
        self.edited(edits)
    }

    /// The prelude as Asterisk gives it to a script on its own machine: no network, and the program as the request;
    /// `argument`: stands behind the call's own.
    pub fn for_script(&self, program: &[u8], argument: Option<&str>) -> Bytes {
        let mut edits = vec![
            (self.line("agi_network").unwrap_or(0..0), Vec::new()),
            (self.line("agi_network_script").unwrap_or(0..0), Vec::new()),
            (self.line("agi_request").unwrap_or(0..0), line("agi_request", program)),
        ];
        edits.extend(argument.and_then(|argument| self.one_more(argument)));
        self.edited(edits)
    }

    /// One more argument, behind those that Asterisk gave, and before the empty line.
    fn one_more(&self, argument: &str) -> Option<(Range<usize>, Vec<u8>)> {
        let number = self.arguments().count() + 1;
        let end = self.bytes.len().checked_sub(1)?;
        let key = format!("agi_arg_{number}");
        (number <= usize::from(ARGUMENTS_MAX)).then(|| (end..end, line(&key, argument.as_bytes())))
    }

    /// Where the line of a key stands, its LF included.
    fn line(&self, key: &str) -> Option<Range<usize>> {
        let value = self.find_range(Key::parse(key.as_bytes())?)?;
        Some(value.start - key.len() - 2..value.end + 1)
    }

    /// The bytes with other ones in some places, which may touch but not overlap. What is only added somewhere comes first.
    fn edited(&self, mut edits: Vec<(Range<usize>, Vec<u8>)>) -> Bytes {
        edits.sort_by_key(|(place, _)| (place.start, place.end));
        let added = edits.iter().map(|(_, new)| new.len()).sum::<usize>();
        let mut bytes = BytesMut::with_capacity(self.bytes.len() + added);
        let mut copied = 0;
        for (place, new) in edits {
            bytes.extend_from_slice(&self.bytes[copied..place.start]);
            bytes.extend_from_slice(&new);
            copied = place.end;
        }
        bytes.extend_from_slice(&self.bytes[copied..]);
        bytes.freeze()
    }
}

/// One line of a prelude.
fn line(key: &str, value: &[u8]) -> Vec<u8> {
    [key.as_bytes(), b": ", value, b"\n"].concat()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{PLAIN, read};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_server_gets_every_byte_of_asterisk() {
        let odd =
            b"agi_network: yes\nagi_request: r\nagi_calleridname: E\nagi_evil: 1\nno colon\n\n";
        for bytes in [PLAIN, odd] {
            assert_eq!(&read(bytes).for_server(None, None)[..], bytes);
        }
        assert!(Prelude::default().for_server(None, None).is_empty());
    }

    #[test]
    fn a_server_at_a_path_of_its_own_sees_that_path_and_the_query_of_the_call() {
        let table: [(&[u8], &str, &[u8]); 6] = [
            (
                b"agi_network: yes\nagi_network_script: a/b?x=%20\xff?\nagi_request: agi://h/a/b?x=%20\xff?\n\
                  agi_type: t\n\n",
                "/new/way",
                b"agi_network: yes\nagi_network_script: new/way?x=%20\xff?\n\
                  agi_request: agi://s:1/new/way?x=%20\xff?\nagi_type: t\n\n",
            ),
            (
                b"agi_network: yes\nagi_request: agi://h\nagi_type: t\n\n",
                "/x",
                b"agi_network: yes\nagi_network_script: x\nagi_request: agi://s:1/x\nagi_type: t\n\n",
            ),
            (
                b"agi_network: yes\nagi_network_script: a\nagi_request: agi://h/a\n\n",
                "/",
                b"agi_network: yes\nagi_request: agi://s:1/\n\n",
            ),
            // A repeat that a caller's name brought in is not believed, and stays.
            (
                b"agi_network: yes\nagi_request: agi://h/\nagi_calleridname: E\nagi_request: f\n\n",
                "/x",
                b"agi_network: yes\nagi_network_script: x\nagi_request: agi://s:1/x\n\
                  agi_calleridname: E\nagi_request: f\n\n",
            ),
            (
                b"agi_type: t\n\n",
                "/x",
                b"agi_network_script: x\nagi_request: agi://s:1/x\nagi_type: t\n\n",
            ),
            (
                b"agi_request: r\nagi_network_script: a\nagi_network: yes\n\n",
                "/x",
                b"agi_request: agi://s:1/x\nagi_network: yes\nagi_network_script: x\n\n",
            ),
        ];
        for (bytes, path, wanted) in table {
            let given = read(bytes).for_server(Some(("s:1", path)), None);
            assert_eq!(given.escape_ascii().to_string(), wanted.escape_ascii().to_string());
        }
    }

    #[test]
    fn a_script_sees_what_asterisk_gives_a_local_one() {
        let given = read(PLAIN).for_script(b"/opt/x.py", None);
        let channel = PLAIN.windows(11).position(|bytes| bytes == b"agi_channel").expect("there");
        let wanted = [b"agi_request: /opt/x.py\n", &PLAIN[channel..]].concat();
        assert_eq!(given.escape_ascii().to_string(), wanted.escape_ascii().to_string());
        let given = read(b"agi_type: t\n\n").for_script(b"/x", None);
        assert_eq!(&given[..], b"agi_request: /x\nagi_type: t\n\n");
    }

    proptest! {
        #[test]
        fn what_others_get_is_a_prelude_with_the_same_arguments(
            lines in prop::collection::vec(
                "(agi_arg_[1-4]: |agi_request: |agi_network_script: |agi_network: |x)[a-z?: \r]{0,6}\n",
                0..8,
            ),
        ) {
            let prelude = read(format!("agi_type: t\n{}\n", lines.concat()).as_bytes());
            for given in [prelude.for_server(Some(("s:1", "/p")), None), prelude.for_script(b"/p", None)] {
                let again = read(&given);
                prop_assert!(prelude.arguments().eq(again.arguments()));
                let request = again.text("agi_request");
                prop_assert!(request.ends_with("/p") || request.contains("/p?"), "{}", request);
            }
        }
    }
}
