//! The languages that have a client library: its service behind the bridge, and the FastAGI library that it is held against.

use kit::clients;
use serde::Serialize;
use std::path::PathBuf;

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Language {
    Python,
    TypeScript,
    Go,
    Java,
    Rust,
}

impl Language {
    pub(crate) const ALL: [Self; 5] =
        [Self::Python, Self::TypeScript, Self::Go, Self::Java, Self::Rust];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::TypeScript => "typescript",
            Self::Go => "go",
            Self::Java => "java",
            Self::Rust => "rust",
        }
    }

    /// Of the same language without a bridge.
    pub(crate) fn library(self) -> &'static str {
        match self {
            Self::Python => "pystrix",
            Self::TypeScript => "ding-dong",
            Self::Go => "net",
            Self::Java => "asterisk-java",
            Self::Rust => "blazing_agi",
        }
    }

    /// The program on the client library; `None` when it was not built.
    pub(crate) fn service(self) -> Option<PathBuf> {
        clients::find(self.name(), "bench-service")
    }

    /// The program on the other library; `None` when it was not built.
    pub(crate) fn direct(self) -> Option<PathBuf> {
        clients::find(self.name(), "bench-direct")
    }
}
