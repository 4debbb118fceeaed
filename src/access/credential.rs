//! What is demanded of a client, and what it shows. Pure: compares the two.

use super::{
    claims::Demands,
    jwt::{TokenError, Tokens, Verified},
};
use crate::secret::Secret;
use http::{HeaderMap, StatusCode, header};
use rustls::{client::verify_server_name, server::ParsedCertificate};
use rustls_pki_types::{CertificateDer, ServerName};
use std::{net::SocketAddr, sync::Arc, time::SystemTime};
use tonic::Code;

/// What a client must show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// Nothing.
    Anybody,
    /// This, as `authorization: Bearer …`.
    Token(Secret),
    /// A client certificate that is valid for this DNS name.
    Certificate(Arc<str>),
    /// A JWT of a known issuer, as `authorization: Bearer …`, with these claims.
    Jwt(Demands),
}

/// Where a connection comes from.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// Checked against the authorities.
    pub certificate: Option<CertificateDer<'static>>,
}

/// What a client shows with one request.
#[derive(Debug, Clone)]
pub struct Shown {
    peer: Arc<Peer>,
    token: Option<Secret>,
    /// What came of checking the token, where it is one to be checked.
    jwt: Option<Result<Arc<Verified>, TokenError>>,
}

/// Who a client is, as far as the credentials that it showed tell: the same one again must show the same.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// The token it showed.
    pub token: Option<Secret>,
    /// The names that its certificate is valid for, of those that the configuration asks for.
    pub certificates: Vec<Arc<str>>,
    /// Issuer and subject of the JWT it showed: the token itself is renewed again and again.
    pub subject: Option<(String, String)>,
}

/// Why what is shown opens nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is nothing by which anybody could be known.
    #[error(
        "a credential is needed: one token as `authorization: Bearer …`, or a client certificate"
    )]
    Nothing,
    /// No credential in force asks for this token.
    #[error("this token is not known")]
    UnknownToken,
    /// It is a JWT, and is not good.
    #[error(transparent)]
    Jwt(#[from] TokenError),
    /// It is known, and opens something else.
    #[error("these credentials do not permit it")]
    Insufficient,
}

impl Credential {
    /// Whether `shown` is what it asks for.
    pub fn is_met_by(&self, shown: &Shown) -> bool {
        match self {
            Self::Anybody => true,
            Self::Token(token) => shown.token.as_ref().is_some_and(|shown| same(shown, token)),
            Self::Certificate(name) => {
                shown.peer.certificate.as_ref().is_some_and(|it| is_valid_for(it, name))
            }
            Self::Jwt(demands) => {
                shown.verified().is_some_and(|token| demands.are_met_by(&token.claims))
            }
        }
    }
}

impl Shown {
    /// What `headers` show, on a connection from `peer`. A JWT is checked by `tokens`, which may have to ask its issuer.
    pub async fn new(peer: &Arc<Peer>, headers: &HeaderMap, tokens: &Tokens) -> Self {
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        // Of two, whoever stands in front may have judged the other one.
        let only = given.next().filter(|_| given.next().is_none());
        let token = only.and_then(|value| value.to_str().ok()).and_then(bearer).map(Secret::new);
        let jwt = match &token {
            Some(token) if tokens.concern(token.expose()) => {
                Some(tokens.verify(token.expose()).await.map(Arc::new))
            }
            Some(_) | None => None,
        };
        Self { peer: Arc::clone(peer), token, jwt }
    }

    /// Where it comes from.
    pub fn address(&self) -> SocketAddr {
        self.peer.address
    }

    /// A token is shown, whatever it is worth: no web page adds one to a request to another site.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// What is shown once may be asked about for long.
    fn verified(&self) -> Option<&Arc<Verified>> {
        self.jwt.as_ref()?.as_ref().ok().filter(|token| token.is_in_time())
    }

    /// When what it shows is good no more: a JWT, where nothing else of it is `known`.
    pub fn expires<'c>(
        &self,
        known: impl IntoIterator<Item = &'c Credential>,
    ) -> Option<SystemTime> {
        let token = self.verified()?;
        let lasts = |credential: &Credential| match credential {
            Credential::Token(_) | Credential::Certificate(_) => credential.is_met_by(self),
            Credential::Anybody | Credential::Jwt(_) => false,
        };
        (!known.into_iter().any(lasts)).then_some(token.expires)
    }

    /// Nothing is shown by which anybody could be known.
    pub fn is_nothing(&self) -> bool {
        self.token.is_none() && self.peer.certificate.is_none()
    }

    /// Who this is, as far as `known` credentials tell.
    pub fn identity<'c>(&self, known: impl IntoIterator<Item = &'c Credential>) -> Identity {
        let mut identity = Identity::default();
        for credential in known.into_iter().filter(|credential| credential.is_met_by(self)) {
            match credential {
                Credential::Anybody => {}
                Credential::Token(token) => identity.token = Some(token.clone()),
                Credential::Certificate(name) => identity.certificates.push(Arc::clone(name)),
                Credential::Jwt(_) => {
                    let subject = self.verified().map(|it| (it.issuer.clone(), it.subject.clone()));
                    identity.subject = subject;
                }
            }
        }
        identity
    }

    /// Why none of the `known` credentials, all those in force on the port, opened what was asked for.
    pub fn refusal<'c>(&self, known: impl IntoIterator<Item = &'c Credential>) -> Refusal {
        if self.is_nothing() {
            return Refusal::Nothing;
        }
        if self.token.is_none() || self.identity(known).token.is_some() {
            return Refusal::Insufficient;
        }
        match &self.jwt {
            None => Refusal::UnknownToken,
            Some(Err(why)) => Refusal::Jwt(why.clone()),
            Some(Ok(token)) if !token.is_in_time() => Refusal::Jwt(TokenError::Expired),
            Some(Ok(_)) => Refusal::Insufficient,
        }
    }
}

impl Identity {
    /// Whether both are the same. One common name is enough: a reload may ask for more of them in between.
    pub fn is(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.certificates, &other.certificates);
        self.token == other.token
            && self.subject == other.subject
            && (ours.is_empty() && theirs.is_empty() || ours.iter().any(|it| theirs.contains(it)))
    }
}

impl Refusal {
    /// In gRPC.
    pub fn code(&self) -> Code {
        match self {
            // It may be good: who shows it had better try again.
            Self::Jwt(TokenError::Unavailable) => Code::Unavailable,
            Self::Nothing | Self::UnknownToken | Self::Jwt(_) => Code::Unauthenticated,
            Self::Insufficient => Code::PermissionDenied,
        }
    }

    /// In HTTP.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Jwt(TokenError::Unavailable) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Nothing | Self::UnknownToken | Self::Jwt(_) => StatusCode::UNAUTHORIZED,
            Self::Insufficient => StatusCode::FORBIDDEN,
        }
    }
}

fn is_valid_for(certificate: &CertificateDer<'_>, name: &str) -> bool {
    let Ok(name) = ServerName::try_from(name) else { return false };
    let Ok(certificate) = ParsedCertificate::try_from(certificate) else { return false };
    verify_server_name(&certificate, &name).is_ok()
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Looks at every byte, so that the time it takes tells nothing of where two texts differ.
fn same(shown: &Secret, token: &Secret) -> bool {
    let (shown, token) = (shown.expose().as_bytes(), token.expose().as_bytes());
    let differing = shown.iter().zip(token).fold(0, |differing, (a, b)| differing | (a ^ b));
    std::hint::black_box(differing) == 0 && shown.len() == token.len()
}
