//! Asterisk's side of AGI as agi-wire facts have it: bytes in, bytes out, no socket and no clock.

use super::*;
use crate::scenario::{Asterisk, Caller, Dial, Heard, Match, Span, Speech, Step, Subroutine, When};

/// A session played by hand.
struct Play {
    session: Session,
    now: Duration,
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn options() -> Options {
    let mut asterisk = Asterisk { missing: vec!["nosuch".into()], ..Asterisk::default() };
    asterisk.sounds.insert("beep".into(), Span(ms(400)));
    asterisk.sounds.insert("prompt".into(), Span(ms(1000)));
    Options { asterisk, ..Options::default() }
}

fn with_caller(change: impl FnOnce(&mut Caller)) -> Options {
    let mut options = options();
    change(&mut options.caller);
    options
}

impl Play {
    fn new(options: &Options) -> Self {
        let address = "agi://localhost/x".parse().expect("a URL");
        let session = Session::new(&Setup { options, address: &address, epoch: 1000 });
        let mut play = Self { session, now: Duration::ZERO };
        assert!(play.outputs().starts_with("agi_network: yes\n"));
        play
    }

    fn outputs(&mut self) -> String {
        let mut text = String::new();
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Send(bytes) => text.push_str(&String::from_utf8_lossy(&bytes)),
                Output::Note(_) => {}
                Output::Close => text.push_str("<close>"),
            }
        }
        text
    }

    /// Writes to Asterisk and returns what comes at once.
    fn say(&mut self, text: &str) -> String {
        self.session.handle_bytes(text.as_bytes(), self.now);
        self.outputs()
    }

    /// Time passes.
    fn after(&mut self, count: u64) -> String {
        self.now += ms(count);
        self.session.handle_time(self.now);
        self.outputs()
    }

    fn act(&mut self, act: Act) -> String {
        self.session.handle_act(act, self.now);
        self.outputs()
    }

    fn press(&mut self, keys: &str) -> String {
        self.act(Act::Press(keys.into()))
    }

    fn close(&mut self) -> String {
        self.session.handle_close(self.now);
        self.outputs()
    }
}

#[test]
fn commands_that_are_over_at_once() {
    let mut play = Play::new(&with_caller(|caller| caller.answered = true));
    for (line, reply) in [
        ("", "510 Invalid or unknown command"),
        ("# comment", "510 Invalid or unknown command"),
        ("NOOP\r", "510 Invalid or unknown command"),
        ("  noop  anything at all", "200 result=0"),
        ("ANSWER", "200 result=0"),
        ("CHANNEL STATUS", "200 result=6"),
        ("CHANNEL STATUS \"\"", "200 result=-1"),
        ("HANGUP nosuch", "200 result=-1"),
        ("SET VARIABLE X \"a (b)\"", "200 result=1"),
        ("GET VARIABLE X", "200 result=1 (a (b))"),
        ("GET VARIABLE NOSUCH", "200 result=0"),
        ("SET VARIABLE E \"\"", "200 result=1"),
        ("GET VARIABLE E", "200 result=1 ()"),
        ("SET VARIABLE _I 1", "200 result=1"),
        ("GET VARIABLE _I", "200 result=0"),
        ("GET VARIABLE I", "200 result=1 (1)"),
        ("GET FULL VARIABLE \"<${X}>${NOSUCH}\"", "200 result=1 (<a (b)>)"),
        ("GET FULL VARIABLE x Local/none", "200 result=0"),
        ("SET VARIABLE NOSUCHFUNC(x) 1", "200 result=1"),
        ("SET CALLERID \"\\\"Bob Smith\\\" <123>\"", "200 result=1"),
        ("GET VARIABLE CALLERID(all)", "200 result=1 (\"Bob Smith\" <123>)"),
        ("DATABASE GET f k", "200 result=0"),
        ("DATABASE PUT f k v", "200 result=1"),
        ("DATABASE GET f k", "200 result=1 (v)"),
        ("DATABASE DEL f nosuch", "200 result=1"),
        ("DATABASE DELTREE f", "200 result=0"),
        ("DATABASE DELTREE f", "200 result=1"),
        ("VERBOSE hello 9", "200 result=1"),
        ("SET MUSIC on", "200 result=0"),
        ("SEND TEXT hello", "200 result=0"),
        ("SEND IMAGE x", "200 result=0"),
        ("TDD MODE on", "200 result=0"),
        ("ASYNCAGI BREAK", "200 result=0"),
        ("SPEECH CREATE x", "200 result=0"),
        ("SPEECH RECOGNIZE beep 1", "200 result=0"),
        ("SPEECH DESTROY", "200 result=0"),
        ("GET DATA nosuch", "200 result=-1"),
        ("GET DATA beep 1000 0", "200 result=-1"),
        ("EXEC NoSuch", "200 result=-2"),
        ("EXEC NoOp x", "200 result=0"),
        ("EXEC System ls", "200 result=-1"),
        ("EXEC Set X=one two", "200 result=0"),
        ("GET VARIABLE X", "200 result=1 (one)"),
        ("SET CONTEXT other", "200 result=0"),
        ("SET PRIORITY 7", "200 result=0"),
        ("SET AUTOHANGUP 0", "200 result=0"),
        ("RECEIVE TEXT 0", "200 result=-1"),
        ("WAIT FOR DIGIT 0", "200 result=0"),
    ] {
        let mut got = play.say(&format!("{line}\n"));
        got.push_str(&play.after(0));
        assert_eq!(got, format!("{reply}\n"), "{line}");
    }
    assert_eq!(play.session.agistatus(), AgiStatus::Success);
    assert_eq!(play.close(), "HANGUP\n<close>");
    let position = play.session.position().expect("the call goes on");
    assert_eq!((position.context.as_str(), position.priority), ("other", 7));
    assert_eq!(play.session.variables()["AGISTATUS"], "SUCCESS");
}

#[test]
fn wrong_arguments_get_a_block() {
    let mut play = Play::new(&options());
    for line in [
        "GET VARIABLE",
        "SAY NUMBER x 1",
        "SAY DIGITS *1 \"\"",
        "SAY ALPHA a \"\" z",
        "SET PRIORITY label",
        "HANGUP a b",
        "GOSUB a b",
        "WAIT FOR DIGIT x",
    ] {
        let got = play.say(&format!("{line}\n"));
        assert!(
            got.starts_with("520-Invalid command syntax.  Proper usage follows:\n"),
            "{line}: {got}"
        );
        assert!(got.ends_with("\n520 End of proper usage.\n"), "{line}: {got}");
    }
    assert_eq!(play.session.agistatus(), AgiStatus::Success);
}

#[test]
fn prompts_play_for_as_long_as_they_last() {
    let mut play = Play::new(&options());
    assert_eq!(play.say("STREAM FILE prompt \"#\"\n"), "");
    assert_eq!(play.after(999), "");
    assert_eq!(play.after(1), "200 result=0 endpos=8000\n");
    play.say("STREAM FILE prompt \"12\" 4000\n");
    assert_eq!(play.after(110), "");
    assert_eq!(play.press("3"), "", "swallowed");
    assert_eq!(play.press("1"), "200 result=49 endpos=4800\n");
    assert_eq!(play.say("STREAM FILE nosuch \"\" 5\n"), "200 result=-1 endpos=5\n");
    assert_eq!(play.session.agistatus(), AgiStatus::Failure);
}

#[test]
fn get_data_in_all_its_forms() {
    let mut play = Play::new(&options());
    play.say("GET DATA prompt 2000 4\n");
    assert_eq!(play.press("12"), "");
    assert_eq!(play.press("#"), "200 result=12\n");
    play.say("GET DATA prompt 2000 4\n");
    assert_eq!(play.press("1234"), "200 result=1234\n");
    play.say("GET DATA prompt 2000 4\n");
    assert_eq!(play.press("1"), "");
    assert_eq!(play.after(2000), "200 result=1 (timeout)\n");
    play.say("GET DATA prompt 2000 4\n");
    assert_eq!(play.after(2999), "");
    assert_eq!(play.after(1), "200 result= (timeout)\n");
    play.say("GET DATA \"\"\n");
    assert_eq!(play.press("#"), "200 result=\n");
    play.say("GET DATA beep\n");
    assert_eq!(play.after(6399), "");
    assert_eq!(play.after(1), "200 result= (timeout)\n");
}

#[test]
fn get_option_waits_after_its_prompt() {
    let mut play = Play::new(&options());
    play.say("GET OPTION prompt 12 500\n");
    assert_eq!(play.after(1000), "");
    assert_eq!(play.press("2"), "200 result=50 endpos=8000\n");
    play.say("GET OPTION prompt 12 500\n");
    play.after(1000);
    assert_eq!(play.press("3"), "200 result=0 endpos=8000\n");
    play.say("GET OPTION prompt 12 500\n");
    play.after(1000);
    assert_eq!(play.act(Act::HangUp), "200 result=0 endpos=8000\nHANGUP\n");
}

#[test]
fn control_stream_file_moves_and_stops() {
    let mut play = Play::new(&options());
    play.say("CONTROL STREAM FILE prompt 5 300 # * 0\n");
    play.after(100);
    play.press("#");
    play.after(100);
    play.press("0");
    assert_eq!(play.after(60_000), "", "paused");
    play.press("0");
    play.after(100);
    play.press("*");
    assert_eq!(play.press("5"), "200 result=53 endpos=300\n");
    assert_eq!(play.session.variables()["CPLAYBACKSTOPKEY"], "5");
    play.say("CONTROL STREAM FILE prompt \"\"\n");
    assert_eq!(play.after(1000), "200 result=0 endpos=-1\n");
    assert_eq!(play.say("CONTROL STREAM FILE nosuch \"\"\n"), "200 result=-1 endpos=-1\n");
}

#[test]
fn recordings_end_in_five_ways_and_can_be_played() {
    let mut play = Play::new(&options());
    play.say("RECORD FILE /tmp/a wav # 1000\n");
    assert_eq!(play.after(1000), "200 result=0 (timeout) endpos=8000\n");
    play.say("RECORD FILE /tmp/a wav # -1 BEEP\n");
    assert_eq!(play.after(400), "");
    play.after(1000);
    assert_eq!(play.press("#"), "200 result=35 (dtmf) endpos=6400\n");
    play.say("STREAM FILE /tmp/a \"\"\n");
    assert_eq!(play.after(800), "200 result=0 endpos=6400\n");
    play.say("RECORD FILE /tmp/a gsm # 5000 s=2\n");
    assert_eq!(play.after(2000), "200 result=2982 (timeout) endpos=16000\n");
    play.say("RECORD FILE /tmp/a gsm # 5000 BEEP\n");
    assert_eq!(play.press("#"), "200 result=35 (randomerror) endpos=0\n");
    assert_eq!(play.session.agistatus(), AgiStatus::Success);
    assert_eq!(play.say("RECORD FILE /tmp/a nosuch # 5000\n"), "200 result=-1 (writefile)\n");
    play.say("RECORD FILE /tmp/a gsm # 5000\n");
    play.after(300);
    assert_eq!(play.act(Act::HangUp), "200 result=-1 (hangup) endpos=2400\nHANGUP\n");
}

#[test]
fn text_is_received_or_not() {
    let mut play = Play::new(&options());
    play.say("RECEIVE TEXT 1000\n");
    assert_eq!(play.act(Act::Text("hello".into())), "200 result=1 (hello)\n");
    play.say("RECEIVE TEXT 1000\n");
    assert_eq!(play.after(1000), "200 result=-1\n");
    play.say("RECEIVE CHAR 1000\n");
    assert_eq!(play.act(Act::Text("hello".into())), "200 result=104\n");
    assert_eq!(play.session.agistatus(), AgiStatus::Success);
    play.say("RECEIVE CHAR 1000\n");
    assert_eq!(play.after(1000), "200 result=-1 (hangup)\n");
    assert_eq!(play.session.agistatus(), AgiStatus::Failure);
}

#[test]
fn a_subroutine_runs_between_two_replies() {
    let mut options = options();
    let subroutine = Subroutine { value: "5".into(), after: Span(ms(100)), abnormal: false };
    let abnormal = Subroutine { abnormal: true, ..Subroutine::default() };
    options
        .asterisk
        .subroutines
        .insert("subs".into(), [("a".to_owned(), subroutine), ("b".to_owned(), abnormal)].into());
    let mut play = Play::new(&options);
    assert_eq!(play.say("GOSUB subs nosuch 1\n"), "200 result=-1 Gosub label not found\n");
    assert_eq!(play.say("GOSUB subs a 1 \"x,y\"\n"), "100 result=0 Trying...\n");
    assert_eq!(play.after(100), "200 result=0 Gosub complete\n");
    assert_eq!(play.say("GET VARIABLE GOSUB_RETVAL\n"), "200 result=1 (5)\n");
    play.say("GOSUB subs b 1\n");
    assert_eq!(play.after(0), "200 result=0 Gosub complete (abnormal exit)\nHANGUP\n");
}

#[test]
fn an_engine_hears_what_is_scripted() {
    let mut options = options();
    let matches = vec![
        Match { score: 87, text: "hello \"you\"".into(), grammar: Some("g".into()) },
        Match { score: 5, text: "no".into(), grammar: None },
    ];
    let results = vec![Heard { after: Span(ms(200)), matches }];
    options.asterisk.speech = Some(Speech { engine: "e".into(), results });
    let mut play = Play::new(&options);
    assert_eq!(play.say("SPEECH CREATE other\n"), "200 result=0\n");
    assert_eq!(play.say("SPEECH CREATE e\n"), "200 result=1\n");
    assert_eq!(play.say("SPEECH CREATE e\n"), "200 result=0\n");
    assert_eq!(play.say("SPEECH LOAD GRAMMAR g p\n"), "200 result=1\n");
    play.say("SPEECH RECOGNIZE beep 5\n");
    assert_eq!(
        play.after(200),
        "200 result=1 (speech) endpos=0 results=2 score0=87 text0=\"hello \"you\"\" grammar0=g score1=5 text1=\"no\" grammar1=(null)\n"
    );
    play.say("SPEECH RECOGNIZE beep 1\n");
    assert_eq!(play.after(1400), "200 result=1 (timeout) endpos=0\n");
    play.say("SPEECH RECOGNIZE beep 1\n");
    assert_eq!(play.press("7"), "200 result=1 (digit) digit=7 endpos=0\n");
    assert_eq!(play.say("SPEECH DESTROY\n"), "200 result=1\n");
}

#[test]
fn dial_has_four_fates() {
    let mut options = options();
    let talk = Dial::Answered { ring: Span(ms(200)), talk: Span(ms(300)) };
    options.asterisk.dial = [
        ("Local/a".to_owned(), talk),
        ("Local/b".into(), Dial::Busy),
        ("Local/n".into(), Dial::Noanswer),
    ]
    .into();
    let mut play = Play::new(&options);
    for (data, wait, reply, status) in [
        ("Local/a", 500, "-1", "ANSWER"),
        ("Local/a,5,tg", 500, "0", "ANSWER"),
        ("Local/a,0.1", 100, "0", "NOANSWER"),
        ("Local/b", 0, "0", "BUSY"),
        ("Local/n,2", 2000, "0", "NOANSWER"),
        ("Local/x", 0, "0", "CHANUNAVAIL"),
    ] {
        let mut got = play.say(&format!("EXEC Dial \"{data}\"\n"));
        got.push_str(&play.after(wait));
        assert_eq!(got, format!("200 result={reply}\n"), "{data}");
        assert_eq!(play.session.variables()["DIALSTATUS"], status, "{data}");
    }
    assert_eq!(play.session.agistatus(), AgiStatus::Success, "-1 of EXEC poisons nothing");
    play.say("EXEC Dial Local/n\n");
    assert_eq!(play.act(Act::HangUp), "200 result=-1\nHANGUP\n");
    assert_eq!(play.session.variables()["DIALSTATUS"], "CANCEL");
}

#[test]
fn a_hangup_ends_each_command_in_its_own_words() {
    for (line, reply) in [
        ("STREAM FILE prompt \"\"", "200 result=-1 endpos=1600"),
        ("CONTROL STREAM FILE prompt \"\"", "200 result=-1 endpos=200"),
        ("GET OPTION prompt \"\" 1000", "200 result=-1 endpos=1600"),
        ("GET DATA prompt", "200 result=-1"),
        ("WAIT FOR DIGIT -1", "200 result=-1"),
        ("SAY NUMBER 12345 \"\"", "200 result=-1"),
        ("RECEIVE TEXT 5000", "200 result=-1"),
        ("RECEIVE CHAR 5000", "200 result=-1 (hangup)"),
        ("EXEC Wait 5", "200 result=-1"),
        ("EXEC Playback prompt", "200 result=-1"),
        ("EXEC Read X,prompt", "200 result=0"),
        ("ANSWER", "200 result=-1"),
    ] {
        let mut play = Play::new(&options());
        assert_eq!(play.say(&format!("{line}\n")), "", "{line}");
        play.after(200);
        assert_eq!(play.act(Act::HangUp), format!("{reply}\nHANGUP\n"), "{line}");
        assert_eq!(
            play.say("CHANNEL STATUS x y z\n"),
            "511 Command Not Permitted on a dead channel or intercept routine\n"
        );
        assert_eq!(play.close(), "HANGUP\n<close>");
        assert_eq!(play.session.agistatus(), AgiStatus::Hangup, "{line}");
        assert_eq!(play.session.position(), None);
    }
}

#[test]
fn a_dead_channel_runs_some_applications() {
    let mut play = Play::new(&options());
    assert_eq!(play.act(Act::HangUp), "HANGUP\n");
    for (line, reply) in [
        ("EXEC NoOp", "0"),
        ("EXEC Playback prompt", "0"),
        ("EXEC Dial Local/x", "-1"),
        ("EXEC Hangup", "-1"),
        ("EXEC Answer", "0"),
        ("SET VARIABLE X 1", "1"),
    ] {
        assert_eq!(play.say(&format!("{line}\n")), format!("200 result={reply}\n"), "{line}");
    }
    assert_eq!(play.say("EXEC Wait 1\n"), "");
    assert_eq!(play.after(1000), "200 result=0\n");
    assert_eq!(
        play.say("HANGUP\n"),
        "511 Command Not Permitted on a dead channel or intercept routine\n"
    );
}

#[test]
fn the_h_extension_begins_dead_and_says_hangup_once() {
    let mut play = Play::new(&with_caller(|caller| caller.dead = true));
    assert_eq!(play.say("GET VARIABLE EXTEN\n"), "200 result=1 (h)\n");
    assert_eq!(play.say("EXEC Wait 1\n"), "200 result=-1\n");
    assert_eq!(
        play.say("ANSWER\n"),
        "511 Command Not Permitted on a dead channel or intercept routine\n"
    );
    assert_eq!(play.close(), "HANGUP\n<close>");
    assert_eq!(play.session.agistatus(), AgiStatus::Success);
}

#[test]
fn two_variables_change_how_a_hangup_is_told() {
    let quiet =
        |caller: &mut Caller| drop(caller.variables.insert("AGISIGHUP".into(), "no".into()));
    let mut play = Play::new(&with_caller(quiet));
    assert_eq!(play.act(Act::HangUp), "");
    assert_eq!(
        play.say("ANSWER\n"),
        "511 Command Not Permitted on a dead channel or intercept routine\n"
    );
    assert_eq!(play.close(), "<close>");

    let exit =
        |caller: &mut Caller| drop(caller.variables.insert("AGIEXITONHANGUP".into(), "yes".into()));
    let mut play = Play::new(&with_caller(exit));
    play.say("WAIT FOR DIGIT 5000\n");
    assert_eq!(play.act(Act::HangUp), "200 result=-1\nHANGUP\nHANGUP\n<close>");
    assert_eq!(play.session.ended(), Some(&Ended::Hangup));

    let mut play = Play::new(&with_caller(|caller| {
        quiet(caller);
        exit(caller);
    }));
    assert_eq!(play.act(Act::HangUp), "<close>");
}

#[test]
fn a_redirect_looks_like_a_hangup_and_moves_the_channel() {
    let mut play = Play::new(&options());
    play.say("STREAM FILE prompt \"\"\n");
    play.after(500);
    let to = Location { context: "other".into(), extension: "77".into(), priority: 3 };
    assert_eq!(play.act(Act::Redirect(to.clone())), "200 result=-1 endpos=4000\nHANGUP\n");
    assert_eq!(play.say("GET VARIABLE EXTEN\n"), "200 result=1 (77)\n");
    play.close();
    assert_eq!(play.session.agistatus(), AgiStatus::Hangup);
    assert_eq!(play.session.position(), Some(to));
}

#[test]
fn the_server_hangs_up_in_three_ways() {
    let mut play = Play::new(&options());
    assert_eq!(play.say("HANGUP\n"), "200 result=1\nHANGUP\n");
    let mut play = Play::new(&options());
    assert_eq!(play.say("EXEC Hangup 17\n"), "200 result=-1\nHANGUP\n");
    assert_eq!(play.say("GET VARIABLE HANGUPCAUSE\n"), "200 result=1 (17)\n");
    let mut play = Play::new(&options());
    play.say("SET AUTOHANGUP 1.5\n");
    play.say("WAIT FOR DIGIT -1\n");
    assert_eq!(play.after(1500), "200 result=-1\nHANGUP\n");
    assert_eq!(play.session.gone(), Some(Gone::Timer));
}

#[test]
fn a_byte_while_a_command_runs() {
    let mut play = Play::new(&options());
    play.say("STREAM FILE prompt \"\"\n");
    assert_eq!(play.say("\n"), "510 Invalid or unknown command\n", "aborted without a reply");
    play.say("GET DATA prompt\n");
    assert_eq!(play.say("NOOP\n"), "200 result=0\n");
    play.say("WAIT FOR DIGIT 5000\n");
    assert_eq!(play.say("NOOP\n"), "200 result=1\n200 result=0\n");
    play.say("SAY DIGITS 1 \"\"\n");
    assert_eq!(play.say("NOOP\n"), "");
    assert_eq!(play.after(2000), "200 result=0\n200 result=0\n");
    play.say("STREAM FILE prompt \"\"\n");
    assert_eq!(play.close(), "HANGUP\n<close>");
    assert_eq!(play.session.agistatus(), AgiStatus::Success);
}

#[test]
fn a_second_line_in_one_segment_stalls() {
    let mut play = Play::new(&options());
    assert_eq!(play.say("NOOP\nNOOP\nNOOP\n"), "200 result=0\n");
    assert_eq!(play.after(5000), "");
    assert_eq!(play.act(Act::HangUp), "HANGUP\n");
    assert_eq!(play.close(), "200 result=0\n200 result=0\nHANGUP\n<close>");
    let mut play = Play::new(&options());
    play.say("STREAM FILE prompt \"\"\nNOOP\n");
    assert_eq!(play.after(1000), "200 result=0 endpos=8000\n", "the hidden line aborts nothing");
    assert_eq!(play.say("NOOP\n"), "200 result=0\n200 result=0\n");
}

#[test]
fn a_line_without_its_end_hides_the_hangup() {
    let mut play = Play::new(&options());
    assert_eq!(play.say("NOO"), "");
    assert_eq!(play.act(Act::HangUp), "");
    assert_eq!(play.say("P\n"), "200 result=0\nHANGUP\n");
}

#[test]
fn failure_ends_the_session() {
    let mut play = Play::new(&options());
    assert_eq!(play.say("Failure of mine\n"), "HANGUP\n<close>");
    assert_eq!(play.session.agistatus(), AgiStatus::Failure);
    assert!(play.session.position().is_some());
}

#[test]
fn a_bad_server_is_told_from_a_call() {
    for (bytes, fault) in [
        ("x".repeat(200_000), Fault::EndlessLine),
        ("x\n".repeat(5000), Fault::Garbage),
        (format!("NOOP {}\n", "\"a\" ".repeat(200)), Fault::Crash),
    ] {
        let mut play = Play::new(&options());
        for chunk in bytes.as_bytes().chunks(4000) {
            play.session.handle_bytes(chunk, Duration::ZERO);
        }
        assert_eq!(play.session.ended(), Some(&Ended::Fault(fault)));
        assert_eq!(play.session.agistatus(), AgiStatus::Failure);
        assert!(play.outputs().ends_with("<close>"));
    }
    let mut play = Play::new(&options());
    play.after(300_000);
    assert_eq!(play.session.ended(), Some(&Ended::Fault(Fault::Timeout)));
}

#[test]
fn steps_and_typed_keys_reach_their_commands() {
    let steps = vec![Step {
        when: Some(When::Command("WAIT FOR DIGIT".into())),
        after: ms(300),
        act: Act::Press("5".into()),
    }];
    let mut options = with_caller(|caller| caller.steps = steps);
    options.digits = "12#4".into();
    options.hangup_after = Some(ms(60_000));
    let mut play = Play::new(&options);
    play.say("STREAM FILE prompt 9\n");
    assert_eq!(play.after(1000), "200 result=0 endpos=8000\n");
    play.say("GET DATA prompt 5000\n");
    assert_eq!(play.after(1000), "200 result=12\n");
    play.say("WAIT FOR DIGIT 5000\n");
    assert_eq!(play.after(300), "200 result=53\n", "the script is asked first");
    assert_eq!(play.after(60_000), "HANGUP\n");
}
