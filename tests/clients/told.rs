//! What a conformance program tells on its standard output. Knows its lines; nothing of calls.

use kit::program::Program;
use serde_json::Value;
use std::time::Duration;

/// No stream of a scenario lasts longer, on a machine that has all languages to run.
const LIMIT: Duration = Duration::from_secs(120);

/// What became of the n-th stream of the call that played `script`.
pub(crate) async fn call(program: &Program, script: &str, attempt: usize) -> Value {
    let find = |line: &str| {
        let told = event(line, "call", script)?;
        (told["attempt"] == attempt).then_some(told)
    };
    program.wait_for(LIMIT, &format!("what became of {script}, stream {attempt}"), find).await
}

/// Waits until the handler of `script` waits for something.
pub(crate) async fn waiting(program: &Program, script: &str) {
    let find = |line: &str| event(line, "waiting", script).map(drop);
    program.wait_for(LIMIT, &format!("that {script} waits"), find).await;
}

fn event(line: &str, event: &str, script: &str) -> Option<Value> {
    // Most lines are of other scripts, and JSON is dear.
    if !line.contains(script) {
        return None;
    }
    let told: Value = serde_json::from_str(line).ok()?;
    (told["event"] == event && told["script"] == script).then_some(told)
}
