//! Clients of the manager that have nothing but HTTP.

use super::{
    manager::{Desk, LIMIT, SIGNING, grant},
    *,
};
use crate::{
    manage::{Quotas, Signed},
    proto::{OriginateRequest, originate_request::Destination},
};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const JSON: &str = "content-type: application/json\r\nauthorization: Bearer t\r\n";

/// One request on a connection of its own, as written: the status, the head and the body of the answer.
async fn exchange(address: SocketAddr, line: &str, head: &str, body: &str) -> (u16, String, Value) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let request = format!(
        "{line} HTTP/1.1\r\nhost: bridge\r\nconnection: close\r\n{head}content-length: {length}\r\n\r\n{body}"
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(LIMIT, socket.read_to_string(&mut answer)).await.unwrap().unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_ascii_lowercase(), serde_json::from_str(body).unwrap_or_default())
}

fn call() -> String {
    let dialplan = json!({"context": "c", "extension": "e"});
    json!({"channel": "PJSIP/3200", "dialplan": dialplan, "requestId": "r"}).to_string()
}

#[tokio::test]
async fn a_posted_call_is_started_once_with_the_trace_of_its_request() {
    let mut desk = Desk::start(grant(), Quotas::default()).await;
    let address = desk.bridge.address;
    let head = format!("{JSON}traceparent: 00-{TRACE}-00f067aa0ba902b7-01\r\n");
    let asked =
        tokio::spawn(async move { exchange(address, "POST /v1/originate", &head, &call()).await });
    desk.remembers_nothing().await;
    let request = desk.expect("Originate").await;
    assert!(request.get("Variable").contains(TRACE), "{request:?}");
    let queued = request.response("Success", "Message: Originate successfully queued\r\n");
    desk.asterisk.say(queued).await;
    let (status, head, told) = asked.await.unwrap();
    assert_eq!((status, &told["outcome"]), (200, &json!("OUTCOME_ACCEPTED")), "{told}");
    assert_eq!(told["uniqueId"], request.get("ChannelId"));
    assert!(head.contains("cache-control: no-store") && !head.contains("access-control"), "{head}");
    // It rings: whoever asks again gets the same call.
    let again = exchange(address, "POST /v1/originate", JSON, &call()).await;
    assert_eq!(again.2, told);
}

#[tokio::test]
async fn what_is_no_call_is_refused_with_a_status_that_fits() {
    let desk = Desk::start(grant(), Quotas::default()).await;
    let denied = call().replace("\"c\"", "\"c\",\"priority\":-1");
    let long = format!("{{\"requestId\": \"{}\"}}", "x".repeat(300_000));
    let bearer = "authorization: Bearer t\r\n";
    let route = json!({"channel": "PJSIP/3200", "route": "/reminder"}).to_string();
    for (line, head, body, status, why) in [
        (
            "POST /v1/originate",
            "content-type: application/json\r\n",
            &*call(),
            401,
            "UNAUTHENTICATED",
        ),
        ("POST /v1/originate", JSON, "{", 400, "INVALID_ARGUMENT"),
        ("POST /v1/originate", JSON, "", 400, "INVALID_ARGUMENT"),
        ("POST /v1/originate", JSON, &denied, 400, "INVALID_ARGUMENT"),
        ("POST /v1/originate", JSON, &route, 403, "PERMISSION_DENIED"),
        ("POST /v1/originate", JSON, &long, 413, "INVALID_ARGUMENT"),
        ("POST /v1/originate", bearer, &*call(), 415, "INVALID_ARGUMENT"),
        ("PUT /v1/originate", JSON, &*call(), 405, "UNIMPLEMENTED"),
    ] {
        let told = exchange(desk.bridge.address, line, head, body).await;
        assert_eq!((told.0, &told.2["status"]), (status, &json!(why)), "{line} {head} {told:?}");
        assert!(!told.2["detail"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_page_of_a_stranger_is_not_told_that_it_may_post() {
    let desk = Desk::start(grant(), Quotas::default()).await;
    let head = "origin: https://evil.example\r\naccess-control-request-method: POST\r\n\
                access-control-request-headers: content-type\r\n";
    let (status, head, _) = exchange(desk.bridge.address, "OPTIONS /v1/originate", head, "").await;
    assert_eq!(status, 405);
    assert!(!head.contains("access-control-allow"), "{head}");
    let form = "content-type: text/plain\r\nauthorization: Bearer t\r\n";
    let (status, ..) = exchange(desk.bridge.address, "POST /v1/originate", form, &call()).await;
    assert_eq!(status, 415);
}

fn signed(request_id: &str, ends_in: i64) -> Signed {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs());
    let mut request: OriginateRequest = serde_json::from_str(&call()).unwrap();
    request_id.clone_into(&mut request.request_id);
    let expires = u64::try_from(now.unwrap() + ends_in).unwrap();
    Signed { client: "crm".into(), request, expires }
}

fn line(signed: &Signed) -> String {
    format!("GET /v1/originate?{}", signed.query(&Secret::new(SIGNING)))
}

#[tokio::test]
async fn a_signed_url_needs_no_credential_and_dials_once_however_often_it_is_loaded() {
    let mut desk = Desk::start(grant(), Quotas::default()).await;
    let (address, url) = (desk.bridge.address, line(&signed("r", 600)));
    let (first, second) = (url.clone(), url.clone());
    let first = tokio::spawn(async move { exchange(address, &first, "", "").await });
    desk.remembers_nothing().await;
    let second = tokio::spawn(async move { exchange(address, &second, "", "").await });
    let request = desk.expect("Originate").await;
    assert_eq!((request.get("Context"), request.get("Exten")), ("c", "e"));
    let queued = request.response("Success", "Message: Originate successfully queued\r\n");
    desk.asterisk.say(queued).await;
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    assert_eq!((first.0, &first.2["outcome"]), (200, &json!("OUTCOME_ACCEPTED")), "{first:?}");
    assert_eq!(first.2, second.2);
    // As the same request by another way: Asterisk is not asked a second time.
    assert_eq!(exchange(address, "POST /v1/originate", JSON, &call()).await.2, first.2);
}

#[tokio::test]
async fn a_url_that_is_forged_or_over_is_refused_clearly() {
    let desk = Desk::start(grant(), Quotas::default()).await;
    let denied = OriginateRequest { channel: "PJSIP/3200".into(), ..signed("r", 600).request };
    let route = Some(Destination::Route("/a".into()));
    let denied =
        Signed { request: OriginateRequest { destination: route, ..denied }, ..signed("r", 600) };
    let nobody = Signed { client: "nobody".into(), ..signed("r", 600) };
    let url = line(&signed("r", 600));
    for (line, head, status, why) in [
        (url.replace("3200", "3201"), "", 403, "signature: "),
        (url.replace("crm", "CRM"), "", 403, "signature: "),
        ("GET /v1/originate".to_owned(), "", 403, "signature: "),
        (line(&nobody), "", 403, "signature: "),
        (line(&signed("r", -1)), "", 403, "expires: "),
        (line(&signed("r", 3700)), "", 400, "expires: "),
        (line(&signed("", 600)), "", 400, "request_id: "),
        (line(&denied), "", 403, "route: "),
        (url.clone(), "sec-purpose: prefetch;prerender\r\n", 403, "a call "),
        (url.replace("GET", "HEAD"), "", 405, ""),
    ] {
        let told = exchange(desk.bridge.address, &line, head, "").await;
        let detail = told.2["detail"].as_str().unwrap_or_default();
        assert!(told.0 == status && detail.starts_with(why), "{line} {told:?}");
    }
}

#[tokio::test]
async fn events_come_as_server_sent_events() {
    let mut desk = Desk::start(grant(), Quotas { watches: 1, ..Quotas::default() }).await;
    let open = async |query: &str| {
        let mut socket = TcpStream::connect(desk.bridge.address).await.unwrap();
        let head = "host: b\r\nauthorization: Bearer t\r\n";
        let request = format!("GET /v1/events{query} HTTP/1.1\r\n{head}\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        socket
    };
    let mut events = open("?name=*&header.Peer=PJSIP/1").await;
    read_to(&mut events, "\"connected\":true").await;
    for peer in [2, 1] {
        let event = format!("Event: PeerStatus\r\nPeer: PJSIP/{peer}\r\n\r\n");
        desk.asterisk.say(event).await;
    }
    let text = read_to(&mut events, "PJSIP/").await;
    assert!(
        text.contains("event: event\ndata: {\"server\":\"pbx1\",\"name\":\"PeerStatus\""),
        "{text}"
    );
    assert!(text.contains("PJSIP/1") && !text.contains("PJSIP/2"), "{text}");
    for (query, status) in [("", "429"), ("?name=VarSet", "403"), ("?nam=VarSet", "400")] {
        let text = read_to(&mut open(query).await, "detail").await;
        assert!(text.starts_with(&format!("HTTP/1.1 {status}")), "{text}");
    }
}

/// Until `what` and the line's end have come.
async fn read_to(socket: &mut TcpStream, what: &str) -> String {
    let (mut text, mut byte) = (String::new(), [0]);
    let all = async {
        while !(text.contains(what) && text.ends_with(['\n', '}'])) {
            socket.read_exact(&mut byte).await.unwrap();
            text.push(byte[0].into());
        }
    };
    timeout(LIMIT, all).await.unwrap();
    text
}
