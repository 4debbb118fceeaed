//! Clients of the manager, with a scripted Asterisk behind the bridge.

use super::{websocket::Socket, *};
use crate::{
    access::{
        KeySource,
        tests::{Signer, claims, issuer, jwks, now, with},
    },
    ami::Server,
    manage::{Client, Globs, Grant, OriginateGrant, Quotas},
    proto::{
        CancelRequest, DialplanTarget, Header, ListServersRequest, ManagerAnswer, ManagerRequest,
        OriginateRequest, SendActionRequest, WatchEventsRequest, manager_answer::Answer,
        manager_request::Request as Asked, manager_service_client::ManagerServiceClient,
        originate_request::Destination, originate_response::Outcome, watch_events_response::Item,
    },
    route::Remote,
};
use kit::manager::{Connection, Manager, SECRET, USER};
use serde_json::json;
use tokio::time::timeout;
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

/// What its URLs are signed with.
pub(super) const SIGNING: &str = "a secret for tests only";

pub(super) const LIMIT: Duration = Duration::from_secs(30);

/// A bridge that is logged in at an Asterisk.
pub(super) struct Desk {
    pub(super) bridge: Bridge,
    _manager: Manager,
    pub(super) asterisk: Connection,
}

impl Desk {
    pub(super) async fn start(grant: Grant, quotas: Quotas) -> Self {
        Self::start_for(Credential::Token(Secret::new("t")), grant, quotas).await
    }

    async fn start_for(credential: Credential, grant: Grant, quotas: Quotas) -> Self {
        let mut manager = Manager::start().await;
        let links = Links::new(Handle::current(), Metrics::new(), None);
        let address = manager.address();
        links.update(&[Server {
            name: "pbx1".into(),
            remote: Remote { host: address.ip().to_string(), port: address.port(), tls: None },
            username: USER.to_owned(),
            secret: Secret::new(SECRET),
            plain_login: false,
            async_agi: false,
        }]);
        let signed_urls = Some(Secret::new(SIGNING));
        let client = Client { name: "crm".into(), credential, signed_urls, grant, quotas };
        let manage = Manage::new(links.clone(), vec![Arc::new(client)]);
        let limits = server::Limits::default();
        let bridge = Bridge::managed(Vec::new(), None, limits, manage).await;
        let asterisk = manager.accept_user().await;
        let mut watch = links.server("").unwrap().watch();
        timeout(LIMIT, watch.wait_for(|state| state.connected)).await.unwrap().unwrap();
        let mut desk = Self { bridge, _manager: manager, asterisk };
        // The look for old requests.
        let list = desk.expect("DBGetTree").await;
        let none = list.response("Error", "Message: Database entry not found\r\n");
        desk.asterisk.say(none).await;
        desk
    }

    /// The next action, which must be this one.
    pub(super) async fn expect(&mut self, action: &str) -> kit::manager::Request {
        timeout(LIMIT, self.asterisk.expect(action)).await.expect("it comes")
    }

    /// Asked for a request id, and told one.
    pub(super) async fn remembers_nothing(&mut self) {
        let get = self.expect("DBGet").await;
        let none = get.response("Error", "Message: Database entry not found\r\n");
        self.asterisk.say(none).await;
        let put = self.expect("DBPut").await;
        self.asterisk.say(put.response("Success", "")).await;
    }

    async fn client(&self) -> ManagerServiceClient<Channel> {
        let url = format!("http://{}", self.bridge.address);
        ManagerServiceClient::connect(url).await.unwrap()
    }

    async fn socket(&self, protocol: &str) -> Socket {
        Socket::open(&self.bridge, "/v1/manager", protocol, Some("t")).await.ok().unwrap()
    }
}

fn all() -> Globs {
    Globs::from_iter(["*"])
}

pub(super) fn grant() -> Grant {
    let originate =
        OriginateGrant { channels: all(), contexts: all(), ..OriginateGrant::default() };
    Grant { servers: all(), actions: all(), events: Globs::from_iter(["Peer*"]), originate }
}

fn authorized<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", MetadataValue::from_static("Bearer t"));
    request
}

fn originate() -> OriginateRequest {
    let target = DialplanTarget { context: "c".into(), extension: "e".into(), priority: 1 };
    OriginateRequest {
        channel: "PJSIP/3200".into(),
        destination: Some(Destination::Dialplan(target)),
        wait_for_outcome: true,
        ..OriginateRequest::default()
    }
}

fn action(name: &str) -> SendActionRequest {
    SendActionRequest { action: name.into(), ..SendActionRequest::default() }
}

#[tokio::test]
async fn an_originate_is_answered_once_its_outcome_is_known() {
    let mut desk = Desk::start(grant(), Quotas::default()).await;
    let mut client = desk.client().await;
    let asked = tokio::spawn(async move { client.originate(authorized(originate())).await });
    let request = desk.expect("Originate").await;
    let id = request.get("ChannelId").to_owned();
    let told = format!("Event: Newchannel\r\nChannel: PJSIP/3200-1\r\nUniqueid: {id}\r\n\r\n");
    desk.asterisk
        .say(request.response("Success", "Message: Originate successfully queued\r\n"))
        .await;
    desk.asterisk.say(told).await;
    let over = format!(
        "Event: Hangup\r\nUniqueid: {id}\r\nChannelStateDesc: Ringing\r\nCause: 17\r\nCause-txt: User busy\r\n\r\n"
    );
    desk.asterisk.say(over).await;
    let told = timeout(LIMIT, asked).await.unwrap().unwrap().unwrap().into_inner();
    assert_eq!((told.outcome(), told.channel.as_str()), (Outcome::Busy, "PJSIP/3200-1"));
    assert_eq!((told.unique_id, told.detail.as_str()), (id, "User busy (cause 17)"));
}

#[tokio::test]
async fn a_request_id_is_known_to_asterisk_before_it_dials() {
    let mut desk = Desk::start(grant(), Quotas::default()).await;
    let mut client = desk.client().await;
    let request = OriginateRequest { request_id: "r".into(), ..originate() };
    let asked = tokio::spawn(async move { client.originate(authorized(request)).await });
    let get = desk.expect("DBGet").await;
    desk.asterisk.say(get.response("Error", "Message: Database entry not found\r\n")).await;
    let put = desk.expect("DBPut").await;
    assert_eq!(put.get("Key"), get.get("Key"));
    desk.asterisk.say(put.response("Success", "Message: Updated database successfully\r\n")).await;
    let request = desk.expect("Originate").await;
    assert_eq!(request.get("ChannelId"), get.get("Key"));
    desk.asterisk.say(request.response("Error", "Message: Extension does not exist.\r\n")).await;
    let keep = desk.expect("DBPut").await;
    assert!(keep.get("Val").contains("\"outcome\":6"), "{keep:?}");
    desk.asterisk.say(keep.response("Success", "")).await;
    let told = timeout(LIMIT, asked).await.unwrap().unwrap().unwrap().into_inner();
    let told = (told.outcome(), told.detail.as_str());
    assert_eq!(told, (Outcome::Refused, "Extension does not exist."));
}

#[tokio::test]
async fn without_a_place_for_request_ids_nothing_is_dialled() {
    let mut desk = Desk::start(grant(), Quotas::default()).await;
    let mut client = desk.client().await;
    let request = OriginateRequest { request_id: "r".into(), ..originate() };
    let asked = tokio::spawn(async move { client.originate(authorized(request)).await });
    let get = desk.expect("DBGet").await;
    desk.asterisk.say(get.response("Error", "Message: Permission denied\r\n")).await;
    let status = timeout(LIMIT, asked).await.unwrap().unwrap().unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("class `system`"), "{status}");
}

#[tokio::test]
async fn an_action_comes_back_with_its_list() {
    let mut desk = Desk::start(grant(), Quotas::default()).await;
    let mut client = desk.client().await;
    let headers = vec![Header { key: "Variable".into(), value: "a=1".into() }];
    let request = SendActionRequest { headers, ..action("Status") };
    let asked = tokio::spawn(async move { client.send_action(authorized(request)).await });
    let request = desk.expect("Status").await;
    assert_eq!(request.get("Variable"), "a=1");
    let begin = "EventList: start\r\nMessage: Channel status will follow\r\n";
    desk.asterisk.say(request.response("Success", begin)).await;
    desk.asterisk.say(request.event("Status", "Channel: PJSIP/1\r\n")).await;
    desk.asterisk.say(request.event("StatusComplete", "EventList: Complete\r\n")).await;
    let told = timeout(LIMIT, asked).await.unwrap().unwrap().unwrap().into_inner();
    assert_eq!((told.success, told.message.as_str()), (true, "Channel status will follow"));
    assert_eq!((told.events.len(), told.events[0].name.as_str()), (1, "Status"));
}

#[tokio::test]
async fn what_is_not_granted_never_comes_to_asterisk() {
    let desk = Desk::start(grant(), Quotas::default()).await;
    let mut client = desk.client().await;
    let nobody = client.list_servers(ListServersRequest {}).await.unwrap_err();
    assert_eq!(nobody.code(), Code::Unauthenticated);
    for (name, code) in [
        ("Command", Code::PermissionDenied),
        ("Originate", Code::PermissionDenied),
        ("Login", Code::InvalidArgument),
        ("Ping\r\nAction: Command", Code::InvalidArgument),
    ] {
        let status = client.send_action(authorized(action(name))).await.unwrap_err();
        assert_eq!(status.code(), code, "{name}: {status}");
    }
    let denied =
        WatchEventsRequest { names: vec!["VarSet".into()], ..WatchEventsRequest::default() };
    let status = client.watch_events(authorized(denied)).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    let elsewhere = SendActionRequest { server: "pbx2".into(), ..action("Ping") };
    let status = client.send_action(authorized(elsewhere)).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound, "{status}");
}

#[tokio::test]
async fn a_client_that_asks_too_often_is_told_so() {
    let desk = Desk::start(grant(), Quotas { rate: 1, running: 1, watches: 1 }).await;
    let mut client = desk.client().await;
    let codes =
        futures_util::future::join_all(
            (0..3).map(|_| {
                let mut client = client.clone();
                async move {
                    client.send_action(authorized(action("Command"))).await.unwrap_err().code()
                }
            }),
        );
    let codes = codes.await;
    assert!(codes.contains(&Code::ResourceExhausted), "{codes:?}");
    // What is only looked at is not counted.
    client.list_servers(authorized(ListServersRequest {})).await.unwrap();
}

#[tokio::test]
async fn events_are_those_that_are_granted_and_asked_for() {
    let mut desk = Desk::start(grant(), Quotas::default()).await;
    let mut client = desk.client().await;
    let every = WatchEventsRequest::default();
    let mut events = client.watch_events(authorized(every)).await.unwrap().into_inner();
    let state = events.message().await.unwrap().unwrap().item;
    assert!(matches!(state, Some(Item::ServerState(state)) if state.connected));
    desk.asterisk.say("Event: VarSet\r\nVariable: SECRET\r\n\r\n").await;
    desk.asterisk.say("Event: PeerStatus\r\nPeer: PJSIP/1\r\n\r\n").await;
    let event = timeout(LIMIT, events.message()).await.unwrap().unwrap().unwrap().item;
    let Some(Item::Event(event)) = event else { panic!("{event:?}") };
    assert_eq!((event.server.as_str(), event.name.as_str()), ("pbx1", "PeerStatus"));
    assert!(event.received_at.is_some());
}

#[tokio::test]
async fn one_websocket_carries_many_requests() {
    for protocol in ["agibridge.v1.json", "agibridge.v1.proto"] {
        let mut desk = Desk::start(grant(), Quotas::default()).await;
        let mut socket = desk.socket(protocol).await;
        let ask = |id, request| ManagerRequest { id, request: Some(request) };
        socket.send(&ask(1, Asked::WatchEvents(WatchEventsRequest::default()))).await;
        socket.send(&ask(2, Asked::SendAction(action("Ping")))).await;
        let ping = desk.expect("Ping").await;
        socket.send(&ask(3, Asked::SendAction(action("UpdateConfig")))).await;
        socket.send(&ask(4, Asked::ListServers(ListServersRequest {}))).await;
        let (mut denied, mut listed, mut state) = (false, false, false);
        while !(denied && listed && state) {
            let ManagerAnswer { id, answer } = socket.recv().await.unwrap();
            match (id, answer.unwrap()) {
                (1, Answer::WatchEvents(_)) => state = true,
                (3, Answer::Error(error)) => {
                    assert_eq!(error.code, i32::from(Code::PermissionDenied));
                    denied = true;
                }
                (4, Answer::ListServers(servers)) => listed = servers.servers.len() == 1,
                other => panic!("{other:?}"),
            }
        }
        desk.asterisk.say(ping.response("Success", "Ping: Pong\r\n")).await;
        let ManagerAnswer { id, answer } = socket.recv().await.unwrap();
        assert!(matches!((id, answer), (2, Some(Answer::SendAction(told))) if told.success));
        socket.send(&ask(1, Asked::Cancel(CancelRequest {}))).await;
        socket.send(&ask(5, Asked::WatchEvents(WatchEventsRequest::default()))).await;
        let first: ManagerAnswer = socket.recv().await.unwrap();
        assert_eq!(first.id, 5);
        desk.asterisk.say("Event: PeerStatus\r\n\r\n").await;
        let event: ManagerAnswer = socket.recv().await.unwrap();
        assert_eq!(event.id, 5);
        socket.send(&ask(5, Asked::SendAction(action("Ping")))).await;
        assert_eq!(socket.recv::<ManagerAnswer>().await.unwrap_err(), 1008);
    }
}

#[tokio::test]
async fn a_stranger_gets_no_websocket() {
    let desk = Desk::start(grant(), Quotas::default()).await;
    let open = |token| Socket::open(&desk.bridge, "/v1/manager", "agibridge.v1.json", token);
    assert_eq!(open(None).await.err(), Some(401));
    assert_eq!(open(Some("wrong")).await.err(), Some(401));
}

#[tokio::test]
async fn a_connection_outlives_its_jwt_and_its_right_does_not() {
    let (folder, signer) = (tempfile::tempdir().unwrap(), Signer::new("one"));
    let file = folder.path().join("jwks.json");
    std::fs::write(&file, jwks(&[&signer])).unwrap();
    let desk = Desk::start_for(with("sub", "ivr"), grant(), Quotas::default()).await;
    desk.bridge.tokens.update(&[issuer(KeySource::File(file))]);
    // The leeway is over soon.
    let token = signer.token(&claims(&json!({"exp": now() - 26})));
    let open = Socket::open(&desk.bridge, "/v1/manager", "agibridge.v1.json", Some(&token));
    let mut socket = open.await.ok().unwrap();
    let ask = |id, request| ManagerRequest { id, request: Some(request) };
    socket.send(&ask(1, Asked::WatchEvents(WatchEventsRequest::default()))).await;
    let ended = loop {
        let told: ManagerAnswer = socket.recv().await.unwrap();
        if let Some(Answer::Error(ended)) = told.answer {
            break ended;
        }
    };
    assert_eq!(ended.code, i32::from(Code::Unavailable), "{ended:?}");
    socket.send(&ask(2, Asked::ListServers(ListServersRequest {}))).await;
    let told: ManagerAnswer = socket.recv().await.unwrap();
    let Some(Answer::Error(refused)) = told.answer else { panic!("{told:?}") };
    assert_eq!(refused.code, i32::from(Code::Unauthenticated));
    assert_eq!(refused.message, "this JWT has expired");
}

#[tokio::test]
async fn health_tells_of_the_manager_too() {
    let desk = Desk::start(grant(), Quotas::default()).await;
    let url = format!("http://{}", desk.bridge.address);
    let mut health = HealthClient::new(Channel::from_shared(url).unwrap().connect().await.unwrap());
    let service = "agibridge.v1.ManagerService".to_owned();
    let told = health.check(HealthCheckRequest { service }).await.unwrap().into_inner();
    assert_eq!(told.status, 1);
}
