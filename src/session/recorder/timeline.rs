//! The entries of one call: the first ones and the last ones, within bounds. Knows nothing of what they say.

use std::{collections::VecDeque, time::Duration};

/// The first entries of a call, which tell how it began.
const FIRST_MAX: usize = 64;
/// The last ones.
const LAST_MAX: usize = 192;
/// What the last ones may take, so that a thousand long calls stay within tens of megabytes.
const LAST_BYTES_MAX: usize = 48 * 1024;

/// Something that happened.
#[derive(Debug)]
pub(super) struct Entry {
    /// Counts all entries of the call, those that were dropped too.
    pub(super) number: u32,
    /// Of the call when this was last changed.
    pub(super) revision: u32,
    /// Since the accept.
    pub(super) at: Duration,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Command(Box<Command>),
    /// Anything else: a word of a closed set, and what is to be said of it.
    Event {
        name: &'static str,
        text: Box<str>,
    },
}

/// A command of the service, or of a program that speaks AGI itself.
#[derive(Debug)]
pub(super) struct Command {
    /// The service's; 0: a program has none.
    pub(super) id: u32,
    pub(super) name: &'static str,
    pub(super) arguments: Box<str>,
    /// When it was written to Asterisk.
    pub(super) written: Option<Duration>,
    pub(super) answer: Option<Answer>,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) at: Duration,
    /// From the write to the reply.
    pub(super) elapsed: Option<Duration>,
    pub(super) outcome: &'static str,
    pub(super) is_error: bool,
    pub(super) text: Box<str>,
}

#[derive(Debug, Default)]
pub(super) struct Timeline {
    first: Vec<Entry>,
    last: VecDeque<Entry>,
    last_bytes: usize,
    number: u32,
    pub(super) revision: u32,
    pub(super) dropped: u32,
}

impl Timeline {
    pub(super) fn push(&mut self, at: Duration, what: What) {
        self.number += 1;
        self.revision += 1;
        let entry = Entry { number: self.number, revision: self.revision, at, what };
        if self.first.len() < FIRST_MAX {
            return self.first.push(entry);
        }
        self.last_bytes += entry.bytes();
        self.last.push_back(entry);
        while self.last.len() > LAST_MAX || self.last_bytes > LAST_BYTES_MAX {
            let Some(oldest) = self.last.pop_front() else { return };
            self.last_bytes = self.last_bytes.saturating_sub(oldest.bytes());
            self.dropped += 1;
        }
    }

    /// Changes the oldest command with this id that has no answer, if it was not dropped. Results come in the order of the
    /// commands: whatever stands before an answered one is answered.
    pub(super) fn change(&mut self, id: u32, change: impl FnOnce(&mut Command)) {
        let mut found = None;
        let newest_first = self.last.iter().rev().chain(self.first.iter().rev());
        for (back, entry) in newest_first.enumerate() {
            let What::Command(command) = &entry.what else { continue };
            if command.answer.is_some() {
                break;
            }
            if command.id == id {
                found = Some(back);
            }
        }
        let Some(back) = found else { return };
        self.revision += 1;
        let revision = self.revision;
        let is_last = back < self.last.len();
        let at = if is_last { self.last.len() - back - 1 } else { self.len() - back - 1 };
        let entry = if is_last { self.last.get_mut(at) } else { self.first.get_mut(at) };
        let Some(entry) = entry else { return };
        let before = entry.bytes();
        entry.revision = revision;
        if let What::Command(command) = &mut entry.what {
            change(command);
        }
        if is_last {
            self.last_bytes = self.last_bytes + entry.bytes() - before;
        }
    }

    fn len(&self) -> usize {
        self.first.len() + self.last.len()
    }

    /// Oldest first.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.first.iter().chain(&self.last)
    }

    /// Takes back what was said, for a route that wants it so.
    pub(super) fn mask(&mut self, mask: impl Fn(&mut Box<str>)) {
        self.revision += 1;
        for entry in self.first.iter_mut().chain(&mut self.last) {
            entry.revision = self.revision;
            match &mut entry.what {
                What::Command(command) => {
                    mask(&mut command.arguments);
                    if let Some(answer) = &mut command.answer {
                        mask(&mut answer.text);
                    }
                }
                What::Event { name: "handoff", text } => mask(text),
                What::Event { .. } => {}
            }
        }
        self.last_bytes = self.last.iter().map(Entry::bytes).sum();
    }

    pub(super) fn bytes(&self) -> usize {
        self.entries().map(Entry::bytes).sum()
    }

    /// Gives back what was kept for growing.
    pub(super) fn shrink(&mut self) {
        self.first.shrink_to_fit();
        self.last.shrink_to_fit();
    }
}

impl Entry {
    fn bytes(&self) -> usize {
        size_of::<Self>()
            + match &self.what {
                What::Event { text, .. } => text.len(),
                What::Command(command) => {
                    size_of::<Command>()
                        + command.arguments.len()
                        + command.answer.as_ref().map_or(0, |answer| answer.text.len())
                }
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn command(id: u32) -> What {
        What::Command(Box::new(Command {
            id,
            name: "NOOP",
            arguments: "text=x".into(),
            written: None,
            answer: None,
        }))
    }

    fn answer(timeline: &mut Timeline, id: u32) {
        timeline.change(id, |command| {
            let (at, outcome) = (Duration::ZERO, "done");
            let answer = Answer { at, elapsed: None, outcome, is_error: false, text: "".into() };
            command.answer = Some(answer);
        });
    }

    fn answered(timeline: &Timeline) -> Vec<(u32, bool)> {
        let pair = |entry: &Entry| match &entry.what {
            What::Command(command) => Some((entry.number, command.answer.is_some())),
            What::Event { .. } => None,
        };
        timeline.entries().filter_map(pair).collect()
    }

    #[test]
    fn the_first_and_the_last_entries_are_kept_and_the_others_counted() {
        let mut timeline = Timeline::default();
        for id in 1..=1000 {
            timeline.push(Duration::ZERO, command(id));
            answer(&mut timeline, id);
        }
        let numbers: Vec<u32> = timeline.entries().map(|entry| entry.number).collect();
        let expected: Vec<u32> = (1..=64).chain(1000 - 191..=1000).collect();
        assert_eq!((numbers, timeline.dropped), (expected, 1000 - 64 - 192));
        assert!(answered(&timeline).iter().all(|(_, is_answered)| *is_answered));
    }

    #[test]
    fn long_texts_leave_fewer_entries() {
        let mut timeline = Timeline::default();
        for _ in 0..1000 {
            let text = "x".repeat(1000).into();
            timeline.push(Duration::ZERO, What::Event { name: "lost", text });
        }
        assert!(timeline.bytes() < LAST_BYTES_MAX + 64 * 1200);
        assert_eq!(timeline.entries().count() as u32 + timeline.dropped, 1000);
    }

    #[test]
    fn an_answer_goes_to_the_oldest_command_of_its_id_that_has_none() {
        let mut timeline = Timeline::default();
        for id in [1, 2, 2, 3] {
            timeline.push(Duration::ZERO, command(id));
        }
        answer(&mut timeline, 1);
        answer(&mut timeline, 2);
        assert_eq!(answered(&timeline), [(1, true), (2, true), (3, false), (4, false)]);
        answer(&mut timeline, 2);
        answer(&mut timeline, 9);
        assert_eq!(answered(&timeline), [(1, true), (2, true), (3, true), (4, false)]);
    }

    proptest! {
        #[test]
        fn answers_in_order_find_their_commands(queued in prop::collection::vec(1usize..5, 0..400)) {
            let mut timeline = Timeline::default();
            let (mut next, mut due) = (1, 1);
            for count in queued {
                for _ in 0..count {
                    timeline.push(Duration::ZERO, command(next));
                    next += 1;
                }
                answer(&mut timeline, due);
                due += 1;
            }
            for (number, is_answered) in answered(&timeline) {
                prop_assert_eq!(is_answered, number < due);
            }
            prop_assert!(timeline.entries().count() <= FIRST_MAX + LAST_MAX);
            prop_assert_eq!(timeline.last_bytes, timeline.last.iter().map(Entry::bytes).sum::<usize>());
        }
    }
}
