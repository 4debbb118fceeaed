//! Keys that the caller presses between commands: they wait here, in order, until the handler takes them.

use super::{Machine, Queued, State};
use crate::{
    digits::PressedDigit,
    error::{Code, Error},
    proto::{self, call_control::Control},
};
use std::{collections::VecDeque, mem, time::Duration};
use tokio::time::{Instant, sleep_until};

/// Keys that nobody took; as many as the bridge keeps. A caller presses some ten a second at most.
const WAITING_MAX: usize = 64;

impl Machine {
    pub(super) fn digit(&self, it: proto::Digit) {
        let mut state = self.state();
        if state.digits.len() < WAITING_MAX {
            // One without a digit is none.
            state.digits.extend(PressedDigit::new(it));
        } else if !mem::replace(&mut state.digits_dropped, true) {
            tracing::warn!(
                "{WAITING_MAX} keys of the caller wait to be taken, and newer ones are dropped: take them by `next_digit` or \
                 `take_digits`, or set no `digits` on the route"
            );
        }
        drop(state);
        self.news.send_modify(|_| {});
    }

    /// Tells those who wait for a key, when no command runs any more.
    pub(super) fn tell_idle(&self, state: &State) {
        if !state.is_busy() {
            self.news.send_modify(|idles| *idles += 1);
        }
    }

    /// Takes the oldest key, or waits for one; `None` when there was none for so long while no command ran.
    pub(crate) async fn next_digit(
        &self,
        timeout: Option<Duration>,
    ) -> Result<Option<PressedDigit>, Error> {
        const WHAT: &str = "`next_digit`";
        let (mut signals, mut news) = (self.signals(), self.news.subscribe());
        let (mut since, mut idles) = (Instant::now(), *news.borrow());
        loop {
            signals.mark_unchanged();
            let known = mem::replace(&mut idles, *news.borrow_and_update());
            if known != idles {
                since = Instant::now();
            }
            let busy = {
                let mut state = self.state();
                self.misused(&state, WHAT)?;
                if let Some(oldest) = state.digits.pop_front() {
                    return Ok(Some(oldest));
                }
                self.permitted(&state, WHAT)?;
                state.is_busy()
            };
            if self.gone() {
                return Err(Error::HungUp);
            }
            let until = timeout.filter(|_| !busy).and_then(|timeout| since.checked_add(timeout));
            if until.is_some_and(|until| until <= Instant::now()) {
                return Ok(None);
            }
            tokio::select! {
                _ = news.changed() => {}
                _ = signals.changed() => {}
                () = sleep_until(until.unwrap_or(since)), if until.is_some() => {}
            }
        }
    }

    /// Takes all keys that wait.
    pub(crate) fn take_digits(&self) -> Result<String, Error> {
        let mut state = self.state();
        self.misused(&state, "`take_digits`")?;
        Ok(state.digits.drain(..).map(|it| it.digit).collect())
    }

    /// Takes back what is not written to Asterisk yet, and stops what runs there.
    pub(crate) fn interrupt(&self) -> Result<(), Error> {
        let mut state = self.state();
        self.misused(&state, "`interrupt`")?;
        let (unsent, others) = mem::take(&mut state.queue)
            .into_iter()
            .partition::<VecDeque<Queued>, _>(|it| it.id().is_some());
        state.queue = others;
        // The newest first: else the end of one would have the next one written.
        let sent = state.unanswered.iter_mut().rev();
        let mut ids: Vec<u32> = sent
            .filter_map(|(id, it)| (!mem::replace(&mut it.interrupted, true)).then_some(*id))
            .collect();
        if let Some((id, result)) = &state.running
            && result.borrow().is_none()
            && !state.running_interrupted
        {
            ids.push(*id);
            state.running_interrupted = true;
        }
        for id in ids {
            state.urgent.push_back(Control::Cancel(proto::CancelCommand { id, interrupt: true }));
        }
        state.wake();
        self.tell_idle(&state);
        drop(state);
        for it in unsent {
            it.refuse(Code::Cancelled, "taken back before it was sent");
        }
        Ok(())
    }
}

impl State {
    /// A command runs, or waits to.
    fn is_busy(&self) -> bool {
        let inherited = self.running.as_ref().is_some_and(|(_, result)| result.borrow().is_none());
        inherited || !self.unanswered.is_empty() || self.queue.iter().any(|it| it.id().is_some())
    }
}
