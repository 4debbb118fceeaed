//! What was noted of one call: the beginning and the end of it, within bounds. Knows nothing of what it says.

use super::note::Note;
use std::{collections::VecDeque, time::Duration};

/// The beginning of a call is kept, and its end in so many more pieces of this size: a thousand long calls stay within tens of
/// megabytes. A piece is given up as a whole, and holds 50 commands or so.
const PIECE_BYTES: usize = 4 * 1024;
const LAST_PIECES_MAX: usize = 6;
/// Of a note, and of a short call; a piece that has no room for a usual note is full.
const NOTE_BYTES_USUAL: usize = 128;
const CALL_BYTES_USUAL: usize = 256;

/// Something that happened, as it is read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    /// Counts all entries of the call, those that were dropped too.
    pub(super) number: u32,
    /// Of the call when this was last changed.
    pub(super) revision: u32,
    /// Since the accept.
    pub(super) at: Duration,
    pub(super) what: What<'a>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum What<'a> {
    Command(Command<'a>),
    /// Anything else: a word of a closed set, and what is to be said of it.
    Event {
        name: &'a str,
        text: &'a str,
    },
}

/// A command of the service, or of a program that speaks AGI itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Command<'a> {
    /// The service's; 0: a program has none.
    pub(super) id: u32,
    pub(super) name: &'a str,
    pub(super) arguments: &'a str,
    /// When it was written to Asterisk.
    pub(super) written: Option<Duration>,
    pub(super) answer: Option<Answer<'a>>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer<'a> {
    pub(super) at: Duration,
    /// From the write to the reply.
    pub(super) elapsed: Option<Duration>,
    pub(super) outcome: &'a str,
    pub(super) is_error: bool,
    pub(super) text: &'a str,
}

/// What was noted.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    first: Piece,
    last: VecDeque<Piece>,
    /// Of the newest entry.
    number: u32,
    /// Grows with each note.
    pub(super) revision: u32,
    /// When all that had been noted was masked; 0: never.
    masked: u32,
    /// Entries that were given up.
    pub(super) dropped: u32,
}

/// Some notes that follow each other.
#[derive(Debug, Default)]
struct Piece {
    /// Entry and revision before the first one.
    number: u32,
    revision: u32,
    entries: u32,
    bytes: Vec<u8>,
}

impl Timeline {
    pub(super) fn note(&mut self, at: Duration, note: &Note<'_>) {
        let is_entry = matches!(note, Note::Command { .. } | Note::Event { .. });
        let piece = match self.last.back_mut() {
            None => &mut self.first,
            Some(piece) => piece,
        };
        let has_room = piece.bytes.len() + NOTE_BYTES_USUAL <= PIECE_BYTES;
        let piece = if has_room { piece } else { self.next_piece() };
        if piece.bytes.is_empty() {
            piece.bytes.reserve(CALL_BYTES_USUAL);
        }
        note.encode(at, &mut piece.bytes);
        piece.entries += u32::from(is_entry);
        self.number += u32::from(is_entry);
        self.revision += 1;
    }

    fn next_piece(&mut self) -> &mut Piece {
        // The memory of the oldest one serves the newest.
        let oldest = if self.last.len() < LAST_PIECES_MAX { None } else { self.last.pop_front() };
        let mut piece = oldest.unwrap_or_default();
        self.dropped += piece.entries;
        piece.bytes.clear();
        let (number, revision, bytes) = (self.number, self.revision, piece.bytes);
        self.last.push_back_mut(Piece { number, revision, entries: 0, bytes })
    }

    /// What is kept, the oldest first.
    pub(super) fn entries(&self) -> Vec<Entry<'_>> {
        let mut entries: Vec<Entry<'_>> = Vec::new();
        // Indices of commands without an answer, the oldest first.
        let mut open: Vec<usize> = Vec::new();
        let mut number = 0;
        for piece in self.pieces() {
            if piece.number > number {
                // What was given up in between had their answers.
                open.clear();
            }
            number = piece.number;
            let mut revision = piece.revision;
            let mut rest = piece.bytes.as_slice();
            while let Some((at, note)) = Note::decode(&mut rest) {
                revision += 1;
                let what = match note {
                    Note::Command { id, name, arguments, is_written } => {
                        open.push(entries.len());
                        let written = is_written.then_some(at);
                        What::Command(Command { id, name, arguments, written, answer: None })
                    }
                    Note::Event { name, text } => What::Event { name, text },
                    Note::Written { id } => {
                        change(&mut entries, &mut open, id, revision, |command| {
                            command.written.get_or_insert(at);
                        });
                        continue;
                    }
                    Note::Answer { id, elapsed, outcome, is_error, text } => {
                        let answer = Answer { at, elapsed, outcome, is_error, text };
                        change(&mut entries, &mut open, id, revision, |command| {
                            command.answer = Some(answer);
                        });
                        continue;
                    }
                };
                number += 1;
                entries.push(Entry { number, revision, at, what });
            }
        }
        for entry in &mut entries {
            entry.revision = entry.revision.max(self.masked);
        }
        entries
    }

    fn pieces(&self) -> impl Iterator<Item = &Piece> {
        std::iter::once(&self.first).chain(&self.last)
    }

    /// Takes back what was said, for a route that wants it so.
    pub(super) fn mask(&mut self, mask: &str) {
        self.revision += 1;
        self.masked = self.revision;
        for piece in std::iter::once(&mut self.first).chain(&mut self.last) {
            let mut masked = Vec::with_capacity(piece.bytes.len());
            let mut rest = piece.bytes.as_slice();
            while let Some((at, note)) = Note::decode(&mut rest) {
                masked_note(note, mask).encode(at, &mut masked);
            }
            piece.bytes = masked;
        }
        // No note has this revision: those of a piece count on from its beginning.
        self.next_piece();
    }

    pub(super) fn bytes(&self) -> usize {
        self.pieces().map(|piece| size_of::<Piece>() + piece.bytes.len()).sum()
    }

    /// Gives back what was kept for growing.
    pub(super) fn shrink(&mut self) {
        self.first.bytes.shrink_to_fit();
        if let Some(piece) = self.last.back_mut() {
            piece.bytes.shrink_to_fit();
        }
    }
}

fn change<'a>(
    entries: &mut [Entry<'a>],
    open: &mut Vec<usize>,
    id: u32,
    revision: u32,
    change: impl FnOnce(&mut Command<'a>),
) {
    for (place, &index) in open.iter().enumerate() {
        let Some(Entry { what: What::Command(command), revision: changed, .. }) =
            entries.get_mut(index)
        else {
            continue;
        };
        if command.id == id {
            change(command);
            *changed = revision;
            if command.answer.is_some() {
                open.remove(place);
            }
            return;
        }
    }
}

fn masked_note<'a>(note: Note<'a>, mask: &'a str) -> Note<'a> {
    let masked = |text: &'a str| if text.is_empty() { text } else { mask };
    match note {
        Note::Command { id, name, arguments, is_written } => {
            Note::Command { id, name, arguments: masked(arguments), is_written }
        }
        Note::Answer { id, elapsed, outcome, is_error, text } => {
            Note::Answer { id, elapsed, outcome, is_error, text: masked(text) }
        }
        // A path may hold values.
        Note::Event { name: "handoff", text } => {
            Note::Event { name: "handoff", text: masked(text) }
        }
        Note::Written { .. } | Note::Event { .. } => note,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn command(timeline: &mut Timeline, id: u32) {
        let note = Note::Command { id, name: "NOOP", arguments: "text=x", is_written: false };
        timeline.note(Duration::ZERO, &note);
    }

    fn answer(timeline: &mut Timeline, id: u32) {
        let (elapsed, outcome) = (None, "done");
        let note = Note::Answer { id, elapsed, outcome, is_error: false, text: "" };
        timeline.note(Duration::ZERO, &note);
    }

    fn answered(timeline: &Timeline) -> Vec<(u32, bool)> {
        let pair = |entry: &Entry<'_>| match &entry.what {
            What::Command(command) => Some((entry.number, command.answer.is_some())),
            What::Event { .. } => None,
        };
        timeline.entries().iter().filter_map(pair).collect()
    }

    #[test]
    fn the_first_and_the_last_entries_are_kept_and_the_others_counted() {
        let mut timeline = Timeline::default();
        for id in 1..=10_000 {
            command(&mut timeline, id);
            answer(&mut timeline, id);
        }
        let answered = answered(&timeline);
        let numbers: Vec<u32> = answered.iter().map(|(number, _)| *number).collect();
        let gap = numbers.windows(2).position(|pair| pair[1] - pair[0] != 1).unwrap();
        let (first, last) = numbers.split_at(gap + 1);
        assert!(first.len() > 50 && last.len() > 300, "{} and {}", first.len(), last.len());
        assert_eq!((first[0], *last.last().unwrap()), (1, 10_000));
        assert!(last.windows(2).all(|pair| pair[1] - pair[0] == 1));
        assert_eq!(numbers.len() as u32 + timeline.dropped, 10_000);
        // The last answer of a piece may stand in the next one, which was given up.
        let open: Vec<u32> = answered.iter().filter(|it| !it.1).map(|it| it.0).collect();
        assert!(open.is_empty() || open == [*first.last().unwrap()], "{open:?}");
    }

    #[test]
    fn long_texts_leave_fewer_entries() {
        let mut timeline = Timeline::default();
        let text = "x".repeat(1000);
        for _ in 0..1000 {
            timeline.note(Duration::ZERO, &Note::Event { name: "lost", text: &text });
        }
        assert!(timeline.bytes() < (LAST_PIECES_MAX + 1) * (PIECE_BYTES + 1100));
        assert_eq!(timeline.entries().len() as u32 + timeline.dropped, 1000);
    }

    #[test]
    fn an_answer_goes_to_the_oldest_command_of_its_id_that_has_none() {
        let mut timeline = Timeline::default();
        for id in [1, 2, 2, 3] {
            command(&mut timeline, id);
        }
        answer(&mut timeline, 1);
        answer(&mut timeline, 2);
        assert_eq!(answered(&timeline), [(1, true), (2, true), (3, false), (4, false)]);
        answer(&mut timeline, 2);
        answer(&mut timeline, 9);
        assert_eq!(answered(&timeline), [(1, true), (2, true), (3, true), (4, false)]);
    }

    #[test]
    fn an_answer_after_the_gap_is_not_that_of_a_command_before_it() {
        // Wherever the first piece ends, between a command and its answer too.
        for padding in 0..40 {
            let mut timeline = Timeline::default();
            let text = "x".repeat(padding);
            timeline.note(Duration::ZERO, &Note::Event { name: "lost", text: &text });
            for round in 0..2_000 {
                let at = Duration::from_secs(round);
                // A program's commands have no id.
                let (id, name, arguments) = (0, "NOOP", "");
                timeline.note(at, &Note::Command { id, name, arguments, is_written: true });
                let (elapsed, outcome, text) = (None, "done", "");
                timeline.note(at, &Note::Answer { id, elapsed, outcome, is_error: false, text });
            }
            for entry in timeline.entries() {
                let What::Command(Command { answer: Some(answer), .. }) = entry.what else {
                    continue;
                };
                assert_eq!(answer.at, entry.at, "{padding}");
            }
        }
    }

    #[test]
    fn what_was_masked_is_news_and_what_comes_later_too() {
        let mut timeline = Timeline::default();
        command(&mut timeline, 1);
        let seen = timeline.revision;
        timeline.mask("•••");
        let news = |timeline: &Timeline, since: u32| -> Vec<u32> {
            let entries = timeline.entries();
            entries.iter().filter(|it| it.revision > since).map(|it| it.number).collect()
        };
        assert_eq!(news(&timeline, seen), [1]);
        let seen = timeline.revision;
        command(&mut timeline, 2);
        assert_eq!(news(&timeline, seen), [2]);
        answer(&mut timeline, 1);
        assert_eq!(news(&timeline, timeline.revision - 1), [1]);
    }

    proptest! {
        #[test]
        fn answers_in_order_find_their_commands(queued in prop::collection::vec(1usize..5, 0..40)) {
            let mut timeline = Timeline::default();
            let (mut next, mut due) = (1, 1);
            for count in queued {
                for _ in 0..count {
                    command(&mut timeline, next);
                    next += 1;
                }
                answer(&mut timeline, due);
                due += 1;
            }
            for (number, is_answered) in answered(&timeline) {
                prop_assert_eq!(is_answered, number < due);
            }
        }

        #[test]
        fn what_is_new_is_told_by_its_revision(commands in 1u32..600, unseen in 1u32..4) {
            let mut timeline = Timeline::default();
            for id in 1..=commands {
                command(&mut timeline, id);
            }
            let entries = timeline.entries();
            prop_assert_eq!(entries.last().map(|it| it.number), Some(commands));
            let since = timeline.revision - unseen.min(commands);
            let news = entries.iter().filter(|it| it.revision > since).count() as u32;
            prop_assert_eq!(news, unseen.min(commands));
        }
    }
}
