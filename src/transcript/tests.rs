//! Calls that are written down and read again.

use super::*;
use crate::{
    agi::{Prelude, PreludeReader},
    redact::Redact,
};
use proptest::prelude::*;

fn prelude(lines: &str) -> Prelude {
    PreludeReader::new().push(lines.as_bytes()).expect("a prelude").expect("a whole one")
}

fn finish(tape: Tape, prelude: &Prelude) -> String {
    let began = serde_json::from_str("\"2026-01-31T12:00:00Z\"").expect("a moment");
    tape.finish(&Head {
        call_id: Uuid::from_u128(1),
        route: ("support", "/support/{queue}"),
        began: &began,
        lasted: Duration::from_millis(4321),
        prelude,
        ended: "hangup by caller",
    })
}

const PRELUDE: &str = "agi_network: yes\nagi_network_script: support/eu?pin=0123\n\
    agi_request: agi://h/support/eu?pin=0123\nagi_callerid: 3200\nagi_calleridname: Alice\n\
    agi_accountcode: \nagi_arg_1: one\n\n";

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[test]
fn a_call_is_written_down_line_by_line_and_read_again() {
    let mut tape = Tape::new(Redact::NOTHING, 10_000);
    tape.written(b"ANSWER\n", ms(3));
    tape.heard(b"200 resu", ms(5));
    tape.heard(b"lt=0\nHANG", ms(5));
    tape.heard(b"UP\n", ms(3129));
    tape.server_closed(ms(3130));
    tape.asterisk_closed(ms(3131));
    let text = finish(tape, &prelude(PRELUDE));
    let expected = "agi-bridge transcript 1\ncall: 00000000-0000-0000-0000-000000000001\nroute: support\n\
        began: 2026-01-31T12:00:00+00:00\nlasted: 4.321s\nended: hangup by caller\n\n\
        A> agi_network: yes\nA> agi_network_script: support/eu?pin=0123\n\
        A> agi_request: agi://h/support/eu?pin=0123\nA> agi_callerid: 3200\nA> agi_calleridname: Alice\n\
        A> agi_accountcode: \nA> agi_arg_1: one\nA>\n\
        A< ANSWER\nA> 200 result=0\n-- 3.12s\nA> HANGUP\n-- the AGI server closes\n-- Asterisk closes\n";
    assert_eq!(text, expected);

    let read = Transcript::parse(&text).expect("a transcript");
    assert_eq!(read.prelude[5], ("agi_accountcode".into(), String::new()));
    let steps: Vec<_> = read.steps.iter().map(|step| (step.line, step.after, &step.what)).collect();
    assert_eq!(
        steps,
        [
            (16, ms(0), &What::Command("ANSWER".into())),
            (17, ms(0), &What::Said("200 result=0".into())),
            (19, ms(3120), &What::Said("HANGUP".into())),
            (20, ms(0), &What::ServerCloses),
            (21, ms(0), &What::AsteriskCloses),
        ]
    );
}

#[test]
fn what_the_route_masks_is_not_in_it() {
    let mut tape = Tape::new(Redact::ALL, 10_000);
    tape.written(b"SET VARIABLE \"PIN\" \"0123\"\n", ms(0));
    let text = finish(tape, &prelude(PRELUDE));
    for secret in ["0123", "3200", "Alice", "one", "/eu"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    assert!(text.contains("masked: digits, values, numbers\n"), "{text}");
    assert!(text.contains("A> agi_network_script: support/•••?pin=•••\n"), "{text}");
}

#[test]
fn beyond_its_bound_and_on_a_route_that_keeps_none_nothing_is_written_down() {
    for (cut, flood) in
        [(false, "x".repeat(60)), (true, "x".repeat(60)), (false, "x".repeat(95) + "\n")]
    {
        let mut tape = Tape::new(Redact::NOTHING, 100);
        tape.written(b"ANSWER\n", ms(0));
        if cut {
            tape.cut();
        }
        for _ in 0..1000 {
            tape.heard(flood.as_bytes(), ms(1));
        }
        tape.asterisk_closed(ms(2));
        let text = finish(tape, &prelude(PRELUDE));
        assert!(text.ends_with("A< ANSWER\n-- the rest was not recorded\n"), "{text}");
    }
}

#[test]
fn what_is_no_transcript_is_refused_with_its_line() {
    let head = "agi-bridge transcript 1\n";
    for (text, line) in [
        ("", 1),
        ("name: a scenario\n", 1),
        ("agi-bridge transcript 2\n", 1),
        (&format!("{head}call: x\n"), 2),
        (&format!("{head}\nA> agi_network: yes\n"), 3),
        (&format!("{head}\nA> what\nA>\n"), 3),
        (&format!("{head}\nA< ANSWER\n"), 3),
        (&format!("{head}\nA>\nANSWER\n"), 4),
        (&format!("{head}\nA>\n-- soon\n"), 4),
    ] {
        assert_eq!(Transcript::parse(text).expect_err(text).line, line, "{text}");
    }
    let edited = format!("# mine\n{head}# a note\n\nA>\n\n# why\n-- 1s\n-- 200ms\nA< NOOP\n");
    let step = Transcript::parse(&edited).expect("a transcript").steps.remove(0);
    assert_eq!((step.line, step.after), (10, ms(1200)));
}

proptest! {
    #[test]
    fn whatever_was_said_is_played_again_byte_for_byte(
        lines in proptest::collection::vec((any::<bool>(), "[^\n\0]{1,30}"), 0..12),
        odd in proptest::collection::vec(any::<u8>().prop_filter("one line", |byte| *byte != b'\n'), 1..20),
    ) {
        let mut tape = Tape::new(Redact::NOTHING, 100_000);
        let mut expected = Vec::new();
        for (is_command, line) in &lines {
            let line = [line.as_bytes(), &odd, b"\n"].concat();
            if *is_command { tape.written(&line, ms(1)) } else { tape.heard(&line, ms(1)) }
            expected.push((*is_command, line));
        }
        let read = Transcript::parse(&finish(tape, &prelude(PRELUDE))).expect("a transcript");
        let played: Vec<_> = read.steps.iter().map(|step| match &step.what {
            What::Command(text) => (true, [&decode(text, b"")[..], b"\n"].concat()),
            What::Said(text) => (false, [&decode(text, b"")[..], b"\n"].concat()),
            What::ServerCloses | What::AsteriskCloses | What::Cut => panic!("{step:?}"),
        }).collect();
        prop_assert_eq!(played, expected);
    }

    #[test]
    fn no_text_makes_the_reader_stumble(text in "(agi-bridge transcript 1\n)?((call|began|lasted|masked): .{0,9}\n)*\n(A[<>] .{0,9}\n|--.{0,9}\n|A>\n)*") {
        let _ = Transcript::parse(&text);
    }
}
