//! What a real Asterisk said of calls, in its order and in any other, twice, and with parts of it lost.

use super::{Attempt, Fact, Ids, Outcome, State, Step, Verdict};
use proptest::{prelude::*, sample::Index};
use std::time::Duration;

const RECORDED: &str = include_str!("../../../tests/transcripts/originate-22.txt");
const RING: Duration = Duration::from_secs(30);

#[derive(Debug, Clone)]
struct History {
    name: String,
    outcome: Outcome,
    facts: Vec<Fact>,
}

fn histories() -> Vec<History> {
    let mut histories = Vec::<History>::new();
    for line in RECORDED.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(title) = line.strip_prefix("== ") {
            let (name, outcome) = title.split_once(' ').unwrap();
            let outcome = Outcome::from_str_name(&format!("OUTCOME_{outcome}")).unwrap();
            histories.push(History { name: name.to_owned(), outcome, facts: Vec::new() });
            continue;
        }
        let history = histories.last_mut().unwrap();
        history.facts.extend(facts(&history.name, line));
    }
    assert!(histories.len() > 40);
    histories
}

fn facts(name: &str, line: &str) -> Vec<Fact> {
    let header = |wanted: &str| {
        let mut headers = line.split('\t').filter_map(|header| header.split_once(": "));
        headers.find(|(name, _)| *name == wanted).map(|(_, value)| value)
    };
    if header("Event").is_none() {
        return vec![match header("Response") {
            Some("Success") => Fact::Taken,
            _ => Fact::Refused(header("Message").unwrap_or_default().to_owned()),
        }];
    }
    Fact::of_event(&ids(name), header)
}

fn ids(name: &str) -> Ids {
    Ids { channel: format!("ab-{name}"), action: Some(format!("act-{name}")) }
}

fn at(millis: usize) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap())
}

/// Tells the facts, one each millisecond, answers what is asked, and lets time pass until it is decided.
fn run(mut attempt: Attempt, facts: &[Fact], state: impl Fn(usize) -> State) -> Verdict {
    let step = |attempt: &mut Attempt, told: usize, now: Duration| match attempt.poll(now) {
        Step::Query => {
            attempt.handle(Fact::Found(state(told)), now);
            attempt.poll(now)
        }
        step @ (Step::Wait(_) | Step::Done(_)) => step,
    };
    for (index, fact) in facts.iter().enumerate() {
        attempt.handle(fact.clone(), at(index));
        if let Step::Done(verdict) = step(&mut attempt, index + 1, at(index)) {
            return verdict;
        }
    }
    let mut now = at(facts.len());
    loop {
        match step(&mut attempt, facts.len(), now) {
            Step::Done(verdict) => return verdict,
            Step::Wait(until) => {
                assert!(until > now && until <= RING + Duration::from_secs(31), "{until:?}");
                now = until;
            }
            Step::Query => panic!("it is asked twice"),
        }
    }
}

fn gone(_: usize) -> State {
    State::Absent
}

/// What Asterisk says when it is asked after so many of the facts of a history.
fn state_after(facts: &[Fact]) -> State {
    let over = |fact: &Fact| matches!(fact, Fact::HungUp { .. });
    let born = facts
        .iter()
        .find_map(|fact| if let Fact::Born(channel) = fact { Some(channel.clone()) } else { None });
    match born {
        Some(channel) if !facts.iter().any(over) => {
            let up = facts.contains(&Fact::Told(Outcome::Answered));
            if up { State::Up(channel) } else { State::Pending(channel) }
        }
        Some(_) | None => State::Absent,
    }
}

fn new() -> Attempt {
    Attempt::new(Duration::ZERO, RING)
}

#[test]
fn what_was_recorded_gives_the_outcome_that_was() {
    for history in histories() {
        let verdict = run(new(), &history.facts, gone);
        assert_eq!(verdict.outcome, history.outcome, "{history:#?}");
        let explained = verdict.outcome == Outcome::Answered || !verdict.detail.is_empty();
        let early =
            matches!(verdict.outcome, Outcome::Busy | Outcome::NoAnswer | Outcome::Congestion);
        assert!(explained || early, "{}: {verdict:?}", history.name);
    }
}

#[test]
fn a_link_that_breaks_anywhere_and_comes_back_anywhere_makes_no_other_outcome() {
    let mut known = 0;
    for History { name, outcome, facts } in histories() {
        for from in 0..=facts.len() {
            for to in from..=facts.len() {
                let mut seen = facts[..from].to_vec();
                seen.push(Fact::Lost);
                let before = seen.len();
                seen.push(Fact::Restored);
                seen.extend_from_slice(&facts[to..]);
                // Asked once the link is back.
                let state = |told: usize| {
                    let later = told.saturating_sub(before + 1);
                    state_after(&facts[..(to + later).min(facts.len())])
                };
                let decided = run(new(), &seen, state).outcome;
                known += usize::from(decided != Outcome::Unknown);
                assert!(
                    decided == outcome || decided == Outcome::Unknown,
                    "{name}: {from}..{to} lost: {decided:?}"
                );
            }
        }
    }
    assert!(known > 500, "it is decided whenever it can be: {known}");
}

#[test]
fn a_link_that_stays_away_leaves_it_unknown() {
    for History { facts, outcome, name } in histories() {
        let mut seen = facts[..1.min(facts.len())].to_vec();
        seen.push(Fact::Lost);
        let verdict = run(new(), &seen, gone);
        let refused = matches!(facts[0], Fact::Refused(_));
        let expected = if refused { outcome } else { Outcome::Unknown };
        assert_eq!(verdict.outcome, expected, "{name}");
    }
}

#[test]
fn an_attempt_of_an_earlier_process_is_what_asterisk_says_it_is() {
    let resumed = || Attempt::resumed(Duration::ZERO, RING);
    let up = run(resumed(), &[], |_| State::Up("Local/1;1".into()));
    assert_eq!((up.outcome, &*up.channel), (Outcome::Answered, "Local/1;1"));
    assert_eq!(run(resumed(), &[], gone).outcome, Outcome::Unknown);
    let rings = |_| State::Pending("PJSIP/1".into());
    assert_eq!(run(resumed(), &[], rings).outcome, Outcome::Unknown);
    let busy = Fact::HungUp { cause: 17, text: "User busy".into() };
    assert_eq!(run(resumed(), &[Fact::Taken, busy], rings).outcome, Outcome::Busy);
}

#[test]
fn a_failure_of_another_attempt_with_the_same_id_says_nothing() {
    let line = |action: &str| {
        format!(
            "Event: OriginateResponse\tResponse: Failure\tReason: 0\tUniqueid: ab-x\tActionID: {action}"
        )
    };
    assert_eq!(facts("x", &line("act-x")), [Fact::Failed]);
    assert_eq!(facts("x", &line("other")), []);
}

#[test]
fn why_a_call_failed_may_be_said_long_after_the_failure() {
    let second = Duration::from_secs(1);
    let failed = || {
        let mut attempt = new();
        attempt.handle(Fact::Failed, Duration::ZERO);
        assert_eq!(attempt.poll(2 * second), Step::Wait(3 * second));
        attempt
    };
    let mut busy = failed();
    busy.handle(Fact::Born("PJSIP/1".into()), 2 * second);
    busy.handle(Fact::HungUp { cause: 17, text: "User busy".into() }, 2 * second);
    assert!(matches!(busy.poll(2 * second), Step::Done(Verdict { outcome: Outcome::Busy, .. })));
    let told = failed().poll(3 * second);
    assert!(matches!(told, Step::Done(Verdict { outcome: Outcome::Refused, .. })), "{told:?}");
}

#[test]
fn whatever_says_that_it_was_answered_names_the_channel() {
    let answered = |fact: &Fact| *fact == Fact::Told(Outcome::Answered);
    let named = |fact: &Fact| matches!(fact, Fact::Born(name) if !name.is_empty());
    let mut seen = 0;
    let mut history = "";
    for line in RECORDED.lines() {
        history = line.strip_prefix("== ").map_or(history, |it| it.split(' ').next().unwrap());
        let facts = facts(history, line);
        if facts.iter().any(answered) {
            assert!(facts.iter().any(named), "{line}");
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen}");
    let failed =
        "Event: OriginateResponse\tResponse: Failure\tReason: 3\tUniqueid: ab-x\tChannel: PJSIP/1";
    assert_eq!(facts("x", failed), [Fact::Told(Outcome::NoAnswer)]);
}

#[test]
fn what_strangers_say_is_no_fact() {
    for line in [
        "Event: Newchannel\tUniqueid: ab-xy\tChannel: PJSIP/1",
        "Event: Newchannel",
        "Event: Hangup\tUniqueid: ab-x-2\tCause: 17",
        "Event: DialEnd\tDestUniqueid: ab-x\tDialStatus: NOANSWER",
        "Event: Newstate\tUniqueid: ab-x\tChannelStateDesc: Ringing",
    ] {
        assert_eq!(facts("x", line), [], "{line}");
    }
    let odd = facts("x", "Event: Hangup\tUniqueid: ab-x\tCause: -1x");
    assert_eq!(odd, [Fact::HungUp { cause: 0, text: String::new() }]);
}

proptest! {
    #[test]
    fn order_and_repetition_mean_nothing(
        history in any::<Index>(), order in proptest::collection::vec(any::<Index>(), 64), twice in any::<Index>(),
    ) {
        let histories = histories();
        let History { name, outcome, facts } = history.get(&histories);
        let mut seen = facts.clone();
        seen.push(twice.get(facts).clone());
        for (at, other) in order.iter().enumerate().take(seen.len()) {
            let other = other.index(seen.len());
            seen.swap(at, other);
        }
        let verdict = run(new(), &seen, gone);
        prop_assert_eq!(verdict.outcome, *outcome, "{}: {:#?}", name, seen);
    }

    #[test]
    fn what_is_lost_can_only_make_it_unknown(
        history in any::<Index>(), order in proptest::collection::vec(any::<Index>(), 64), kept in any::<u64>(),
    ) {
        let histories = histories();
        let History { name, outcome, facts } = history.get(&histories);
        let kept = facts.iter().enumerate().filter(|(at, _)| kept >> at & 1 == 1);
        let mut seen: Vec<Fact> = kept.map(|(_, fact)| fact.clone()).collect();
        for (at, other) in order.iter().enumerate().take(seen.len()) {
            let other = other.index(seen.len());
            seen.swap(at, other);
        }
        seen.insert(0, Fact::Lost);
        seen.insert(order[0].index(seen.len()) + 1, Fact::Restored);
        prop_assume!(facts.len() <= 64);
        let decided = run(new(), &seen, gone).outcome;
        prop_assert!(decided == *outcome || decided == Outcome::Unknown, "{}: {:?} of {:#?}", name, decided, seen);
    }
}
