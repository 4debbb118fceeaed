//! Barge-in and type-ahead on the real Asterisk, by the conformance program of every client library.

use crate::runner::Runner;
use agi_bridge::scenario::{Act, Audio, Step, When};
use kit::{
    asterisk::{Asterisk, Call, CallSpec, Dialplan, Place},
    bridge::Bridge,
    clients::{LANGUAGES, launcher},
    program::Program,
};
use serde_json::{Value, json};
use std::{fs, path::Path, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(90);
/// A programming language's run time may take long to start beside many others.
const START_LIMIT: Duration = Duration::from_secs(60);

fn place() -> Place {
    Place::new("digit-clients", "s", 1)
}

/// Puts what the tests need into the dialplan.
pub(crate) fn prepare(dialplan: &mut Dialplan) {
    dialplan.agi(&place());
}

/// Adds the tests.
pub(crate) fn add(runner: &mut Runner, asterisk: &Arc<Asterisk>) {
    for language in LANGUAGES {
        let name = format!("digits: {language}: a key stops what runs, and is typed ahead");
        runner.add(&name, stops_and_types_ahead(Arc::clone(asterisk), language));
    }
}

/// What the handler does: the recording has no end but by the interrupt, and what is behind it must not begin.
fn script(language: &str) -> Value {
    let file = format!("/tmp/digits-{language}");
    json!([
        {"begin": [
            {"command": {"recordFile": {"file": file, "format": "gsm"}}},
            {"command": {"streamFile": {"file": "demo-congrats"}}},
        ]},
        {"nextDigit": {"timeout": "20s"}},
        {"interrupt": {}},
        {"command": {"exec": {"application": "Wait", "arguments": ["2"]}}},
        {"takeDigits": {}},
        {"nextDigit": {"timeout": "0s"}},
    ])
}

async fn stops_and_types_ahead(asterisk: Arc<Asterisk>, language: &'static str) {
    let scripts = TempDir::new().expect("there is room for files");
    let file = scripts.path().join("keys.json");
    fs::write(file, script(language).to_string()).expect("the folder is ours");
    let folder = scripts.path().to_string_lossy();
    let program = Program::start(launcher(language, "conformance"), &["grpc", &folder]);
    let told = |line: &str| serde_json::from_str::<Value>(line).ok();
    let listening = |line: &str| told(line)?["address"].as_str().map(str::to_owned);
    let address = program.wait_for(START_LIMIT, "where it listens", listening).await;
    let bridge = bridge(&asterisk, &address).await;

    let mut spec = CallSpec::new(&format!("agi://{}/keys", bridge.agi()), place());
    spec.audio = Audio::Speech;
    let mut call = Call::begin(&asterisk, &spec).await;
    let press = |during: &str, after, keys: &str| Step {
        when: Some(When::Command(during.to_owned())),
        after: Duration::from_millis(after),
        act: Act::Press(keys.to_owned()),
    };
    call.play(&[press("RECORD FILE", 500, "5"), press("EXEC Wait", 300, "67")]).await;
    let state = call.wait_until_gone(LIMIT).await;

    let over = |line: &str| told(line).filter(|it| it["event"] == "call");
    let results = program.wait_for(LIMIT, "what became of the call", over).await["results"].take();
    assert_eq!(results[0]["nextDigit"]["digit"], "5", "{results}");
    let rest = [&results[1]["exec"], &results[2], &results[3]];
    let wanted = [&json!({}), &json!({"takeDigits": {"digits": "67"}}), &json!({"nextDigit": {}})];
    assert_eq!(rest, wanted, "{results}");
    let said: Vec<&str> = state.commands.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(said[..2], ["RECORD", "EXEC"], "{state:#?}");
    program.interrupt();
    let status = program.wait_until_ended(LIMIT).await;
    assert!(status.success(), "the program ends well on SIGTERM: {status}");
    assert!(bridge.stop(LIMIT).await.success(), "the bridge ends well");
}

/// One that has its link to the manager, with a route to this service.
async fn bridge(asterisk: &Asterisk, service: &str) -> Bridge {
    let configuration = format!(
        "managers:\n  - {{name: lab, address: \"{}\", username: lab, secret: lab}}\n\
         routes:\n  - {{name: keys, path: \"/{{script}}\", digits: true, services: [{{url: \"grpc://{service}\"}}]}}\n",
        asterisk.manager()
    );
    let bridge = Bridge::start(Path::new(env!("CARGO_BIN_EXE_agi-bridge")), &configuration).await;
    let connected = async {
        let said = |line: &String| {
            line.contains("connected to asterisk's manager") && !line.contains("not connected")
        };
        while !bridge.log().iter().any(said) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LIMIT, connected).await.expect("the bridge logs in at the manager");
    bridge
}
