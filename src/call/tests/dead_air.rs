//! Dead air: what counts as silence, told in single histories, and computed a second time from outside over random ones.

use super::{
    asterisk::{Manner, reply},
    command, control, dial, end, get_data, noop, set_variable, settings, stream_file,
    wait_for_digit,
    watch::Watch,
};
use crate::{
    call::{Call, Loss, LossKind, Note, Rung},
    proto::{
        Answer, Exec, GetChannelStatus, Handoff, RawCommand, SetMusic, call_control::Control,
        command::Command as Kind,
    },
    route::{Next, Quiet, Then},
};
use proptest::prelude::*;
use std::time::Duration;

/// A call, whoever watches it, and the silence as it looks from outside.
struct World {
    call: Call,
    watch: Watch,
    now: Duration,
    last_id: u32,
    there: bool,
    // What follows is computed from lines and replies alone.
    answered: bool,
    sound: bool,
    hung_up: bool,
    lines_seen: usize,
    spell: Duration,
    spells: Vec<Duration>,
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn answer() -> Kind {
    Kind::Answer(Answer {})
}

fn music(on: bool) -> Kind {
    Kind::SetMusic(SetMusic { on, music_class: String::new() })
}

fn exec(application: &str) -> Kind {
    Kind::Exec(Exec { application: application.into(), arguments: vec![] })
}

impl World {
    fn new() -> Self {
        let mut settings = settings();
        settings.policy.resume_for = Duration::from_secs(10);
        let mut call = Call::new(settings, Duration::ZERO);
        call.handle_opened(ms(1));
        Self::of(call)
    }

    fn of(call: Call) -> Self {
        Self {
            call,
            watch: Watch::default(),
            now: ms(1),
            last_id: 0,
            there: true,
            answered: false,
            sound: false,
            hung_up: false,
            lines_seen: 0,
            spell: Duration::ZERO,
            spells: Vec::new(),
        }
    }

    /// A call on an answered channel.
    fn answered() -> Self {
        let mut world = Self::new();
        world.run(answer());
        world
    }

    fn send(&mut self, kind: Kind) -> &mut Self {
        if self.is_there() {
            self.last_id += 1;
            self.watch.asked.push_back(self.last_id);
            let command = command(self.last_id, kind);
            self.call.handle_control(control(Control::Command(command)), self.now);
        }
        self.looked()
    }

    fn end(&mut self) -> &mut Self {
        if self.is_there() {
            self.model_ends();
            self.call.handle_control(control(end()), self.now);
        }
        self.looked()
    }

    /// Asterisk does what it was told.
    fn reply(&mut self, manner: Manner) -> &mut Self {
        if let Some(line) = self.watch.line.take() {
            let text = reply(&line, self.hung_up, manner);
            self.shown(&line, &text);
            self.call.handle_asterisk(text.as_bytes(), self.now);
        }
        self.looked()
    }

    fn says(&mut self, text: &str) -> &mut Self {
        self.watch.line = None;
        self.call.handle_asterisk(text.as_bytes(), self.now);
        self.looked()
    }

    /// Sends a command that is done at once.
    fn run(&mut self, kind: Kind) -> &mut Self {
        self.send(kind).reply(Manner::Well)
    }

    fn hang_up(&mut self) -> &mut Self {
        if !self.hung_up && self.watch.line.is_none() {
            self.hung_up = true;
            self.model_ends();
            self.call.handle_asterisk(b"HANGUP\n", self.now);
        }
        self.looked()
    }

    fn lose(&mut self) -> &mut Self {
        if self.is_there() {
            let loss = Loss { kind: LossKind::Broken, detail: "gone".into() };
            self.call.handle_service_lost(&loss, self.now);
            self.watch.drain(&mut self.call);
            self.there = false;
            if !self.watch.seeking {
                self.watch.asked.clear();
            }
        }
        self.looked()
    }

    fn hand_over(&mut self) -> &mut Self {
        if self.is_there() {
            let mut policy = settings().policy;
            policy.resume_for = Duration::from_secs(10);
            self.call.handle_handoff(Handoff::default(), Ok(policy), self.now);
            self.watch.drain(&mut self.call);
            if self.watch.seeking {
                self.model_ends();
            }
            self.there = !self.watch.seeking && !self.watch.dropped;
            if self.watch.dropped {
                self.watch.asked.clear();
            }
        }
        self.looked()
    }

    fn open(&mut self) -> &mut Self {
        if self.watch.seeking {
            self.watch.seeking = false;
            self.there = true;
            self.call.handle_opened(self.now);
        }
        self.looked()
    }

    /// Time passes, with every deadline on the way kept.
    fn wait(&mut self, span: Duration) -> &mut Self {
        let until = self.now + span;
        while let Some(at) = self.call.poll_timeout().filter(|at| *at <= until) {
            self.pass(at.max(self.now));
            self.call.handle_timeout(self.now);
            self.looked();
        }
        self.pass(until);
        self
    }

    fn pass(&mut self, until: Duration) {
        if self.is_dead_air() {
            self.spell += until - self.now;
        }
        self.now = until;
    }

    fn is_there(&self) -> bool {
        self.there && !self.watch.dropped && !self.watch.finished && self.watch.ended.is_none()
    }

    fn is_dead_air(&self) -> bool {
        let over = self.watch.half_closed || self.watch.closed;
        self.answered && !self.sound && !self.hung_up && !over && self.watch.line.is_none()
    }

    fn shown(&mut self, line: &str, text: &str) {
        let done = text.starts_with("200") && !text.contains("result=-1");
        self.answered |=
            done && ["ANSWER", "STREAM FILE", "GET DATA"].iter().any(|word| line.starts_with(word));
        if done && line.starts_with("SET MUSIC") {
            self.sound = line.contains("on");
            if self.sound {
                self.model_ends();
            }
        }
    }

    fn looked(&mut self) -> &mut Self {
        self.watch.drain(&mut self.call);
        let lines = self.watch.lines[self.lines_seen..].to_vec();
        self.lines_seen = self.watch.lines.len();
        for line in lines {
            let begins = |words: &[&str]| words.iter().any(|word| line.starts_with(word));
            if begins(&["STREAM FILE", "GET DATA"]) {
                self.sound = false;
            }
            if begins(&["STREAM FILE", "GET DATA", "WAIT FOR DIGIT", "EXEC"]) {
                self.model_ends();
            }
        }
        // The bridge ends the call by itself, perhaps once a command is over.
        let given_up = self.watch.dropped && !self.watch.seeking;
        if given_up || self.watch.half_closed || self.watch.closed {
            self.model_ends();
        }
        self
    }

    fn model_ends(&mut self) {
        let spell = std::mem::take(&mut self.spell);
        self.spells.extend((!spell.is_zero()).then_some(spell));
    }

    fn told(&self) -> Vec<Duration> {
        let notes = self.watch.notes.iter();
        notes
            .filter_map(|note| if let Note::DeadAir(spell) = note { Some(*spell) } else { None })
            .collect()
    }

    fn rungs(&self) -> Vec<Rung> {
        let notes = self.watch.notes.iter();
        notes
            .filter_map(|note| if let Note::Rung(rung) = note { Some(*rung) } else { None })
            .collect()
    }

    /// All of it, with what runs now.
    fn total(&self) -> Duration {
        let (total, since) = self.call.dead_air();
        total + since.map_or(Duration::ZERO, |since| self.now - since)
    }

    #[track_caller]
    fn is_as_computed(&self) {
        assert_eq!(self.told(), self.spells, "spells that are over");
        let all = self.spells.iter().sum::<Duration>() + self.spell;
        assert_eq!(self.total(), all, "the whole");
        if let Some(outcome) = self.call.outcome() {
            assert_eq!(outcome.dead_air, all, "told at the end");
        }
    }
}

#[test]
fn a_service_that_thinks_leaves_the_caller_in_dead_air() {
    let mut world = World::answered();
    world.wait(ms(300)).send(stream_file());
    assert_eq!(world.told(), [ms(300)]);
    world.wait(ms(5_000)).reply(Manner::Well).wait(ms(700)).run(wait_for_digit());
    assert_eq!(world.told(), [ms(300), ms(700)], "what plays is no silence");
    world.wait(ms(50)).end();
    assert_eq!(world.told(), [ms(300), ms(700), ms(50)]);
    assert_eq!(world.call.outcome().unwrap().dead_air, ms(1_050));
}

#[test]
fn nothing_counts_before_a_reply_shows_that_the_channel_is_answered() {
    let state = Kind::ChannelStatus(GetChannelStatus::default());
    let raw = |line: &str| Kind::Raw(RawCommand { line: line.into() });
    let table = [
        (answer(), "200 result=0\n", true),
        (answer(), "511 dead\n", false),
        (state.clone(), "200 result=6\n", true),
        (state, "200 result=4\n", false),
        (stream_file(), "200 result=0 endpos=8000\n", true),
        (get_data(), "200 result= (timeout)\n", true),
        (get_data(), "510 what\n", false),
        (wait_for_digit(), "200 result=0\n", false),
        (exec("Answer"), "200 result=0\n", true),
        (exec("Playback"), "200 result=0\n", true),
        (exec("Playback"), "200 result=-2\n", false),
        (exec("Dial"), "200 result=0\n", false),
        (raw("exec answer"), "200 result=0\n", true),
        (raw("wait for digit 5"), "200 result=0\n", false),
        (set_variable(), "200 result=1\n", false),
        (music(true), "200 result=0\n", false),
    ];
    for (kind, reply, counts) in table {
        let mut world = World::new();
        world.wait(ms(100)).send(kind.clone()).says(reply).wait(ms(100));
        let expected = if counts { ms(100) } else { Duration::ZERO };
        assert_eq!(world.total(), expected, "{kind:?} {reply}");
    }
}

#[test]
fn commands_that_the_caller_does_not_notice_neither_end_a_spell_nor_count() {
    let mut world = World::answered();
    world.wait(ms(100)).send(set_variable()).wait(ms(40)).reply(Manner::Well);
    world.wait(ms(100)).send(noop()).reply(Manner::Well).wait(ms(100)).send(dial());
    assert_eq!(world.told(), [ms(300)]);
}

#[test]
fn music_is_no_silence_until_something_else_was_played() {
    let mut world = World::answered();
    world.wait(ms(10)).run(music(true)).wait(ms(1_000)).run(set_variable()).wait(ms(1_000));
    assert_eq!(world.told(), [ms(10)]);
    world.run(music(false)).wait(ms(20)).run(music(true)).wait(ms(1_000));
    assert_eq!(world.told(), [ms(10), ms(20)]);
    world.run(stream_file()).wait(ms(30)).run(stream_file());
    assert_eq!(world.told(), [ms(10), ms(20), ms(30)]);
}

#[test]
fn a_search_for_another_service_is_dead_air_unless_something_is_played() {
    let mut world = World::answered();
    world.wait(ms(100)).lose().wait(ms(400)).open().wait(ms(100)).send(stream_file());
    assert_eq!(world.told(), [ms(600)]);

    let mut settings = settings();
    settings.policy.resume_for = Duration::from_secs(10);
    settings.policy.quiet = Quiet::Music(String::new());
    let mut call = Call::new(settings, Duration::ZERO);
    call.handle_opened(ms(1));
    let mut world = World::of(call);
    world.run(answer()).wait(ms(100)).lose().wait(ms(5_000)).reply(Manner::Well).wait(ms(3_000));
    assert_eq!(world.told(), [ms(2_100)], "up to quiet_limit");
    assert_eq!(world.rungs(), [Rung::Quiet]);
}

#[test]
fn a_handoff_ends_the_spell_of_the_route_that_is_left() {
    let mut world = World::answered();
    world.wait(ms(100)).hand_over();
    assert_eq!(world.told(), [ms(100)]);
    world.wait(ms(40)).open().wait(ms(2)).send(stream_file());
    assert_eq!(world.told(), [ms(100), ms(42)]);
}

#[test]
fn nothing_counts_once_the_caller_is_gone() {
    let mut world = World::answered();
    world.wait(ms(100)).hang_up().wait(ms(3_000)).run(set_variable()).wait(ms(100)).end();
    assert_eq!((world.told(), world.total()), (vec![ms(100)], ms(100)));
}

#[test]
fn a_command_that_timed_out_still_plays() {
    let mut world = World::answered();
    let timeout = Some(pbjson_types::Duration { seconds: 1, nanos: 0 });
    world.watch.asked.push_back(2);
    let slow = crate::proto::Command { timeout, ..command(2, stream_file()) };
    world.call.handle_control(control(Control::Command(slow)), world.now);
    world.looked().wait(ms(4_000));
    assert_eq!((world.watch.results.len(), world.total()), (2, Duration::ZERO));
}

#[test]
fn a_program_that_speaks_agi_is_measured_alike() {
    let mut call = Call::new(settings(), Duration::ZERO);
    call.handle_opened_raw(ms(1));
    let mut world = World::of(call);
    let program = |world: &mut World, line: &str| {
        world.call.handle_relay(line.as_bytes(), world.now);
        world.looked();
    };
    world.wait(ms(100));
    program(&mut world, "ANSWER\n");
    world.wait(ms(500)).says("200 result=0\n").wait(ms(100));
    program(&mut world, "get variable X\n");
    world.wait(ms(1)).says("200 result=0\n").wait(ms(100));
    program(&mut world, "exec playback hello\n");
    assert_eq!(world.told(), [ms(200)]);
    world.wait(ms(900)).says("200 result=0\n").wait(ms(30));
    world.call.handle_service_done(world.now);
    world.looked().wait(ms(1_000));
    assert_eq!((world.told(), world.total()), (vec![ms(200), ms(30)], ms(230)));
}

#[test]
fn the_last_rungs_are_told_once_and_only_where_a_caller_is_left() {
    let told = |announce: Option<&str>, next: Next, hung_up: bool| {
        let mut settings = settings();
        settings.policy.then = Then { announce: announce.map(str::to_owned), next };
        let mut call = Call::new(settings, Duration::ZERO);
        call.handle_opened(ms(1));
        let mut world = World::of(call);
        if hung_up {
            world.hang_up();
        }
        world.lose();
        for _ in 0..8 {
            world.reply(Manner::Well);
        }
        world.rungs()
    };
    assert_eq!(told(None, Next::Fail, false), [Rung::Fail]);
    assert_eq!(told(Some("sorry"), Next::Continue, false), [Rung::Announce, Rung::Continue]);
    assert_eq!(told(Some("sorry"), Next::Hangup, false), [Rung::Announce, Rung::Hangup]);
    assert_eq!(told(None, Next::Fail, true), []);
    let mut world = World::answered();
    world.end();
    assert_eq!(world.rungs(), [], "a service's own end is no rung");
}

#[test]
fn a_reply_to_nothing_is_told_as_a_desync_once() {
    let mut world = World::answered();
    world.watch.forced = true;
    world.says("200 result=0\n").says("200 result=0\n").says("nonsense\n");
    let desyncs = world.watch.notes.iter().filter(|note| **note == Note::Desync);
    assert_eq!(desyncs.count(), 1);
}

#[derive(Debug, Clone)]
enum Operation {
    Send(u8),
    Reply(Manner),
    Wait(u16),
    HangUp,
    Lose,
    HandOver,
    Open,
    End,
}

fn operation() -> impl Strategy<Value = Operation> {
    let manner =
        prop_oneof![8 => Just(Manner::Well), 1 => Just(Manner::Minus), 1 => Just(Manner::Unknown)];
    prop_oneof![
        12 => (0..8_u8).prop_map(Operation::Send),
        12 => manner.prop_map(Operation::Reply),
        16 => (1..4000_u16).prop_map(Operation::Wait),
        1 => Just(Operation::HangUp),
        1 => Just(Operation::Lose),
        1 => Just(Operation::HandOver),
        3 => Just(Operation::Open),
        1 => Just(Operation::End),
    ]
}

fn kind(number: u8) -> Kind {
    match number {
        0 => answer(),
        1 => stream_file(),
        2 => get_data(),
        3 => wait_for_digit(),
        4 => set_variable(),
        5 => music(true),
        6 => music(false),
        _ => dial(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn dead_air_is_what_it_looks_like_from_outside(operations in prop::collection::vec(operation(), 1..60)) {
        let mut world = World::new();
        for operation in operations {
            match operation {
                Operation::Send(number) => world.send(kind(number)),
                Operation::Reply(manner) => world.reply(manner),
                Operation::Wait(milliseconds) => world.wait(ms(milliseconds.into())),
                Operation::HangUp => world.hang_up(),
                Operation::Lose => world.lose(),
                Operation::HandOver => world.hand_over(),
                Operation::Open => world.open(),
                Operation::End => world.end(),
            };
            world.is_as_computed();
            prop_assert!(world.total() <= world.now);
        }
        world.watch.forced = true;
        world.wait(Duration::from_secs(4000)).is_as_computed();
        prop_assert!(world.call.is_ended());
    }
}
