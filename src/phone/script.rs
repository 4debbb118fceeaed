//! What the caller does, and when: the steps of a scenario, keys to type, a hangup at a set time. Pure.

use crate::scenario::{Act, Caller, Step, When};
use std::{collections::VecDeque, time::Duration};

/// Between two keys of one step.
const KEY_GAP: Duration = Duration::from_millis(100);
/// A person's first key after a prompt began.
const FIRST_KEY: Duration = Duration::from_millis(300);

/// The caller's plan.
#[derive(Debug)]
pub(super) struct Script {
    steps: VecDeque<Step>,
    /// When the step in front fires, once what it waits for has come.
    due: Option<Duration>,
    /// When the step before it fired.
    fired: Duration,
    pressing: VecDeque<(Duration, char)>,
    hangup_at: Option<Duration>,
    typing: Typing,
}

/// Keys that go to whatever command asks for them.
#[derive(Debug, Default)]
struct Typing {
    keys: VecDeque<char>,
    due: Option<Duration>,
}

impl Script {
    pub(super) fn new(caller: &Caller, digits: &str, hangup_after: Option<Duration>) -> Self {
        let typing = Typing { keys: digits.chars().collect(), due: None };
        let mut script = Self {
            steps: caller.steps.clone().into(),
            due: None,
            fired: Duration::ZERO,
            pressing: VecDeque::new(),
            hangup_at: hangup_after,
            typing,
        };
        script.next_step(true, Duration::ZERO);
        script
    }

    /// A command begins at Asterisk. `name` is as `GET DATA` or `EXEC Dial`.
    pub(super) fn command_began(&mut self, name: &str, now: Duration) {
        if !self.typing.keys.is_empty() {
            self.typing.due = Some(now + FIRST_KEY);
        }
        let Some(step) = self.steps.front() else { return };
        match &step.when {
            Some(When::Command(wanted)) if self.due.is_none() && matches_name(wanted, name) => {
                self.due = Some(now + step.after);
            }
            Some(When::Idle) => self.due = None,
            Some(When::Command(_) | When::Start) | None => {}
        }
    }

    /// No command runs from now on.
    pub(super) fn idle(&mut self, now: Duration) {
        if let Some(step) = self.steps.front().filter(|step| step.when == Some(When::Idle)) {
            self.due.get_or_insert(now + step.after);
        }
    }

    /// When [`Script::take`] may have something.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let pressing = self.pressing.front().map(|(at, _)| *at);
        [self.due, pressing, self.hangup_at, self.typing.due].into_iter().flatten().min()
    }

    /// The next thing the caller does by now, a single key at a time. `wants` says whether the running command would
    /// take a key; `is_idle`, whether none runs.
    pub(super) fn take(
        &mut self,
        now: Duration,
        is_idle: bool,
        wants: impl Fn(char) -> bool,
    ) -> Option<Act> {
        if self.hangup_at.is_some_and(|at| at <= now) {
            self.hangup_at = None;
            return Some(Act::HangUp);
        }
        if let Some((_, key)) = self.pressing.pop_front_if(|(at, _)| *at <= now) {
            return Some(Act::Press(key.to_string()));
        }
        if self.due.is_some_and(|due| due <= now) {
            return self.fire(now, is_idle);
        }
        self.type_key(now, wants)
    }

    fn fire(&mut self, now: Duration, is_idle: bool) -> Option<Act> {
        self.due = None;
        let step = self.steps.pop_front()?;
        let act = match step.act {
            Act::Press(keys) => {
                let mut keys = keys.chars();
                let first = keys.next()?;
                self.pressing.extend((1..).map(|n| now + KEY_GAP * n).zip(keys));
                Act::Press(first.to_string())
            }
            act @ (Act::HangUp | Act::Text(_) | Act::Redirect(_)) => act,
        };
        self.fired = self.pressing.back().map_or(now, |(at, _)| *at);
        self.next_step(is_idle, now);
        Some(act)
    }

    fn next_step(&mut self, is_idle: bool, now: Duration) {
        let Some(step) = self.steps.front() else { return };
        self.due = match step.when {
            None => Some(self.fired + step.after),
            Some(When::Start) => Some(step.after),
            Some(When::Idle) => is_idle.then(|| now + step.after),
            Some(When::Command(_)) => None,
        };
    }

    fn type_key(&mut self, now: Duration, wants: impl Fn(char) -> bool) -> Option<Act> {
        if self.typing.due? > now {
            return None;
        }
        self.typing.due = None;
        let key = self.typing.keys.pop_front_if(|key| wants(*key))?;
        if key != '#' && !self.typing.keys.is_empty() {
            self.typing.due = Some(now + KEY_GAP);
        }
        Some(Act::Press(key.to_string()))
    }
}

/// `EXEC` stands for every application, `EXEC Dial` for one.
fn matches_name(wanted: &str, name: &str) -> bool {
    name.eq_ignore_ascii_case(wanted) || wanted == "EXEC" && name.starts_with("EXEC ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    fn step(when: Option<&str>, after: u64, act: Act) -> Step {
        let when =
            when.map(|text| if text == "idle" { When::Idle } else { When::Command(text.into()) });
        Step { when, after: ms(after), act }
    }

    fn script(steps: Vec<Step>, digits: &str) -> Script {
        Script::new(&Caller { steps, ..Caller::default() }, digits, None)
    }

    /// Everything the caller does until nothing is due, with its times.
    fn all(script: &mut Script, is_idle: bool, wants: impl Fn(char) -> bool) -> Vec<(u64, Act)> {
        let mut acts = Vec::new();
        while let Some(at) = script.deadline() {
            acts.extend(script.take(at, is_idle, &wants).map(|act| (at.as_millis() as u64, act)));
        }
        acts
    }

    fn key(text: &str) -> Act {
        Act::Press(text.into())
    }

    #[test]
    fn a_step_waits_for_its_command_and_the_next_for_it() {
        let mut script =
            script(vec![step(Some("GET DATA"), 300, key("12#")), step(None, 50, Act::HangUp)], "");
        script.command_began("STREAM FILE", ms(0));
        assert_eq!(script.deadline(), None);
        script.command_began("GET DATA", ms(1000));
        assert_eq!(
            all(&mut script, false, |_| true),
            [(1300, key("1")), (1400, key("2")), (1500, key("#")), (1550, Act::HangUp)]
        );
    }

    #[test]
    fn idle_must_last() {
        let mut script = script(vec![step(Some("idle"), 500, Act::HangUp)], "");
        assert_eq!(script.deadline(), Some(ms(500)));
        script.command_began("NOOP", ms(100));
        assert_eq!(script.deadline(), None);
        script.idle(ms(200));
        assert_eq!(all(&mut script, true, |_| true), [(700, Act::HangUp)]);
    }

    #[test]
    fn typed_keys_wait_for_a_command_that_takes_them() {
        let mut script = script(vec![], "12#3");
        script.command_began("STREAM FILE", ms(0));
        assert_eq!(all(&mut script, false, |_| false), []);
        script.command_began("GET DATA", ms(1000));
        assert_eq!(
            all(&mut script, false, |_| true),
            [(1300, key("1")), (1400, key("2")), (1500, key("#"))]
        );
        script.command_began("WAIT FOR DIGIT", ms(2000));
        assert_eq!(all(&mut script, false, |_| true), [(2300, key("3"))]);
    }
}
