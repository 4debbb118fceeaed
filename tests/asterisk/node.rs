//! A service on Node, with a plain WebSocket library and no SDK, drives a call on the real Asterisk.

use crate::runner::Runner;
use agi_bridge::scenario::{Act, Step, When};
use kit::{
    asterisk::{Asterisk, Call, CallSpec, Dialplan, Place, State},
    bridge::Bridge,
    program::Program,
};
use std::{fs, os::unix::fs::symlink, path::Path, sync::Arc, time::Duration};
use tempfile::TempDir;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/node/service.mjs");
const LIMIT: Duration = Duration::from_secs(60);

fn place() -> Place {
    Place::new("node", "s", 1)
}

/// Puts what the tests need into the dialplan.
pub(crate) fn prepare(dialplan: &mut Dialplan) {
    dialplan.agi(&place());
}

/// Adds the tests.
pub(crate) fn add(runner: &mut Runner, asterisk: &Arc<Asterisk>) {
    runner.add("node: a service on plain ws drives a call", drives_a_call(Arc::clone(asterisk)));
    runner.add(
        "node: a service on plain ws is told of a hangup",
        is_told_of_a_hangup(Arc::clone(asterisk)),
    );
}

async fn drives_a_call(asterisk: Arc<Asterisk>) {
    let (state, said) = call(&asterisk, Act::Press("42#".into())).await;
    assert_eq!(state.variables.get("PIN").map(String::as_str), Some("42"), "{state:#?}");
    assert_eq!(
        said,
        [
            "call from 3200",
            "1 done",
            "2 playback",
            "3 digits",
            "ended REASON_SERVICE",
            "closed 1000"
        ]
    );
}

async fn is_told_of_a_hangup(asterisk: Arc<Asterisk>) {
    let (state, mut said) = call(&asterisk, Act::HangUp).await;
    // It is set on a channel that is gone, which Asterisk allows.
    assert_eq!(state.variables.get("PIN").map(String::as_str), Some("none"), "{state:#?}");
    // The hangup is told by the reply or by HANGUP behind it, so before the result or after it.
    let hangup = said.iter().position(|line| line.starts_with("hangup SOURCE_"));
    said.remove(hangup.expect("the hangup is told"));
    assert_eq!(
        said,
        [
            "call from 3200",
            "1 done",
            "2 playback",
            "3 error CODE_HUNG_UP",
            "ended REASON_HANGUP",
            "closed 1000"
        ]
    );
}

/// A call in which the caller does this while digits are waited for; what the dialplan and the service saw of it.
async fn call(asterisk: &Asterisk, act: Act) -> (State, Vec<String>) {
    let (service, _folder) = start();
    let port: u16 = service
        .wait_for(LIMIT, "its port", |line| line.strip_prefix("listening ")?.parse().ok())
        .await;
    let configuration = format!(
        "routes:\n  - {{name: node, path: /node, services: [{{url: \"ws://127.0.0.1:{port}/calls\"}}]}}\n"
    );
    let bridge = Bridge::start(Path::new(env!("CARGO_BIN_EXE_agi-bridge")), &configuration).await;

    let mut spec = CallSpec::new(&format!("agi://{}/node", bridge.agi()), place());
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

    let closed = |line: &str| line.starts_with("closed ").then_some(());
    service.wait_for(LIMIT, "that its connection was closed", closed).await;
    assert!(bridge.stop(LIMIT).await.success(), "the bridge ends well");
    let said = service.lines().into_iter().skip(1).map(|line| line.trim_end().to_owned());
    (state, said.collect())
}

/// Node looks for packages beside the file that it runs: so that gets a folder with them.
fn start() -> (Program, TempDir) {
    let packages = kit::asterisk::lab().join("node/node_modules");
    assert!(packages.exists(), "there is no {}: run `make lab`", packages.display());
    let folder = TempDir::new().expect("there is room for files");
    let script = folder.path().join("service.mjs");
    fs::copy(SCRIPT, &script).expect("the folder is ours");
    symlink(packages, folder.path().join("node_modules")).expect("the folder is ours");
    (Program::start("node", &[script]), folder)
}
