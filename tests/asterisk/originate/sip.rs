//! Calls by SIP, which Asterisk makes to itself.

use super::{Desk, LIMIT, extend, impatient, request};
use agi_bridge::{
    proto::{
        OriginateRequest, command_result::Outcome as Result, originate_request::Destination,
        originate_response::Outcome,
    },
    scenario,
};
use kit::{
    asterisk::{Asterisk, Dialplan},
    service::Service,
};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Where a call by SIP begins; the configuration of the endpoints has it.
pub(super) const CONTEXT: &str = "lab-sip";
/// What the service of the route does.
const SERVICE: &str = "[{streamFile: {file: hello-world}}, \
    {getData: {file: demo-congrats, timeout: 10s, maxDigits: 1}}, {end: {}}]";

pub(super) fn prepare(dialplan: &mut Dialplan) {
    let mut add =
        |extension, applications: &[&str]| extend(dialplan, CONTEXT, extension, applications);
    add("silent", &["Wait(30)"]);
    add("unalloc", &["Hangup(1)"]);
    add("bye", &["Hangup(16)"]);
    add("listens", &["Answer()", "Wait(60)"]);
}

pub(super) fn to(extension: &str) -> OriginateRequest {
    let asked = request(&format!("PJSIP/{extension}@self"));
    if ["ring", "silent"].contains(&extension) { impatient(asked) } else { asked }
}

pub(super) async fn outcomes(asterisk: Arc<Asterisk>) {
    let desk = Arc::new(Desk::start(asterisk.manager()).await);
    let mut running = JoinSet::new();
    for (asked, outcome, detail) in [
        (to("answer"), Outcome::Answered, ""),
        (to("busy"), Outcome::Busy, ""),
        (to("forward"), Outcome::Busy, ""),
        (to("ring"), Outcome::NoAnswer, ""),
        (to("silent"), Outcome::NoAnswer, ""),
        // Nothing answers there, neither a phone nor a network.
        (impatient(request("PJSIP/dead")), Outcome::NoAnswer, ""),
        (to("congestion"), Outcome::Congestion, ""),
        (to("reject"), Outcome::Failed, "Call Rejected (cause 21)"),
        (to("bye"), Outcome::Failed, "Call Rejected (cause 21)"),
        (to("unalloc"), Outcome::Refused, "Unallocated (unassigned) number (cause 1)"),
        (to("nosuch"), Outcome::Refused, "Unallocated (unassigned) number (cause 1)"),
        (request("PJSIP/nosuchcontact"), Outcome::Refused, "no such device"),
        (request("PJSIP/nosuchendpoint"), Outcome::Refused, "no such device"),
    ] {
        let desk = Arc::clone(&desk);
        running.spawn(async move {
            let told = desk.originate(asked.clone()).await.expect("it is answered");
            assert_eq!(told.outcome(), outcome, "{}: {told:?}", asked.channel);
            // What is known of a call that failed may come before the text, or the name.
            assert!(told.detail.is_empty() || told.detail.contains(detail), "{told:?}");
            let name = &told.channel;
            assert!(name.is_empty() || name.starts_with("PJSIP/"), "{told:?}");
            assert!(outcome != Outcome::Answered || name.starts_with("PJSIP/self-"), "{told:?}");
        });
    }
    running.join_all().await;
}

/// What is pressed at the other end comes by RTP, and is read by a service.
pub(super) async fn to_a_route(asterisk: Arc<Asterisk>) {
    let service = Service::start().await;
    let text = format!("name: sip\nservice: {SERVICE}\n");
    let steps = scenario::parse(&text, "sip").unwrap_or_else(|err| panic!("{err}")).service;
    let mut recording = service.script("sip", steps);
    let desk = Desk::with_reminders(asterisk.manager(), &service.url()).await;
    let mut events = asterisk.ami().events();
    let asked = OriginateRequest {
        destination: Some(Destination::Route("/reminder?run=sip".into())),
        variables: [("LAB_BRIDGE".into(), desk.bridge.agi().to_string())].into(),
        ..to("listens")
    };
    let told = desk.originate(asked).await.expect("it is answered");
    assert_eq!(told.outcome(), Outcome::Answered, "{told:?}");
    let phone = events.wait(LIMIT, "the phone", |event| {
        event.is("Newchannel") && event.get("Exten") == "listens" && event.get("Context") == CONTEXT
    });
    let phone = phone.await.get("Channel").to_owned();
    let asks = events.wait(LIMIT, "that a key is waited for", |event| {
        event.is("AGIExecStart")
            && event.get("Uniqueid") == told.unique_id
            && event.get("Command").starts_with("GET DATA")
    });
    asks.await;
    let key = [("Channel", phone.as_str()), ("Digit", "7"), ("Duration", "100")];
    asterisk.ami().action("PlayDTMF", &key).await;
    let log = recording.wait_until_closed(LIMIT).await;
    let started = log.started().expect("the call begins");
    assert_eq!(started.channel.as_ref().map(|it| &*it.name), Some(&*told.channel));
    let results: Vec<_> = log.results().iter().map(|result| result.outcome.clone()).collect();
    let [Some(Result::Playback(played)), Some(Result::Digits(pressed))] = &results[..] else {
        panic!("{results:?}")
    };
    assert_eq!((&*played.digit, &*pressed.digits, pressed.timed_out), ("", "7", false));
}
