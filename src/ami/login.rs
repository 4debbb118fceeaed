//! From the greeting to a session that is logged in and gets events. The secret itself is sent only where the settings, or TLS,
//! allow it. Knows no reconnecting.

use super::{
    connect::Wire,
    link::Link,
    packet::{Action, ActionError, Incoming, Message, NoManager, Reader},
    server::Server,
};
use md5::{Digest as _, Md5};
use std::{io, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

/// For the greeting: Asterisk sends it as it accepts.
const BANNER_TIMEOUT: Duration = Duration::from_secs(5);

/// For each answer. Asterisk takes a second for a refusal.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Read at once, in bytes.
const CHUNK: usize = 4_096;

/// There is no session.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoginError {
    #[error("the connection broke during the login: {0}")]
    Io(#[from] io::Error),
    #[error(
        "the connection was closed during the login: an ACL of manager.conf may forbid this address"
    )]
    Closed,
    #[error(
        "no greeting came within {BANNER_TIMEOUT:?}: is this Asterisk's manager port, with or without TLS as set here?"
    )]
    NoBanner,
    #[error("{0} was not answered within {ANSWER_TIMEOUT:?}")]
    NoAnswer(&'static str),
    #[error(transparent)]
    NoManager(#[from] NoManager),
    #[error(
        "the login was refused ({0}): username and secret must be those of manager.conf, and its ACLs allow this address"
    )]
    Refused(String),
    #[error(
        "no challenge was given ({0}), and without TLS the secret itself is not sent: use `tls`, or set `plain_login: true`"
    )]
    NoChallenge(String),
    #[error("the settings cannot be sent: {0}")]
    Settings(#[from] ActionError),
}

impl LoginError {
    /// Only a change on either side can mend it.
    pub(super) fn is_lasting(&self) -> bool {
        match self {
            Self::Refused(_) | Self::NoChallenge(_) | Self::Settings(_) | Self::NoManager(_) => {
                true
            }
            Self::Io(_) | Self::Closed | Self::NoBanner | Self::NoAnswer(_) => false,
        }
    }
}

/// A session that is being opened.
pub(super) struct Opening<'a> {
    pub(super) wire: &'a mut dyn Wire,
    pub(super) reader: &'a mut Reader,
}

impl Opening<'_> {
    /// Logs in and asks for events. The version of Asterisk; empty, where the user may not ask.
    pub(super) async fn login(&mut self, server: &Server) -> Result<String, LoginError> {
        timeout(BANNER_TIMEOUT, self.banner()).await.map_err(|_| LoginError::NoBanner)??;
        let login = self.credentials(server).await?;
        // Events come last, so that none comes before the link counts as up.
        let answer = self.ask("Login", login.header("Events", "off")?).await?;
        if !is_success(&answer) {
            return Err(LoginError::Refused(text(&answer)));
        }
        let settings = self.ask("CoreSettings", Action::new("CoreSettings")?).await?;
        let version = settings.headers.get("AsteriskVersion").unwrap_or_default().to_owned();
        let events = Action::of_session("Events")?.header("EventMask", "on")?;
        let answer = self.ask("Events", events).await?;
        if !is_success(&answer) {
            return Err(LoginError::Refused(text(&answer)));
        }
        Ok(version)
    }

    async fn credentials(&mut self, server: &Server) -> Result<Action, LoginError> {
        let challenge = Action::of_session("Challenge")?.header("AuthType", "MD5")?;
        let answer = self.ask("Challenge", challenge).await?;
        let login = Action::of_session("Login")?.header("Username", &server.username)?;
        let secret = server.secret.expose();
        match answer.headers.get("Challenge") {
            Some(challenge) if is_success(&answer) => {
                let digest = Md5::digest(format!("{challenge}{secret}"));
                let key: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                Ok(login.header("AuthType", "MD5")?.header("Key", &key)?)
            }
            Some(_) | None if server.plain_login || server.remote.tls.is_some() => {
                Ok(login.header("Secret", secret)?)
            }
            Some(_) | None => Err(LoginError::NoChallenge(text(&answer))),
        }
    }

    async fn banner(&mut self) -> Result<(), LoginError> {
        loop {
            match self.incoming().await? {
                Incoming::Banner(_) => return Ok(()),
                Incoming::Message(_) => {}
            }
        }
    }

    async fn ask(&mut self, name: &'static str, action: Action) -> Result<Message, LoginError> {
        let id = Link::fresh_id();
        let bytes = action.encode(&id)?;
        let answer = async {
            self.wire.write_all(&bytes).await?;
            self.wire.flush().await?;
            loop {
                match self.incoming().await? {
                    Incoming::Message(message)
                        if message.response().is_some()
                            && message.action_id() == Some(id.as_str()) =>
                    {
                        return Ok(message);
                    }
                    Incoming::Message(_) | Incoming::Banner(_) => {}
                }
            }
        };
        timeout(ANSWER_TIMEOUT, answer).await.map_err(|_| LoginError::NoAnswer(name))?
    }

    async fn incoming(&mut self) -> Result<Incoming, LoginError> {
        let mut chunk = [0; CHUNK];
        loop {
            if let Some(incoming) = self.reader.take()? {
                return Ok(incoming);
            }
            let count = self.wire.read(&mut chunk).await?;
            if count == 0 {
                return Err(LoginError::Closed);
            }
            self.reader.push(&chunk[..count]);
        }
    }
}

fn is_success(message: &Message) -> bool {
    message.response().is_some_and(|word| word.eq_ignore_ascii_case("Success"))
}

/// What Asterisk says, short and on one line.
fn text(message: &Message) -> String {
    let said = message.headers.get("Message").unwrap_or("without a word");
    said.chars().take(100).flat_map(char::escape_default).collect()
}
