//! A service in Python, written from the proto alone, drives a call on the real Asterisk.

use crate::runner::Runner;
use agi_bridge::scenario::{Act, Step, When};
use kit::{
    asterisk::{Asterisk, Call, CallSpec, Dialplan, Place},
    bridge::Bridge,
    program::Program,
};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const LIMIT: Duration = Duration::from_secs(60);

fn place() -> Place {
    Place::new("python", "s", 1)
}

/// Puts what the test needs into the dialplan.
pub(crate) fn prepare(dialplan: &mut Dialplan) {
    dialplan.agi(&place());
}

/// Adds the test.
pub(crate) fn add(runner: &mut Runner, asterisk: &Arc<Asterisk>) {
    runner
        .add("python: a service of forty lines drives a call", drives_a_call(Arc::clone(asterisk)));
}

async fn drives_a_call(asterisk: Arc<Asterisk>) {
    let python = python();
    let stubs = TempDir::new().expect("there is room for files");
    generate(&python, stubs.path());
    let script = format!("{ROOT}/tests/python/service.py");
    let service = Program::start(&python, &[script.as_ref(), stubs.path()]);
    let port: u16 = service
        .wait_for(LIMIT, "its port", |line| line.strip_prefix("listening ")?.parse().ok())
        .await;
    let configuration = format!(
        "routes:\n  - {{name: python, path: /python, services: [{{url: \"grpc://127.0.0.1:{port}\"}}]}}\n"
    );
    let bridge = Bridge::start(Path::new(env!("CARGO_BIN_EXE_agi-bridge")), &configuration).await;

    let mut spec = CallSpec::new(&format!("agi://{}/python", bridge.agi()), place());
    spec.answered = false;
    spec.variables = vec![("CALLERID(num)".into(), "3200".into())];
    let mut call = Call::begin(&asterisk, &spec).await;
    call.play(&[Step {
        when: Some(When::Command("GET DATA".into())),
        after: Duration::from_millis(300),
        act: Act::Press("42#".into()),
    }])
    .await;
    let state = call.wait_until_gone(LIMIT).await;
    assert_eq!(state.variables.get("PIN").map(String::as_str), Some("42"), "{state:#?}");
    assert_eq!(state.variables.get("AGISTATUS").map(String::as_str), Some("HANGUP"), "{state:#?}");

    service
        .wait_for(LIMIT, "how the call ended", |line| {
            line.strip_prefix("ended ").map(str::to_owned)
        })
        .await;
    let said = service.lines();
    let told: Vec<&str> = said.iter().skip(1).map(String::as_str).collect();
    assert_eq!(told[..4], ["call from 3200", "1 done", "2 playback", "3 digits"], "{said:#?}");
    assert!(bridge.stop(LIMIT).await.success(), "the bridge ends well");
}

/// Python with what `make lab` installed for it.
pub(crate) fn python() -> PathBuf {
    let python = kit::asterisk::lab().join("python/bin/python");
    assert!(python.exists(), "there is no {}: run `make lab`", python.display());
    python
}

/// Makes Python of the proto files.
pub(crate) fn generate(python: &Path, into: &Path) {
    let output = Command::new(python)
        .args(["-m", "grpc_tools.protoc", "-Iproto"])
        .arg(format!("--python_out={}", into.display()))
        .arg(format!("--grpc_python_out={}", into.display()))
        .args(["call", "command", "worker"].map(|name| format!("proto/agibridge/v1/{name}.proto")))
        .current_dir(ROOT)
        .output()
        .expect("python starts");
    assert!(output.status.success(), "protoc: {}", String::from_utf8_lossy(&output.stderr));
}
