//! What the policy refuses does not run on the real Asterisk, and what it allows does: a program that makes a file.

use crate::runner::Runner;
use kit::{
    asterisk::{Asterisk, Call, CallSpec, Dialplan, Place},
    bridge::Bridge,
    fastagi::FastAgi,
};
use std::{path::Path, sync::Arc, time::Duration};

const LIMIT: Duration = Duration::from_secs(60);

/// Each would make the file `@` of Asterisk's `/tmp`, were it passed on.
const LINES: [&str; 9] = [
    "EXEC System \"touch /tmp/@\"",
    "EXEC \"try\\System\" \"touch /tmp/@\"",
    "EXEC Exec \"System(touch /tmp/@)\"",
    "EXEC Set \"X=${SHELL(touch /tmp/@)}\"",
    "EXEC Read \"FILE(/tmp/@),,1,,1,1\"",
    "SET VARIABLE FILE(/tmp/@) x",
    "GET VARIABLE \"SHELL(touch /tmp/@)\"",
    "GET FULL VARIABLE \"${SHELL(touch /tmp/@)}\"",
    "GET FULL VARIABLE \"${CUT(${HIDDEN},:,1)}\"",
];

/// Those of them that do so on this Asterisk as it is set up.
const RUN: [usize; 6] = [0, 1, 2, 6, 7, 8];

fn place() -> Place {
    Place::new("policy", "s", 1)
}

/// Puts what the tests need into the dialplan.
pub(crate) fn prepare(dialplan: &mut Dialplan) {
    dialplan.agi(&place());
}

/// Adds the tests.
pub(crate) fn add(runner: &mut Runner, asterisk: &Arc<Asterisk>) {
    runner.add("policy: what is refused does not run", refused(Arc::clone(asterisk)));
    runner.add("policy: what is allowed runs", allowed(Arc::clone(asterisk)));
}

async fn refused(asterisk: Arc<Asterisk>) {
    let made = call(&asterisk, "refused", "").await;
    assert_eq!(made, [false; LINES.len()]);
}

async fn allowed(asterisk: Arc<Asterisk>) {
    let policy = "policy: {allow: {applications: \"*\", functions: \"*\", variables: \"*\"}}, ";
    let made = call(&asterisk, "allowed", policy).await;
    for (place, line) in LINES.iter().enumerate() {
        assert!(made[place] || !RUN.contains(&place), "{line}");
    }
}

/// Which lines, of a program behind a route with this policy, made their file.
async fn call(asterisk: &Asterisk, name: &str, policy: &str) -> [bool; LINES.len()] {
    let program = FastAgi::start().await;
    let configuration = format!(
        "routes:\n  - {{name: policy, path: /policy, {policy}services: [{{url: \"agi://{}\"}}]}}\n",
        program.address()
    );
    let bridge = Bridge::start(Path::new(env!("CARGO_BIN_EXE_agi-bridge")), &configuration).await;
    let spec = CallSpec::new(&format!("agi://{}/policy", bridge.agi()), place());
    let call = Call::begin(asterisk, &spec).await;
    let mut session = program.accept().await;
    let file = |place: usize| format!("{name}-{place}");
    for (place, line) in LINES.iter().enumerate() {
        let file = file(place);
        // A value is only text, whatever stands in it.
        session.command(&format!("SET VARIABLE HIDDEN \"SHELL(touch /tmp/{file})\"")).await;
        session.command(&line.replace('@', &file)).await;
    }
    session.close().await;
    call.wait_until_gone(LIMIT).await;
    assert!(bridge.stop(LIMIT).await.success(), "the bridge ends well");
    std::array::from_fn(|place| asterisk.tmp().join(file(place)).exists())
}
