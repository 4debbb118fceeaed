//! A command at Asterisk that the service wants stopped: a key is pressed for it, and kept from the next command and from the digits
//! that the service is told. Knows no manager.

use super::{
    Action, KEY_TIMEOUT, PRESS_TIMEOUT, Pressed,
    machine::Call,
    state::{State, duration},
};
use crate::{
    agi::{Incoming, Key},
    proto::{CallEvent, Digit, call_event::Event},
};
use std::time::Duration;

/// A key is pressed so often before the command is left alone.
const PRESSES_MAX: u8 = 3;
/// How long the manager's word of a `#` of our own may take.
const OWN_HASH_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the key is that was pressed last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Interrupt {
    /// Nowhere: it was taken, or there was none.
    #[default]
    No,
    /// The manager was asked to press it, and has not answered.
    Asked {
        key: Key,
        /// When the answer is no longer waited for.
        by: Duration,
        left: Left,
    },
    /// It was pressed, and the command still runs. Asterisk drops a key that comes just before it begins the command: then it is
    /// pressed again.
    Pressed { key: Key, again: Duration },
    /// It was pressed, and the command was over before: until then it may reach whoever reads digits.
    Loose(Duration),
}

/// What the command left of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// It still runs.
    Unknown,
    Nothing,
    /// It ended by something else.
    Key,
}

impl Call {
    /// The manager was asked to press a key, and this came of it.
    pub fn handle_pressed(&mut self, pressed: Pressed, now: Duration) {
        if let Interrupt::Asked { key, left, .. } = self.interrupt {
            if pressed == Pressed::No {
                self.own_hashes = self.own_hashes.saturating_sub(1);
            }
            self.interrupt = match (left, pressed) {
                (_, Pressed::No) | (Left::Nothing, _) => Interrupt::No,
                (Left::Unknown, Pressed::Yes | Pressed::Perhaps) => {
                    Interrupt::Pressed { key, again: now + KEY_TIMEOUT }
                }
                (Left::Key, Pressed::Yes | Pressed::Perhaps) => Interrupt::Loose(now + KEY_TIMEOUT),
            };
            self.advance(now);
        }
    }

    /// The manager says that the caller pressed a key, for so long.
    pub fn handle_digit(&mut self, digit: char, held: Duration, now: Duration) {
        if !matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D') {
            return; // the cancel key
        }
        if digit == '#' && self.own_hashes > 0 && now < self.own_hash_until {
            self.own_hashes -= 1;
            return;
        }
        let event =
            Event::Digit(Digit { digit: digit.to_string(), duration: Some(duration(held)) });
        match &mut self.state {
            State::Resuming(resuming) => {
                let event = CallEvent { event: Some(event) };
                resuming.keep_digit(Action::Event(Box::new(event)));
            }
            State::Driven { .. } => self.event(event, now),
            State::Opening
            | State::Relayed(_)
            | State::Ending(_)
            | State::Closing { .. }
            | State::Ended(_) => {}
        }
    }

    /// Stops the command if it is at Asterisk and one that can be stopped.
    pub(super) fn interrupt(&mut self, id: u32, now: Duration) {
        let running = self.running.as_ref();
        // Also after its own timeout: it holds up those behind it.
        let running = running.filter(|it| it.command.as_ref().is_some_and(|it| it.id == id));
        if self.interrupt == Interrupt::No
            && let Some(key) = running.and_then(|running| running.exchange.key())
        {
            self.press(key, now);
        }
    }

    fn press(&mut self, key: Key, now: Duration) {
        self.presses = self.presses.saturating_add(1);
        self.interrupt = Interrupt::Asked { key, by: now + PRESS_TIMEOUT, left: Left::Unknown };
        if key == Key::Hash {
            self.own_hashes =
                if now < self.own_hash_until { self.own_hashes.saturating_add(1) } else { 1 };
            self.own_hash_until = now + OWN_HASH_TIMEOUT;
        }
        self.actions.push_back(Action::Press(key));
    }

    /// The command at Asterisk is answered: what of a key that was pressed for it?
    pub(super) fn answers_key(&mut self, said: &Incoming, now: Duration) {
        // Of several that were pressed it took one.
        let is_spent = |key: Key| self.presses == 1 && key.is_spent(said);
        self.interrupt = match self.interrupt {
            Interrupt::Asked { key, by, left: Left::Unknown } => {
                let left = if is_spent(key) { Left::Nothing } else { Left::Key };
                Interrupt::Asked { key, by, left }
            }
            Interrupt::Pressed { key, .. } if is_spent(key) => Interrupt::No,
            Interrupt::Pressed { .. } => Interrupt::Loose(now + KEY_TIMEOUT),
            known @ (Interrupt::No | Interrupt::Asked { .. } | Interrupt::Loose(_)) => known,
        };
    }

    /// Whether a key may be on its way that is not for the next command.
    pub(super) fn is_key_about(&self) -> bool {
        matches!(self.interrupt, Interrupt::Asked { .. } | Interrupt::Loose(_))
    }

    /// When something is to be done about it.
    pub(super) fn key_timeout(&self) -> Option<Duration> {
        match self.interrupt {
            Interrupt::Asked { by: at, .. }
            | Interrupt::Pressed { again: at, .. }
            | Interrupt::Loose(at) => Some(at),
            Interrupt::No => None,
        }
    }

    pub(super) fn time_out_key(&mut self, now: Duration) {
        if self.key_timeout().is_none_or(|at| now < at) {
            return;
        }
        match self.interrupt {
            Interrupt::Asked { .. } => self.handle_pressed(Pressed::Perhaps, now),
            Interrupt::Pressed { .. } => {
                let key = self.running.as_ref().and_then(|running| running.exchange.key());
                match key.filter(|_| self.presses < PRESSES_MAX) {
                    Some(key) => self.press(key, now),
                    None => self.interrupt = Interrupt::No,
                }
            }
            Interrupt::Loose(_) | Interrupt::No => self.interrupt = Interrupt::No,
        }
    }
}
