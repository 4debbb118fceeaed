//! Keys between commands, as a handler has them.

use crate::{call::Call, error::Error, proto, time};
use std::{pin::Pin, time::Duration};

/// A key that the caller pressed, on a route with `digits: true`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PressedDigit {
    /// One of 0-9, *, # and A-D.
    pub digit: char,
    /// How long it was held, as Asterisk says.
    pub duration: Duration,
}

impl PressedDigit {
    pub(crate) fn new(it: proto::Digit) -> Option<Self> {
        let duration = it.duration.map(time::duration).unwrap_or_default();
        Some(Self { digit: it.digit.chars().next()?, duration })
    }
}

/// Keys, and what they stop.
impl Call {
    /// Takes the oldest key that the caller pressed and nobody took, or waits for one: await it. With
    /// [`timeout`](NextDigit::timeout) it gives `None` when that is over.
    ///
    /// Up to 64 keys wait, in order, from the begin of this handler; newer ones are dropped, with a warning. A key that a
    /// command took is among them too. To drop the future leaves the key to the next one who asks.
    ///
    /// # Errors
    ///
    /// Once none waits: [`Error::HungUp`] when the caller is gone, [`Error::Command`] with `CALL_ENDED` or [`Error::Lost`]
    /// when the session is over. [`Error::Misuse`] on a call that is not this handler's.
    pub fn next_digit(&self) -> NextDigit {
        NextDigit { call: self.clone(), timeout: None }
    }

    /// Takes all keys that wait, without waiting for more: what was typed ahead. Empty when none wait.
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] on a call that is not this handler's.
    pub fn take_digits(&self) -> Result<String, Error> {
        self.machine.take_digits()
    }

    /// Takes back what was sent and is not written to Asterisk yet ([`Code::Cancelled`](crate::Code::Cancelled)), and stops
    /// the command that runs there: its result comes as if it had ended by itself, a prompt's with no digit, GET DATA's with
    /// what was typed so far. Prompts, SAY, RECORD FILE, WAIT FOR DIGIT and GET DATA can be stopped, where the bridge has a
    /// link to Asterisk's manager; others go on.
    ///
    /// It waits for nothing, asks once for each command, and does nothing when the session is over.
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] on a call that is not this handler's.
    pub fn interrupt(&self) -> Result<(), Error> {
        self.machine.interrupt()
    }
}

/// The wait for a key; see [`Call::next_digit`].
#[derive(Debug, Clone)]
#[must_use = "a key is taken when this is awaited"]
pub struct NextDigit {
    call: Call,
    timeout: Option<Duration>,
}

impl NextDigit {
    /// How long the caller may take. It counts while no command runs; there is no limit unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

impl IntoFuture for NextDigit {
    type Output = Result<Option<PressedDigit>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.call.machine.next_digit(self.timeout).await })
    }
}
