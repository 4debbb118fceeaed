//! Dead air: how long the caller of an answered channel heard nothing because nobody had sent a command. Knows what commands
//! do to a caller's ear, and no states of a call.
//!
//! - **Answered** is what a reply has shown: ANSWER that was done, CHANNEL STATUS of the call's own channel that says up, or
//!   a command that played or recorded without an error. Asterisk's prelude does not tell it, and nothing is asked for it:
//!   what came before the first such reply is not counted.
//! - **Silence** runs while no command is at Asterisk, whoever is to send the next one: a service that thinks, or none, as
//!   another one is sought. It does not run while music or tones are on, nor once the caller is gone, the service has
//!   ended the session, or the bridge says its own last lines.
//! - A **spell** is the silence up to the next command that the caller notices, or to the end of all this. Commands
//!   in between that he does not notice, as SET VARIABLE, do not end it, and the time that they take is not counted: a
//!   command had been sent.

use crate::agi::{Effect, Said};
use std::time::Duration;

/// The silence of one call.
#[derive(Debug, Default)]
pub(super) struct DeadAir {
    answered: bool,
    /// Music or tones are on.
    sound: bool,
    /// Since when silence runs, if it does.
    since: Option<Duration>,
    /// Of the present spell, up to `since`.
    spell: Duration,
    /// Of the whole call, up to `since`.
    total: Duration,
}

impl DeadAir {
    /// How things stand when all has been done that can be: `idle`, when nothing is at Asterisk and somebody should send
    /// something.
    pub(super) fn listen(&mut self, idle: bool, now: Duration) {
        if idle && self.answered && !self.sound {
            self.since.get_or_insert(now);
        } else {
            self.pause(now);
        }
    }

    /// A command goes to Asterisk. Gives the spell that it ends, if it does.
    pub(super) fn written(&mut self, effect: Effect, now: Duration) -> Option<Duration> {
        self.pause(now);
        match effect {
            // A file that plays stops music and tones.
            Effect::Plays => {
                self.sound = false;
                self.end(now)
            }
            Effect::Waits => self.end(now),
            Effect::Unnoticed
            | Effect::Answers
            | Effect::AsksState
            | Effect::SoundOn
            | Effect::SoundOff => None,
        }
    }

    /// Asterisk answered it. Gives the spell that ends, if one does.
    pub(super) fn replied(
        &mut self,
        effect: Effect,
        said: Said,
        now: Duration,
    ) -> Option<Duration> {
        self.answered |= said.shows_answered(effect);
        match (effect, said) {
            (Effect::SoundOn, Said::Done | Said::Number(0..)) => {
                self.sound = true;
                self.end(now)
            }
            (Effect::SoundOff, Said::Done | Said::Number(_)) => {
                self.sound = false;
                None
            }
            _ => None,
        }
    }

    /// The spell is over, whatever follows. Gives its length if there was one.
    pub(super) fn end(&mut self, now: Duration) -> Option<Duration> {
        self.pause(now);
        let spell = std::mem::take(&mut self.spell);
        (!spell.is_zero()).then_some(spell)
    }

    /// All of it so far; and since when more of it runs, if it does.
    pub(super) fn total(&self) -> (Duration, Option<Duration>) {
        (self.total, self.since)
    }

    fn pause(&mut self, now: Duration) {
        if let Some(since) = self.since.take() {
            let silent = now.saturating_sub(since);
            self.spell += silent;
            self.total += silent;
        }
    }
}
