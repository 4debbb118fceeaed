//! Calls that a page or a script starts over HTTP: a URL that rings a phone first and then dials a number, and a reminder.

use super::{CONTEXT, Desk, Dials, LIMIT, extend};
use kit::{
    asterisk::{Asterisk, Dialplan},
    http,
    program::Program,
};
use serde_json::Value;
use std::{sync::Arc, time::Duration};

const BINARY: &str = env!("CARGO_BIN_EXE_agi-bridge");
/// Whom the caller wants.
const NUMBER: &str = "84951234567";

pub(super) fn prepare(dialplan: &mut Dialplan) {
    let mut add =
        |extension, applications: &[&str]| extend(dialplan, CONTEXT, extension, applications);
    add("3200", &["Ringing()", "Wait(0.3)", "Answer()", "Wait(8)"]);
    add("outside", &[&format!("Dial(Local/{NUMBER}@{CONTEXT},10)")]);
    add(NUMBER, &["Answer()", "Wait(0.5)"]);
    // It cannot know when it is asked, and presses until it was.
    add("confirms", &["Answer()", "SendDTMF(wwww1wwww1wwww1wwww1wwww1wwww1wwww1wwww1)", "Wait(8)"]);
    dialplan.sound("reminder-appointment", Duration::from_millis(100));
    dialplan.sound("reminder-confirm", Duration::from_millis(100));
}

/// The command line, until it has said all.
async fn originate(desk: &Desk, channel: &str, words: &[&str]) -> String {
    let url = format!("http://{}", desk.bridge.api().expect("the bridge has an API"));
    let arguments =
        [&["originate", channel, "--url", &url, "--token", "lab-secret"], words].concat();
    let program = Program::start(BINARY, &arguments);
    program.wait_for(LIMIT, "its answer", |line| Some(line.to_owned())).await
}

pub(super) async fn click_to_call(asterisk: Arc<Asterisk>) {
    let dials = Dials::count(&asterisk);
    let mut events = asterisk.ami().events();
    let desk = Desk::start(asterisk.manager()).await;
    let sign = ["--sign", "lab", "--secret", "lab-signing-secret"];
    let dialplan = format!("{CONTEXT},outside");
    let words = [&["--dialplan", &dialplan, "--wait"], &sign[..]].concat();
    let phone = format!("Local/3200@{CONTEXT}/n");
    let url = originate(&desk, &phone, &words).await;
    let address = desk.bridge.api().expect("the bridge has an API");
    let path = url.strip_prefix(&format!("http://{address}")).expect("a URL of the bridge");

    let (status, first) = http::get(address, path, "").await.expect("an answer");
    assert_eq!(status, 200, "{first}");
    let told: Value = serde_json::from_str(&first).expect("JSON");
    assert_eq!(told["outcome"], "OUTCOME_ANSWERED", "{told}");
    let phone = told["channel"].as_str().expect("a channel").to_owned();
    // The number is dialled by the phone's channel, which was answered before.
    let dialled = events.wait(LIMIT, "the number to be dialled", |event| {
        event.is("DialBegin") && event.get("DialString") == format!("{NUMBER}@{CONTEXT}")
    });
    assert_eq!(dialled.await.get("Channel"), phone);

    let again = http::get(address, path, "").await.expect("an answer");
    assert_eq!(again, (200, first));
    let id = told["uniqueId"].as_str().expect("an id");
    assert_eq!(dials.of(&asterisk, id, 1).await, 1);
    let forged = path.replace("3200", "3201");
    let (status, text) = http::get(address, &forged, "").await.expect("an answer");
    assert!(status == 403 && text.contains("signature: "), "{status} {text}");
}

#[cfg(feature = "clients")]
pub(super) async fn reminder(asterisk: Arc<Asterisk>) {
    let launcher = kit::clients::launcher("python", "reminder");
    let service = Program::start(launcher, &["127.0.0.1:0"]);
    let address = service
        .wait_for(LIMIT, "its port", |line| line.strip_prefix("listening on ").map(str::to_owned))
        .await;
    let desk = Desk::with_reminders(asterisk.manager(), &format!("grpc://{address}")).await;
    let variable = format!("LAB_BRIDGE={}", desk.bridge.agi());
    let words =
        ["--route", "/reminder?appointment=4711&at=1800000000", "--set", &variable, "--wait"];
    let told = originate(&desk, &format!("Local/confirms@{CONTEXT}/n"), &words).await;
    assert!(told.starts_with("answered Local/confirms@"), "{told}");
    let confirmed = service.wait_for(LIMIT, "a confirmation", |line| {
        line.strip_prefix("appointment 4711: ").map(str::to_owned)
    });
    assert_eq!(confirmed.await, "confirmed", "{:#?}", service.lines());
}
