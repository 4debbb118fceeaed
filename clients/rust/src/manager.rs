//! The manager client: starts calls, sends actions and hears events, over gRPC to the bridge's API.

mod answer;
mod error;
mod request;
mod watch;

pub use answer::{ActionResponse, Event, Headers, OriginateOutcome, Originated, ServerState};
pub use error::{ManagerCode, ManagerError};
pub use request::{Action, Originate};
pub use watch::{Heard, Watch};

use crate::{
    Error,
    dial::{self, Dial, Pauses},
    proto::{ListServersRequest, manager_service_client::ManagerServiceClient},
    trace,
};
use std::fmt;
use tokio::time::sleep;
use tonic::{
    Request, Status,
    metadata::{AsciiMetadataValue, MetadataKey},
    transport::Channel,
};

/// How often a request is sent that may be repeated: with the pauses, half a minute of a bridge that is away.
const TRIES: u32 = 10;

type Client = ManagerServiceClient<Channel>;

/// Asks the manager (AMI) of each Asterisk that the bridge has a link to. What it may do is granted in the bridge's
/// `api.clients`.
///
/// It connects when it is first used, and again when the connection was lost. Clones share it; it is closed when the last one,
/// and its last [`Watch`], is dropped. To give up a request, drop its future, as `tokio::time::timeout` does; what was sent may be
/// done then.
///
/// ```no_run
/// # async fn f() -> Result<(), agibridge::Error> {
/// use agibridge::{Heard, Manager};
///
/// let manager = Manager::builder("agi-bridge:4575").token("secret").build()?;
/// let call = manager.originate("PJSIP/3200").to_extension("internal", "100").await?;
/// println!("{}", call.outcome);
/// let mut events = manager.watch(["*"]);
/// loop {
///     if let Heard::Event(event) = events.next().await? {
///         println!("{} {:?}", event.name, event.headers.get("Channel"));
///     }
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct Manager {
    client: Client,
    authorization: Option<AsciiMetadataValue>,
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manager").finish_non_exhaustive()
    }
}

/// Describes a [`Manager`].
#[must_use = "it is made by `build`"]
pub struct ManagerBuilder {
    bridge: String,
    token: Option<String>,
    #[cfg(feature = "tls")]
    tls: Option<crate::tls::ClientTls>,
}

impl fmt::Debug for ManagerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagerBuilder").field("bridge", &self.bridge).finish_non_exhaustive()
    }
}

impl ManagerBuilder {
    /// The token that it shows, of the bridge's `api.clients`.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// TLS, and a client certificate if the bridge asks for one.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: crate::tls::ClientTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Makes the client, within a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`]: the address or another setting cannot be used.
    pub fn build(self) -> Result<Manager, Error> {
        dial::check_address(&self.bridge).map_err(Error::Misuse)?;
        let dial = Dial {
            name: &self.bridge,
            #[cfg(feature = "tls")]
            tls: self.tls.as_ref(),
        };
        let channel = dial.endpoint(None).map_err(Error::Misuse)?.connect_lazy();
        let authorization =
            self.token.as_deref().map(dial::bearer).transpose().map_err(Error::Misuse)?;
        Ok(Manager { client: ManagerServiceClient::new(channel), authorization })
    }
}

impl Manager {
    /// A client of the bridge at this address, that of its `api.listen`, as `agi-bridge:4575`.
    pub fn builder(bridge: impl Into<String>) -> ManagerBuilder {
        ManagerBuilder {
            bridge: bridge.into(),
            token: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Starts a call: await it once it has a destination. It calls this channel first, as `PJSIP/3200`.
    pub fn originate(&self, channel: impl Into<String>) -> Originate {
        Originate::new(self.clone(), channel.into())
    }

    /// Sends an action, as `CoreShowChannels`: await it once it has its headers.
    pub fn action(&self, name: impl Into<String>) -> Action {
        Action::new(self.clone(), name.into())
    }

    /// Hears events of these names; `*` or none: every one that is granted.
    pub fn watch(&self, names: impl IntoIterator<Item = impl Into<String>>) -> Watch {
        Watch::new(self.clone(), names.into_iter().map(Into::into).collect())
    }

    /// The Asterisk servers that this client may use, and the state of the bridge's link to each.
    ///
    /// # Errors
    ///
    /// [`Error::Manager`]: the bridge does not tell.
    pub async fn list_servers(&self) -> Result<Vec<ServerState>, Error> {
        let ask = |mut client: Client| {
            let request = self.request(ListServersRequest {});
            async move { client.list_servers(request).await }
        };
        match self.retrying(ask).await {
            Ok(it) => Ok(it.into_inner().servers.into_iter().map(ServerState::from).collect()),
            Err(status) => Err(ManagerError::new("list_servers", &status, None).into()),
        }
    }

    /// With the token, and the active span, of which the request's becomes a child.
    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let metadata = request.metadata_mut();
        if let Some(shown) = &self.authorization {
            metadata.insert("authorization", shown.clone());
        }
        for (name, value) in trace::context() {
            if let (Ok(name), Ok(value)) = (MetadataKey::from_bytes(name.as_bytes()), value.parse())
            {
                metadata.insert(name, value);
            }
        }
        request
    }

    /// Asks again while the bridge is not to be had.
    async fn retrying<T, F>(&self, ask: impl Fn(Client) -> F) -> Result<T, Status>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let mut pauses = Pauses::default();
        let mut tries = 1;
        loop {
            match ask(self.client.clone()).await {
                Err(status)
                    if ManagerCode::of(&status) == ManagerCode::Unavailable && tries < TRIES =>
                {
                    tries += 1;
                    sleep(pauses.next()).await;
                }
                answer => return answer,
            }
        }
    }
}
