//! A name with `*` and `?`, in whatever case. Knows no kind of name.

use std::fmt;

/// Matches whole names: `*` stands for any text, none included, and `?` for one character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(Box<str>);

impl Glob {
    /// From the configuration.
    pub fn new(pattern: &str) -> Self {
        Self(pattern.into())
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing escapes it.
    pub fn is_everything(&self) -> bool {
        !self.0.is_empty() && self.0.bytes().all(|byte| byte == b'*')
    }

    /// Whether it fits the whole of `name`.
    pub fn matches(&self, name: &[u8]) -> bool {
        let pattern = self.0.as_bytes();
        let (mut at, mut place) = (0, 0);
        // Where the last `*` stands, and how far it reaches.
        let mut star: Option<(usize, usize)> = None;
        while place < name.len() {
            match pattern.get(at) {
                Some(b'*') => {
                    star = Some((at, place));
                    at += 1;
                }
                Some(byte) if *byte == b'?' || byte.eq_ignore_ascii_case(&name[place]) => {
                    at += 1;
                    place += 1;
                }
                Some(_) | None => match star {
                    Some((before, reach)) => {
                        star = Some((before, reach + 1));
                        (at, place) = (before + 1, reach + 1);
                    }
                    None => return false,
                },
            }
        }
        pattern[at..].iter().all(|byte| *byte == b'*')
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_pattern_fits_whole_names_in_any_case() {
        let table = [
            ("Playback", "playback", true),
            ("Play", "playback", false),
            ("GET *", "GET DATA", true),
            ("GET *", "GET", false),
            ("PJSIP/3???", "pjsip/3200", true),
            ("PJSIP/3???", "PJSIP/32000", false),
            ("*@lab", "Local/5@lab", true),
            ("*@lab", "Local/5@lab@x", false),
            ("a*b*c", "a-b-b-c", true),
            ("*", "", true),
            ("", "", true),
            ("", "x", false),
        ];
        for (pattern, name, fits) in table {
            assert_eq!(Glob::new(pattern).matches(name.as_bytes()), fits, "{pattern} {name}");
        }
        assert!(Glob::new("**").is_everything() && !Glob::new("*?").is_everything());
    }

    /// The meaning, without any care for time.
    fn fits(pattern: &[u8], name: &[u8]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some((b'*', rest)) => (0..=name.len()).any(|end| fits(rest, &name[end..])),
            Some((byte, rest)) => name.split_first().is_some_and(|(first, tail)| {
                (*byte == b'?' || byte.eq_ignore_ascii_case(first)) && fits(rest, tail)
            }),
        }
    }

    proptest! {
        #[test]
        fn a_pattern_means_what_it_says(pattern in "[abA*?]{0,8}", name in "[abB]{0,8}") {
            let expected = fits(pattern.as_bytes(), name.as_bytes());
            prop_assert_eq!(Glob::new(&pattern).matches(name.as_bytes()), expected);
        }
    }
}
