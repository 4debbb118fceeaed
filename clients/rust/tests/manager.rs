//! The manager client, with the test as its bridge.

#![cfg(test)]

use agibridge::{
    Error, Heard, Manager, ManagerCode, OriginateOutcome,
    proto::{
        self, ListServersRequest, ListServersResponse, OriginateRequest, OriginateResponse,
        SendActionRequest, SendActionResponse, WatchEventsRequest, WatchEventsResponse,
        manager_service_server::{ManagerService, ManagerServiceServer},
        watch_events_response::Item,
    },
};
use futures_util::{StreamExt, stream, stream::BoxStream};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Code, Request, Response, Status, transport::Server};

/// What a stream tells, and whether it stays then.
type Told = (Vec<Item>, bool);

/// What a bridge answers, by how often it was asked. It keeps what it was asked.
struct Bridge {
    originate: fn(usize) -> Result<OriginateResponse, Status>,
    action: fn() -> Result<SendActionResponse, Status>,
    watch: fn(usize) -> Result<Told, Status>,
    asked: Mutex<Asked>,
}

#[derive(Default)]
struct Asked {
    originates: Vec<OriginateRequest>,
    actions: Vec<SendActionRequest>,
    watches: Vec<WatchEventsRequest>,
    authorization: Option<String>,
}

fn no<T>() -> Result<T, Status> {
    Err(Status::internal("not said"))
}

impl Default for Bridge {
    fn default() -> Self {
        Self { originate: |_| no(), action: no, watch: |_| no(), asked: Mutex::default() }
    }
}

#[tonic::async_trait]
impl ManagerService for Bridge {
    async fn originate(
        &self,
        request: Request<OriginateRequest>,
    ) -> Result<Response<OriginateResponse>, Status> {
        let mut asked = self.asked.lock().unwrap();
        let shown = request.metadata().get("authorization");
        asked.authorization = shown.map(|it| it.to_str().unwrap().to_owned());
        asked.originates.push(request.into_inner());
        (self.originate)(asked.originates.len()).map(Response::new)
    }

    async fn send_action(
        &self,
        request: Request<SendActionRequest>,
    ) -> Result<Response<SendActionResponse>, Status> {
        self.asked.lock().unwrap().actions.push(request.into_inner());
        (self.action)().map(Response::new)
    }

    type WatchEventsStream = BoxStream<'static, Result<WatchEventsResponse, Status>>;

    async fn watch_events(
        &self,
        request: Request<WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        let mut asked = self.asked.lock().unwrap();
        asked.watches.push(request.into_inner());
        let (items, stays) = (self.watch)(asked.watches.len())?;
        let items = stream::iter(items).map(|item| Ok(WatchEventsResponse { item: Some(item) }));
        Ok(Response::new(if stays {
            items.chain(stream::pending()).boxed()
        } else {
            items.boxed()
        }))
    }

    async fn list_servers(
        &self,
        _: Request<ListServersRequest>,
    ) -> Result<Response<ListServersResponse>, Status> {
        Ok(Response::new(ListServersResponse { servers: vec![link(false)] }))
    }
}

impl Bridge {
    async fn dialled(self) -> (Manager, Arc<Self>) {
        let bridge = Arc::new(self);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let service = ManagerServiceServer::from_arc(Arc::clone(&bridge));
        let serving = Server::builder()
            .add_service(service)
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(serving);
        (Manager::builder(address).token("s3cret").build().unwrap(), bridge)
    }
}

fn link(connected: bool) -> proto::ServerState {
    proto::ServerState { server: "pbx1".to_owned(), connected, ..Default::default() }
}

fn event(name: &str) -> proto::ManagerEvent {
    let header = proto::Header { key: "Channel".to_owned(), value: "PJSIP/1".to_owned() };
    proto::ManagerEvent { name: name.to_owned(), headers: vec![header], ..Default::default() }
}

fn failure<T: std::fmt::Debug>(it: Result<T, Error>) -> agibridge::ManagerError {
    match it {
        Err(Error::Manager(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_originate_is_asked_again_by_the_same_id_while_the_bridge_is_away() {
    let originate = |attempt| match attempt {
        1 | 2 => Err(Status::unavailable("the bridge stops")),
        _ => Ok(OriginateResponse { outcome: 3, detail: "busy".to_owned(), ..Default::default() }),
    };
    let (manager, bridge) = Bridge { originate, ..Default::default() }.dialled().await;
    let call = manager.originate("PJSIP/1").to_extension("internal", "100").variable("A", "1");
    let got = call.await.unwrap();
    assert_eq!((got.outcome, got.detail.as_str()), (OriginateOutcome::Busy, "busy"));
    let asked = bridge.asked.lock().unwrap();
    assert_eq!(asked.originates.len(), 3);
    assert_eq!(asked.originates[0], asked.originates[2]);
    assert!(asked.originates[0].wait_for_outcome && asked.originates[0].variables["A"] == "1");
    assert_eq!(asked.authorization.as_deref(), Some("Bearer s3cret"));
    let id = &got.request_id;
    assert_eq!(*id, asked.originates[0].request_id);
    assert!(id.len() == 36 && &id[14..15] == "4" && "89ab".contains(&id[19..20]), "{id}");
}

#[tokio::test]
async fn the_id_of_a_call_that_failed_is_told() {
    let originate = |_| Err(Status::already_exists("another call"));
    let (manager, _) = Bridge { originate, ..Default::default() }.dialled().await;
    let call = manager.originate("PJSIP/1").to_route("/reminder").request_id("mine");
    let failed = failure(call.await);
    assert_eq!(failed.code, ManagerCode::AlreadyExists);
    assert_eq!(failed.request_id.as_deref(), Some("mine"));
}

#[tokio::test]
async fn an_outcome_of_a_newer_bridge_keeps_its_number() {
    let originate = |_| Ok(OriginateResponse { outcome: 77, ..Default::default() });
    let (manager, bridge) = Bridge { originate, ..Default::default() }.dialled().await;
    let got = manager.originate("PJSIP/1").to_application("Wait", "1").without_waiting().await;
    assert_eq!(got.unwrap().outcome, OriginateOutcome::Newer(77));
    assert!(!bridge.asked.lock().unwrap().originates[0].wait_for_outcome);
}

#[tokio::test]
async fn an_action_is_sent_once_with_its_headers_in_order() {
    let action = || {
        Ok(SendActionResponse {
            message: "no".to_owned(),
            headers: event("").headers,
            events: vec![event("Status")],
            output: vec!["x".to_owned()],
            truncated: true,
            ..Default::default()
        })
    };
    let (manager, bridge) = Bridge { action, ..Default::default() }.dialled().await;
    let action = manager.action("Originate").header("Variable", "a").header("Variable", "b");
    let got = action.await.unwrap();
    assert!(!got.success && got.truncated && got.message == "no" && got.output == ["x"]);
    assert_eq!(got.headers.get("cHANNEL"), Some("PJSIP/1"));
    assert_eq!(got.events[0].name, "Status");
    assert_eq!(bridge.asked.lock().unwrap().actions[0].headers[1].value, "b");

    let action = || Err(Status::unavailable("the link is down"));
    let (manager, bridge) = Bridge { action, ..Default::default() }.dialled().await;
    assert_eq!(failure(manager.action("Ping").await).code, ManagerCode::Unavailable);
    assert_eq!(bridge.asked.lock().unwrap().actions.len(), 1);
}

#[tokio::test]
async fn servers_are_listed() {
    let (manager, _) = Bridge::default().dialled().await;
    let servers = manager.list_servers().await.unwrap();
    assert!(servers.len() == 1 && servers[0].server == "pbx1" && !servers[0].connected);
}

#[tokio::test]
async fn a_watch_comes_back_and_tells_what_is_missing() {
    let watch = |attempt| match attempt {
        1 => {
            let items =
                vec![Item::ServerState(link(true)), Item::Event(event("Hangup")), Item::Missed(3)];
            Ok((items, false))
        }
        2 | 3 => Err(Status::unavailable("not yet")),
        _ => Ok((vec![Item::ServerState(link(false)), Item::Event(event("Last"))], true)),
    };
    let (manager, bridge) = Bridge { watch, ..Default::default() }.dialled().await;
    let mut events = manager.watch(["*"]).matching("Channel", "PJSIP/1");
    let mut heard = Vec::new();
    while heard.last().is_none_or(|it| it != "Last") {
        heard.push(match events.next().await.unwrap() {
            Heard::Event(it) => it.name,
            Heard::Missed(events) => format!("missed {events}"),
            Heard::State(it) => format!("connected {}", it.connected),
            Heard::Lost(why) => format!("lost {}", why.code),
            other => panic!("{other:?}"),
        });
    }
    let want =
        ["connected true", "Hangup", "missed 3", "lost UNAVAILABLE", "connected false", "Last"];
    assert_eq!(heard, want);
    let asked = bridge.asked.lock().unwrap();
    assert!(asked.watches[3].names == ["*"] && asked.watches[3].r#match["Channel"] == "PJSIP/1");
}

#[tokio::test]
async fn what_no_retry_cures_ends_a_watch() {
    let watch = |attempt| {
        let codes = [Code::PermissionDenied, Code::Unauthenticated, Code::ResourceExhausted];
        Err(Status::new(codes[attempt - 1], "no"))
    };
    let (manager, _) = Bridge { watch, ..Default::default() }.dialled().await;
    for code in [
        ManagerCode::PermissionDenied,
        ManagerCode::Unauthenticated,
        ManagerCode::ResourceExhausted,
    ] {
        assert_eq!(failure(manager.watch(["Hangup"]).next().await).code, code);
    }
}

#[tokio::test]
async fn a_bridge_that_is_not_there_is_told_as_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let manager = Manager::builder(address).build().unwrap();
    let heard = manager.watch(["*"]).next().await.unwrap();
    assert!(
        matches!(&heard, Heard::Lost(why) if why.code == ManagerCode::Unavailable),
        "{heard:?}"
    );
}

#[tokio::test]
async fn what_cannot_be_right_is_misuse() {
    for address in ["bridge", "", "http://bridge:4575"] {
        assert!(matches!(Manager::builder(address).build(), Err(Error::Misuse(_))), "{address}");
    }
    let (manager, _) = Bridge::default().dialled().await;
    assert!(matches!(manager.originate("PJSIP/1").await, Err(Error::Misuse(_))));
}
