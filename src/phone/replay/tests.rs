//! Transcripts that are played to a server which does this or that, with a clock of the test's own.

use super::*;

const HEAD: &str = "agi-bridge transcript 1\n\nA> agi_network: yes\nA> agi_network_script: support/eu\n\
    A> agi_request: agi://h/support/eu\nA> agi_calleridname: Zo\\xeb\nA>\n";

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Plays `steps`; `server` is what happens at each moment: lines that it writes, or its end.
fn play(steps: &str, server: &[(u64, &str)]) -> (Replayed, String) {
    let transcript = Transcript::parse(&format!("{HEAD}{steps}")).expect("a transcript");
    let address = "agi://127.0.0.1".parse().expect("a URL");
    let mut replay = Replay::new(&transcript, &address, ms(60_000));
    replay.output.clear();
    let mut said = String::new();
    let mut server = server.iter().peekable();
    let mut now = Duration::ZERO;
    loop {
        replay.advance(now);
        for line in String::from_utf8_lossy(&std::mem::take(&mut replay.output)).lines() {
            said.push_str(&format!("{}:{line} ", now.as_millis()));
        }
        if replay.is_over {
            return (replay.result, said.trim_end().to_owned());
        }
        let due = replay.deadline();
        match server.next_if(|(at, _)| due.is_none_or(|due| ms(*at) <= due)) {
            Some((at, line)) => {
                now = now.max(ms(*at));
                match *line {
                    "" => replay.closed = true,
                    line => replay.handle_bytes(format!("{line}\n").as_bytes()),
                }
            }
            None => now = due.expect("something is awaited"),
        }
    }
}

fn difference(line: usize, expected: &str, got: &str) -> Difference {
    Difference { line, expected: expected.into(), got: got.into() }
}

const CALL: &str = "A< ANSWER\nA> 200 result=0\nA< STREAM FILE \"a\" \"\"\n-- 2s\nA> HANGUP\n\
    A> 200 result=-1 endpos=80\n-- the AGI server closes\nA> HANGUP\n-- Asterisk closes\n";

#[test]
fn a_server_that_does_the_same_is_equal_and_hears_what_was_said_when_it_was() {
    let server = [(10, "ANSWER"), (20, "STREAM FILE \"a\" \"\""), (2050, "")];
    let (result, said) = play(CALL, &server);
    assert_eq!((result.differences, result.commands), (vec![], 2));
    assert_eq!(said, "10:200 result=0 2020:HANGUP 2020:200 result=-1 endpos=80 2050:HANGUP");
}

#[test]
fn other_words_are_a_difference_and_another_command_is_the_last_one() {
    let (result, _) = play(CALL, &[(10, "ANSWER"), (20, "STREAM FILE \"b\" \"\""), (2050, "")]);
    let other = difference(10, "STREAM FILE \"a\" \"\"", "STREAM FILE \"b\" \"\"");
    assert_eq!((result.differences, result.commands), (vec![other], 2));

    let (result, _) = play(CALL, &[(10, "NOOP \"x\""), (20, "STREAM FILE \"b\" \"\"")]);
    assert_eq!(result.differences, [difference(8, "ANSWER", "NOOP \"x\"")]);
}

#[test]
fn an_end_that_comes_early_or_late_or_never_is_a_difference() {
    let command = "STREAM FILE \"a\" \"\"";
    let (result, _) = play(CALL, &[(10, "ANSWER"), (20, "")]);
    assert_eq!(result.differences, [difference(10, command, ENDS)]);
    let (result, _) = play(CALL, &[(10, "ANSWER"), (20, command), (2050, "NOOP \"x\"")]);
    assert_eq!(result.differences, [difference(14, ENDS, "NOOP \"x\"")]);
    let (result, _) = play(CALL, &[(10, "ANSWER")]);
    assert_eq!(result.differences, [difference(10, command, "nothing within 60 s")]);
    // It was to wait for the hangup.
    let waits = "-- 5s\nA> HANGUP\nA< NOOP \"x\"\nA> 200 result=0\n-- the AGI server closes\n";
    assert_eq!(play(waits, &[(10, "")]).0.differences, [difference(10, "NOOP \"x\"", ENDS)]);
}

#[test]
fn a_hangup_in_the_pause_before_a_command_comes_before_it() {
    let steps = "-- 5s\nA> HANGUP\nA< NOOP \"x\"\nA> 200 result=0\n-- the AGI server closes\n";
    let (result, said) = play(steps, &[(100, "NOOP \"x\""), (200, "")]);
    assert!(result.is_equal(), "{result:?}");
    assert_eq!(said, "100:HANGUP 100:200 result=0");
}

#[test]
fn marks_of_today_are_put_around_values_of_then() {
    let mark = "0123456789abcdef0123456789abcdef";
    let steps = "A< GET FULL VARIABLE \"{mark}${X}{mark}\"\nA> 200 result=1 ({mark}v•{mark})\n-- the AGI server closes\n";
    let (result, said) =
        play(steps, &[(0, &format!("GET FULL VARIABLE \"{mark}${{X}}{mark}\"")), (1, "")]);
    assert!(result.is_equal(), "{result:?}");
    assert_eq!(said, format!("0:200 result=1 ({mark}v5{mark})"));
}

#[test]
fn what_was_not_recorded_is_not_compared() {
    let steps = "A< ANSWER\nA> 200 result=0\n-- the rest was not recorded\n";
    let (result, _) = play(steps, &[(0, "ANSWER")]);
    assert!(result.is_cut && result.is_equal());
}

#[test]
fn a_server_without_manners_is_cut_off() {
    let steps = "A< ANSWER\nA> 200 result=0\n-- the AGI server closes\n";
    let flood = "NOOP\n".repeat(1000);
    let endless = "x".repeat(100_000);
    for nonsense in [&flood, &endless] {
        let (result, _) = play(steps, &[(0, nonsense)]);
        assert_eq!(result.differences.len(), 1);
    }
}

#[test]
fn the_prelude_is_as_it_was_but_for_where_it_leads() {
    let transcript = Transcript::parse(HEAD).expect("a transcript");
    for (url, script, request) in [
        ("agi://127.0.0.1:1", "support/eu", "agi://127.0.0.1:1/support/eu"),
        ("agi://127.0.0.1:1/", "support/eu", "agi://127.0.0.1:1/support/eu"),
        ("agi://127.0.0.1:1/b?c=d", "b?c=d", "agi://127.0.0.1:1/b?c=d"),
    ] {
        let block = prelude(&transcript, &url.parse().expect("a URL"));
        let expected = format!(
            "agi_network: yes\nagi_network_script: {script}\nagi_request: {request}\nagi_calleridname: Zo"
        );
        assert_eq!(block, [expected.as_bytes(), b"\xeb\n\n"].concat());
    }
}
