//! The samples of every client library drive calls on the real Asterisk, built on the library as it is packaged.

use crate::runner::Runner;
use agi_bridge::scenario::{Act, Step, When};
use futures_util::future::join_all;
use kit::{
    asterisk::{Asterisk, Call, CallSpec, Dialplan, Place},
    bridge::Bridge,
    clients::{LANGUAGES, launcher},
    program::Program,
};
use std::{path::Path, sync::Arc, time::Duration};

const LIMIT: Duration = Duration::from_secs(90);
/// A programming language's run time may take long to start beside many others.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A call to a sample.
#[derive(Debug, Clone, Copy)]
struct Case {
    /// What it shows.
    name: &'static str,
    sample: &'static str,
    /// Path and query of the URL.
    path: &'static str,
    /// What the caller does: as which command runs, how many milliseconds later, which keys; no keys: hangs up.
    steps: &'static [(&'static str, u64, &'static str)],
    /// Commands that the sample sent, in order.
    commands: &'static [&'static str],
    /// Variables that it left; `*` is the channel's unique id.
    variables: &'static [(&'static str, &'static str)],
    /// What stands in Asterisk's database in the family `router` under the channel's unique id.
    kept: Option<&'static str>,
}

const SAMPLES: [&str; 4] = ["hello", "subtraction", "recorder", "router"];

const CASES: [Case; 8] = [
    Case {
        name: "hello greets the caller",
        sample: "hello",
        path: "hello",
        steps: &[],
        commands: &["answer", "stream file", "say digits"],
        variables: &[("AGISTATUS", "SUCCESS")],
        kept: None,
    },
    Case {
        name: "subtraction counts right answers",
        sample: "subtraction",
        path: "subtraction?ask=9-4%2C17-5",
        steps: &[("GET DATA", 300, "5#"), ("GET DATA", 300, "13")],
        commands: &[
            "answer",
            "say number",
            "stream file",
            "say number",
            "get data",
            "stream file",
            "say number",
            "stream file",
            "say number",
            "get data",
            "stream file",
            "stream file",
        ],
        variables: &[("SCORE", "1/2"), ("AGISTATUS", "SUCCESS")],
        kept: None,
    },
    Case {
        name: "recorder asks for the PIN again, plays the message, and keeps it",
        sample: "recorder",
        path: "recorder?pin=4711",
        steps: &[
            ("GET DATA", 300, "9999"),
            ("GET DATA", 300, "4711"),
            ("RECORD FILE", 1500, "#"),
            ("GET OPTION", 300, "2"),
            ("GET OPTION", 300, "1"),
        ],
        commands: &[
            "answer",
            "get data",
            "stream file",
            "get data",
            "record file",
            "get option",
            "stream file",
            "get option",
            "stream file",
        ],
        variables: &[("RECORDED", "/tmp/recorder-*"), ("AGISTATUS", "SUCCESS")],
        kept: None,
    },
    Case {
        name: "recorder keeps the message of a caller who hangs up",
        sample: "recorder",
        path: "recorder",
        steps: &[("GET DATA", 300, "1234"), ("RECORD FILE", 1500, "")],
        commands: &["answer", "get data", "record file"],
        variables: &[("RECORDED", "/tmp/recorder-*"), ("AGISTATUS", "HANGUP")],
        kept: None,
    },
    Case {
        name: "router keeps that the call was answered",
        sample: "router",
        path: "router/sales?to=Local/answers@sample-phones",
        steps: &[],
        commands: &["exec"],
        variables: &[("ROUTED", "sales:ANSWER")],
        kept: Some("sales:ANSWER"),
    },
    Case {
        name: "router says that nobody is there",
        sample: "router",
        path: "router/sales?to=Local/busy@sample-phones",
        steps: &[],
        commands: &["exec"],
        variables: &[("ROUTED", "sales:BUSY"), ("AGISTATUS", "SUCCESS")],
        kept: Some("sales:BUSY"),
    },
    Case {
        name: "router keeps the status after the caller hung up",
        sample: "router",
        path: "router/support?to=Local/rings@sample-phones",
        steps: &[("EXEC Dial", 1000, "")],
        commands: &["exec"],
        variables: &[("ROUTED", "support:CANCEL"), ("AGISTATUS", "HANGUP")],
        kept: Some("support:CANCEL"),
    },
    Case {
        name: "router knows no such department",
        sample: "router",
        path: "router/nosuch",
        steps: &[],
        commands: &["stream file"],
        variables: &[("AGISTATUS", "FAILURE"), ("AGIBRIDGE_STATUS", "FAILED")],
        kept: None,
    },
];

fn place() -> Place {
    Place::new("samples", "s", 1)
}

/// Puts what the tests need into the dialplan: phones that answer, are busy, and ring.
pub(crate) fn prepare(dialplan: &mut Dialplan) {
    dialplan.agi(&place());
    let phone = |extension| Place::new("sample-phones", extension, 1);
    let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    dialplan.add_all(&phone("answers"), &lines(&["Answer()", "Wait(0.5)", "Hangup()"]));
    dialplan.add_all(&phone("busy"), &lines(&["Hangup(17)"]));
    dialplan.add_all(&phone("rings"), &lines(&["Ringing()", "Wait(7200)"]));
}

/// Adds the tests.
pub(crate) fn add(runner: &mut Runner, asterisk: &Arc<Asterisk>) {
    for language in LANGUAGES {
        for sample in SAMPLES {
            let test = drives_calls(Arc::clone(asterisk), language, sample);
            runner.add(&format!("clients: {language}: {sample} drives calls"), test);
        }
    }
}

/// All calls to a sample, at the same time, through one process of it.
async fn drives_calls(asterisk: Arc<Asterisk>, language: &'static str, sample: &'static str) {
    let service = Program::start(launcher(language, sample), &["127.0.0.1:0"]);
    let listening = |line: &str| line.strip_prefix("listening on ").map(str::to_owned);
    let address = service.wait_for(START_LIMIT, "where it listens", listening).await;
    let service_list = format!("services: [{{url: \"grpc://{address}\"}}]");
    let configuration = format!(
        "defaults: {{retry_for: 30s, resume_for: 0s}}\nroutes:\n\
         - {{name: router, path: \"/router/{{department}}\", {service_list}}}\n\
         - {{name: sample, path: \"/{{*rest}}\", {service_list}}}\n"
    );
    let bridge = Bridge::start(Path::new(env!("CARGO_BIN_EXE_agi-bridge")), &configuration).await;
    let cases: Vec<_> = CASES.iter().filter(|case| case.sample == sample).collect();
    assert!(!cases.is_empty(), "{sample} has cases");
    join_all(cases.into_iter().map(|case| drives_a_call(&asterisk, &bridge, case))).await;
    service.interrupt();
    let status = service.wait_until_ended(LIMIT).await;
    assert!(status.success(), "the sample ends well on SIGTERM: {status}");
    assert!(bridge.stop(LIMIT).await.success(), "the bridge ends well");
}

async fn drives_a_call(asterisk: &Asterisk, bridge: &Bridge, case: &Case) {
    let mut spec = CallSpec::new(&format!("agi://{}/{}", bridge.agi(), case.path), place());
    spec.answered = false;
    spec.variables = vec![("CALLERID(num)".into(), "3200".into())];
    let mut call = Call::begin(asterisk, &spec).await;
    let steps: Vec<Step> = case.steps.iter().map(step).collect();
    call.play(&steps).await;
    let state = call.wait_until_gone(LIMIT).await;

    let id = call.unique_id();
    for (name, wanted) in case.variables {
        let wanted = wanted.replace('*', id);
        let got = state.variables.get(*name).map(String::as_str);
        assert_eq!(got, Some(wanted.as_str()), "{}: {name}: {state:#?}", case.name);
    }
    let said: Vec<String> = state.commands.iter().map(|line| line.to_lowercase()).collect();
    // Commands that change nothing that is heard may stand behind those that are named.
    let heard = said.iter().zip(case.commands).all(|(line, wanted)| line.starts_with(wanted));
    let (name, wanted) = (case.name, case.commands);
    assert!(heard && said.len() >= wanted.len(), "{name}: {said:#?} is not {wanted:#?}");
    if let Some(status) = case.kept {
        let kept = asterisk.console(&format!("database get router {id}")).await;
        assert!(kept.contains(&format!("Value: {status}")), "{kept}");
    }
}

fn step((during, after, keys): &(&str, u64, &str)) -> Step {
    let act = if keys.is_empty() { Act::HangUp } else { Act::Press((*keys).to_owned()) };
    let when = Some(When::Command((*during).to_owned()));
    Step { when, after: Duration::from_millis(*after), act }
}
