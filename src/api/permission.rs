//! Who may register for which group. Pure: judges what a worker shows.

use crate::{secret::Secret, upstream::Identity};
use http::{HeaderMap, header};
use rustls::{client::verify_server_name, server::ParsedCertificate};
use rustls_pki_types::{CertificateDer, ServerName};
use std::{net::SocketAddr, sync::Arc};
use tonic::{Code, Status};

/// Lets some workers register for some groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    /// Groups that it permits.
    pub groups: Groups,
    /// What a worker must show.
    pub credential: Credential,
}

/// Groups of a [`Permit`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Groups {
    /// Every group.
    All,
    /// These; at least one.
    These(Vec<Arc<str>>),
}

impl Groups {
    /// Whether it holds this group.
    pub fn has(&self, group: &str) -> bool {
        match self {
            Self::All => true,
            Self::These(groups) => groups.iter().any(|known| **known == *group),
        }
    }
}

/// What a worker must show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// Nothing.
    Anybody,
    /// This, as `authorization: Bearer …`.
    Token(Secret),
    /// A client certificate that is valid for this DNS name.
    Certificate(Arc<str>),
}

/// Where a connection comes from.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    /// Checked against the authorities.
    pub(super) certificate: Option<CertificateDer<'static>>,
}

/// What a worker shows with one request.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    peer: Arc<Peer>,
    token: Option<Secret>,
}

/// Why a worker is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("no worker may register here: the bridge's api.workers is empty")]
    Nobody,
    #[error(
        "a credential is needed for group `{0}`: a token as `authorization: Bearer …`, or a client certificate"
    )]
    NoCredential(String),
    #[error("this token is not known")]
    UnknownToken,
    #[error("group `{0}` may not be served with these credentials")]
    Group(String),
}

impl Refusal {
    fn code(&self) -> Code {
        match self {
            Self::NoCredential(_) | Self::UnknownToken => Code::Unauthenticated,
            Self::Nobody | Self::Group(_) => Code::PermissionDenied,
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code(), refusal.to_string())
    }
}

impl Shown {
    pub(super) fn new(peer: &Arc<Peer>, headers: &HeaderMap) -> Self {
        let token = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(bearer)
            .map(Secret::new);
        Self { peer: Arc::clone(peer), token }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.peer.address
    }

    /// Nothing is shown by which anybody could be known.
    pub(super) fn is_nothing(&self) -> bool {
        self.token.is_none() && self.peer.certificate.is_none()
    }

    /// Who this is, as far as the permits know it.
    pub(super) fn identity(&self, permits: &[Permit]) -> Identity {
        let mut identity = Identity::default();
        for permit in permits {
            match &permit.credential {
                Credential::Anybody => {}
                Credential::Token(token) => {
                    if self.token.as_ref().is_some_and(|shown| same(shown, token)) {
                        identity.token = Some(token.clone());
                    }
                }
                Credential::Certificate(name) => {
                    if self.peer.certificate.as_ref().is_some_and(|it| is_valid_for(it, name)) {
                        identity.certificates.push(Arc::clone(name));
                    }
                }
            }
        }
        identity
    }

    /// Whether it may serve all of `groups`; who it is then.
    pub(super) fn may_serve(
        &self,
        permits: &[Permit],
        groups: &[String],
    ) -> Result<Identity, Refusal> {
        if permits.is_empty() {
            return Err(Refusal::Nobody);
        }
        let identity = self.identity(permits);
        for group in groups {
            let mut of_group = permits.iter().filter(|permit| permit.groups.has(group));
            if of_group.clone().any(|permit| permit.credential.is_met_by(&identity)) {
                continue;
            }
            let unknown = self.token.is_some() && identity.token.is_none();
            return Err(match of_group.next() {
                Some(_) if unknown => Refusal::UnknownToken,
                Some(_) if self.is_nothing() => Refusal::NoCredential(group.clone()),
                Some(_) | None => Refusal::Group(group.clone()),
            });
        }
        Ok(identity)
    }
}

impl Credential {
    fn is_met_by(&self, identity: &Identity) -> bool {
        match self {
            Self::Anybody => true,
            Self::Token(token) => identity.token.as_ref() == Some(token),
            Self::Certificate(name) => identity.certificates.contains(name),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn permit(groups: &[&str], credential: Credential) -> Permit {
        let groups = match groups {
            ["*"] => Groups::All,
            these => Groups::These(these.iter().map(|group| Arc::from(*group)).collect()),
        };
        Permit { groups, credential }
    }

    fn permits() -> Vec<Permit> {
        vec![
            permit(&["sales"], Credential::Token(Secret::new("s3cret"))),
            permit(&["support", "sales"], Credential::Certificate("worker.example.org".into())),
            permit(&["lab"], Credential::Anybody),
            permit(&["*"], Credential::Token(Secret::new("master"))),
        ]
    }

    fn certificate(name: &str) -> CertificateDer<'static> {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    fn shown(authorization: Option<&str>, certificate: Option<CertificateDer<'static>>) -> Shown {
        let peer = Peer { address: SocketAddr::from(([10, 0, 0, 9], 1)), certificate };
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        Shown::new(&Arc::new(peer), &headers)
    }

    fn may(shown: &Shown, groups: &[&str]) -> Result<(), Refusal> {
        let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
        shown.may_serve(&permits(), &groups).map(|_| ())
    }

    #[test]
    fn a_token_opens_its_groups_and_those_of_anybody() {
        let sales = shown(Some("Bearer s3cret"), None);
        assert_eq!(may(&sales, &["sales", "lab"]), Ok(()));
        assert_eq!(may(&sales, &["sales", "support"]), Err(Refusal::Group("support".into())));
        assert_eq!(may(&shown(Some("bearer  master "), None), &["support", "any"]), Ok(()));
    }

    #[test]
    fn a_certificate_opens_the_groups_of_its_name() {
        let worker = shown(None, Some(certificate("worker.example.org")));
        assert_eq!(may(&worker, &["support", "sales"]), Ok(()));
        let other = shown(None, Some(certificate("other.example.org")));
        assert_eq!(may(&other, &["support"]), Err(Refusal::Group("support".into())));
    }

    #[test]
    fn without_a_credential_only_what_is_anybodys_is_open() {
        let nobody = shown(None, None);
        assert_eq!(may(&nobody, &["lab"]), Ok(()));
        assert_eq!(may(&nobody, &["lab", "sales"]), Err(Refusal::NoCredential("sales".into())));
        for wrong in ["Bearer s3cre", "Bearer s3cret1", "Bearer S3CRET"] {
            assert_eq!(may(&shown(Some(wrong), None), &["sales"]), Err(Refusal::UnknownToken));
        }
        for none in ["Basic s3cret", "Bearer ", "s3cret"] {
            let refused = may(&shown(Some(none), None), &["sales"]);
            assert_eq!(refused, Err(Refusal::NoCredential("sales".into())));
        }
    }

    #[test]
    fn without_permits_nobody_registers() {
        let refused = shown(Some("Bearer s3cret"), None).may_serve(&[], &["lab".to_owned()]);
        assert_eq!(refused.map(|_| ()), Err(Refusal::Nobody));
    }
}
