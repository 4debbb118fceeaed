//! Calls that a client starts, by Local channels and by SIP: every outcome, a hundred at once, and what happens when the link is cut
//! or the bridge killed at any point of it: never two calls, never a wrong outcome.

mod cut;
mod recorded;
mod sip;
mod url;

use crate::runner::Runner;
use agi_bridge::proto::{
    DialplanTarget, ListServersRequest, OriginateRequest, OriginateResponse, SendActionRequest,
    manager_service_client::ManagerServiceClient, originate_request::Destination,
    originate_response::Outcome,
};
use kit::{
    asterisk::{Asterisk, Dialplan, Place},
    bridge::Bridge,
};
use pbjson_types::Duration as Span;
use std::{collections::HashMap, net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinSet, time::timeout};
use tonic::{
    Code, Request, Status,
    metadata::MetadataValue,
    transport::{Channel, Endpoint},
};

const LIMIT: Duration = Duration::from_secs(60);
pub(crate) const CONTEXT: &str = "lab-originate";

/// Puts what the tests need into the dialplan.
pub(crate) fn prepare(dialplan: &mut Dialplan) {
    for context in [CONTEXT, sip::CONTEXT] {
        let mut add = |extension, applications| extend(dialplan, context, extension, applications);
        add("answer", &["Ringing()", "Wait(0.3)", "Answer()", "Wait(0.5)"]);
        add("busy", &["Ringing()", "Wait(0.1)", "Busy()"]);
        add("congestion", &["Congestion()"]);
        add("ring", &["Ringing()", "Wait(30)"]);
        add("reject", &["Hangup(21)"]);
        add("forward", &["Dial(Local/busy@lab-originate,10)"]);
    }
    let mut here = |extension, applications| extend(dialplan, CONTEXT, extension, applications);
    here("late", &["Ringing()", "Wait(4)", "Answer()", "Wait(18)"]);
    here("destination", &["Wait(1)"]);
    here("stay", &["Wait(8)"]);
    here("held", &["Answer()", "Wait(18)"]);
    // As `agi-bridge dialplan` prints it, but for the address, which is not known yet.
    dialplan.add(&Place::new("agi-bridge", "s", 1), "AGI(agi://${LAB_BRIDGE}${AGIBRIDGE_PATH})");
    url::prepare(dialplan);
    sip::prepare(dialplan);
    recorded::prepare(dialplan);
}

/// Puts applications behind an extension of this context.
fn extend(dialplan: &mut Dialplan, context: &str, extension: &str, applications: &[&str]) {
    let applications: Vec<_> = applications.iter().map(|it| (*it).to_owned()).collect();
    dialplan.add_all(&Place::new(context, extension, 1), &applications);
}

/// Adds the tests.
pub(crate) fn add(runner: &mut Runner, asterisk: &Arc<Asterisk>) {
    runner.add("originate: every outcome is told", outcomes(Arc::clone(asterisk)));
    runner.add("originate: every outcome is told of sip", sip::outcomes(Arc::clone(asterisk)));
    runner.add("originate: asterisk says what it said", recorded::is_so(Arc::clone(asterisk)));
    let by_local = |extension: &str| to(extension, "/n");
    runner.add("originate: a hundred at once", a_hundred(Arc::clone(asterisk), "local", by_local));
    runner.add(
        "originate: a hundred at once by sip",
        a_hundred(Arc::clone(asterisk), "sip", sip::to),
    );
    runner.add("originate: a repeated request dials once", repeated(Arc::clone(asterisk)));
    runner.add("originate: a killed bridge dials once", killed(Arc::clone(asterisk)));
    runner.add("originate: a call lands in a route", to_a_route(Arc::clone(asterisk)));
    runner.add("originate: a call by sip lands in a route", sip::to_a_route(Arc::clone(asterisk)));
    runner.add("originate: a url rings a phone first", url::click_to_call(Arc::clone(asterisk)));
    #[cfg(feature = "clients")]
    runner.add("originate: a reminder is confirmed", url::reminder(Arc::clone(asterisk)));
    runner.add("originate: a cut link dials once", cut::closed(Arc::clone(asterisk)));
    runner.add("originate: a half-open link dials once", cut::half_open(Arc::clone(asterisk)));
}

/// A bridge whose client may do everything.
struct Desk {
    bridge: Bridge,
    client: ManagerServiceClient<Channel>,
}

impl Desk {
    async fn start(manager: SocketAddr) -> Self {
        Self::with_reminders(manager, "agi://127.0.0.1:9").await
    }

    /// With a service for the route `/reminder`.
    async fn with_reminders(manager: SocketAddr, reminders: &str) -> Self {
        let bridge = Bridge::start(
            Path::new(env!("CARGO_BIN_EXE_agi-bridge")),
            &format!(
                r#"
api:
  listen: "127.0.0.1:0"
  clients:
    - {{name: lab, token: lab-secret, actions: "*", events: "*", rate: 10000, running: 1000,
       originate: {{channels: "*", contexts: "*", applications: "*", routes: ["/none*", "/reminder*"]}},
       signed_urls: {{secret: lab-signing-secret}}}}
managers:
  - {{name: lab, address: "{manager}", username: lab, secret: lab}}
routes:
  - {{name: none, path: /none, services: [{{url: "agi://127.0.0.1:9"}}]}}
  - {{name: reminder, path: /reminder, connect_timeout: 10s, retry_for: 30s, services: [{{url: "{reminders}"}}]}}
"#
            ),
        )
        .await;
        let address = bridge.api().expect("the bridge has an API");
        let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("a URL");
        let channel = endpoint.connect().await.expect("the bridge listens");
        let mut desk = Self { bridge, client: ManagerServiceClient::new(channel) };
        desk.connected().await;
        desk
    }

    /// Waits until the bridge is logged in at Asterisk.
    async fn connected(&mut self) {
        let connected = async {
            loop {
                let servers = self.client.list_servers(authorized(ListServersRequest {})).await;
                if servers
                    .expect("it may be asked")
                    .into_inner()
                    .servers
                    .iter()
                    .all(|it| it.connected)
                {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(LIMIT, connected).await.expect("the bridge logs in at Asterisk");
    }

    async fn originate(&self, request: OriginateRequest) -> Result<OriginateResponse, Status> {
        let mut client = self.client.clone();
        let answer = timeout(LIMIT, client.originate(authorized(request))).await;
        answer.expect("an originate is answered in time").map(tonic::Response::into_inner)
    }
}

fn authorized<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let token = MetadataValue::from_static("Bearer lab-secret");
    request.metadata_mut().insert("authorization", token);
    request
}

fn target(extension: &str) -> Option<Destination> {
    let (context, extension) = (CONTEXT.into(), extension.into());
    Some(Destination::Dialplan(DialplanTarget { context, extension, priority: 1 }))
}

fn request(channel: &str) -> OriginateRequest {
    OriginateRequest {
        channel: channel.into(),
        destination: target("destination"),
        wait_for_outcome: true,
        ring_timeout: Some(Span { seconds: 10, nanos: 0 }),
        ..OriginateRequest::default()
    }
}

fn to(extension: &str, options: &str) -> OriginateRequest {
    let asked = request(&format!("Local/{extension}@{CONTEXT}{options}"));
    if extension == "ring" { impatient(asked) } else { asked }
}

fn impatient(asked: OriginateRequest) -> OriginateRequest {
    OriginateRequest { ring_timeout: Some(Span { seconds: 1, nanos: 0 }), ..asked }
}

/// How often a channel with an id was made, from now on.
struct Dials(watch::Receiver<HashMap<String, usize>>, tokio::task::JoinHandle<()>);

impl Dials {
    fn count(asterisk: &Asterisk) -> Self {
        let mut events = asterisk.ami().events();
        let (counted, counts) = watch::channel(HashMap::new());
        let task = tokio::spawn(async move {
            loop {
                let event = events.next().await;
                let id =
                    if event.is("Newchannel") { event.get("Uniqueid") } else { event.get("Dials") };
                if !id.is_empty() {
                    counted.send_modify(|counts| *counts.entry(id.to_owned()).or_default() += 1);
                }
            }
        });
        Self(counts, task)
    }

    /// Once all events up to now are counted, and so many dials of this id: of a short call they may come behind the marker.
    async fn of(&self, asterisk: &Asterisk, id: &str, at_least: usize) -> usize {
        // The marker comes behind whatever came before. Asked for on its own link, its event is not taken for an answer here.
        let marker = format!("dials-{id}");
        let other = asterisk.connect().await;
        other.action("UserEvent", &[("UserEvent", "Dials"), ("Dials", &marker)]).await;
        let mut counts = self.0.clone();
        let of = |counts: &HashMap<String, usize>| counts.get(id).copied().unwrap_or_default();
        let all = counts.wait_for(|it| it.contains_key(&marker) && of(it) >= at_least);
        let all =
            timeout(LIMIT, all).await.unwrap_or_else(|_| panic!("no marker, or no dial of {id}"));
        of(&all.expect("it counts"))
    }
}

impl Drop for Dials {
    fn drop(&mut self) {
        self.1.abort();
    }
}

async fn outcomes(asterisk: Arc<Asterisk>) {
    let desk = Arc::new(Desk::start(asterisk.manager()).await);
    let mut running = JoinSet::new();
    for options in ["", "/n"] {
        for (extension, outcome) in [
            ("answer", Outcome::Answered),
            ("busy", Outcome::Busy),
            ("forward", Outcome::Busy),
            ("congestion", Outcome::Congestion),
            ("ring", Outcome::NoAnswer),
            ("reject", Outcome::Failed),
            ("nosuch", Outcome::Refused),
        ] {
            let desk = Arc::clone(&desk);
            running.spawn(async move {
                let told = desk.originate(to(extension, options)).await.expect("it is answered");
                assert_eq!(told.outcome(), outcome, "{extension}{options}: {told:?}");
                // What decides may come before the first event of the channel.
                assert!(told.channel.is_empty() || told.channel.ends_with(";1"), "{told:?}");
            });
        }
    }
    running.join_all().await;

    for (refused, why) in [
        (request("nosuch/1"), "no such device"),
        (
            OriginateRequest { destination: target("nosuch"), ..to("answer", "") },
            "Extension does not exist",
        ),
    ] {
        let told = desk.originate(refused).await.expect("it is answered");
        assert_eq!(told.outcome(), Outcome::Refused, "{told:?}");
        assert!(told.detail.contains(why), "{told:?}");
    }
    let taken = OriginateRequest { wait_for_outcome: false, ..to("answer", "") };
    let told = desk.originate(taken).await.expect("it is answered");
    assert_eq!(told.outcome(), Outcome::Accepted, "{told:?}");

    let list =
        SendActionRequest { action: "CoreShowChannels".into(), ..SendActionRequest::default() };
    let list =
        desk.client.clone().send_action(authorized(list)).await.expect("a list").into_inner();
    assert!(list.success && list.events.iter().all(|it| it.name == "CoreShowChannel"), "{list:?}");
    let command = SendActionRequest { action: "Command".into(), ..SendActionRequest::default() };
    let denied = desk.client.clone().send_action(authorized(command)).await.expect_err("denied");
    assert_eq!(denied.code(), Code::PermissionDenied, "{denied:?}");
}

async fn a_hundred(asterisk: Arc<Asterisk>, by: &'static str, to: fn(&str) -> OriginateRequest) {
    let dials = Dials::count(&asterisk);
    let desk = Arc::new(Desk::start(asterisk.manager()).await);
    let kinds = [
        ("answer", Outcome::Answered),
        ("busy", Outcome::Busy),
        ("congestion", Outcome::Congestion),
        ("ring", Outcome::NoAnswer),
    ];
    let mut running = JoinSet::new();
    for number in 0..100 {
        let desk = Arc::clone(&desk);
        let (extension, outcome) = kinds[number % kinds.len()];
        running.spawn(async move {
            let request_id = format!("hundred-{by}-{number}");
            let asked = OriginateRequest { request_id, ..to(extension) };
            let told = desk.originate(asked).await.expect("it is answered");
            assert_eq!(told.outcome(), outcome, "{extension}: {told:?}");
            told.unique_id
        });
    }
    for id in running.join_all().await {
        assert_eq!(dials.of(&asterisk, &id, 1).await, 1, "{id}");
    }
}

async fn repeated(asterisk: Arc<Asterisk>) {
    let dials = Dials::count(&asterisk);
    let desk = Desk::start(asterisk.manager()).await;
    let asked = OriginateRequest { request_id: "repeated".into(), ..to("busy", "/n") };
    let all = (0..10).map(|_| desk.originate(asked.clone()));
    let told: Vec<_> = futures_util::future::join_all(all).await;
    let first = told[0].clone().expect("it is answered");
    assert_eq!(first.outcome(), Outcome::Busy);
    assert!(told.iter().all(|it| it.as_ref().ok() == Some(&first)), "{told:#?}");
    assert_eq!(desk.originate(asked.clone()).await.expect("it is known"), first);
    let other = OriginateRequest { account_code: "other".into(), ..asked.clone() };
    let refused = desk.originate(other.clone()).await.expect_err("another content");
    assert_eq!(refused.code(), Code::AlreadyExists, "{refused:?}");

    drop(desk);
    let desk = Desk::start(asterisk.manager()).await;
    assert_eq!(desk.originate(asked).await.expect("it is known").outcome(), Outcome::Busy);
    let refused = desk.originate(other).await.expect_err("another content");
    assert_eq!(refused.code(), Code::AlreadyExists, "{refused:?}");
    assert_eq!(dials.of(&asterisk, &first.unique_id, 1).await, 1);
}

/// Killed while it rings: the next one follows the call to its end.
async fn killed(asterisk: Arc<Asterisk>) {
    let dials = Dials::count(&asterisk);
    let desk = Desk::start(asterisk.manager()).await;
    let destination = target("held");
    let asked = OriginateRequest { request_id: "killed".into(), destination, ..to("late", "/n") };
    let taken = OriginateRequest { wait_for_outcome: false, ..asked.clone() };
    let taken = desk.originate(taken).await.expect("it is taken");
    assert_eq!(taken.outcome(), Outcome::Accepted);
    drop(desk);
    let desk = Desk::start(asterisk.manager()).await;
    let told = desk.originate(asked.clone()).await.expect("it is answered");
    assert_eq!(told.outcome(), Outcome::Answered, "{told:?}");
    assert_eq!(
        (&told.unique_id, dials.of(&asterisk, &told.unique_id, 1).await),
        (&taken.unique_id, 1)
    );
    assert_eq!(desk.originate(asked).await.expect("it is known").outcome(), Outcome::Answered);
}

/// The AGI session is the originated channel's own, and belongs to the trace of the request.
async fn to_a_route(asterisk: Arc<Asterisk>) {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let desk = Desk::start(asterisk.manager()).await;
    let asked = OriginateRequest {
        destination: Some(Destination::Route("/none?lang=en".into())),
        variables: [("LAB_BRIDGE".into(), desk.bridge.agi().to_string())].into(),
        ..to("answer", "/n")
    };
    let mut asked = authorized(asked);
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    asked.metadata_mut().insert("traceparent", parent.parse().expect("it is ASCII"));
    let told = desk.client.clone().originate(asked).await.expect("it is answered").into_inner();
    assert_eq!(told.outcome(), Outcome::Answered, "{told:?}");
    let ended = async {
        // Nothing listens for the service: the call ends at once, and the log says so.
        while !desk.bridge.log().iter().any(|line| line.contains(TRACE)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LIMIT, ended).await.unwrap_or_else(|_| panic!("no call: {:#?}", desk.bridge.log()));
    let denied = OriginateRequest {
        destination: Some(Destination::Route("/other".into())),
        ..to("answer", "")
    };
    let denied = desk.originate(denied).await.expect_err("denied");
    assert_eq!(denied.code(), Code::PermissionDenied, "{denied:?}");
}
