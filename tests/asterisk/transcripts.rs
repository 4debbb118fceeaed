//! A call that was recorded on the real Asterisk is the same again without one, until its service does something else.

use crate::runner::Runner;
use agi_bridge::scenario::{self, Act, ServiceStep, Step, When};
use kit::{
    asterisk::{Asterisk, Call, CallSpec, Dialplan, Place},
    bridge::Bridge,
    service::Service,
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;
use tokio::process::Command;

const LIMIT: Duration = Duration::from_secs(60);
const PROGRAM: &str = env!("CARGO_BIN_EXE_agi-bridge");
/// What the service does: keys, a value between marks, a reply of several lines, and a prompt that the hangup cuts off.
const SERVICE: &str = "[{answer: {}}, {getData: {file: hello-world, timeout: 5s, maxDigits: 4}}, \
    {setVariable: {name: V, value: \"a \\\"b\\\" \\\\c\"}}, {getVariable: {name: V}}, {getVariable: {name: UNSET}}, \
    {raw: {line: \"SET PRIORITY\"}}, {streamFile: {file: tt-monkeys}}, {wait_for: hangup}, \
    {setVariable: {name: LAST, value: done}}, {end: {}}]";

fn place() -> Place {
    Place::new("transcripts", "s", 1)
}

/// Puts what the test needs into the dialplan.
pub(crate) fn prepare(dialplan: &mut Dialplan) {
    dialplan.agi(&place());
}

/// Adds the test.
pub(crate) fn add(runner: &mut Runner, asterisk: &Arc<Asterisk>) {
    let name = "transcripts: a recorded call is played again without asterisk";
    runner.add(name, is_played_again(Arc::clone(asterisk)));
}

async fn is_played_again(asterisk: Arc<Asterisk>) {
    let folder = TempDir::new().expect("there is room for files");
    let kept = folder.path().join("calls");
    let service = Service::start().await;
    let configuration = format!(
        "shutdown: {{linger: 0s}}\ntranscripts: {{directory: \"{}\"}}\nroutes:\n  - {{name: kept, path: /kept, \
         record: true, redact: nothing, services: [{{url: \"{}\"}}]}}\n",
        kept.display(),
        service.url()
    );
    let bridge = Bridge::start(Path::new(PROGRAM), &configuration).await;
    service.script("kept", steps(SERVICE));
    let mut spec = CallSpec::new(&format!("agi://{}/kept?run=kept", bridge.agi()), place());
    spec.answered = false;
    spec.variables = vec![("CALLERID(name)".into(), "Zoë \\x41 {mark}".into())];
    let mut call = Call::begin(&asterisk, &spec).await;
    let at = |command: &str, act| Step {
        when: Some(When::Command(command.into())),
        after: Duration::from_millis(300),
        act,
    };
    call.play(&[at("GET DATA", Act::Press("47#".into())), at("STREAM FILE", Act::HangUp)]).await;
    call.wait_until_gone(LIMIT).await;
    assert!(
        bridge.stop(LIMIT).await.success(),
        "the bridge ends well, and has written what waited"
    );
    let file = only_file(&kept);
    let text = fs::read_to_string(&file).expect("it was written");
    for line in ["A> 200 result=47", "A> 520 End of proper usage.", "A> HANGUP"] {
        assert!(text.lines().any(|it| it == line), "{line} in {text}");
    }

    let recorded = folder.path().join("recorded");
    fs::write(&recorded, &text).expect("the folder is ours");
    let bridge = Bridge::start(Path::new(PROGRAM), &configuration).await;
    let same = replay(&bridge, &service, &recorded, SERVICE).await;
    assert_eq!(same.0, Some(0), "{}\n{text}", same.1);
    assert!(same.1.contains("as recorded: commands compared: "), "{}", same.1);
    let other = replay(&bridge, &service, &recorded, &SERVICE.replace("tt-monkeys", "beep")).await;
    assert_eq!(other.0, Some(1), "{}", other.1);
    assert!(other.1.contains("expected  STREAM FILE \"tt-monkeys\" \"\""), "{}", other.1);
    assert!(other.1.contains("got       STREAM FILE \"beep\" \"\""), "{}", other.1);
    bridge.stop(LIMIT).await;
}

async fn replay(
    bridge: &Bridge,
    service: &Service,
    file: &Path,
    does: &str,
) -> (Option<i32>, String) {
    service.script("kept", steps(does));
    let mut command = Command::new(PROGRAM);
    command.args(["call", &format!("agi://{}", bridge.agi()), "--replay"]).arg(file);
    let output = tokio::time::timeout(LIMIT, command.kill_on_drop(true).output()).await;
    let output = output.expect("it ends").expect("it starts");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn only_file(folder: &Path) -> PathBuf {
    let found = fs::read_dir(folder).expect("the bridge has made it");
    let found: Vec<PathBuf> = found.map(|entry| entry.expect("a file").path()).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

fn steps(service: &str) -> Vec<ServiceStep> {
    let text = format!("name: transcripts\nservice: {service}\n");
    scenario::parse(&text, "transcripts").unwrap_or_else(|err| panic!("{err}")).service
}
