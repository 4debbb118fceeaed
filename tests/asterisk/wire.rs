//! What Asterisk itself says to every command, without the bridge: kept as a transcript, so that another Asterisk's
//! other words are seen here first and not as an odd failure elsewhere.

use crate::runner::Runner;
use kit::{
    asterisk::{Asterisk, Call, CallSpec, Dialplan, Place},
    fastagi::{FastAgi, Session},
    tap::Tap,
    transcript::{COMMANDS, Names, Transcript, difference},
};
use std::{collections::BTreeSet, env, fs, sync::Arc, time::Duration};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts/asterisk-22.txt");
const LIMIT: Duration = Duration::from_secs(30);
/// Set to write the file anew.
const BLESS: &str = "AGIBRIDGE_BLESS";

/// What the caller does while a command runs.
enum Caller {
    Nothing,
    Presses(&'static str),
    Writes(&'static str),
}
use Caller::{Nothing, Presses, Writes};

/// In the order in which they are sent. Together they use every command of AGI.
const SCRIPT: &[(&str, Caller)] = &[
    ("CHANNEL STATUS", Nothing),
    ("ANSWER", Nothing),
    ("CHANNEL STATUS", Nothing),
    ("CHANNEL STATUS \"nosuch\"", Nothing),
    ("NOOP \"anything\"", Nothing),
    ("VERBOSE \"said by a test\" \"1\"", Nothing),
    ("ASYNCAGI BREAK", Nothing),
    // Variables and database.
    ("SET VARIABLE \"V\" \"a \\\"b\\\" \\\\c\"", Nothing),
    ("GET VARIABLE \"V\"", Nothing),
    ("GET VARIABLE \"UNSET\"", Nothing),
    ("SET VARIABLE \"EMPTY\" \"\"", Nothing),
    ("GET VARIABLE \"EMPTY\"", Nothing),
    ("GET FULL VARIABLE \"<${V}>\"", Nothing),
    ("GET FULL VARIABLE \"<${V}>\" \"nosuch\"", Nothing),
    ("SET CALLERID \"\\\"Bob Smith\\\" <123>\"", Nothing),
    ("GET VARIABLE \"CALLERID(all)\"", Nothing),
    ("DATABASE PUT \"wire\" \"key\" \"value\"", Nothing),
    ("DATABASE GET \"wire\" \"key\"", Nothing),
    ("DATABASE GET \"wire\" \"nosuch\"", Nothing),
    ("DATABASE DEL \"wire\" \"key\"", Nothing),
    ("DATABASE DEL \"wire\" \"key\"", Nothing),
    ("DATABASE PUT \"wire\" \"a/b\" \"value\"", Nothing),
    ("DATABASE DELTREE \"wire\"", Nothing),
    ("DATABASE DELTREE \"wire\"", Nothing),
    // Playback and digits.
    ("STREAM FILE \"beep\" \"\"", Nothing),
    ("STREAM FILE \"demo-congrats\" \"#\"", Presses("#")),
    ("STREAM FILE \"nosuch\" \"\" \"40\"", Nothing),
    ("CONTROL STREAM FILE \"beep\" \"\"", Nothing),
    ("CONTROL STREAM FILE \"demo-congrats\" \"5\"", Presses("5")),
    ("CONTROL STREAM FILE \"beep\" \"\" \"\"", Nothing),
    ("CONTROL STREAM FILE \"beep\" \"\" \"3000\" \"\" \"\" \"\" \"\"", Nothing),
    ("CONTROL STREAM FILE \"beep\" \"\" \"3000\" \"\" \"\" \"\" \"100\"", Nothing),
    ("GET OPTION \"beep\" \"12\" \"200\"", Nothing),
    ("GET OPTION \"beep\" \"12\" \"5000\"", Presses("2")),
    ("GET DATA \"beep\" \"300\" \"4\"", Nothing),
    ("GET DATA \"demo-congrats\" \"2000\" \"4\"", Presses("1*2#")),
    ("GET DATA \"demo-congrats\" \"2000\" \"2\"", Presses("07")),
    ("GET DATA \"\" \"900\" \"4\"", Presses("4")),
    ("GET DATA \"nosuch\" \"300\" \"4\"", Nothing),
    ("WAIT FOR DIGIT \"100\"", Nothing),
    ("WAIT FOR DIGIT \"-1\"", Presses("*")),
    ("SAY ALPHA \"a\" \"\"", Nothing),
    ("SAY DATE \"0\" \"#\"", Presses("#")),
    ("SAY DATETIME \"0\" \"#\" \"HM\" \"UTC\"", Nothing),
    ("SAY DIGITS \"07\" \"\"", Nothing),
    ("SAY NUMBER \"-1\" \"\"", Nothing),
    ("SAY PHONETIC \"a\" \"\"", Nothing),
    ("SAY TIME \"0\" \"#\"", Presses("#")),
    // The rest of a live channel.
    ("RECORD FILE \"/tmp/wire\" \"wav\" \"#\" \"400\"", Nothing),
    ("RECORD FILE \"/tmp/wire\" \"wav\" \"#\" \"-1\"", Presses("#")),
    ("RECORD FILE \"/tmp/wire\" \"wav\" \"#\" \"5000\" \"s=1\"", Nothing),
    ("RECORD FILE \"/nosuch/wire\" \"wav\" \"#\" \"400\"", Nothing),
    ("SEND TEXT \"hello\"", Nothing),
    ("SEND IMAGE \"nosuch\"", Nothing),
    ("RECEIVE TEXT \"5000\"", Writes("two words")),
    ("RECEIVE TEXT \"100\"", Nothing),
    ("RECEIVE CHAR \"5000\"", Writes("x")),
    ("RECEIVE CHAR \"100\"", Nothing),
    ("SET AUTOHANGUP \"0\"", Nothing),
    ("SET MUSIC \"on\"", Nothing),
    ("SET MUSIC \"off\"", Nothing),
    ("TDD MODE \"off\"", Nothing),
    ("SPEECH CREATE \"\"", Nothing),
    ("SPEECH SET \"a\" \"b\"", Nothing),
    ("SPEECH LOAD GRAMMAR \"g\" \"/nosuch\"", Nothing),
    ("SPEECH ACTIVATE GRAMMAR \"g\"", Nothing),
    ("SPEECH RECOGNIZE \"beep\" \"1\"", Nothing),
    ("SPEECH DEACTIVATE GRAMMAR \"g\"", Nothing),
    ("SPEECH UNLOAD GRAMMAR \"g\"", Nothing),
    ("SPEECH DESTROY", Nothing),
    // The dialplan.
    ("EXEC \"Wait\" \"0.1\"", Nothing),
    ("EXEC \"NoSuchApplication\" \"\"", Nothing),
    ("EXEC \"Dial\" \"Local/nosuch@wire\"", Nothing),
    ("GET VARIABLE \"DIALSTATUS\"", Nothing),
    ("GOSUB \"wire-sub\" \"s\" \"1\" \"5,6\"", Nothing),
    ("GET VARIABLE \"GOSUB_RETVAL\"", Nothing),
    ("GOSUB \"wire-sub\" \"nosuch\" \"1\"", Nothing),
    ("SET CONTEXT \"wire-next\"", Nothing),
    ("SET EXTENSION \"7\"", Nothing),
    ("SET PRIORITY \"1\"", Nothing),
    ("SET PRIORITY \"nosuch\"", Nothing),
    // What is no command, and what is none for a dead channel.
    ("NOSUCH", Nothing),
    ("", Nothing),
    ("SET VARIABLE \"V\"", Nothing),
    ("HANGUP \"nosuch\"", Nothing),
    ("HANGUP", Nothing),
    ("CHANNEL STATUS", Nothing),
    ("STREAM FILE \"beep\" \"\"", Nothing),
    ("EXEC \"Playback\" \"beep\"", Nothing),
    ("EXEC \"Dial\" \"Local/nosuch@wire\"", Nothing),
    ("GET VARIABLE \"V\"", Nothing),
    ("NOOP", Nothing),
];

fn place() -> Place {
    Place::new("wire", "s", 1)
}

/// Puts what these tests need into the dialplan.
pub(crate) fn prepare(dialplan: &mut Dialplan) {
    dialplan.agi(&place());
    dialplan.add(&Place::new("wire-sub", "s", 1), "Return(${ARG1}+${ARG2})");
    dialplan.report(&Place::new("wire-next", "7", 1));
}

/// Adds the tests.
pub(crate) fn add(runner: &mut Runner, asterisk: &Arc<Asterisk>) {
    runner.add(
        "wire: asterisk says what it said before",
        says_what_it_said_before(Arc::clone(asterisk)),
    );
}

async fn says_what_it_said_before(asterisk: Arc<Asterisk>) {
    let server = FastAgi::start().await;
    let tap = Tap::start(server.address()).await;
    let mut spec = CallSpec::new(&format!("agi://{}/wire?a=1", tap.address()), place());
    spec.answered = false;
    spec.arguments = vec!["two words".into(), String::new(), "a,\"b\"".into()];
    let call = Call::begin(&asterisk, &spec).await;
    let mut session = server.accept().await;
    for (line, caller) in SCRIPT {
        command(&call, &mut session, line, caller).await;
    }
    session.close().await;
    call.wait_until_gone(LIMIT).await;

    let transcripts = tap.wait_until_closed(LIMIT).await;
    let [transcript] = &transcripts[..] else { panic!("one connection: {transcripts:?}") };
    compare(transcript, &transcript.normalised(&Names::new()));
}

async fn command(call: &Call, session: &mut Session, line: &str, caller: &Caller) {
    match caller {
        Nothing => {
            session.command(line).await;
            if line == "HANGUP" {
                assert_eq!(session.line().await.as_deref(), Some("HANGUP"));
            }
        }
        Presses(keys) => {
            tokio::join!(session.command(line), async {
                begun(call, line).await;
                call.press(keys).await;
            });
        }
        Writes(text) => {
            tokio::join!(session.command(line), async {
                begun(call, line).await;
                call.send_text(text).await;
            });
        }
    }
}

/// Waits until Asterisk runs this line, which stands once in the script. The manager may still tell of lines before it.
async fn begun(call: &Call, line: &str) {
    call.until(LIMIT, line, |state| state.commands.iter().any(|command| command == line)).await;
}

fn compare(transcript: &Transcript, lines: &[String]) {
    let used: BTreeSet<_> = transcript.commands().into_iter().collect();
    let missing: Vec<_> = COMMANDS.iter().filter(|name| !used.contains(*name)).collect();
    assert!(missing.is_empty(), "commands that the script does not use: {missing:?}");

    if env::var_os(BLESS).is_some() {
        fs::write(FILE, lines.join("\n") + "\n").expect("the transcript can be written");
    }
    let kept = fs::read_to_string(FILE).unwrap_or_default();
    let kept: Vec<String> = kept.lines().map(str::to_owned).collect();
    if let Some(text) = difference("kept", &kept, "now", lines) {
        panic!(
            "Asterisk says other things than tests/transcripts/asterisk-22.txt ({BLESS}=1 writes it anew):\n{text}"
        );
    }
}
