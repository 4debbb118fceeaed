//! Several bridges and one channel: whatever the order in which they act, one has the call.

use crate::async_agi::claim::{self, Claim, Sign, Step};
use proptest::{prelude::*, sample::Index};
use std::{collections::VecDeque, time::Duration};

const SECOND: Duration = Duration::from_secs(1);

struct Bridge {
    name: String,
    claim: Claim,
    begun: bool,
    released: bool,
    is_dead: bool,
}

/// Asterisk's queue at the channel, and all who see what becomes of it.
struct Channel {
    queue: VecDeque<String>,
    bridges: Vec<Bridge>,
    now: Duration,
}

impl Channel {
    fn begun(welcome: &[bool]) -> Self {
        let bridge = |(number, &is_welcome): (usize, &bool)| Bridge {
            name: format!("b{number}"),
            claim: Claim::begun(is_welcome, Duration::ZERO),
            begun: false,
            released: false,
            is_dead: false,
        };
        let bridges = welcome.iter().enumerate().map(bridge).collect();
        Self { queue: VecDeque::new(), bridges, now: Duration::ZERO }
    }

    fn tick(&mut self, number: usize) {
        let step = self.bridges[number].claim.tick(self.now);
        self.act(number, step);
    }

    fn act(&mut self, number: usize, step: Option<Step>) {
        let bridge = &mut self.bridges[number];
        match step.filter(|_| !bridge.is_dead) {
            Some(Step::Send(sign)) => self.queue.push_back(sign.id(&bridge.name)),
            Some(Step::Begin) => {
                assert!(!bridge.begun, "begun twice");
                bridge.begun = true;
            }
            Some(Step::Release) => bridge.released = true,
            None => {}
        }
    }

    /// Asterisk does one command, and all hear of it.
    fn work(&mut self) {
        let Some(id) = self.queue.pop_front() else { return };
        let (of, sign) = claim::read(&id).expect("ours");
        for number in 0..self.bridges.len() {
            let by_us = self.bridges[number].name == of;
            let step = self.bridges[number].claim.done(by_us, sign, self.now);
            self.act(number, step);
        }
    }

    /// Everything that follows within `span`.
    fn pass(&mut self, span: Duration) {
        let until = self.now + span;
        while self.now < until {
            self.now += SECOND / 2;
            for number in 0..self.bridges.len() {
                self.tick(number);
            }
            while !self.queue.is_empty() {
                self.work();
            }
        }
    }

    fn owners(&self) -> Vec<usize> {
        (0..self.bridges.len()).filter(|&number| self.bridges[number].begun).collect()
    }

    fn is_released(&self) -> bool {
        self.bridges.iter().any(|bridge| bridge.released)
    }
}

#[test]
fn a_bridge_that_would_turn_the_call_away_leaves_it_to_another() {
    let mut channel = Channel::begun(&[false, true, false]);
    channel.pass(5 * SECOND);
    assert_eq!(channel.owners(), [1]);
    let mut nobody = Channel::begun(&[false, false]);
    nobody.pass(SECOND / 2);
    assert_eq!(nobody.owners(), [0; 0]);
    nobody.pass(5 * SECOND);
    assert_eq!(nobody.owners().len(), 1, "the caller does not wait for ever");
}

#[test]
fn what_an_earlier_session_left_in_the_queue_decides_nothing() {
    let mut channel = Channel::begun(&[true, true]);
    channel.queue.extend([Sign::Command("1.7").id("b1"), Sign::Ask.id("b1")]);
    channel.pass(5 * SECOND);
    assert_eq!(channel.owners(), [0], "who claims first");
}

#[test]
fn a_call_of_ours_that_nobody_drives_is_released_once_and_no_other_is() {
    let mut channel = Channel::begun(&[true, true]);
    assert!(channel.bridges.iter_mut().all(|bridge| bridge.claim.abandon().is_none()));
    channel.pass(5 * SECOND);
    let steps = |channel: &mut Channel| -> Vec<_> {
        channel.bridges.iter_mut().filter_map(|bridge| bridge.claim.abandon()).collect()
    };
    assert_eq!(steps(&mut channel), [Step::Release]);
    assert_eq!(steps(&mut channel), []);
}

#[test]
fn a_claim_that_is_lost_is_made_again() {
    let mut channel = Channel::begun(&[true]);
    channel.tick(0);
    channel.queue.clear();
    channel.pass(10 * SECOND);
    assert_eq!(channel.owners(), [0]);
}

#[test]
fn a_call_that_is_quiet_for_hours_stays_with_its_bridge() {
    let mut channel = Channel::begun(&[true, true, true]);
    channel.pass(2 * 3600 * SECOND);
    assert_eq!(channel.owners().len(), 1);
    assert!(!channel.is_released());
}

#[test]
fn a_call_whose_bridge_dies_is_released_once() {
    let mut channel = Channel::begun(&[true, true, true]);
    channel.pass(5 * SECOND);
    let owner = channel.owners()[0];
    channel.bridges[owner].is_dead = true;
    channel.pass(55 * SECOND);
    assert!(!channel.is_released(), "it may still be quiet");
    channel.pass(30 * SECOND);
    assert_eq!(channel.bridges.iter().filter(|bridge| bridge.released).count(), 1);
}

#[test]
fn a_call_that_was_there_first_is_asked_after_at_once() {
    let mut channel = Channel::begun(&[true, true]);
    channel.pass(5 * SECOND);
    let newcomer = Bridge {
        name: "new".to_owned(),
        claim: Claim::found(channel.now),
        begun: false,
        released: false,
        is_dead: false,
    };
    channel.bridges.push(newcomer);
    channel.pass(10 * SECOND);
    assert!(!channel.is_released(), "its bridge lives, and says so");
    let owner = channel.owners()[0];
    channel.bridges[owner].is_dead = true;
    channel.bridges[2].claim = Claim::found(channel.now);
    channel.pass(10 * SECOND);
    assert!(channel.bridges[2].released);
}

#[test]
fn a_question_that_waits_behind_a_long_command_is_no_answer() {
    let mut claim = Claim::found(Duration::ZERO + 100 * SECOND);
    let sent = claim.tick(100 * SECOND);
    assert_eq!(sent, Some(Step::Send(Sign::Ask)));
    assert_eq!(claim.tick(150 * SECOND), None);
    assert_eq!(claim.done(true, Sign::Ask, 151 * SECOND), None);
    assert_eq!(claim.done(false, Sign::Command("1.7"), 152 * SECOND), None);
    assert_eq!(claim.tick(158 * SECOND), None, "the other bridge gave a sign");
}

#[test]
fn ids_of_others_say_nothing() {
    for id in ["", "agibridge", "agibridge-", "agibridge-x", "other-1-claim", "42"] {
        assert_eq!(claim::read(id), None, "{id}");
    }
    assert_eq!(claim::read("agibridge-0a-1.2"), Some(("0a", Sign::Command("1.2"))));
    let all = [Sign::Claim, Sign::Ask, Sign::Here, Sign::Command("3.4")];
    for sign in all {
        assert_eq!(claim::read(&sign.id("ff")), Some(("ff", sign)));
    }
}

proptest! {
    #[test]
    fn one_bridge_has_the_call_in_any_order_of_events(
        welcome in proptest::collection::vec(any::<bool>(), 1..6),
        moves in proptest::collection::vec((any::<Index>(), any::<bool>(), 0u64..700), 0..40),
    ) {
        let mut channel = Channel::begun(&welcome);
        for (who, is_asterisk, later) in moves {
            channel.now += Duration::from_millis(later);
            if is_asterisk { channel.work() } else { channel.tick(who.index(welcome.len())) }
            prop_assert!(channel.owners().len() <= 1);
        }
        channel.pass(20 * SECOND);
        prop_assert_eq!(channel.owners().len(), 1);
        prop_assert!(!channel.is_released());
    }
}
