//! What clients do with Asterisk through the bridge: start calls, send actions, watch events. Knows who may do what, and no
//! transport: gRPC, WebSocket and whatever else call the same methods, and tell the same statuses.
//!
//! | file | what it holds |
//! |---|---|
//! | `client`, `glob` | who a client is, what it may do, how much of it |
//! | `grant` | pure: judges what is asked |
//! | `plan` | pure: the action that an originate request becomes |
//! | `originate` | requests that run, and those that are repeated |
//! | `signed` | pure: a request that stands in a URL |
//! | `received` | the span of a request |
//! | `pursuit` | one attempt to start a call, until its outcome is known |
//! | `journal` | what Asterisk itself keeps of the requests, in its database |
//! | `dispatch` | which event belongs to which attempt |
//! | `action`, `events` | actions, and streams of events |

mod action;
mod client;
mod dispatch;
mod events;
mod glob;
mod grant;
mod journal;
mod originate;
mod plan;
mod pursuit;
mod quota;
mod received;
mod signed;

pub use client::{Client, Clients, Grant, OriginateGrant, Quotas};
pub use events::Watch;
pub(crate) use events::{response, to_json, to_proto};
pub use glob::Globs;
pub(crate) use plan::{ROUTE_CONTEXT, ROUTE_PATH};
pub(crate) use signed::{Signed, VALID_MAX};

use crate::{
    access::Shown,
    ami::{Link, Links, Pick, SendError, ServerState},
    proto::{self, ListServersResponse, OriginateRequest},
};
use arc_swap::ArcSwap;
use dispatch::Dispatch;
use originate::Requests;
use quota::Quota;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};
use tonic::Status;

/// The front desk of the links. Cheap to clone: all clones are the same.
#[derive(Debug, Clone)]
pub struct Manage(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    links: Links,
    clients: ArcSwap<Clients>,
    quotas: Mutex<HashMap<Arc<str>, Arc<Quota>>>,
    dispatch: Arc<Dispatch>,
    requests: Requests,
}

/// A client that was let in.
#[derive(Debug, Clone)]
pub struct Access {
    client: Arc<Client>,
    quota: Arc<Quota>,
    /// When what was shown is good no more.
    expires: Option<SystemTime>,
}

impl Manage {
    /// With these clients. To be called on a tokio runtime, which carries what it does on its own.
    pub fn new(links: Links, clients: Clients) -> Self {
        let dispatch = Dispatch::start(&links);
        journal::keep_tidy(&links);
        Self(Arc::new(Inner {
            links,
            clients: ArcSwap::from_pointee(clients),
            quotas: Mutex::default(),
            dispatch,
            requests: Requests::default(),
        }))
    }

    /// Puts other clients in force. Requests and watches that run go on.
    pub fn update(&self, clients: Clients) {
        self.0.clients.store(Arc::new(clients));
    }

    /// Who this is: the first client whose credential is shown.
    ///
    /// # Errors
    /// When nobody is known by what is shown.
    pub fn access(&self, shown: &Shown) -> Result<Access, Status> {
        let clients = self.0.clients.load();
        if clients.is_empty() {
            return Err(Status::permission_denied(
                "nobody may use the manager: the bridge's api.clients is empty",
            ));
        }
        let Some(client) = clients.iter().find(|client| client.credential.is_met_by(shown)) else {
            let refusal = shown.refusal(clients.iter().map(|client| &client.credential));
            return Err(Status::new(refusal.code(), refusal.to_string()));
        };
        Ok(self.let_in(&clients, client, shown.expires([&client.credential])))
    }

    /// Who signed the query of a URL, and what it asks for.
    ///
    /// # Errors
    /// When nobody did, or what was signed does not count (any more).
    pub fn signed(&self, query: &str) -> Result<(Access, OriginateRequest), Status> {
        let clients = self.0.clients.load();
        let name = Signed::client(query);
        let client = clients.iter().find(|client| Some(&*client.name) == name.as_deref());
        let found = client.and_then(|client| {
            Some((client, Signed::verified(query, client.signed_urls.as_ref()?)?))
        });
        // Who guesses is not told what was wrong.
        let (client, text) = found.ok_or_else(|| {
            Status::permission_denied(
                "signature: it does not fit: the URL was changed, or signed with another secret, or the client has no `signed_urls`",
            )
        })?;
        let Signed { request, expires, .. } = Signed::read(text)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let left = expires.checked_sub(now).ok_or_else(|| {
            Status::permission_denied("expires: this URL is no longer good: have a new one made")
        })?;
        if left > VALID_MAX.as_secs() {
            return Err(Status::invalid_argument(format!(
                "expires: at most {} s ahead",
                VALID_MAX.as_secs()
            )));
        }
        // What was signed is good for this one request.
        Ok((self.let_in(&clients, client, None), request))
    }

    fn let_in(
        &self,
        clients: &Clients,
        client: &Arc<Client>,
        expires: Option<SystemTime>,
    ) -> Access {
        let mut quotas = self.0.quotas.lock().unwrap_or_else(PoisonError::into_inner);
        quotas.retain(|name, _| clients.iter().any(|client| client.name == *name));
        let quota = quotas
            .entry(Arc::clone(&client.name))
            .or_insert_with(|| Arc::new(Quota::new(client.quotas)));
        if quota.limits() != client.quotas {
            *quota = Arc::new(Quota::new(client.quotas));
        }
        Access { client: Arc::clone(client), quota: Arc::clone(quota), expires }
    }

    /// The Asterisks that the client may use, and their links.
    pub fn list_servers(&self, access: &Access) -> ListServersResponse {
        let states = self.0.links.states().into_iter();
        let servers = states.filter(|state| access.client.grant.servers.allow(&state.server));
        ListServersResponse { servers: servers.map(|state| server_state(&state)).collect() }
    }

    /// The link to the Asterisk that a request names; with an empty name: to the only one that the client may use.
    fn link(&self, access: &Access, name: &str) -> Result<Link, Status> {
        let servers = &access.client.grant.servers;
        let only;
        let name = if name.is_empty() {
            let states = self.0.links.states();
            let mut usable = states.into_iter().filter(|state| servers.allow(&state.server));
            only = match (usable.next(), usable.next()) {
                (Some(only), None) => only.server,
                (None, _) => return Err(Status::failed_precondition(Pick::Nothing.to_string())),
                (Some(_), Some(_)) => {
                    return Err(Status::invalid_argument(format!("server: {}", Pick::Ambiguous)));
                }
            };
            &*only
        } else {
            name
        };
        // Who may not use a server is not told whether there is one.
        if !servers.allow(name) {
            return Err(Status::permission_denied(format!(
                "server: `{}` is not granted to this client",
                name.escape_default()
            )));
        }
        self.0.links.server(name).map_err(|pick| Status::not_found(format!("server: {pick}")))
    }
}

/// In the words of the contract.
pub(crate) fn server_state(state: &ServerState) -> proto::ServerState {
    proto::ServerState {
        server: state.server.to_string(),
        connected: state.connected,
        asterisk_version: state.version.to_string(),
        detail: state.detail.to_string(),
    }
}

/// What UNAVAILABLE tells was never written, and may be asked again; UNKNOWN and DEADLINE_EXCEEDED tell that it may have been done.
fn unanswered(error: &SendError) -> Status {
    let text = error.to_string();
    match error {
        SendError::NotConnected { .. } => Status::unavailable(text),
        SendError::Busy { .. } => Status::resource_exhausted(text),
        SendError::Refused(_) => Status::invalid_argument(text),
        SendError::Lost { .. } => Status::unknown(text),
        SendError::TimedOut { .. } => Status::deadline_exceeded(text),
    }
}
