//! The call machine: ids, order, pending results, hangup and end of one call. It knows no transport and no clock.
//!
//! A transport gives it events with [`Machine::event`], and takes controls with [`Machine::poll_control`]. What waits
//! here is bounded by what the handler waits for: a command whose future is dropped leaves the queue, and of checkpoints
//! that follow each other only the newest is kept.

mod digits;
mod stream;

use crate::{
    digits::PressedDigit,
    error::{Code, CommandError, Error},
    facts::{Ended, Hangup},
    proto::{self, call_control::Control},
    results::Outcome,
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::SystemTime,
};
use tokio::sync::{oneshot, watch};

tokio::task_local! {
    /// The machine whose handler this task is, by its address: a call that was left in a global is found out by it.
    pub(crate) static CURRENT: usize;
}

/// What a message of the stream may weigh.
const MESSAGE_MAX: usize = 4 << 20;

/// How many commands may be unanswered when the bridge does not say.
const ROOM: usize = 32;

pub(crate) type Answer = Result<Outcome, Error>;

/// Told what comes before a command's result.
pub(crate) type Progress = Box<dyn FnMut(&str) + Send>;

/// A command on its way to the bridge.
pub(crate) struct Submission {
    pub(crate) name: &'static str,
    pub(crate) command: proto::Command,
    pub(crate) progress: Option<Progress>,
    pub(crate) answer: oneshot::Sender<Answer>,
}

impl fmt::Debug for Submission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submission").field("command", &self.command).finish_non_exhaustive()
    }
}

/// How the stream ends from this side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Close {
    /// All is said.
    Done,
    /// The handler failed.
    Failed(String),
    /// Another instance shall take the call.
    Released(String),
}

/// What others may wait for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signals {
    pub(crate) gone: bool,
    pub(crate) hangup: Option<Hangup>,
    /// The caller was gone before this handler had the call, so that the hangup may not be told any more.
    pub(crate) gone_before: bool,
    pub(crate) draining: Option<SystemTime>,
    pub(crate) ended: Option<Ended>,
    /// Why nothing more comes on this stream, where that is not `ended`.
    pub(crate) lost: Option<String>,
}

impl Signals {
    /// No event comes any more.
    pub(crate) fn over(&self) -> bool {
        self.ended.is_some() || self.lost.is_some()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// `end` was sent.
    Ending,
    HandedOff,
    Released,
    /// The handler is over.
    Returned,
}

enum Queued {
    Command(u32, Box<Submission>),
    Other(Box<Control>),
}

struct Unanswered {
    name: &'static str,
    answer: oneshot::Sender<Answer>,
    progress: Option<Progress>,
    cancelled: bool,
    interrupted: bool,
}

struct State {
    phase: Phase,
    room: usize,
    last_id: u32,
    /// Ahead of everything that waits: cancels, the handoff.
    urgent: VecDeque<Control>,
    queue: VecDeque<Queued>,
    unanswered: BTreeMap<u32, Unanswered>,
    /// Results that came, and that the handler has not looked at.
    unread: BTreeSet<u32>,
    last_result: u32,
    running: Option<(u32, watch::Sender<Option<Answer>>)>,
    running_interrupted: bool,
    /// Keys that nobody took.
    digits: VecDeque<PressedDigit>,
    digits_dropped: bool,
    close: Option<Close>,
    waker: Option<Waker>,
}

pub(crate) struct Machine {
    state: Mutex<State>,
    signals: watch::Sender<Signals>,
    /// For those who wait for a key: one came, or no command runs any more. Counts the latter.
    news: watch::Sender<u64>,
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine").finish_non_exhaustive()
    }
}

impl Machine {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                phase: Phase::Running,
                room: ROOM,
                last_id: 0,
                urgent: VecDeque::new(),
                queue: VecDeque::new(),
                unanswered: BTreeMap::new(),
                unread: BTreeSet::new(),
                last_result: 0,
                running: None,
                running_interrupted: false,
                digits: VecDeque::new(),
                digits_dropped: false,
                close: None,
                waker: None,
            }),
            signals: watch::Sender::new(Signals::default()),
            news: watch::Sender::new(0),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of what `started` says before the handler begins.
    pub(crate) fn begin(&self, started: &proto::CallStarted) {
        let mut state = self.state();
        if started.max_queued_commands > 0 {
            state.room = usize::try_from(started.max_queued_commands).unwrap_or(usize::MAX);
        }
        if let Some(before) = &started.resumption {
            state.last_id = before.last_command_id;
            state.last_result = before.results.iter().map(|it| it.id).max().unwrap_or_default();
            state.running = before.running.as_ref().map(|it| (it.id, watch::Sender::new(None)));
            self.signals.send_modify(|signals| {
                signals.gone = before.hung_up;
                signals.gone_before = before.hung_up;
            });
        }
    }

    pub(crate) fn running(&self) -> Option<watch::Receiver<Option<Answer>>> {
        self.state().running.as_ref().map(|(_, sender)| sender.subscribe())
    }

    pub(crate) fn signals(&self) -> watch::Receiver<Signals> {
        self.signals.subscribe()
    }

    pub(crate) fn gone(&self) -> bool {
        self.signals.borrow().gone
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Runs the handler so that it knows its own call.
    pub(crate) fn scope<F: Future>(&self, handler: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self.address(), handler)
    }

    /// Why a command cannot be sent now, if it cannot.
    fn permitted(&self, state: &State, what: &'static str) -> Result<(), Error> {
        self.misused(state, what)?;
        if self.signals.borrow().over() { Err(self.over(what)) } else { Ok(()) }
    }

    /// Why whoever runs now may not use the call, if so.
    fn misused(&self, state: &State, what: &'static str) -> Result<(), Error> {
        if CURRENT.try_with(|it| *it != self.address()) == Ok(true) {
            return Err(Error::misuse(format!(
                "{what} on the call of another handler: use the `Call` that this handler was given, and keep no `Call` \
                 where others find it"
            )));
        }
        match state.phase {
            Phase::Returned => Err(Error::misuse(format!(
                "{what} on a call whose handler has returned: finish all work on a call before its handler returns"
            ))),
            Phase::HandedOff => Err(Error::misuse(format!(
                "{what} after `handoff`: the call belongs to the other route now; return from the handler"
            ))),
            Phase::Released => Err(Error::misuse(format!(
                "{what} after `release`: another instance has the call now; return from the handler"
            ))),
            Phase::Running | Phase::Ending => Ok(()),
        }
    }

    /// What a command gets that can have no result any more.
    pub(crate) fn over(&self, name: &'static str) -> Error {
        let signals = self.signals.borrow();
        match (&signals.ended, &signals.lost) {
            (Some(_), _) if signals.gone => Error::HungUp,
            (Some(ended), _) => {
                let detail = format!("the session is over: {:?}, {}", ended.reason, ended.detail);
                CommandError::new(name, Code::CallEnded, detail).into()
            }
            (None, Some(why)) => Error::Lost(why.clone()),
            (None, None) => Error::Lost("the stream is closed".to_owned()),
        }
    }

    /// Queues commands behind each other, and gives their ids. None of them is sent when one cannot be.
    pub(crate) fn submit(&self, commands: Vec<Submission>) -> Result<Vec<u32>, Error> {
        let mut state = self.state();
        for it in &commands {
            self.permitted(&state, it.name)?;
            fits(it.name, prost::Message::encoded_len(&it.command))?;
        }
        let count = u32::try_from(commands.len()).unwrap_or(u32::MAX);
        if state.last_id.checked_add(count).is_none() {
            return Err(Error::misuse("all ids of commands are used up: end the call"));
        }
        let mut ids = Vec::with_capacity(commands.len());
        for mut it in commands {
            state.last_id += 1;
            it.command.id = state.last_id;
            ids.push(state.last_id);
            let id = state.last_id;
            state.queue.push_back(Queued::Command(id, Box::new(it)));
        }
        state.wake();
        Ok(ids)
    }

    /// Takes a command back, unless it has its result. One that was not sent is answered here.
    pub(crate) fn cancel(&self, id: u32) {
        // What is dropped may run the handler's own code, so it is dropped after the lock.
        let mut dropped = Vec::new();
        let mut state = self.state();
        let place = state.queue.iter().position(|it| it.id() == Some(id));
        if let Some(place) = place {
            while let Some(Queued::Command(_, it)) = state.queue.get(place) {
                if !dropped.is_empty() && !it.command.requires_success {
                    break;
                }
                dropped.extend(state.queue.remove(place));
            }
        } else if let Some(it) = state.unanswered.get_mut(&id)
            && !mem::replace(&mut it.cancelled, true)
        {
            let cancel = proto::CancelCommand { id, interrupt: false };
            state.urgent.push_back(Control::Cancel(cancel));
        }
        state.wake();
        self.tell_idle(&state);
        drop(state);
        let mut code = Code::Cancelled;
        for it in dropped {
            it.refuse(code, "taken back before it was sent");
            code = Code::Skipped;
        }
    }

    /// The handler has looked at the result of this command, or will never do so.
    pub(crate) fn consumed(&self, id: u32) {
        self.state().unread.remove(&id);
    }

    pub(crate) fn checkpoint(&self, bytes: Vec<u8>) -> Result<(), Error> {
        let mut state = self.state();
        self.permitted(&state, "a checkpoint")?;
        fits("a checkpoint", bytes.len())?;
        let last = state.unread.first().map_or(state.last_result, |unread| unread - 1);
        let it = proto::Checkpoint { state: bytes, last_result_id: Some(last) };
        let control = Box::new(Control::Checkpoint(it));
        match state.queue.back_mut() {
            Some(Queued::Other(before)) if matches!(**before, Control::Checkpoint(_)) => {
                *before = control;
            }
            _ => state.queue.push_back(Queued::Other(control)),
        }
        state.wake();
        Ok(())
    }

    /// `false` when the session is over already, with `ended`.
    pub(crate) fn end(&self, end: proto::EndCall) -> Result<bool, Error> {
        let mut state = self.state();
        if state.phase == Phase::Running && self.signals.borrow().ended.is_some() {
            return Ok(false);
        }
        self.permitted(&state, "`end`")?;
        if state.phase == Phase::Ending {
            return Err(Error::misuse("`end` for the second time: a call is ended once"));
        }
        fits("`end`", prost::Message::encoded_len(&end))?;
        state.push_end(end);
        Ok(true)
    }

    pub(crate) fn handoff(&self, handoff: proto::Handoff) -> Result<(), Error> {
        let mut state = self.state();
        self.permitted(&state, "`handoff`")?;
        if state.phase == Phase::Ending {
            return Err(Error::misuse("`handoff` after `end`: the call is ending already"));
        }
        fits("`handoff`", prost::Message::encoded_len(&handoff))?;
        state.phase = Phase::HandedOff;
        let unsent = state.take_commands();
        state.urgent.push_back(Control::Handoff(handoff));
        state.wake();
        drop(state);
        for it in unsent {
            it.refuse(Code::Cancelled, "the call was handed over before it was sent");
        }
        Ok(())
    }

    /// As [`Self::release`], by the handler itself.
    pub(crate) fn release_own(&self, reason: &str) -> Result<(), Error> {
        self.permitted(&self.state(), "`release`")?;
        self.release(reason);
        Ok(())
    }
}

impl State {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn push_end(&mut self, end: proto::EndCall) {
        self.phase = if self.phase == Phase::Returned { Phase::Returned } else { Phase::Ending };
        self.queue.push_back(Queued::Other(Box::new(Control::End(end))));
        self.wake();
    }

    /// A command goes out, and its result is waited for.
    fn sent(&mut self, id: u32, it: Submission) -> Control {
        let Submission { name, command, progress, answer } = it;
        self.unanswered.insert(
            id,
            Unanswered { name, answer, progress, cancelled: false, interrupted: false },
        );
        Control::Command(command)
    }

    /// Lets the commands that the bridge has room for go out before the stream's end, though nobody waits for their results.
    fn send_before_the_end(&mut self) {
        for it in mem::take(&mut self.queue) {
            let it = match it {
                Queued::Command(id, it) if self.unanswered.len() < self.room => {
                    Queued::Other(Box::new(self.sent(id, *it)))
                }
                it @ (Queued::Command(..) | Queued::Other(_)) => it,
            };
            self.queue.push_back(it);
        }
    }

    /// Takes out the commands that were not sent; checkpoints go out now.
    fn take_commands(&mut self) -> Vec<Queued> {
        let (commands, others) =
            mem::take(&mut self.queue).into_iter().partition::<Vec<_>, _>(|it| it.id().is_some());
        for it in others {
            if let Queued::Other(control) = it {
                self.urgent.push_back(*control);
            }
        }
        commands
    }
}

impl Queued {
    fn id(&self) -> Option<u32> {
        match self {
            Self::Command(id, _) => Some(*id),
            Self::Other(_) => None,
        }
    }

    /// Answers a command that is not sent any more.
    fn refuse(self, code: Code, why: &str) {
        if let Self::Command(_, it) = self {
            let _gone = it.answer.send(Err(CommandError::new(it.name, code, why).into()));
        }
    }
}

fn fits(what: &str, size: usize) -> Result<(), Error> {
    if size < MESSAGE_MAX {
        return Ok(());
    }
    Err(Error::misuse(format!(
        "{what} has {size} bytes, and a message of the stream {MESSAGE_MAX} at most: send less"
    )))
}
