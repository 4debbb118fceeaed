//! Who may register for which group. Pure: judges what a worker shows.

use crate::access::{self, Credential, Identity, Shown};
use std::{sync::Arc, time::SystemTime};
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

/// Why a worker is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("no worker may register here: the bridge's api.workers is empty")]
    Nobody,
    #[error("group `{0}`: {1}")]
    Group(String, access::Refusal),
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let code = match &refusal {
            Refusal::Nobody => Code::PermissionDenied,
            Refusal::Group(_, why) => why.code(),
        };
        Self::new(code, refusal.to_string())
    }
}

/// Whether a worker may serve all of `groups`; who it is then.
pub(super) fn may_serve(
    shown: &Shown,
    permits: &[Permit],
    groups: &[String],
) -> Result<Identity, Refusal> {
    if permits.is_empty() {
        return Err(Refusal::Nobody);
    }
    for group in groups {
        let mut of_group = permits.iter().filter(|permit| permit.groups.has(group)).peekable();
        // A credential for a group that nobody may serve would be asked for in vain.
        let is_vain = of_group.peek().is_none();
        if of_group.any(|permit| permit.credential.is_met_by(shown)) {
            continue;
        }
        let why = if is_vain {
            access::Refusal::Insufficient
        } else {
            shown.refusal(credentials(permits))
        };
        return Err(Refusal::Group(group.clone(), why));
    }
    Ok(identity(shown, permits))
}

/// Who this is, as far as the permits know it.
pub(super) fn identity(shown: &Shown, permits: &[Permit]) -> Identity {
    shown.identity(credentials(permits))
}

/// When what it shows is good no more.
pub(super) fn expires(shown: &Shown, permits: &[Permit]) -> Option<SystemTime> {
    shown.expires(credentials(permits))
}

/// Why nothing that it shows is known.
pub(super) fn refusal(shown: &Shown, permits: &[Permit]) -> access::Refusal {
    shown.refusal(credentials(permits))
}

fn credentials(permits: &[Permit]) -> impl Iterator<Item = &Credential> {
    permits.iter().map(|permit| &permit.credential)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        access::{
            Peer,
            Refusal::{Insufficient, Nothing, UnknownToken},
            Tokens,
        },
        secret::Secret,
    };
    use futures_util::FutureExt as _;
    use http::{HeaderMap, header};
    use rustls_pki_types::CertificateDer;
    use std::net::SocketAddr;

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
        let (peer, tokens) = (Arc::new(peer), Tokens::default());
        let shown = Shown::new(&peer, &headers, &tokens);
        shown.now_or_never().expect("nobody is asked")
    }

    fn may(shown: &Shown, groups: &[&str]) -> Result<(), Refusal> {
        let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
        may_serve(shown, &permits(), &groups).map(|_| ())
    }

    #[test]
    fn a_token_opens_its_groups_and_those_of_anybody() {
        let sales = shown(Some("Bearer s3cret"), None);
        assert_eq!(may(&sales, &["sales", "lab"]), Ok(()));
        assert_eq!(
            may(&sales, &["sales", "support"]),
            Err(Refusal::Group("support".into(), Insufficient))
        );
        assert_eq!(may(&shown(Some("bearer  master "), None), &["support", "any"]), Ok(()));
    }

    #[test]
    fn a_certificate_opens_the_groups_of_its_name() {
        let worker = shown(None, Some(certificate("worker.example.org")));
        assert_eq!(may(&worker, &["support", "sales"]), Ok(()));
        let other = shown(None, Some(certificate("other.example.org")));
        assert_eq!(may(&other, &["support"]), Err(Refusal::Group("support".into(), Insufficient)));
    }

    #[test]
    fn without_a_credential_only_what_is_anybodys_is_open() {
        let nobody = shown(None, None);
        assert_eq!(may(&nobody, &["lab"]), Ok(()));
        assert_eq!(may(&nobody, &["lab", "sales"]), Err(Refusal::Group("sales".into(), Nothing)));
        for wrong in ["Bearer s3cre", "Bearer s3cret1", "Bearer S3CRET"] {
            assert_eq!(
                may(&shown(Some(wrong), None), &["sales"]),
                Err(Refusal::Group("sales".into(), UnknownToken))
            );
        }
        for none in ["Basic s3cret", "Bearer ", "s3cret"] {
            let refused = may(&shown(Some(none), None), &["sales"]);
            assert_eq!(refused, Err(Refusal::Group("sales".into(), Nothing)));
        }
    }

    #[test]
    fn without_permits_nobody_registers() {
        let refused = may_serve(&shown(Some("Bearer s3cret"), None), &[], &["lab".to_owned()]);
        assert_eq!(refused.map(|_| ()), Err(Refusal::Nobody));
    }
}
