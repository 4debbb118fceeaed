//! Streams of events for clients, and their encodings: an event is encoded once for all of them.

use super::{Access, Manage, action::header, client::Client, server_state};
use crate::{
    access::expired,
    ami::{Event, Filter, Item, Subscription},
    proto::{
        ManagerEvent, WatchEventsRequest, WatchEventsResponse, watch_events_response::Item as Told,
    },
};
use bytes::Bytes;
use pbjson_types::Timestamp;
use prost::Message as _;
use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::sync::OwnedSemaphorePermit;
use tonic::Status;

/// Names and headers of one filter.
const FILTER_MAX: usize = 256;

/// A client's stream of events, until it is dropped.
#[derive(Debug)]
pub struct Watch {
    subscription: Subscription,
    client: Arc<Client>,
    expires: Option<SystemTime>,
    _place: OwnedSemaphorePermit,
}

impl Manage {
    /// Events from now on. First come the states of the links.
    ///
    /// # Errors
    /// When it may not be watched.
    pub fn watch_events(
        &self,
        access: &Access,
        request: WatchEventsRequest,
    ) -> Result<Watch, Status> {
        access.quota.request()?;
        let granted = &access.client.grant.events;
        if granted.is_empty() {
            return Err(Status::permission_denied("names: no events are granted to this client"));
        }
        if request.names.len() + request.r#match.len() > FILTER_MAX {
            return Err(Status::invalid_argument(format!(
                "names, match: at most {FILTER_MAX} in all"
            )));
        }
        let all = |name: &String| name == "*";
        let denied = |name: &&String| !all(name) && !granted.allow_any_case(name);
        if let Some(name) = request.names.iter().find(denied) {
            return Err(Status::permission_denied(format!(
                "names: `{}` is not granted to this client",
                name.escape_default()
            )));
        }
        let server = match request.server.as_str() {
            "" => None,
            name => Some(Arc::clone(self.link(access, name)?.server())),
        };
        let place = access.quota.watch()?;
        let filter =
            Filter { server, names: request.names, headers: request.r#match.into_iter().collect() };
        let subscription = self.0.links.subscribe(filter);
        let (client, expires) = (Arc::clone(&access.client), access.expires);
        Ok(Watch { subscription, client, expires, _place: place })
    }
}

impl Watch {
    /// What came next; `None`: the bridge stops. May be dropped and called again.
    ///
    /// # Errors
    /// When that by which the client is known has expired.
    pub async fn next(&mut self) -> Option<Result<Item, Status>> {
        loop {
            let item = tokio::select! {
                item = self.subscription.next() => item?,
                () = expired(self.expires) => {
                    let why = "the JWT by which this client is known has expired: ask again with another";
                    return Some(Err(Status::unavailable(why)));
                }
            };
            let is_theirs = match &item {
                Item::Event(event) => self.sees(&event.server) && self.may_see(event),
                Item::State(state) => self.sees(&state.server),
                Item::Missed(_) => true,
            };
            if is_theirs {
                return Some(Ok(item));
            }
        }
    }

    fn sees(&self, server: &str) -> bool {
        self.client.grant.servers.allow(server)
    }

    fn may_see(&self, event: &Event) -> bool {
        self.client.grant.events.allow_any_case(event.name())
    }
}

/// In the words of the contract.
pub(crate) fn response(item: &Item) -> WatchEventsResponse {
    let told = match item {
        Item::Event(event) => Told::Event(manager_event(event)),
        Item::Missed(count) => Told::Missed(*count),
        Item::State(state) => Told::ServerState(server_state(state)),
    };
    WatchEventsResponse { item: Some(told) }
}

/// The same, encoded.
pub(crate) fn to_proto(item: &Item) -> Bytes {
    let encoded = || response(item).encode_to_vec().into();
    match item {
        Item::Event(event) => event.proto(encoded),
        Item::Missed(_) | Item::State(_) => encoded(),
    }
}

/// A `ManagerEvent` as JSON.
pub(crate) fn to_json(event: &Event) -> Arc<str> {
    event.json(|| {
        let text = serde_json::to_string(&manager_event(event));
        text.expect("messages are made of text, numbers and lists").into()
    })
}

/// In the words of the contract.
pub(super) fn manager_event(event: &Event) -> ManagerEvent {
    let since = event.received_at.duration_since(UNIX_EPOCH).unwrap_or_default();
    ManagerEvent {
        server: event.server.to_string(),
        name: event.name().to_owned(),
        headers: event.headers.iter().map(header).collect(),
        received_at: Some(Timestamp {
            seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            nanos: i32::try_from(since.subsec_nanos()).unwrap_or_default(),
        }),
    }
}
