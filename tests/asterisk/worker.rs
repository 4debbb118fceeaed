//! A worker in Python that dials in, written from the proto alone, drives calls on the real Asterisk.

use crate::{python, runner::Runner};
use agi_bridge::scenario::{Act, Step, When};
use kit::{
    asterisk::{Asterisk, Call, CallSpec, Dialplan, Place, State},
    bridge::Bridge,
    program::Program,
};
use std::{path::Path, sync::Arc, time::Duration};
use tempfile::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const LIMIT: Duration = Duration::from_secs(60);
const CONFIGURATION: &str = r#"
api: {listen: "127.0.0.1:0", workers: [{groups: [lab], token: "lab-secret"}]}
routes:
  - {name: worker, path: /worker, services: [{url: "worker://lab"}]}
"#;

fn place() -> Place {
    Place::new("worker", "s", 1)
}

/// Puts what the tests need into the dialplan.
pub(crate) fn prepare(dialplan: &mut Dialplan) {
    dialplan.agi(&place());
}

/// Adds the tests.
pub(crate) fn add(runner: &mut Runner, asterisk: &Arc<Asterisk>) {
    runner.add("worker: a worker in python drives calls", drives_calls(Arc::clone(asterisk)));
}

/// One worker takes two calls, one after the other: the caller enters digits in the first and hangs up in the second.
async fn drives_calls(asterisk: Arc<Asterisk>) {
    let program = Path::new(env!("CARGO_BIN_EXE_agi-bridge"));
    let bridge = Bridge::start(program, CONFIGURATION).await;
    let api = bridge.api().expect("the bridge has an API").to_string();
    let python = python::python();
    let stubs = TempDir::new().expect("there is room for files");
    python::generate(&python, stubs.path());
    let script = format!("{ROOT}/tests/python/worker.py");
    let stubs = stubs.path().to_string_lossy();
    let worker = Program::start(&python, &[script.as_str(), &stubs, &api, "lab-secret"]);
    let registered = |line: &str| (line == "registered").then_some(());
    worker.wait_for(LIMIT, "that it is registered", registered).await;

    let state = call(&asterisk, &bridge, Act::Press("42#".into())).await;
    assert_eq!(state.variables.get("PIN").map(String::as_str), Some("42"), "{state:#?}");
    let ended = |line: &str| (line == "ended REASON_SERVICE").then_some(());
    worker.wait_for(LIMIT, "that the first call ended", ended).await;
    let said = worker.lines();
    assert_eq!(
        said,
        [
            "registered",
            "offered lab",
            "call from 3200",
            "1 done",
            "2 playback",
            "3 digits",
            "ended REASON_SERVICE"
        ]
    );

    let state = call(&asterisk, &bridge, Act::HangUp).await;
    assert_eq!(state.variables.get("PIN").map(String::as_str), Some("none"), "{state:#?}");
    let ended = |line: &str| (line == "ended REASON_HANGUP").then_some(());
    worker.wait_for(LIMIT, "that the second call ended", ended).await;
    let mut said = worker.lines().split_off(said.len());
    // The hangup is told by the reply or by HANGUP behind it, so before the result or after it.
    let hangup = said.iter().position(|line| line.starts_with("hangup SOURCE_"));
    said.remove(hangup.expect("the hangup is told"));
    assert_eq!(
        said,
        ["offered lab", "call from 3200", "1 done", "2 playback", "3 error", "ended REASON_HANGUP"]
    );
    drop(worker);
    assert!(bridge.stop(LIMIT).await.success(), "the bridge ends well");
}

/// A call in which the caller does this while digits are waited for.
async fn call(asterisk: &Asterisk, bridge: &Bridge, act: Act) -> State {
    let mut spec = CallSpec::new(&format!("agi://{}/worker", bridge.agi()), place());
    spec.answered = false;
    spec.variables = vec![("CALLERID(num)".into(), "3200".into())];
    let mut call = Call::begin(asterisk, &spec).await;
    call.play(&[Step {
        when: Some(When::Command("GET DATA".into())),
        after: Duration::from_millis(300),
        act,
    }])
    .await;
    let state = call.wait_until_gone(LIMIT).await;
    assert_eq!(state.variables.get("AGISTATUS").map(String::as_str), Some("HANGUP"), "{state:#?}");
    state
}
