//! A session against a scripted Asterisk, which reads 1,024 bytes of what its commands have said after each of them.

use crate::async_agi::wire::{LINE_BYTES_MAX, Wire};
use proptest::prelude::*;

const READ: usize = 1024;

/// As Asterisk has it: what commands say goes into a pipe, and one read is told of each.
#[derive(Default)]
struct Asterisk {
    pipe: Vec<u8>,
    lines: Vec<String>,
}

impl Asterisk {
    /// Does all that is queued; `replies`: to lines of the session, in order.
    fn work(&mut self, wire: &mut Wire, replies: &mut impl Iterator<Item = Vec<u8>>) {
        while let Some(command) = wire.poll_send() {
            let said = match &*command.line {
                "NOOP" => b"200 result=0\n".to_vec(),
                _ => replies.next().expect("a reply for each line"),
            };
            self.lines.push(command.line);
            self.pipe.extend(said);
            let read = self.pipe.len().min(READ);
            let result: Vec<u8> = self.pipe.drain(..read).collect();
            wire.done(command.number, &result);
        }
    }
}

fn said(wire: &mut Wire) -> String {
    String::from_utf8(wire.take_said()).expect("it was text")
}

fn sent(wire: &mut Wire) -> Vec<String> {
    std::iter::from_fn(|| wire.poll_send().map(|command| command.line)).collect()
}

#[test]
fn lines_go_out_as_they_come_however_they_are_cut() {
    let mut wire = Wire::new();
    wire.write(b"NOO");
    wire.write(b"P 1\nNOOP 2\nANS");
    assert_eq!(sent(&mut wire), ["NOOP 1", "NOOP 2"]);
    wire.write(b"WER\n");
    assert_eq!(sent(&mut wire), ["ANSWER"]);
}

#[test]
fn what_the_manager_would_misread_is_answered_here() {
    for line in [&b"NOOP \xff"[..], b"NOOP a\rAction: Originate", b"NOOP \0", b""] {
        let mut wire = Wire::new();
        wire.write(&[line, b"\n"].concat());
        assert_eq!(
            (sent(&mut wire).len(), &*said(&mut wire)),
            (0, "510 Invalid or unknown command\n")
        );
    }
    let mut wire = Wire::new();
    wire.write(&[vec![b'x'; LINE_BYTES_MAX], b"\n".to_vec()].concat());
    assert_eq!(sent(&mut wire).len(), 1);
    wire.write(&vec![b'x'; 10_000_000]);
    wire.write(b"\nNOOP\n");
    assert_eq!(
        (sent(&mut wire), &*said(&mut wire)),
        (vec!["NOOP".to_owned()], "510 Invalid or unknown command\n")
    );
}

#[test]
fn the_end_of_the_session_breaks_or_fails() {
    let mut done = Wire::new();
    done.half_close();
    assert_eq!(sent(&mut done), ["ASYNCAGI BREAK"]);
    done.ended(6);
    assert!(done.is_over() && said(&mut done).is_empty());

    let mut failed = Wire::new();
    failed.write(b"failure\n");
    failed.half_close();
    assert_eq!(sent(&mut failed), ["GOSUB agi-bridge-no-such-context s 1"]);
    failed.done(1, b"200 result=-1 Gosub label not found\n");
    assert!(
        sent(&mut failed).is_empty(),
        "one more would wait there for the channel's next session"
    );
    // Its module is not loaded.
    let mut without = Wire::new();
    without.write(b"failure\n");
    assert_eq!(sent(&mut without).len(), 1);
    without.done(1, b"200 result=-2\n");
    assert_eq!(sent(&mut without), ["ASYNCAGI BREAK"]);
}

#[test]
fn a_hangup_is_told_once_and_after_the_reply_of_whoever_asked_for_it() {
    let mut wire = Wire::new();
    wire.write(b"GET DATA x\n");
    sent(&mut wire);
    wire.hang_up();
    wire.hang_up();
    wire.done(1, b"200 result=-1\n");
    wire.ended(6);
    assert!(wire.is_over());
    assert_eq!(said(&mut wire), "HANGUP\n200 result=-1\n");

    let mut by_service = Wire::new();
    by_service.write(b"HANGUP\n");
    sent(&mut by_service);
    by_service.hang_up();
    assert_eq!(said(&mut by_service), "");
    by_service.done(1, b"200 result=1\n");
    assert_eq!(said(&mut by_service), "200 result=1\nHANGUP\n");
}

#[test]
fn agistatus_tells_a_redirect_from_a_failure() {
    let ended = |status: &str| {
        let mut wire = Wire::new();
        wire.ended(6);
        assert!(wire.is_ending() && !wire.is_over());
        wire.status(status);
        wire
    };
    let mut redirected = ended("HANGUP");
    assert_eq!((redirected.is_over(), &*said(&mut redirected)), (true, "HANGUP\n"));
    let mut left = ended("SUCCESS");
    assert_eq!((left.is_over(), &*said(&mut left)), (true, ""));
    // Of the dialplan that goes on: nothing to this session.
    let mut failed = ended("FAILURE");
    failed.hang_up();
    assert_eq!((failed.is_over(), &*said(&mut failed)), (false, ""));
}

#[test]
fn after_a_failure_the_session_is_told_that_the_channel_lives() {
    let ask = |wire: &mut Wire| wire.write(b"CHANNEL STATUS\n");
    for asked_at in 0..3 {
        let mut wire = Wire::new();
        for moment in 0..3 {
            if moment == asked_at {
                ask(&mut wire);
                if asked_at == 0 {
                    sent(&mut wire);
                }
            }
            match moment {
                0 => wire.ended(6),
                1 => wire.status("FAILURE"),
                _ => {}
            }
        }
        assert_eq!(
            (said(&mut wire), wire.is_over()),
            ("200 result=6\n".to_owned(), true),
            "{asked_at}"
        );
    }
    let mut other = Wire::new();
    other.ended(6);
    other.status("FAILURE");
    other.write(b"STREAM FILE x \"\"\n");
    assert_eq!((said(&mut other), other.is_over()), (String::new(), true));
}

#[test]
fn results_of_others_are_no_replies() {
    let mut wire = Wire::new();
    wire.done(7, b"200 result=1\n");
    wire.write(b"NOOP\n");
    sent(&mut wire);
    wire.done(1, b"200 result=0\n");
    wire.done(1, b"200 result=0\n");
    assert_eq!(said(&mut wire), "200 result=0\n");
}

proptest! {
    #[test]
    fn replies_of_any_length_come_whole_and_in_order(lengths in proptest::collection::vec(0usize..9_000, 1..6)) {
        let mut wire = Wire::new();
        let mut asterisk = Asterisk::default();
        for length in lengths {
            // A value may hold anything, and so what a NOOP says.
            let value = "200 result=0\n".repeat(length / 13 + 1);
            let reply = format!("200 result=1 ({})\n", &value[..length]);
            wire.write(b"GET FULL VARIABLE x\n");
            asterisk.work(&mut wire, &mut std::iter::once(reply.clone().into_bytes()));
            prop_assert_eq!(said(&mut wire), reply);
            prop_assert!(asterisk.pipe.is_empty());
        }
    }

    #[test]
    fn nothing_that_comes_panics_it(
        moves in proptest::collection::vec((0u8..8, any::<u8>(), proptest::collection::vec(any::<u8>(), 0..40)), 0..40),
    ) {
        let mut wire = Wire::new();
        for (what, number, bytes) in moves {
            match what {
                0 => wire.write(&bytes),
                1 => wire.half_close(),
                2 => wire.done(u64::from(number % 8), &bytes.repeat(30)),
                3 => wire.hang_up(),
                4 => wire.ended(u32::from(number)),
                5 => wire.status(["HANGUP", "FAILURE", "SUCCESS", ""][usize::from(number % 4)]),
                6 => wire.cut(),
                _ => drop(wire.poll_send()),
            }
        }
        while wire.poll_send().is_some() {}
        let told = String::from_utf8_lossy(&wire.take_said()).matches("HANGUP\n").count();
        prop_assert!(told <= 1 || !wire.is_over());
    }
}
