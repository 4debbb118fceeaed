//! What of a call may be shown: commands and results as short lines, with what the route keeps to itself masked. Pure.
//!
//! | class | holds |
//! |---|---|
//! | `digits` | keys that the caller pressed, and digits that are spoken to him |
//! | `values` | variables, database entries, texts sent, spoken, logged or heard, arguments of applications and of functions |
//! | `numbers` | who called, from where, and which number was dialled |
//!
//! A masked value is `•••`; of keys it is seen how many there were, and not which. What could be of two classes is shown
//! only when neither is masked. Names of files, variables and applications are shown, for without them nobody finds a fault.

mod command;
mod line;
mod outcome;

pub use command::arguments;
pub use line::push;
pub use outcome::{Told, told};

/// Stands for a value that is kept back.
pub const MASK: &str = "•••";
/// Of one field of a line, in bytes; a service may send megabytes.
const FIELD_BYTES_MAX: usize = 160;
/// Of a whole line.
const LINE_BYTES_MAX: usize = 320;

/// What is masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Redact {
    /// Keys that the caller pressed.
    pub digits: bool,
    /// Values and texts.
    pub values: bool,
    /// Numbers and names of callers.
    pub numbers: bool,
}

impl Redact {
    /// Everything is shown.
    pub const NOTHING: Self = Self { digits: false, values: false, numbers: false };
    /// Nothing is shown.
    pub const ALL: Self = Self { digits: true, values: true, numbers: true };

    /// Masks what either masks: a call that was on two routes is as secret as the stricter of them wants it.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            digits: self.digits || other.digits,
            values: self.values || other.values,
            numbers: self.numbers || other.numbers,
        }
    }

    /// Whether commands and results show what callers or services said.
    pub const fn shows_content(self) -> bool {
        !self.digits || !self.values
    }

    /// The words of the configuration.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        [(self.digits, "digits"), (self.values, "values"), (self.numbers, "numbers")]
            .into_iter()
            .filter_map(|(is_masked, word)| is_masked.then_some(word))
    }

    /// Whether text of a service, in which anything may stand, is kept back.
    const fn any_content(self) -> bool {
        self.digits || self.values
    }
}

impl Default for Redact {
    /// A PIN, an account's balance or a customer's name shall stand nowhere unless somebody wants that. Who called is what
    /// an operator searches by, and is shown only to those who may change things.
    fn default() -> Self {
        Self { digits: true, values: true, numbers: false }
    }
}

/// A text of a stranger as one short line.
pub fn short(text: &str) -> String {
    let mut line = String::new();
    push(&mut line, text);
    line
}

/// A value, or its mask.
pub fn value(text: &str, is_masked: bool) -> String {
    if is_masked && !text.is_empty() { MASK.to_owned() } else { short(text) }
}

#[cfg(test)]
mod tests;
