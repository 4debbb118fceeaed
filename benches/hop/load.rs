//! Asterisk, many times over, on one thread: opens calls, answers every command, hangs up at the end, and
//! measures. Whoever drives the calls, the figures are taken here, in the same place for every subject.

use crate::{
    counters::{self, Reading},
    job::{Job, Outcome, Peer, Script},
    session::{Heard, Phase, Session},
};
use mio::{Events, Interest, Poll, Token, event::Event};
use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    time::{Duration, Instant},
};

/// Calls whose first command is awaited, at most: a listener's backlog must never be the limit.
const OPENING_MAX: usize = 64;

/// How long all calls may take to get their first command.
const OPENING_TIMEOUT: Duration = Duration::from_secs(20);

/// Calls that may break before the rest is not even opened.
const ERRORS_MAX: u64 = 50;

/// How long the other side may take to close after a hangup.
const CLOSING_TIMEOUT: Duration = Duration::from_secs(5);

/// Plays the role.
pub(crate) fn main(task: &[String]) -> anyhow::Result<()> {
    let job = Job::parse(task)?;
    Load::new(job)?.run()?.tell()
}

struct Load {
    job: Job,
    poll: Poll,
    sessions: Vec<Option<Session>>,
    /// Places in `sessions` without a call.
    free: Vec<usize>,
    /// Commands that run, in the order in which they end: all take the same time.
    running: VecDeque<(Instant, usize)>,
    /// Calls that wait with their first reply until all are open: calls in full swing would keep others from opening.
    waiting: Vec<usize>,
    begun: bool,
    opened: usize,
    opening: usize,
    measuring: bool,
    turn_times: Vec<u32>,
    outcome: Outcome,
}

impl Load {
    fn new(job: Job) -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            sessions: (0..job.calls).map(|_| None).collect(),
            free: (0..job.calls).rev().collect(),
            running: VecDeque::new(),
            waiting: Vec::new(),
            begun: false,
            opened: 0,
            opening: 0,
            measuring: false,
            turn_times: Vec::new(),
            outcome: Outcome::default(),
            job,
        })
    }

    fn run(mut self) -> io::Result<Outcome> {
        let memory_before = counters::memory_bytes(&self.job.watch);
        self.turn_until(OPENING_TIMEOUT, Self::is_open)?;
        for _ in 0..self.opening {
            self.fault("got no command in time");
        }
        self.begin();
        self.turn_until(self.job.warm(), |_| false)?;

        self.turn_times.clear();
        self.measuring = true;
        let before = Reading::take(&self.job.watch);
        self.turn_until(self.job.window(), |_| false)?;
        let after = Reading::take(&self.job.watch);
        self.measuring = false;
        before.until(&after, &mut self.outcome);

        let memory_after = counters::memory_bytes(&self.job.watch);
        self.outcome.grown_bytes =
            memory_after.iter().zip(memory_before).map(|(after, before)| after - before).collect();
        self.hang_up_all()?;
        self.outcome.set_turn_times(self.turn_times);
        Ok(self.outcome)
    }

    /// Lets all calls go.
    fn begin(&mut self) {
        self.begun = true;
        for place in std::mem::take(&mut self.waiting) {
            let session = self.sessions.get_mut(place).and_then(Option::as_mut);
            if let Some(reply) = session.and_then(|session| session.running.take()) {
                self.answer(place, reply, Instant::now());
            }
        }
    }

    /// True when every call got its first command, and when too many broke to go on.
    fn is_open(&self) -> bool {
        self.outcome.errors > ERRORS_MAX || (self.opened >= self.job.calls && self.opening == 0)
    }

    /// Hangs up every call and waits until the other side has closed each.
    fn hang_up_all(&mut self) -> io::Result<()> {
        self.job.script = Script::Loop;
        self.job.calls = 0;
        self.running.clear();
        for place in 0..self.sessions.len() {
            let peer = self.job.peer;
            let Some(session) = self.sessions.get_mut(place).and_then(Option::as_mut) else {
                continue;
            };
            if session.phase == Phase::Opening {
                self.close(place);
            } else if let Err(error) = session.hang_up(peer) {
                self.fail(place, &error);
            }
        }
        self.turn_until(CLOSING_TIMEOUT, |load| load.free.len() == load.sessions.len())?;
        for _ in self.free.len()..self.sessions.len() {
            self.fault("was not closed after the hangup");
        }
        Ok(())
    }

    /// Serves all calls until `done` or for `time`.
    fn turn_until(&mut self, time: Duration, done: impl Fn(&Self) -> bool) -> io::Result<()> {
        let deadline = Instant::now() + time;
        let mut events = Events::with_capacity(512);
        while !done(self) {
            let now = Instant::now();
            if now >= deadline {
                break;
            }
            self.open_some()?;
            let next = self.running.front().map_or(deadline, |(due, _)| deadline.min(*due));
            match self.poll.poll(&mut events, Some(next.saturating_duration_since(now))) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &events {
                self.serve(event);
            }
            self.finish_commands();
        }
        Ok(())
    }

    fn open_some(&mut self) -> io::Result<()> {
        while self.opening < OPENING_MAX && self.sessions.len() - self.free.len() < self.job.calls {
            let Some(place) = self.free.pop() else { break };
            let mut session = Session::open(&self.job, self.opened)?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut session.stream, Token(place), interest)?;
            self.opened += 1;
            self.opening += 1;
            if let Some(slot) = self.sessions.get_mut(place) {
                *slot = Some(session);
            }
        }
        Ok(())
    }

    fn serve(&mut self, event: &Event) {
        let place = event.token().0;
        let Some(session) = self.sessions.get_mut(place).and_then(Option::as_mut) else { return };
        if event.is_writable()
            && let Err(error) = session.greet(&self.job)
        {
            return self.fail(place, &error);
        }
        if !event.is_readable() {
            return;
        }
        match session.hear(event.is_read_closed()) {
            Ok(Heard::Nothing) => {}
            Ok(Heard::Command(reply)) => self.command(place, reply),
            Ok(Heard::End) => self.end(place),
            // After a hangup the other side may close with our answer still on its way: a reset is no fault then.
            Err(_) if session.phase == Phase::HungUp => self.close(place),
            Err(error) => self.fail(place, &error),
        }
    }

    fn command(&mut self, place: usize, reply: &'static [u8]) {
        let Some(session) = self.sessions.get_mut(place).and_then(Option::as_mut) else { return };
        match session.phase {
            Phase::Opening => {
                session.phase = Phase::Driven;
                self.opening -= 1;
            }
            Phase::Driven => {}
            Phase::HungUp if self.job.peer == Peer::Echo => return,
            Phase::HungUp => {
                // A command that crossed the word. All that the scripts send are permitted on a dead channel.
                if session.reply(reply).is_err() {
                    self.close(place);
                }
                return;
            }
        }
        let now = Instant::now();
        if self.measuring {
            self.outcome.turns += 1;
            if let Some(from) = session.replied_at {
                let time = now.duration_since(from).as_nanos();
                self.turn_times.push(u32::try_from(time).unwrap_or(u32::MAX));
            }
        }
        if !self.begun {
            session.running = Some(reply);
            self.waiting.push(place);
        } else if self.job.think_ms > 0 {
            session.running = Some(reply);
            self.running.push_back((now + Duration::from_millis(self.job.think_ms), place));
        } else {
            self.answer(place, reply, now);
        }
    }

    fn answer(&mut self, place: usize, reply: &'static [u8], now: Instant) {
        let Some(session) = self.sessions.get_mut(place).and_then(Option::as_mut) else { return };
        session.replied_at = Some(now);
        if let Err(error) = session.reply(reply) {
            self.fail(place, &error);
        }
    }

    /// Answers the commands whose time is over.
    fn finish_commands(&mut self) {
        let now = Instant::now();
        while let Some((due, place)) = self.running.front().copied() {
            if due > now {
                break;
            }
            self.running.pop_front();
            let session = self.sessions.get_mut(place).and_then(Option::as_mut);
            if let Some(reply) = session.and_then(|session| session.running.take()) {
                self.answer(place, reply, now);
            }
        }
    }

    /// The other side closed. By its own will only where the script has an end.
    fn end(&mut self, place: usize) {
        let Some(session) = self.sessions.get_mut(place).and_then(Option::as_mut) else { return };
        let wanted = match session.phase {
            Phase::Opening => false,
            Phase::Driven => self.job.script == Script::Five,
            Phase::HungUp => true,
        };
        if session.phase == Phase::Driven && wanted && self.measuring {
            self.outcome.calls += 1;
        }
        if self.job.peer == Peer::Agi {
            session.farewell();
        }
        if !wanted {
            self.fault("was closed by the other side");
        }
        self.close(place);
    }

    fn fail(&mut self, place: usize, error: &io::Error) {
        self.fault(&error.to_string());
        self.close(place);
    }

    fn fault(&mut self, what: &str) {
        self.outcome.errors += 1;
        self.outcome.fault.get_or_insert_with(|| what.to_owned());
    }

    fn close(&mut self, place: usize) {
        if let Some(session) = self.sessions.get_mut(place).and_then(Option::take) {
            self.opening -= usize::from(session.phase == Phase::Opening);
            self.free.push(place);
        }
    }
}
