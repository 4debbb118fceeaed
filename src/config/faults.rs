//! What is wrong with a configuration: every fault at once, each with its path and its place.

use std::{fmt, sync::Arc};

/// Every fault of a configuration; at least one. Displayed as one line a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// As `routes[0].services[1].url`; empty when the file as a whole is meant.
    pub path: String,
    /// Where it was written.
    pub place: Place,
    /// What is wrong, and what is wanted.
    pub what: String,
}

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Nowhere in particular.
    Nowhere,
    /// In the file; both count from 1.
    Line {
        /// Line.
        line: usize,
        /// Column, in characters.
        column: usize,
    },
    /// In this environment variable.
    Variable(Arc<str>),
}

impl Faults {
    /// `Ok` when there is none; else they are put in the order of the file.
    pub(super) fn none_of(mut faults: Vec<Fault>) -> Result<(), Self> {
        faults.sort_by(|one, other| one.place.cmp(&other.place));
        faults.dedup();
        if faults.is_empty() { Ok(()) } else { Err(Self(faults)) }
    }

    /// The faults, in the order of the file.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Fault> {
        self.0.iter()
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self(vec![fault])
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = Vec::with_capacity(4);
        if let Place::Variable(name) = &self.place {
            parts.push(name.to_string());
        }
        if !self.path.is_empty() {
            parts.push(self.path.clone());
        }
        if let Place::Line { line, column } = self.place {
            parts.extend([format!("line {line}"), format!("column {column}")]);
        }
        parts.push(self.what.clone());
        // A fault is one line, whatever text of the file it quotes.
        f.write_str(&parts.join(": ").replace(['\n', '\r'], " "))
    }
}
