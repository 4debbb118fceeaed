//! Existing AGI scripts: programs in a folder that is gone with the test, and processes that are there or not.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// A program that can be run.
#[derive(Debug)]
pub(crate) struct Script {
    program: PathBuf,
    folder: TempDir,
}

impl Script {
    /// Its text is one of `sh`.
    pub(crate) fn sh(text: &str) -> Self {
        Self::new(&format!("#!/bin/sh\n{text}\n"))
    }

    /// With a first line of its own.
    pub(crate) fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (draft, program) = (folder.path().join("draft"), folder.path().join("script"));
        fs::write(&draft, text).unwrap();
        // Another process writes the program: one that is open for writing, here or in a child of another test, cannot be run.
        let copied = Command::new("install").arg("-m755").args([&draft, &program]).status();
        assert!(copied.unwrap().success());
        Self { program, folder }
    }

    pub(crate) fn url(&self) -> String {
        format!("exec://{}", self.program.display())
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// A file beside it.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The processes that run it, or were started by it with its folder among their arguments.
    pub(crate) fn processes(&self) -> Vec<i32> {
        let folder = self.folder.path().as_os_str().as_encoded_bytes();
        let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        numbers
            .filter(|number: &i32| {
                let Ok(line) = fs::read(format!("/proc/{number}/cmdline")) else { return false };
                line.windows(folder.len()).any(|bytes| bytes == folder)
            })
            .collect()
    }
}
