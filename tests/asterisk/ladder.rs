//! What the dialplan sees when no service drives a call: AGISTATUS, the two variables of the bridge, and where it goes on.

use crate::runner::Runner;
use agi_bridge::scenario::{self, ServiceStep};
use kit::{
    asterisk::{Asterisk, Call, CallSpec, Dialplan, Place, State},
    bridge::Bridge,
    service::Service,
};
use socket2::{Domain, Socket, Type};
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

const LIMIT: Duration = Duration::from_secs(30);
const CONTEXT: &str = "ladder";

/// A route of the bridge's and what becomes of a call to it.
struct Case {
    path: &'static str,
    agi_status: &'static str,
    bridge_status: Option<&'static str>,
    position: &'static str,
}

const CASES: &[Case] = &[
    Case {
        path: "no/route",
        agi_status: "FAILURE",
        bridge_status: Some("NO_ROUTE"),
        position: "ladder,s,2",
    },
    Case {
        path: "fail",
        agi_status: "FAILURE",
        bridge_status: Some("UNAVAILABLE"),
        position: "ladder,s,2",
    },
    Case {
        path: "announce",
        agi_status: "FAILURE",
        bridge_status: Some("UNAVAILABLE"),
        position: "ladder,s,2",
    },
    Case {
        path: "continue",
        agi_status: "SUCCESS",
        bridge_status: Some("UNAVAILABLE"),
        position: "ladder,s,2",
    },
    Case {
        path: "goto",
        agi_status: "SUCCESS",
        bridge_status: Some("UNAVAILABLE"),
        position: "ladder,agents,1",
    },
    Case {
        path: "hangup",
        agi_status: "HANGUP",
        bridge_status: Some("UNAVAILABLE"),
        position: "ladder,h,2",
    },
    Case {
        path: "lost?run=lost",
        agi_status: "FAILURE",
        bridge_status: Some("LOST"),
        position: "ladder,s,2",
    },
    Case {
        path: "lost?run=done",
        agi_status: "SUCCESS",
        bridge_status: None,
        position: "ladder,s,2",
    },
];

/// Where AGI() is tried once more, at another bridge.
const AGAIN: &str = "ladder-again";
/// Whether it is, as docs/dialplan.md has it.
const IF_AGAIN: &str = r#"$["${AGIBRIDGE_STATUS}" = "DRAINING" | "${AGIBRIDGE_STATUS}" = "LIMIT"]"#;

fn place() -> Place {
    Place::new(CONTEXT, "s", 1)
}

/// Puts what these tests need into the dialplan.
pub(crate) fn prepare(dialplan: &mut Dialplan) {
    dialplan.agi(&place()).report(&Place::new(CONTEXT, "agents", 1));
    let cleared = ["Set(AGIBRIDGE_STATUS=)", "Set(AGIBRIDGE_REASON=)"];
    let if_again = format!("GotoIf({IF_AGAIN}?5:8)");
    let first = [cleared[0], cleared[1], "AGI(${LAB_AGI})", &if_again];
    let second = [cleared[0], cleared[1], "AGI(${LAB_SECOND})"];
    let lines: Vec<String> = first.iter().chain(&second).map(|line| (*line).to_owned()).collect();
    dialplan.add_all(&Place::new(AGAIN, "s", 1), &lines);
    dialplan.report(&Place::new(AGAIN, "s", 8)).report(&Place::new(AGAIN, "h", 1));
}

/// Adds the tests.
pub(crate) fn add(runner: &mut Runner, asterisk: &Arc<Asterisk>) {
    runner.add("ladder: the dialplan is told why", tells_the_dialplan_why(Arc::clone(asterisk)));
    runner.add(
        "ladder: a bridge that stops sends new calls back",
        sends_new_calls_back(Arc::clone(asterisk)),
    );
}

async fn tells_the_dialplan_why(asterisk: Arc<Asterisk>) {
    let service = Service::start().await;
    let (bridge, _refusing) = start(&service, "").await;
    tells_why(&asterisk, &service, &format!("agi://{}", bridge.agi())).await;
}

/// The same on an Asterisk whose async AGI calls are this bridge's alone.
pub(crate) async fn tells_why_by_async_agi() {
    let mut dialplan = Dialplan::default();
    prepare(&mut dialplan);
    let asterisk = Asterisk::start(&dialplan).await;
    let service = Service::start().await;
    let (_bridge, _refusing) = start(&service, &link(&asterisk)).await;
    tells_why(&asterisk, &service, "agi:async,").await;
}

/// The part of a configuration that has the async AGI calls of this Asterisk come to the bridge.
pub(crate) fn link(asterisk: &Asterisk) -> String {
    format!(
        "managers: [{{name: lab, address: \"{}\", username: lab, secret: lab, async_agi: true}}]\n",
        asterisk.manager()
    )
}

/// `begin`: of what stands in AGI(), before the path.
async fn tells_why(asterisk: &Asterisk, service: &Service, begin: &str) {
    service.script("lost", steps("[{close: error}]"));
    service.script("done", steps("[{close: ok}]"));
    for case in CASES {
        let state = call(asterisk, &format!("{begin}/{}", case.path)).await;
        let variable = |name: &str| state.variables.get(name).map(String::as_str);
        assert_eq!(variable("AGISTATUS"), Some(case.agi_status), "{}: {state:#?}", case.path);
        assert_eq!(variable("AGIBRIDGE_STATUS"), case.bridge_status, "{}: {state:#?}", case.path);
        assert_eq!(
            variable("AGIBRIDGE_REASON").is_some(),
            case.bridge_status.is_some(),
            "{}",
            case.path
        );
        assert_eq!(state.position.as_deref(), Some(case.position), "{}: {state:#?}", case.path);
    }
}

async fn sends_new_calls_back(asterisk: Arc<Asterisk>) {
    let service = Service::start().await;
    // Once a command was answered, the bridge knows for sure that the service has the call.
    let mut waiting = service.script("long", steps("[{noop: {}}, {wait_for: hangup}, {end: {}}]"));
    let (bridge, _refusing) = start(&service, "").await;
    let spec = CallSpec::new(&format!("agi://{}/lost?run=long", bridge.agi()), place());
    let held = Call::begin(&asterisk, &spec).await;
    held.until(LIMIT, "AGI() runs", |state| state.agi).await;
    waiting.wait_for(LIMIT, "the call is driven", |log| !log.results().is_empty()).await;
    bridge.interrupt();
    waiting.wait_for(LIMIT, "the service is told", |log| log.is_draining()).await;

    let state = call(&asterisk, &format!("agi://{}/lost?run=long", bridge.agi())).await;
    assert_eq!(state.variables.get("AGISTATUS").map(String::as_str), Some("FAILURE"), "{state:#?}");
    assert_eq!(
        state.variables.get("AGIBRIDGE_STATUS").map(String::as_str),
        Some("DRAINING"),
        "{state:#?}"
    );
    // The dialplan that tries another bridge then, as the documentation has it.
    assert!(include_str!("../../docs/dialplan.md").contains(IF_AGAIN));
    service.script("second", steps("[{setVariable: {name: HAD, value: second}}, {end: {}}]"));
    let (second, _refusing) = start(&service, "").await;
    let mut spec = CallSpec::new(
        &format!("agi://{}/lost?run=second", bridge.agi()),
        Place::new(AGAIN, "s", 1),
    );
    let other = format!("agi://{}/lost?run=second", second.agi());
    spec.variables.push(("LAB_SECOND".to_owned(), other));
    let state = Call::begin(&asterisk, &spec).await.wait_until_gone(LIMIT).await;
    assert_eq!(state.variables.get("HAD").map(String::as_str), Some("second"), "{state:#?}");
    assert_eq!(state.variables.get("AGISTATUS").map(String::as_str), Some("SUCCESS"), "{state:#?}");
    assert_eq!(state.position.as_deref(), Some("ladder-again,s,8"), "{state:#?}");

    held.hang_up().await;
    held.wait_until_gone(LIMIT).await;
    assert!(bridge.wait_until_ended(LIMIT).await.success(), "the bridge ends well");
}

pub(crate) fn steps(service: &str) -> Vec<ServiceStep> {
    let text = format!("name: ladder\nservice: {service}\n");
    scenario::parse(&text, "ladder").unwrap_or_else(|err| panic!("{err}")).service
}

/// A bridge with these `managers`, and the port at which nobody answers for as long as it is kept.
async fn start(service: &Service, managers: &str) -> (Bridge, Socket) {
    let (nobody, refusing) = refused();
    let mut routes = String::new();
    for (name, then) in [
        ("fail", "{next: fail}"),
        ("announce", "{announce: beep, next: fail}"),
        ("continue", "{next: continue}"),
        ("goto", "{goto: {context: ladder, extension: agents, priority: 1}}"),
        ("hangup", "{next: hangup}"),
    ] {
        routes.push_str(&format!(
            "  - {{name: {name}, path: /{name}, then: {then}, retry_for: 300ms, \
             services: [{{url: \"grpc://{nobody}\"}}]}}\n"
        ));
    }
    let url = service.url();
    let configuration = format!(
        "{managers}shutdown: {{linger: 5s}}\ndefaults: {{resume_for: 0s}}\nroutes:\n{routes}  \
         - {{name: lost, path: /lost, services: [{{url: \"{url}\"}}]}}\n"
    );
    let program = Path::new(env!("CARGO_BIN_EXE_agi-bridge"));
    (Bridge::start(program, &configuration).await, refusing)
}

/// An address that refuses connections: bound, so that nobody else gets it, and never listening.
fn refused() -> (SocketAddr, Socket) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("there are sockets");
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    socket.bind(&any.into()).expect("loopback has a free port");
    let address = socket.local_addr().ok().and_then(|address| address.as_socket());
    (address.expect("it is bound"), socket)
}

async fn call(asterisk: &Asterisk, url: &str) -> State {
    let call = Call::begin(asterisk, &CallSpec::new(url, place())).await;
    call.wait_until_gone(LIMIT).await
}
