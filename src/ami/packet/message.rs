//! What Asterisk says: headers in order. Knows nothing of bytes and lines.

use std::fmt;

/// Headers in their order, with names as Asterisk wrote them; a name may come more than once. Bytes that are no UTF-8 were
/// replaced by U+FFFD, and a value may hold line feeds where Asterisk wrote one as it was.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers {
    /// Names and values, one after the other: an event costs two allocations and not forty.
    text: String,
    ends: Vec<Ends>,
}

/// Where a name ends, and its value. Both begin where the one before ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ends {
    name: usize,
    value: usize,
}

/// One message, made by [`super::Reader`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// What it says.
    pub headers: Headers,
    /// It was too long: the end of a line, or some lines, are missing.
    pub is_cut: bool,
}

impl Headers {
    /// The first value of `name`, in any case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value of `name`, in any case, in order.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|it| it.1)
    }

    /// Every name and its value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut start = 0;
        self.ends.iter().map(move |ends| {
            let header = (&self.text[start..ends.name], &self.text[ends.name..ends.value]);
            start = ends.value;
            header
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Memory that they take, in bytes, more or less.
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.text.len() + self.ends.len() * size_of::<Ends>()
    }

    /// One more.
    pub fn push(&mut self, name: &str, value: &str) {
        self.text.push_str(name);
        let name = self.text.len();
        self.text.push_str(value);
        self.ends.push(Ends { name, value: self.text.len() });
    }

    /// The value of the last one goes on in another line.
    pub(super) fn continue_last(&mut self, line: &str) {
        if let Some(last) = self.ends.last_mut() {
            self.text.push('\n');
            self.text.push_str(line);
            last.value = self.text.len();
        }
    }

    /// They are all there.
    pub(super) fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Headers {
    fn from_iter<T: IntoIterator<Item = (&'a str, &'a str)>>(headers: T) -> Self {
        let mut all = Self::default();
        headers.into_iter().for_each(|(name, value)| all.push(name, value));
        all
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Message {
    /// The event's name, if this is one. Asterisk names it first, and what comes later may be the forgery of a value.
    pub fn event(&self) -> Option<&str> {
        self.first("Event")
    }

    /// `Success`, `Error` or another word, if this is a response.
    pub fn response(&self) -> Option<&str> {
        self.first("Response")
    }

    /// The action that it belongs to. The first one counts, for the same reason.
    pub fn action_id(&self) -> Option<&str> {
        self.headers.get("ActionID")
    }

    fn first(&self, wanted: &str) -> Option<&str> {
        let (name, value) = self.headers.iter().next()?;
        name.eq_ignore_ascii_case(wanted).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case_and_repeats_in_order() {
        let mut headers: Headers =
            [("Event", "X"), ("Variable", "a=1"), ("VARIABLE", ""), ("Other", "ü")]
                .into_iter()
                .collect();
        assert_eq!(headers.get("event"), Some("X"));
        assert_eq!(headers.all("variable").collect::<Vec<_>>(), ["a=1", ""]);
        assert_eq!((headers.get("Varia"), headers.len()), (None, 4));
        headers.continue_last("more");
        assert_eq!(headers.iter().last(), Some(("Other", "ü\nmore")));
    }

    #[test]
    fn only_the_first_header_says_what_a_message_is() {
        let message = |headers: &[(&str, &str)]| Message {
            headers: headers.iter().copied().collect(),
            is_cut: false,
        };
        let event = message(&[("Event", "OriginateResponse"), ("Response", "Failure")]);
        assert_eq!((event.event(), event.response()), (Some("OriginateResponse"), None));
        let response = message(&[("Response", "Success"), ("Value", "x"), ("Event", "Hangup")]);
        assert_eq!((response.event(), response.response()), (None, Some("Success")));
        let stray = message(&[("X", "1"), ("Event", "Hangup"), ("Response", "Error")]);
        assert_eq!((stray.event(), stray.response()), (None, None));
    }
}
