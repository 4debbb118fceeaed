//! FastAGI applications on well-known libraries, none of which knows the bridge: each call is made twice on the real
//! Asterisk, straight to the application and through the bridge, and must be the same to Asterisk and to the application.

use crate::{python, runner::Runner};
use agi_bridge::scenario::{Act, Step, When};
use kit::{
    asterisk::{Asterisk, Call, CallSpec, Dialplan, Place},
    bridge::Bridge,
    program::Program,
    tap::Tap,
    transcript::{Names, difference},
};
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const LIMIT: Duration = Duration::from_secs(60);
/// What an application first says of a call.
const GREETING: &str = "call from 3200 for pin of acme";
/// Into the command, and behind its beep, if it has one.
const AFTER: Duration = Duration::from_millis(1000);
/// Variables of this name tell what call was made and not what became of it.
const OWN_VARIABLES: &str = "LAB_";

/// A library, and the application that is written with it.
#[derive(Clone, Copy)]
enum Library {
    Pystrix,
    AsteriskJava,
}

/// A call to an application.
struct Case {
    library: Library,
    /// What the URL has behind the address.
    path: &'static str,
    /// What the caller does, and while which command runs.
    act: Act,
    during: &'static str,
}

/// What was seen of a call.
struct Seen {
    /// On the wire, as Asterisk has it.
    wire: Vec<String>,
    variables: BTreeMap<String, String>,
    /// What the application said of it.
    said: Vec<String>,
    /// What stands in Asterisk's database under the key that the application was given.
    kept: String,
}

fn place() -> Place {
    Place::new("fastagi", "s", 1)
}

/// Puts what the tests need into the dialplan.
pub(crate) fn prepare(dialplan: &mut Dialplan) {
    dialplan.agi(&place());
}

/// Adds the tests.
pub(crate) fn add(runner: &mut Runner, asterisk: &Arc<Asterisk>) {
    for library in [Library::Pystrix, Library::AsteriskJava] {
        let name = library.name();
        runner.add(
            &format!("fastagi: an application on {name} drives a call"),
            drives_a_call(Arc::clone(asterisk), library),
        );
        runner.add(
            &format!("fastagi: an application on {name} sees the hangup, and works on"),
            sees_the_hangup(Arc::clone(asterisk), library),
        );
    }
    runner.add(
        "fastagi: an application on pystrix sees the hangup of a recording",
        sees_the_hangup_of_a_recording(Arc::clone(asterisk)),
    );
}

async fn drives_a_call(asterisk: Arc<Asterisk>, library: Library) {
    let case = Case {
        library,
        path: "pin?tenant=acme",
        act: Act::Press("42#".into()),
        during: "GET DATA",
    };
    let seen = same_both_ways(&asterisk, &case).await;
    assert_eq!(seen.variables.get("PIN").map(String::as_str), Some("42"));
    assert!(seen.kept.contains("hung up"), "{}", seen.kept);
    let digits = match library {
        Library::Pystrix => "digits 42 False",
        Library::AsteriskJava => {
            let message = seen.variables.get("MESSAGE").map(String::as_str);
            assert_eq!(message, Some(r#"the "last" \ one"#));
            "digits 42"
        }
    };
    assert_eq!(seen.said, [GREETING, digits, "hung up"]);
}

async fn sees_the_hangup(asterisk: Arc<Asterisk>, library: Library) {
    let case = Case { library, path: "pin?tenant=acme", act: Act::HangUp, during: "GET DATA" };
    let seen = same_both_ways(&asterisk, &case).await;
    assert!(seen.kept.contains("gone"), "{}", seen.kept);
    let said: &[&str] = match library {
        Library::Pystrix => &[GREETING, "digits -1 False", "gone AGIDeadChannelError"],
        Library::AsteriskJava => &[GREETING, "digits -1", "gone AgiHangupException"],
    };
    assert_eq!(seen.said, said);
}

async fn sees_the_hangup_of_a_recording(asterisk: Arc<Asterisk>) {
    let case = Case {
        library: Library::Pystrix,
        path: "message",
        act: Act::HangUp,
        during: "RECORD FILE",
    };
    let seen = same_both_ways(&asterisk, &case).await;
    // pystrix does not escape quotes: what Asterisk makes of them is what it makes of them without the bridge.
    assert_eq!(seen.variables.get("MESSAGE").map(String::as_str), Some("the last one"));
    assert_eq!(seen.said, ["gone AGIResultHangup"]);
}

/// Makes the call straight to the application and through the bridge, and compares the two.
async fn same_both_ways(asterisk: &Asterisk, case: &Case) -> Seen {
    let application = case.library.start();
    let port = application
        .wait_for(LIMIT, "its port", |line| line.strip_prefix("listening ")?.parse().ok())
        .await;
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let configuration = format!(
        "routes:\n  - {{name: fastagi, path: \"/{{*rest}}\", services: [{{url: \"agi://{server}\"}}]}}\n"
    );
    let bridge = Bridge::start(Path::new(env!("CARGO_BIN_EXE_agi-bridge")), &configuration).await;

    let direct = call(asterisk, case, server, &application).await;
    let bridged = call(asterisk, case, bridge.agi(), &application).await;
    if let Some(text) = difference("direct", &direct.wire, "through the bridge", &bridged.wire) {
        panic!("{}: {}:\n{text}", case.library.name(), case.path);
    }
    assert_eq!(direct.variables, bridged.variables);
    assert_eq!(direct.said, bridged.said);
    assert_eq!(direct.kept, bridged.kept);
    assert!(bridge.stop(LIMIT).await.success(), "the bridge ends well");
    bridged
}

async fn call(asterisk: &Asterisk, case: &Case, to: SocketAddr, application: &Program) -> Seen {
    let tap = Tap::start(to).await;
    let key = format!("key-{}", tap.address().port());
    let mut spec = CallSpec::new(&format!("agi://{}/{}", tap.address(), case.path), place());
    spec.answered = false;
    spec.variables = vec![("CALLERID(num)".into(), "3200".into())];
    spec.arguments = vec![key.clone(), "two words, comma".into()];
    let mut call = Call::begin(asterisk, &spec).await;
    call.play(&[Step {
        when: Some(When::Command(case.during.into())),
        after: AFTER,
        act: case.act.clone(),
    }])
    .await;
    let mut variables = call.wait_until_gone(LIMIT).await.variables;
    variables.retain(|name, _| !name.starts_with(OWN_VARIABLES));
    let transcripts = tap.wait_until_closed(LIMIT).await;
    assert_eq!(transcripts.len(), 1, "one call is one connection");
    let wire = transcripts[0].normalised(&Names::new().with(&key, "key"));

    let channel = format!("{} ", call.channel());
    let last = |line: &str| {
        let said = line.strip_prefix(&channel)?;
        (said.starts_with("gone") || said == "hung up").then_some(())
    };
    application.wait_for(LIMIT, "how the call ended", last).await;
    let said = application.lines();
    let said = said.iter().filter_map(|line| line.strip_prefix(&channel).map(str::to_owned));
    let kept = asterisk.console(&format!("database get lab {key}")).await;
    Seen { wire, variables, said: said.collect(), kept }
}

impl Library {
    fn name(self) -> &'static str {
        match self {
            Self::Pystrix => "pystrix",
            Self::AsteriskJava => "asterisk-java",
        }
    }

    fn start(self) -> Program {
        match self {
            Self::Pystrix => {
                let script = format!("{ROOT}/tests/fastagi/pystrix_app.py");
                Program::start(python::python(), &[script])
            }
            Self::AsteriskJava => {
                let libraries = kit::asterisk::lab().join("java");
                assert!(libraries.exists(), "there is no {}: run `make lab`", libraries.display());
                let libraries = format!("{}/*", libraries.display());
                let application = format!("{ROOT}/tests/fastagi/AsteriskJavaApp.java");
                Program::start("java", &["-cp", &libraries, &application])
            }
        }
    }
}
