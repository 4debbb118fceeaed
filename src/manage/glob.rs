//! Lists of names in which `*` stands for anything. Pure.

/// Names, and patterns of names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Globs(Vec<String>);

impl Globs {
    /// Whether a pattern fits `text`.
    pub fn allow(&self, text: &str) -> bool {
        self.0.iter().any(|pattern| fits(pattern.as_bytes(), text.as_bytes()))
    }

    /// The same, whatever the case of letters.
    pub fn allow_any_case(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        self.0.iter().any(|pattern| fits(pattern.to_ascii_lowercase().as_bytes(), text.as_bytes()))
    }

    /// Whether `text` itself stands here, in any case, and not just a pattern that fits it.
    pub fn name(&self, text: &str) -> bool {
        self.0.iter().any(|name| name.eq_ignore_ascii_case(text))
    }

    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As they are written.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl<T: Into<String>> FromIterator<T> for Globs {
    fn from_iter<I: IntoIterator<Item = T>>(names: I) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }
}

/// Takes time in proportion to the product of both lengths at most.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    // Where to go on when the last star must stand for one byte more.
    let mut retry = None;
    while from < text.len() {
        if pattern.get(at) == Some(&b'*') {
            at += 1;
            retry = Some((at, from));
        } else if pattern.get(at) == Some(&text[from]) {
            at += 1;
            from += 1;
        } else if let Some((star, begin)) = retry {
            (at, from) = (star, begin + 1);
            retry = Some((star, begin + 1));
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything_and_everything_else_for_itself() {
        for (pattern, text) in [
            ("*", ""),
            ("PJSIP/32*", "PJSIP/3200"),
            ("*@internal", "Local/1@internal"),
            ("a*b*c", "a1b2bc"),
            ("", ""),
            ("a**", "a"),
        ] {
            assert!(Globs::from_iter([pattern]).allow(text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("PJSIP/32*", "PJSIP/3100"), ("", "a"), ("a*b", "abc"), ("a", "A"), ("*@in", "x@in&y")]
        {
            assert!(!Globs::from_iter([pattern]).allow(text), "{pattern} {text}");
        }
        assert!(Globs::from_iter(["Core*"]).allow_any_case("coreShowChannels"));
    }

    #[test]
    fn a_pattern_is_no_name() {
        let globs = Globs::from_iter(["*", "command"]);
        assert!(globs.name("Command") && !globs.name("UpdateConfig"));
    }
}
