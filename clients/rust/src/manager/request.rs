//! What is asked of the manager: calls to be started, and actions. Each is awaited once it is whole.

use super::{ActionResponse, Client, Manager, ManagerError, Originated};
use crate::{
    Error,
    proto::{
        ApplicationTarget, DialplanTarget, Header, OriginateRequest, SendActionRequest,
        originate_request::Destination,
    },
    time,
};
use std::{fmt, pin::Pin, time::Duration};

type Boxed<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

/// A call to be started, made by [`Manager::originate`]. It needs a destination; awaited, it waits until the call's fate is known,
/// and gives an [`Originated`]. That nobody answered, or that Asterisk refused it, is an outcome and no error.
///
/// Without a request id it makes one. So it asks again by itself for about half a minute while the bridge is not to be had, and
/// the call is dialled once all the same. To drop the future does not end the call.
#[must_use = "a call is started by awaiting it"]
pub struct Originate {
    manager: Manager,
    request: OriginateRequest,
}

impl fmt::Debug for Originate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Originate").field(&self.request).finish()
    }
}

impl Originate {
    pub(super) fn new(manager: Manager, channel: String) -> Self {
        let request = OriginateRequest { channel, wait_for_outcome: true, ..Default::default() };
        Self { manager, request }
    }

    /// Goes to an extension of the dialplan once it is answered; to its first priority unless set.
    pub fn to_extension(self, context: impl Into<String>, extension: impl Into<String>) -> Self {
        let (context, extension) = (context.into(), extension.into());
        self.to(Destination::Dialplan(DialplanTarget { context, extension, priority: 0 }))
    }

    /// The priority of the extension that it goes to.
    pub fn priority(mut self, priority: i32) -> Self {
        if let Some(Destination::Dialplan(target)) = &mut self.request.destination {
            target.priority = priority;
        }
        self
    }

    /// Runs an application of Asterisk once it is answered, with its arguments as the dialplan has them.
    pub fn to_application(self, application: impl Into<String>, data: impl Into<String>) -> Self {
        let (application, data) = (application.into(), data.into());
        self.to(Destination::Application(ApplicationTarget { application, data }))
    }

    /// Goes to a route of the bridge once it is answered, as AGI() would: the path, with a query if wanted, as
    /// `/reminder?lang=en`. It needs the context `agi-bridge` in the dialplan, as `agi-bridge dialplan` prints it.
    pub fn to_route(self, path: impl Into<String>) -> Self {
        self.to(Destination::Route(path.into()))
    }

    fn to(mut self, destination: Destination) -> Self {
        self.request.destination = Some(destination);
        self
    }

    /// An Asterisk of the bridge's configuration; needed only where there are several.
    pub fn server(mut self, server: impl Into<String>) -> Self {
        self.request.server = server.into();
        self
    }

    /// Repeated within an hour it gives the first one's answer; at most 128 bytes. One is made unless set.
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.request.request_id = id.into();
        self
    }

    /// What is shown to whom is called; either may be empty.
    pub fn caller_id(mut self, name: impl Into<String>, number: impl Into<String>) -> Self {
        self.request.caller_id_name = name.into();
        self.request.caller_id_number = number.into();
        self
    }

    /// How long to let it ring, 1 s to 600 s; 30 s unless set.
    pub fn ring_timeout(mut self, limit: Duration) -> Self {
        self.request.ring_timeout = Some(time::wire(limit));
        self
    }

    /// Set on the channel that is called; with `__` in front it is passed on to the channels that it calls.
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.request.variables.insert(name.into(), value.into());
        self
    }

    /// For Asterisk's records.
    pub fn account_code(mut self, code: impl Into<String>) -> Self {
        self.request.account_code = code.into();
        self
    }

    /// Goes on as soon as there is sound: ANSWERED then says no more than that.
    pub fn early_media(mut self) -> Self {
        self.request.early_media = true;
        self
    }

    /// Permits a codec, besides those before; Asterisk's own choice unless set.
    pub fn codec(mut self, codec: impl Into<String>) -> Self {
        self.request.codecs.push(codec.into());
        self
    }

    /// Returns once Asterisk took the call: ACCEPTED.
    pub fn without_waiting(mut self) -> Self {
        self.request.wait_for_outcome = false;
        self
    }

    async fn send(self) -> Result<Originated, Error> {
        let Self { manager, mut request } = self;
        if request.destination.is_none() {
            return Err(Error::misuse(
                "a call that is started needs `to_extension`, `to_application` or `to_route`",
            ));
        }
        if request.request_id.is_empty() {
            request.request_id = new_id();
        }
        let id = request.request_id.clone();
        let ask = |mut client: Client| {
            let request = manager.request(request.clone());
            async move { client.originate(request).await }
        };
        match manager.retrying(ask).await {
            Ok(answer) => Ok(Originated::new(answer.into_inner(), id)),
            Err(status) => Err(ManagerError::new("originate", &status, Some(id)).into()),
        }
    }
}

impl IntoFuture for Originate {
    type Output = Result<Originated, Error>;
    type IntoFuture = Boxed<Originated>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// An action, made by [`Manager::action`]. Awaited, it gives an [`ActionResponse`] with the list or the output that belongs to the
/// answer. That Asterisk refused it is an answer. It is never sent twice: [`Unavailable`](super::ManagerCode::Unavailable) says that
/// nothing was sent, or that the connection to the bridge broke meanwhile.
#[must_use = "an action is sent by awaiting it"]
pub struct Action {
    manager: Manager,
    request: SendActionRequest,
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Action").field(&self.request.action).finish()
    }
}

impl Action {
    pub(super) fn new(manager: Manager, action: String) -> Self {
        Self { manager, request: SendActionRequest { action, ..Default::default() } }
    }

    /// An Asterisk of the bridge's configuration; needed only where there are several.
    pub fn server(mut self, server: impl Into<String>) -> Self {
        self.request.server = server.into();
        self
    }

    /// One more header, after those before; a key may repeat.
    pub fn header(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.request.headers.push(Header { key: key.into(), value: value.into() });
        self
    }

    /// How long the bridge waits for the answer; 10 s unless set.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.request.timeout = Some(time::wire(limit));
        self
    }

    async fn send(self) -> Result<ActionResponse, Error> {
        let Self { manager, request } = self;
        match manager.client.clone().send_action(manager.request(request)).await {
            Ok(answer) => Ok(answer.into_inner().into()),
            Err(status) => Err(ManagerError::new("action", &status, None).into()),
        }
    }
}

impl IntoFuture for Action {
    type Output = Result<ActionResponse, Error>;
    type IntoFuture = Boxed<ActionResponse>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// A UUID, version 4.
fn new_id() -> String {
    let random: u128 = rand::random();
    let id = random & !(0xf << 76) & !(0b11 << 62) | (4 << 76) | (0b10 << 62);
    let hex = format!("{id:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
