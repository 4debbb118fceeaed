//! `ManagerService` over a WebSocket: requests with ids go in, answers with the same ids come out, until the client ends it. Knows
//! one connection, and nothing of Asterisk.

use super::{not_draining, trace};
use crate::{
    access::Shown,
    ami::Item,
    api::{
        Parts,
        routes::Answered,
        websocket::{close_code, handshake, refused, upgraded},
    },
    manage::{Watch, response, to_json, to_proto},
    proto::{
        ManagerAnswer, ManagerError, ManagerRequest, manager_answer::Answer,
        manager_request::Request as Asked,
    },
    telemetry::trace::TraceContext,
    upstream::{Messages, Outgoing},
};
use http::Request;
use hyper::body::Incoming;
use prost::Message as _;
use std::{collections::HashMap, future::poll_fn, task::Poll, time::Duration};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::timeout,
};
use tonic::Status;

/// Requests of one connection that run at once; one more is refused.
const REQUESTS_MAX: usize = 256;
/// Answers that wait for a client that does not read. What has an answer waits, and events are dropped and counted.
const ANSWERS_MAX: usize = 64;
/// Answers that wait in the connection, on top of those.
const CAPACITY: usize = 16;
/// For a client to end the connection once both sides are done.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(10);

/// The number of `watch_events` in `ManagerAnswer`.
const WATCH_EVENTS: u32 = 4;

/// What goes to a client.
enum Told {
    Answer(ManagerAnswer),
    /// Of a request to watch events, with its id: encoded once for all who watch.
    Item(u64, Item),
}

/// One client's connection.
struct Desk {
    parts: Parts,
    shown: Shown,
    trace: Option<TraceContext>,
    answers: mpsc::Sender<Told>,
    tasks: JoinSet<u64>,
    running: HashMap<u64, AbortHandle>,
}

/// `GET /v1/manager`.
pub(in crate::api) fn open(parts: &Parts, shown: Shown, request: Request<Incoming>) -> Answered {
    let known = parts.manage.access(&shown).and_then(|_| not_draining(parts));
    known.map_err(|status| refused(&status))?;
    let trace = trace(request.headers());
    let handshake = handshake(&shown, request)?;
    let (response, format) = (handshake.response(), handshake.format);
    let parts = parts.clone();
    tokio::spawn(async move {
        if let Some(io) = upgraded(handshake.upgrade).await {
            let messages = Messages::server(io, format, CAPACITY, parts.pings()).await;
            attend(parts, shown, trace, messages).await;
        }
    });
    Ok(response)
}

async fn attend(
    parts: Parts,
    shown: Shown,
    trace: Option<TraceContext>,
    mut messages: Messages<ManagerRequest, Told>,
) {
    let (sender, mut answers) = mpsc::channel(ANSWERS_MAX);
    let mut desk = Desk {
        parts,
        shown,
        trace,
        answers: sender,
        tasks: JoinSet::new(),
        running: HashMap::new(),
    };
    loop {
        let received = poll_fn(|cx| {
            while messages.poll_ready_to_send(cx) == Poll::Ready(Ok(()))
                && let Poll::Ready(Some(answer)) = answers.poll_recv(cx)
            {
                // A failure shows on the receiving side.
                let _ = messages.try_send(&answer);
            }
            while let Poll::Ready(Some(ended)) = desk.tasks.poll_join_next(cx) {
                if let Ok(id) = ended {
                    desk.running.remove(&id);
                }
            }
            // A client that does not read its answers is not read either.
            if answers.len() >= ANSWERS_MAX {
                return Poll::Pending;
            }
            messages.poll_recv(cx)
        });
        match received.await {
            Ok(Some(request)) => {
                if let Err(status) = desk.begin(request) {
                    messages.abort(close_code(status.code()), status.message());
                    return;
                }
            }
            Ok(None) => break,
            Err(lost) => {
                messages.abort(close_code(lost.code), &lost.message);
                return;
            }
        }
    }
    messages.finish();
    let goodbye = poll_fn(|cx| messages.poll_recv(cx).map(drop));
    let _ = timeout(GOODBYE_TIMEOUT, goodbye).await;
}

impl Desk {
    /// An error ends the connection: what was asked could not be answered under its id.
    fn begin(&mut self, request: ManagerRequest) -> Result<(), Status> {
        let ManagerRequest { id, request } = request;
        if let Some(Asked::Cancel(_)) = request {
            if let Some(running) = self.running.remove(&id) {
                running.abort();
            }
            return Ok(());
        }
        if self.running.contains_key(&id) {
            return Err(Status::invalid_argument(format!("id: a request {id} runs already")));
        }
        let refusal = match request {
            _ if self.running.len() >= REQUESTS_MAX => Some(Status::resource_exhausted(format!(
                "{REQUESTS_MAX} requests run on this connection already"
            ))),
            None => Some(Status::invalid_argument("request: it is missing, or of a later version")),
            Some(_) => None,
        };
        let (parts, shown, trace) = (self.parts.clone(), self.shown.clone(), self.trace.clone());
        let answers = self.answers.clone();
        let running = self.tasks.spawn(async move {
            let answered = match (refusal, request) {
                (Some(refusal), _) => Err(refusal),
                (None, Some(request)) => answer(id, &parts, &shown, trace, request, &answers).await,
                (None, None) => return id,
            };
            let answer = answered.unwrap_or_else(|status| {
                let code = i32::from(status.code());
                Answer::Error(ManagerError { code, message: status.message().to_owned() })
            });
            // The connection may be gone.
            let answer = Told::Answer(ManagerAnswer { id, answer: Some(answer) });
            let _ = answers.send(answer).await;
            id
        });
        self.running.insert(id, running);
        Ok(())
    }
}

impl Told {
    fn answer(id: u64, item: &Item) -> ManagerAnswer {
        ManagerAnswer { id, answer: Some(Answer::WatchEvents(response(item))) }
    }
}

impl Outgoing for Told {
    fn to_proto(&self) -> Vec<u8> {
        match self {
            Self::Answer(answer) => answer.encode_to_vec(),
            Self::Item(id, item) => {
                let mut bytes = ManagerAnswer { id: *id, answer: None }.encode_to_vec();
                prost::encoding::bytes::encode(WATCH_EVENTS, &to_proto(item), &mut bytes);
                bytes
            }
        }
    }

    fn to_json(&self) -> Option<String> {
        match self {
            Self::Answer(answer) => answer.to_json(),
            Self::Item(id, Item::Event(event)) => {
                let event = to_json(event);
                Some(format!("{{\"id\":\"{id}\",\"watchEvents\":{{\"event\":{event}}}}}"))
            }
            Self::Item(id, item @ (Item::Missed(_) | Item::State(_))) => {
                Self::answer(*id, item).to_json()
            }
        }
    }
}

/// The last answer of a request.
async fn answer(
    id: u64,
    parts: &Parts,
    shown: &Shown,
    trace: Option<TraceContext>,
    request: Asked,
    answers: &mpsc::Sender<Told>,
) -> Result<Answer, Status> {
    let access = parts.manage.access(shown)?;
    match request {
        Asked::Originate(request) => {
            not_draining(parts)?;
            parts.manage.originate(&access, request, trace).await.map(Answer::Originate)
        }
        Asked::SendAction(request) => {
            let sent = parts.manage.send_action(&access, &request, trace.as_ref());
            sent.await.map(Answer::SendAction)
        }
        Asked::WatchEvents(request) => {
            Err(tell(id, parts.manage.watch_events(&access, request)?, answers).await)
        }
        Asked::ListServers(_) => Ok(Answer::ListServers(parts.manage.list_servers(&access))),
        // It has no answer, and never comes here.
        Asked::Cancel(_) => Err(Status::internal("a cancel is not answered")),
    }
}

/// Until the bridge stops, the client's token expires, or the connection is gone.
async fn tell(id: u64, mut watch: Watch, answers: &mpsc::Sender<Told>) -> Status {
    while let Some(told) = watch.next().await {
        let item = match told {
            Ok(item) => item,
            Err(status) => return status,
        };
        if answers.send(Told::Item(id, item)).await.is_err() {
            return Status::cancelled("the connection is gone");
        }
    }
    Status::unavailable("the bridge stops")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ami::{Event, ServerState},
        upstream::Format,
    };
    use std::{sync::Arc, time::SystemTime};

    #[test]
    fn what_was_encoded_before_is_the_answer_that_the_contract_has() {
        let headers = [("Event", "Hangup"), ("Channel", "PJSIP/\"1\"\nü")].into_iter().collect();
        let event = Item::Event(Arc::new(Event::new(&"pbx1".into(), SystemTime::now(), headers)));
        let (server, detail) = ("pbx1".into(), "lost".into());
        let state = Item::State(ServerState {
            server,
            connected: false,
            version: Arc::default(),
            detail,
            address: None,
        });
        for item in [event, Item::Missed(300), state] {
            let answer = Told::answer(7, &item);
            let told = Told::Item(7, item);
            // Twice: what is kept is the same.
            for _ in 0..2 {
                assert_eq!(Format::Proto.decode(&told.to_proto()), Ok(answer.clone()));
                let json = told.to_json().unwrap();
                assert_eq!(Format::Json.decode(json.as_bytes()), Ok(answer.clone()));
                assert_eq!(answer.to_json().unwrap(), json);
            }
        }
    }
}
