//! Whoever watches a call and knows the rules of Order and Hangup: every action passes here, and a broken rule panics.

use crate::{
    call::{Action, Call, Note},
    proto::{
        CallEnded, CallEvent, CommandResult, Hangup, Resumption, call_ended::Reason,
        call_event::Event, resumption,
    },
};
use std::collections::VecDeque;

/// What a call has done so far.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// The line at Asterisk that has no reply yet.
    pub(super) line: Option<String>,
    pub(super) lines: Vec<String>,
    /// Ids of commands sent to the call and not answered, oldest first.
    pub(super) asked: VecDeque<u32>,
    pub(super) results: Vec<CommandResult>,
    pub(super) hangups: Vec<Hangup>,
    pub(super) ended: Option<CallEnded>,
    pub(super) events: Vec<Event>,
    pub(super) half_closed: bool,
    pub(super) closed: bool,
    pub(super) finished: bool,
    pub(super) dropped: bool,
    /// Another service is sought.
    pub(super) seeking: bool,
    pub(super) resumptions: Vec<Resumption>,
    pub(super) notes: Vec<Note>,
    /// Keys that the manager is to press.
    pub(super) pressed: Vec<&'static str>,
    /// What went to a program that speaks AGI itself.
    pub(super) relayed: String,
    /// The last words of a forced end may be several lines, and overtake a reply.
    pub(super) forced: bool,
    /// The caller was gone when these lines were written.
    pub(super) lines_after_hangup: Vec<String>,
}

impl Watch {
    /// Takes all that the call asks for.
    pub(super) fn drain(&mut self, call: &mut Call) {
        while let Some(action) = call.poll_action() {
            assert!(!self.closed, "Close is the last action, then came {action:?}");
            match action {
                Action::Write(bytes) => self.written(&bytes, call),
                Action::Event(event) => self.event(*event),
                Action::Result { event, .. } => {
                    assert!(matches!(event.event, Some(Event::Result(_))));
                    self.event(*event);
                }
                Action::Reopen { resumption, .. } => self.reopened(*resumption),
                Action::Relay { bytes, .. } => {
                    assert!(!self.finished && !self.dropped, "nobody is there to read {bytes:?}");
                    self.relayed.push_str(&String::from_utf8_lossy(&bytes));
                }
                Action::RelayHangup { .. } => self.relayed.push_str("(HANGUP)\n"),
                Action::FinishService => self.finished = true,
                Action::DropService => (self.dropped, self.seeking) = (true, false),
                Action::Press(key) => self.pressed.push(key.digit()),
                Action::Noted(note) => self.notes.push(note),
                Action::HalfClose => self.half_closed = true,
                Action::Close => self.closed = true,
            }
        }
        assert_eq!(call.is_ended(), self.closed, "a call that has ended closes its socket");
        assert_eq!(call.poll_timeout().is_none(), self.closed, "a wait without a deadline");
        if let Some(outcome) = call.outcome() {
            assert!(self.half_closed || self.closed, "{outcome:?} before the session was ended");
        }
    }

    fn written(&mut self, bytes: &[u8], call: &Call) {
        assert!(!self.half_closed, "nothing is written after the half-close");
        let text = String::from_utf8(bytes.to_vec()).expect("the test sends UTF-8 only");
        assert!(text.ends_with('\n'), "a whole line");
        if call.outcome().is_some() {
            // The last words: nothing is waited for any more.
            return self.lines.extend(text.lines().map(str::to_owned));
        }
        assert_eq!(text.lines().count(), 1, "one line at a time");
        if !self.forced {
            assert_eq!(self.line, None, "Order 1: {text:?} while a command is at Asterisk");
        }
        if call.is_hung_up() {
            self.lines_after_hangup.push(text.clone());
        }
        self.lines.push(text.trim_end().to_owned());
        self.line = Some(text);
    }

    /// The service is gone, and the next one shall know all that it needs.
    fn reopened(&mut self, resumption: Resumption) {
        let handed_over = resumption.cause() == resumption::Cause::Handoff;
        assert!(self.dropped || handed_over && self.finished, "the old stream is over first");
        if let Some(running) = &resumption.running {
            assert_eq!(
                self.asked.front(),
                Some(&running.id),
                "the oldest command has no result yet"
            );
            assert!(running.command.is_some());
        }
        let told = |id: u32| self.results.iter().any(|result| result.id == id);
        assert!(resumption.results.iter().all(|result| told(result.id)), "they were told before");
        assert!(resumption.results.is_sorted_by_key(|result| result.id) || self.refused_ids());
        let newest = self.results.iter().map(|result| result.id).chain(self.asked.iter().copied());
        assert!(newest.max().unwrap_or(0) >= resumption.last_command_id);
        (self.dropped, self.finished, self.ended) = (false, false, None);
        self.seeking = true;
        self.resumptions.push(resumption);
    }

    /// Ids that were not above the last one are answered too, and stand out of order.
    fn refused_ids(&self) -> bool {
        !self.results.is_sorted_by_key(|result| result.id)
    }

    fn event(&mut self, event: CallEvent) {
        let event = event.event.expect("an event says something");
        assert_eq!(self.ended, None, "CallEnded is the last event, then came {event:?}");
        assert!(
            !self.finished && !self.dropped && !self.seeking,
            "no event for a stream that is over: {event:?}"
        );
        match &event {
            Event::Result(result) => {
                let next = self.asked.pop_front();
                assert_eq!(next, Some(result.id), "Order 2: one result each, in order");
                assert!(result.outcome.is_some());
                self.results.push(result.clone());
            }
            Event::Hangup(hangup) => {
                assert!(self.hangups.is_empty(), "exactly one Hangup");
                self.hangups.push(*hangup);
            }
            Event::Ended(ended) => {
                let goes_on = ended.reason() == Reason::Handoff;
                assert!(
                    goes_on || self.asked.is_empty(),
                    "unanswered at the end: {:?}",
                    self.asked
                );
                self.ended = Some(ended.clone());
            }
            Event::Progress(progress) => assert_eq!(self.asked.front(), Some(&progress.id)),
            Event::Started(_) | Event::Draining(_) | Event::Digit(_) | Event::Heartbeat(_) => {}
        }
        self.events.push(event);
    }
}
