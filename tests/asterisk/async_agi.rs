//! Calls that come to the bridge over Asterisk's manager, as `AGI(agi:async)` gives them away: every scenario must come out as it does over
//! a socket, but for what async AGI has not.

mod bridges;

use crate::{
    ladder::{self, link},
    runner::Runner,
};
use agi_bridge::{
    proto::{call_ended::Reason, command_error::Code, command_result::Outcome},
    scenario::{Expect, PartialResult, Scenario},
};
use kit::{
    asterisk::Asterisk,
    bridge::Bridge,
    play,
    service::{Log, Service},
};
use std::{path::Path, sync::Arc};

/// A dead channel has no async AGI: it is not begun in an h extension. And the other's last command would come after the end.
const LEFT_OUT: &[&str] = &["h-extension", "skip-after-an-error"];

/// The session ends with the hangup, or with a command that fails: so many commands are done, and no more.
const ENDS_AFTER: &[(&str, usize)] = &[
    ("control-stream-file-missing", 1),
    ("hangup-at-once", 0),
    ("hangup-by-exec", 1),
    ("hangup-by-the-service", 2),
    ("hangup-control-stream-file", 1),
    ("hangup-exec-dial", 1),
    ("hangup-exec-wait", 1),
    ("hangup-get-data", 1),
    ("hangup-get-option", 1),
    ("hangup-idle", 1),
    ("hangup-receive-text", 1),
    ("hangup-record-file", 1),
    ("hangup-say", 1),
    ("hangup-stream-file", 1),
    ("hangup-untold", 1),
    ("hangup-wait-for-digit", 1),
    ("receive-char-timeout", 1),
    ("redirect-during-a-prompt", 1),
    ("small-commands", 3),
    ("stream-file-missing", 1),
];

/// A command of these fails on a channel that lives, which ends the session; the service may end it in the same moment.
const FAILS: &[&str] = &[
    "control-stream-file-missing",
    "get-option-missing",
    "gosub-missing",
    "receive-char-timeout",
    "record-file-refused",
    "stream-file-missing",
];

/// ASYNCAGI BREAK is for this.
const BREAKS: &str = "small-commands";

pub(crate) async fn add(
    runner: &mut Runner,
    asterisk: &Arc<Asterisk>,
    scenarios: &[(String, Scenario)],
) {
    runner.add("async agi: the dialplan is told why", ladder::tells_why_by_async_agi());
    bridges::add(runner);
    let service = Arc::new(Service::start().await);
    let bridge = Arc::new(start(asterisk, &service).await);
    let alone = Arc::new(tokio::sync::Mutex::new(()));
    for (name, scenario) in scenarios {
        if scenario.phone_only.is_some() || LEFT_OUT.contains(&&**name) {
            continue;
        }
        let mut scenario = scenario.clone();
        let first = adapt(name, &mut scenario.expect);
        let (service, alone) = (Arc::clone(&service), Arc::clone(&alone));
        let (asterisk, bridge) = (Arc::clone(asterisk), Arc::clone(&bridge));
        runner.add(&format!("async agi: {name}"), async move {
            let _alone =
                if play::needs_asterisk_alone(&scenario) { Some(alone.lock().await) } else { None };
            let played = play::by_async_agi(&scenario, &asterisk, &service).await;
            assert!(played.faults.is_empty(), "{}\n{:#?}", played.faults.join("\n"), played.log);
            if let Some(first) = first {
                ends_after(&first, &played.log);
            }
            drop(bridge);
        });
    }
}

async fn start(asterisk: &Asterisk, service: &Service) -> Bridge {
    let configuration = format!(
        "{}routes:\n  - {{name: all, path: /scenario, digits: true, services: [{{url: \"{}\"}}]}}\n",
        link(asterisk),
        service.url()
    );
    Bridge::start(Path::new(env!("CARGO_BIN_EXE_agi-bridge")), &configuration).await
}

/// What is to be expected where the session ends sooner; `Some`: these are the results that come before its end.
fn adapt(name: &str, expect: &mut Expect) -> Option<Vec<PartialResult>> {
    if FAILS.contains(&name) {
        expect.ended = None;
        expect.agistatus = Some("FAILURE".to_owned());
    }
    if name == BREAKS {
        expect.ended = Some(Reason::ConnectionLost);
    }
    let (_, results) = ENDS_AFTER.iter().find(|(known, _)| *known == name)?;
    // What was set after the hangup.
    expect.variables.remove("LATE");
    let mut first = expect.results.take()?;
    first.truncate(*results);
    Some(first)
}

/// A command that the service sends before it knows of the end is answered, and nothing else.
fn ends_after(first: &[PartialResult], log: &Log) {
    let results = log.results();
    assert!(results.len() >= first.len(), "{log:#?}");
    for (expected, result) in first.iter().zip(&results) {
        assert_eq!(expected.compare(result), Ok(()), "{log:#?}");
    }
    for late in &results[first.len()..] {
        let Some(Outcome::Error(error)) = &late.outcome else { panic!("{late:?}") };
        assert!(matches!(error.code(), Code::CallEnded | Code::HungUp), "{error:?}");
    }
}
