//! AGI scripts as they were written for Asterisk itself, none of which knows the bridge, drive calls on the real Asterisk.

use crate::runner::Runner;
use agi_bridge::scenario::{Act, Step, When};
use kit::{
    asterisk::{Asterisk, Call, CallSpec, Dialplan, Place, State},
    bridge::Bridge,
};
use std::{path::Path, sync::Arc, time::Duration};
use tokio::time::timeout;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts");
const LIMIT: Duration = Duration::from_secs(60);
/// How often the bridge's log is looked at.
const POLL: Duration = Duration::from_millis(20);

/// A script, and how it ends a call in which all goes well.
#[derive(Clone, Copy)]
struct Script {
    file: &'static str,
    agi_status: &'static str,
    position: &'static str,
}

/// What was seen of a call.
struct Seen {
    state: State,
    /// What stands in Asterisk's database under the key that the script was given.
    kept: String,
}

const PERL: Script = Script { file: "classic.pl", agi_status: "SUCCESS", position: "scripts,s,2" };
const PYTHON: Script = Script { file: "classic.py", agi_status: "HANGUP", position: "scripts,h,2" };

fn place() -> Place {
    Place::new("scripts", "s", 1)
}

/// Puts what the tests need into the dialplan.
pub(crate) fn prepare(dialplan: &mut Dialplan) {
    dialplan.agi(&place());
}

/// Adds the tests.
pub(crate) fn add(runner: &mut Runner, asterisk: &Arc<Asterisk>) {
    for script in [PERL, PYTHON] {
        runner.add(
            &format!("scripts: {} drives a call", script.file),
            drives_a_call(Arc::clone(asterisk), script),
        );
        runner.add(
            &format!("scripts: {} is signalled a hangup, and works on", script.file),
            is_signalled_a_hangup(Arc::clone(asterisk), script),
        );
    }
}

async fn drives_a_call(asterisk: Arc<Asterisk>, script: Script) {
    let told = ["call from 3200 with", "digits 42"];
    let Seen { state, kept } = call(&asterisk, script, Act::Press("42#".into()), &told).await;
    let variable = |name: &str| state.variables.get(name).map(String::as_str);
    assert_eq!(variable("PIN"), Some("42"), "{state:#?}");
    assert_eq!(variable("AGISTATUS"), Some(script.agi_status), "{state:#?}");
    assert_eq!(state.position.as_deref(), Some(script.position), "{state:#?}");
    assert!(kept.contains("Value: done"), "{kept}");
}

async fn is_signalled_a_hangup(asterisk: Arc<Asterisk>, script: Script) {
    let told = ["digits -1", "gone with 1 signals"];
    let told = if script.file == PERL.file { &told[1..] } else { &told };
    let Seen { state, kept } = call(&asterisk, script, Act::HangUp, told).await;
    let variable = |name: &str| state.variables.get(name).map(String::as_str);
    // Asterisk tells the hangup between the reply and the next one: the signal comes no later than the latter.
    assert_eq!(variable("SIGNALS"), Some("1"), "{state:#?}");
    assert_eq!(variable("PIN"), None, "{state:#?}");
    assert_eq!(variable("AGISTATUS"), Some("HANGUP"), "{state:#?}");
    assert!(kept.contains("Value: gone"), "{kept}");
}

/// A call in which the caller does this while digits are waited for; the script's error output has the lines `told`.
async fn call(asterisk: &Asterisk, script: Script, act: Act, told: &[&str]) -> Seen {
    let file = script.file;
    let configuration = format!(
        "routes:\n  - {{name: scripts, path: /script, services: [{{url: \"exec://{SCRIPTS}/{file}\"}}]}}\n"
    );
    let bridge = Bridge::start(Path::new(env!("CARGO_BIN_EXE_agi-bridge")), &configuration).await;
    let key = format!("key-{}", bridge.agi().port());
    let mut spec = CallSpec::new(&format!("agi://{}/script", bridge.agi()), place());
    spec.answered = false;
    spec.variables = vec![("CALLERID(num)".into(), "3200".into())];
    spec.arguments = vec![key.clone()];
    let mut call = Call::begin(asterisk, &spec).await;
    call.play(&[Step {
        when: Some(When::Command("GET DATA".into())),
        after: Duration::from_millis(300),
        act,
    }])
    .await;
    let state = call.wait_until_gone(LIMIT).await;
    for text in told {
        wait_until_logged(&bridge, &format!("{file}: {text}")).await;
    }
    let kept = asterisk.console(&format!("database get lab {key}")).await;
    assert!(bridge.stop(LIMIT).await.success(), "the bridge ends well");
    Seen { state, kept }
}

async fn wait_until_logged(bridge: &Bridge, text: &str) {
    let logged = async {
        while !bridge.log().iter().any(|line| line.contains(text)) {
            tokio::time::sleep(POLL).await;
        }
    };
    if timeout(LIMIT, logged).await.is_err() {
        panic!("the bridge did not log {text:?}:\n{}", bridge.log().join("\n"));
    }
}
