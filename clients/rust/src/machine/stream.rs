//! The machine's other side: the events of the bridge, the end of the stream, and what is sent next.

use super::{Close, Machine, Phase, Queued, State};
use crate::{
    facts::{self, Ended},
    proto::{self, CallControl, CallEvent, call_control::Control, call_event::Event},
    time,
};
use std::{
    collections::VecDeque,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::MutexGuard,
    task::{Context, Poll},
    time::SystemTime,
};

impl Machine {
    /// Lets the call go to another instance. Does nothing once it has ended.
    pub(crate) fn release(&self, reason: &str) {
        let mut state = self.state();
        if self.signals.borrow().over() || state.close.is_some() {
            return;
        }
        if state.phase != Phase::Returned {
            state.phase = Phase::Released;
        }
        state.close = Some(Close::Released(reason.to_owned()));
        state.send_before_the_end();
        state.wake();
        self.lose(state, &format!("released: {reason}"));
    }

    /// The handler is over: ends the session, unless that is done.
    pub(crate) fn returned(&self, failed: Option<String>) {
        let mut state = self.state();
        let before = mem::replace(&mut state.phase, Phase::Returned);
        if state.close.is_some() || self.signals.borrow().over() {
            return;
        }
        match (before, failed) {
            (Phase::Running | Phase::Ending, Some(why)) => {
                state.close = Some(Close::Failed(why.clone()));
                state.wake();
                self.lose(state, &why);
            }
            (Phase::Running, None) => state.push_end(proto::EndCall::default()),
            _ => {}
        }
    }

    /// Ends the stream from this side.
    pub(crate) fn close(&self, close: Close) {
        let mut state = self.state();
        state.close.get_or_insert(close);
        state.wake();
    }

    /// Nothing more comes on this stream.
    pub(crate) fn lost(&self, why: &str) {
        let state = self.state();
        if !self.signals.borrow().over() {
            self.lose(state, why);
        }
    }

    fn lose(&self, state: MutexGuard<'_, State>, why: &str) {
        self.signals.send_modify(|signals| signals.lost = Some(why.to_owned()));
        self.fail_all(state);
    }

    /// Answers everything that is unanswered, now that no result can come.
    fn fail_all(&self, mut state: MutexGuard<'_, State>) {
        let unanswered = mem::take(&mut state.unanswered);
        let queue = mem::take(&mut state.queue);
        let mut kept = VecDeque::new();
        let mut unsent = Vec::new();
        for it in queue {
            match it {
                Queued::Command(_, it) => unsent.push((it.name, it.answer)),
                it @ Queued::Other(_) => kept.push_back(it),
            }
        }
        state.queue = kept;
        if let Some((_, running)) = &state.running
            && running.borrow().is_none()
        {
            running.send_replace(Some(Err(self.over("the running command"))));
        }
        drop(state);
        let unanswered = unanswered.into_values().map(|it| (it.name, it.answer));
        for (name, answer) in unanswered.chain(unsent) {
            let _gone = answer.send(Err(self.over(name)));
        }
    }

    /// An event of the bridge. What does not fit is ignored: nothing that comes may break the process.
    pub(crate) fn event(&self, event: CallEvent) {
        match event.event {
            // An event of a newer contract.
            None => {}
            Some(Event::Digit(it)) => self.digit(it),
            Some(Event::Heartbeat(it)) => {
                let mut state = self.state();
                // Where anything waits to be sent, proxies on the way see traffic enough.
                if state.close.is_none() && state.urgent.is_empty() {
                    state.urgent.push_back(Control::Heartbeat(it));
                    state.wake();
                }
            }
            Some(Event::Started(_)) => tracing::warn!("the bridge sent `started` twice; ignored"),
            Some(Event::Progress(it)) => self.progress(&it),
            Some(Event::Result(it)) => self.result(it),
            Some(Event::Hangup(it)) => self.signals.send_modify(|signals| {
                signals.gone = true;
                signals.hangup.get_or_insert_with(|| it.into());
            }),
            Some(Event::Draining(it)) => self.signals.send_modify(|signals| {
                signals.draining =
                    Some(it.deadline.and_then(time::moment).unwrap_or(SystemTime::UNIX_EPOCH));
            }),
            Some(Event::Ended(it)) => {
                let ended: Ended = it.into();
                self.signals.send_modify(|signals| {
                    signals.gone |= ended.reason == facts::EndReason::Hangup;
                    signals.ended = Some(ended);
                });
                let mut state = self.state();
                state.queue.retain(|it| matches!(it, Queued::Command(..)));
                state.urgent.clear();
                state.close.get_or_insert(Close::Done);
                state.wake();
                self.fail_all(state);
            }
        }
    }

    fn progress(&self, it: &proto::CommandProgress) {
        // Taken out while it runs: it may use the call.
        let told = self.state().unanswered.get_mut(&it.id).and_then(|it| it.progress.take());
        let Some(mut told) = told else { return };
        if catch_unwind(AssertUnwindSafe(|| told(&it.text))).is_err() {
            tracing::error!("`on_progress` of command {} panicked; it is not told more", it.id);
        } else if let Some(unanswered) = self.state().unanswered.get_mut(&it.id) {
            unanswered.progress = Some(told);
        }
    }

    fn result(&self, it: proto::CommandResult) {
        if it.hung_up && !self.gone() {
            self.signals.send_modify(|signals| signals.gone = true);
        }
        let gone = self.gone();
        let mut state = self.state();
        state.last_result = state.last_result.max(it.id);
        if let Some(unanswered) = state.unanswered.remove(&it.id) {
            state.unread.insert(it.id);
            state.wake();
            self.tell_idle(&state);
            drop(state);
            let answer = facts::read(unanswered.name, it.outcome, gone);
            if unanswered.answer.send(answer).is_err() {
                self.consumed(it.id);
            }
        } else if let Some((_, running)) = state.running.as_ref().filter(|(id, _)| *id == it.id) {
            running.send_replace(Some(facts::read("the running command", it.outcome, gone)));
            state.unread.insert(it.id);
            self.tell_idle(&state);
        } else {
            // Of the service before, most likely: what it had queued is CANCELLED behind `started`.
            tracing::debug!(
                id = it.id,
                "a result of a command that this handler did not send; ignored"
            );
        }
    }

    /// What to send next. The error says how the stream ends, and nothing comes after it.
    pub(crate) fn poll_control(&self, cx: &mut Context<'_>) -> Poll<Result<CallControl, Close>> {
        let mut state = self.state();
        if let Some(control) = state.urgent.pop_front() {
            return Poll::Ready(Ok(CallControl { control: Some(control) }));
        }
        let full = state.unanswered.len() >= state.room;
        match state.queue.front() {
            Some(Queued::Command(..)) if full => {}
            Some(_) => {
                let control = match state.queue.pop_front() {
                    Some(Queued::Command(id, it)) => Some(state.sent(id, *it)),
                    Some(Queued::Other(control)) => Some(*control),
                    None => None,
                };
                return Poll::Ready(Ok(CallControl { control }));
            }
            None => {
                if let Some(close) = &state.close {
                    return Poll::Ready(Err(close.clone()));
                }
            }
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}
