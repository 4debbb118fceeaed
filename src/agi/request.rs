//! Path and query of the AGI URL, as a route sees them. Knows nothing of the rest of the prelude.

/// What the AGI URL asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// Always begins with `/`; the query is cut off; not percent-decoded. Bytes that are no UTF-8 are U+FFFD.
    pub path: String,
    /// Keys and values with `+` and percent escapes decoded; order and repeats are kept. What is no escape stays as
    /// it was written; a key without `=` has an empty value.
    pub query: Vec<(String, String)>,
}

impl Request {
    /// Reads `agi_network_script`, which Asterisk sends without the leading `/` and leaves out for `agi://host/`.
    pub fn parse(script: &[u8]) -> Self {
        let (path, query) = split_at_byte(script, b'?').unwrap_or((script, b""));
        let mut text = String::with_capacity(path.len() + 1);
        if !path.starts_with(b"/") {
            text.push('/');
        }
        text.push_str(&String::from_utf8_lossy(path));
        let pairs = query.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty());
        let pair = |pair| split_at_byte(pair, b'=').unwrap_or((pair, b""));
        let query = pairs.map(pair).map(|(key, value)| (decode(key), decode(value))).collect();
        Self { path: text, query }
    }

    /// The first value of a key of the query.
    pub fn query_value(&self, key: &str) -> Option<&str> {
        self.query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

fn split_at_byte(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|&byte| byte == separator)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

fn decode(text: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, behind)) = rest.split_first() {
        let (byte, behind) = match (first, behind) {
            (b'+', _) => (b' ', behind),
            (b'%', &[high, low, ref behind @ ..]) => match (nibble(high), nibble(low)) {
                (Some(high), Some(low)) => (high << 4 | low, behind),
                (None, _) | (_, None) => (first, &rest[1..]),
            },
            (_, _) => (first, behind),
        };
        bytes.push(byte);
        rest = behind;
    }
    String::from_utf8(bytes)
        .unwrap_or_else(|odd| String::from_utf8_lossy(odd.as_bytes()).into_owned())
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(query: &[(&str, &str)]) -> Vec<(String, String)> {
        query.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn path_and_query_are_told_apart() {
        type Pairs = &'static [(&'static str, &'static str)];
        let table: &[(&[u8], &str, Pairs)] = &[
            (b"", "/", &[]),
            (b"x", "/x", &[]),
            (b"/x/y", "/x/y", &[]),
            (b"path/to/x.agi?a=1&b=c%20d", "/path/to/x.agi", &[("a", "1"), ("b", "c d")]),
            (b"a%2Fb?", "/a%2Fb", &[]),
            (b"?a=1", "/", &[("a", "1")]),
            (b"x?a=1&a=2&&b", "/x", &[("a", "1"), ("a", "2"), ("b", "")]),
            (b"x?a+b=c+d=e?f", "/x", &[("a b", "c d=e?f")]),
            (
                b"x?k=%&l=%4&m=%zz&n=%41%",
                "/x",
                &[("k", "%"), ("l", "%4"), ("m", "%zz"), ("n", "A%")],
            ),
            (b"x?k=%C3%AB&l=%ff", "/x", &[("k", "\u{eb}"), ("l", "\u{fffd}")]),
            (b"Zo\xeb?x=1,2", "/Zo\u{fffd}", &[("x", "1,2")]),
        ];
        for &(script, path, query) in table {
            let request = Request::parse(script);
            assert_eq!((request.path.as_str(), request.query), (path, pairs(query)), "{script:?}");
        }
    }

    #[test]
    fn the_first_value_of_a_key_is_found() {
        let request = Request::parse(b"x?a=1&a=2");
        assert_eq!((request.query_value("a"), request.query_value("b")), (Some("1"), None));
    }

    proptest::proptest! {
        #[test]
        fn any_script_has_a_path(script: Vec<u8>) {
            proptest::prop_assert!(Request::parse(&script).path.starts_with('/'));
        }

        #[test]
        fn what_was_encoded_comes_back(value in "\\PC{0,20}") {
            let encoded: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let request = Request::parse(format!("x?k={encoded}").as_bytes());
            proptest::prop_assert_eq!(request.query_value("k"), Some(value.as_str()));
        }
    }
}
