//! The commands of a service that have no result yet, in the order in which they came.

use crate::{
    agi::Exchange,
    proto::{Command, CommandError, command_error::Code},
};
use std::{collections::VecDeque, time::Duration};

/// A command that was not written to Asterisk yet.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: u32,
    /// Its name at Asterisk; empty for one that could not be read.
    pub(super) name: &'static str,
    pub(super) work: Work,
    pub(super) requires_success: bool,
}

/// What is to be done for a command when its turn comes.
#[derive(Debug)]
pub(super) enum Work {
    /// Write it, and wait for its reply at most so long.
    Run {
        exchange: Box<Exchange>,
        timeout: Option<Duration>,
        /// As the service sent it, for whoever takes the call over while it runs.
        command: Box<Command>,
    },
    /// Answer it, without Asterisk.
    Refuse(CommandError),
}

/// First in, first answered.
#[derive(Debug, Default)]
pub(super) struct Queue {
    entries: VecDeque<Entry>,
    /// Entries that are to be run.
    waiting: usize,
}

impl Queue {
    pub(super) fn push(&mut self, entry: Entry) {
        self.waiting += usize::from(entry.is_run());
        self.entries.push_back(entry);
    }

    pub(super) fn pop(&mut self) -> Option<Entry> {
        let entry = self.entries.pop_front()?;
        self.waiting -= usize::from(entry.is_run());
        if self.entries.is_empty() && self.entries.capacity() > 8 {
            self.entries = VecDeque::new(); // an idle call holds no memory for a burst it once had
        }
        Some(entry)
    }

    /// How many have no result yet, refused ones included.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many wait to be written.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Takes back whatever was not written; the results still come in their places.
    pub(super) fn cancel_all(&mut self, why: &str) {
        for entry in self.entries.iter_mut().filter(|entry| entry.is_run()) {
            entry.work = Work::Refuse(error(Code::Cancelled, why));
        }
        self.waiting = 0;
    }

    /// Takes a command back; its result still comes in its place.
    pub(super) fn cancel(&mut self, id: u32) {
        for entry in self.entries.iter_mut().filter(|entry| entry.id == id && entry.is_run()) {
            entry.work = Work::Refuse(error(Code::Cancelled, "taken back before it was written"));
            self.waiting -= 1;
        }
    }
}

impl Entry {
    /// Its answer when it is not to be run: what it had been refused for, or `unless`.
    pub(super) fn into_refusal(self, unless: CommandError) -> CommandError {
        match self.work {
            Work::Run { .. } => unless,
            Work::Refuse(refusal) => refusal,
        }
    }

    fn is_run(&self) -> bool {
        matches!(self.work, Work::Run { .. })
    }
}

pub(super) fn error(code: Code, detail: impl Into<String>) -> CommandError {
    CommandError { code: code.into(), detail: detail.into() }
}
