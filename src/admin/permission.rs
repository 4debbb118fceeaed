//! Who may see or change something. Judges what a client shows, headers and an address.

use super::{CLIENT_HEADER, Parts, Settings};
use crate::access::{self, Credential, Peer, Shown};
use axum::{
    extract::{Extension, FromRequestParts},
    http::{HeaderMap, StatusCode, request},
};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

/// What a client may do; a later one includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Read the metrics.
    Metrics,
    /// See calls, without numbers and what is masked.
    See,
    /// Change things, and see all.
    Change,
}

/// Lets some clients do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// What they may do.
    pub right: Right,
    /// What they must show.
    pub credential: Credential,
}

/// Who asks.
#[derive(Debug)]
pub(super) struct Client {
    shown: Shown,
    headers: HeaderMap,
}

/// By what a client may do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// Everybody may.
    Anybody,
    Token,
    Certificate,
    Jwt,
    /// The request came from this machine.
    Loopback,
}

/// Why something is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error(transparent)]
    Credential(#[from] access::Refusal),
    #[error("no credential is set for this, so it is taken from this machine only")]
    NotLoopback,
    #[error(
        "a change needs the header `agibridge-client` or a JSON content type, so that no web page can ask for it"
    )]
    CrossSite,
    #[error("the host of the request must be an address or localhost while no credential is set")]
    ForeignHost,
}

impl By {
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Anybody => "anybody",
            Self::Token => "token",
            Self::Certificate => "certificate",
            Self::Jwt => "jwt",
            Self::Loopback => "loopback",
        }
    }
}

impl Refusal {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Credential(why) => why.status(),
            Self::NotLoopback | Self::CrossSite | Self::ForeignHost => StatusCode::FORBIDDEN,
        }
    }
}

impl FromRequestParts<Arc<Parts>> for Client {
    type Rejection = axum::extract::rejection::ExtensionRejection;

    async fn from_request_parts(
        request: &mut request::Parts,
        parts: &Arc<Parts>,
    ) -> Result<Self, Self::Rejection> {
        let Extension(peer) = Extension::<Arc<Peer>>::from_request_parts(request, parts).await?;
        let shown = Shown::new(&peer, &request.headers, &parts.tokens).await;
        Ok(Self { shown, headers: request.headers.clone() })
    }
}

impl Client {
    pub(super) fn address(&self) -> SocketAddr {
        self.shown.address()
    }

    /// By what it may do what needs `right`.
    pub(super) fn may(&self, right: Right, settings: &Settings) -> Result<By, Refusal> {
        if settings.everybody.is_some_and(|open| open >= right) {
            return Ok(By::Anybody);
        }
        let mut granting = settings.access.iter().filter(|it| it.right >= right).peekable();
        if granting.peek().is_none() {
            return self.is_local();
        }
        let mut is_cross_site = false;
        for access in granting.filter(|access| access.credential.is_met_by(&self.shown)) {
            match access.credential {
                // A web page cannot add this header to a request to another site, so nothing more is asked of the client.
                Credential::Token(_) => return Ok(By::Token),
                Credential::Jwt(_) => return Ok(By::Jwt),
                // A browser shows its certificate for every page.
                Credential::Certificate(_) if right < Right::Change || self.is_ours() => {
                    return Ok(By::Certificate);
                }
                Credential::Certificate(_) => is_cross_site = true,
                Credential::Anybody => return Ok(By::Anybody),
            }
        }
        if is_cross_site {
            return Err(Refusal::CrossSite);
        }
        let known = settings.access.iter().map(|access| &access.credential);
        Err(self.shown.refusal(known).into())
    }

    fn is_local(&self) -> Result<By, Refusal> {
        let headers = &self.headers;
        // A proxy on this machine lends its address to whoever it serves.
        let proxied = headers.keys().any(|name| is_of_proxy(name.as_str()));
        if proxied || !self.address().ip().to_canonical().is_loopback() {
            return Err(Refusal::NotLoopback);
        }
        // A name that an attacker points to 127.0.0.1 makes his page and this port one site.
        if !text(headers, "host").is_some_and(is_local_host) {
            return Err(Refusal::ForeignHost);
        }
        if self.is_ours() { Ok(By::Loopback) } else { Err(Refusal::CrossSite) }
    }

    /// No page of another site can have sent this.
    fn is_ours(&self) -> bool {
        let json = text(&self.headers, "content-type").is_some_and(|kind| {
            kind.split(';')
                .next()
                .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
        });
        json || self.headers.contains_key(CLIENT_HEADER)
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn is_of_proxy(header: &str) -> bool {
    header.starts_with("x-forwarded-") || ["forwarded", "via", "x-real-ip"].contains(&header)
}

fn is_local_host(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Tokens;
    use futures_util::FutureExt as _;

    const LOCAL: &str = "127.0.0.1:9999";
    const REMOTE: &str = "10.0.0.9:9999";

    #[test]
    fn with_a_token_only_the_token_counts() {
        let token = Some("s3cret");
        let right = [("authorization", "Bearer s3cret")];
        assert_eq!(judged(token, REMOTE, &right), Ok(By::Token));
        assert_eq!(judged(token, LOCAL, &[("authorization", "bearer  s3cret ")]), Ok(By::Token));
        assert_eq!(
            judged(token, LOCAL, &[("agibridge-client", "x"), ("host", "localhost")]),
            Err(access::Refusal::Nothing.into())
        );
        for wrong in ["Bearer s3cre", "Bearer s3cret1", "Bearer S3CRET"] {
            assert_eq!(
                judged(token, LOCAL, &[("authorization", wrong)]),
                Err(access::Refusal::UnknownToken.into()),
                "{wrong}"
            );
        }
        assert_eq!(
            judged(token, LOCAL, &[("authorization", "Basic s3cret")]),
            Err(access::Refusal::Nothing.into())
        );
        assert_eq!(
            judged(Some(""), LOCAL, &[("authorization", "Bearer ")]),
            Err(access::Refusal::Nothing.into())
        );
    }

    #[test]
    fn of_two_tokens_none_counts() {
        for pair in [["s3cret", "other"], ["other", "s3cret"], ["s3cret", "s3cret"]] {
            let [first, second] = pair.map(|token| format!("Bearer {token}"));
            let shown = [("authorization", &*first), ("authorization", &*second)];
            let refused = Err(access::Refusal::Nothing.into());
            assert_eq!(judged(Some("s3cret"), REMOTE, &shown), refused, "{pair:?}");
        }
    }

    #[test]
    fn without_a_token_only_this_machine_may() {
        let client = [("host", "localhost:4574"), ("agibridge-client", "1")];
        for local in [LOCAL, "[::1]:9", "[::ffff:127.0.0.1]:9"] {
            assert_eq!(judged(None, local, &client), Ok(By::Loopback), "{local}");
        }
        assert_eq!(judged(None, REMOTE, &client), Err(Refusal::NotLoopback));
        for proxy in ["forwarded", "via", "x-real-ip", "x-forwarded-for", "x-forwarded-proto"] {
            let proxied = [client[0], client[1], (proxy, "10.0.0.9")];
            assert_eq!(judged(None, LOCAL, &proxied), Err(Refusal::NotLoopback), "{proxy}");
        }
    }

    #[test]
    fn without_a_token_no_web_page_may() {
        let judge = |headers: &[(&'static str, &str)]| judged(None, LOCAL, headers);
        let host = ("host", "127.0.0.1:4574");
        assert_eq!(
            judge(&[host, ("content-type", "application/json; charset=utf-8")]),
            Ok(By::Loopback)
        );
        assert_eq!(judge(&[host]), Err(Refusal::CrossSite));
        assert_eq!(judge(&[host, ("content-type", "text/plain")]), Err(Refusal::CrossSite));
        assert_eq!(judge(&[("agibridge-client", "1")]), Err(Refusal::ForeignHost));
        for name in ["evil.example:4574", "localhost.evil.example", "127.0.0.1.evil.example:80"] {
            assert_eq!(
                judge(&[("host", name), ("agibridge-client", "1")]),
                Err(Refusal::ForeignHost),
                "{name}"
            );
        }
        for name in ["[::1]:4574", "[::1]", "10.1.2.3", "LOCALHOST"] {
            assert_eq!(
                judge(&[("host", name), ("agibridge-client", "1")]),
                Ok(By::Loopback),
                "{name}"
            );
        }
    }

    #[test]
    fn what_is_not_open_to_everybody_needs_a_right_that_includes_it() {
        let entry = |right, token: &str| Access {
            right,
            credential: Credential::Token(crate::secret::Secret::new(token)),
        };
        let access = || {
            vec![
                entry(Right::Metrics, "metrics"),
                entry(Right::See, "see"),
                entry(Right::Change, "change"),
            ]
        };
        let may = |everybody, token: &str, right| {
            let shown = [("authorization", token)];
            let client = client(REMOTE, None, if token.is_empty() { &[] } else { &shown });
            client.may(right, &Settings { access: access(), everybody })
        };
        for (token, right) in [
            ("Bearer metrics", Right::Metrics),
            ("Bearer see", Right::Metrics),
            ("Bearer see", Right::See),
            ("Bearer change", Right::Change),
        ] {
            assert_eq!(may(None, token, right), Ok(By::Token), "{token}");
        }
        let insufficient = Err(access::Refusal::Insufficient.into());
        assert_eq!(may(None, "Bearer metrics", Right::See), insufficient);
        assert_eq!(may(None, "Bearer see", Right::Change), insufficient);
        let nothing = Err(access::Refusal::Nothing.into());
        assert_eq!(may(None, "", Right::Metrics), nothing);
        assert_eq!(may(Some(Right::Metrics), "", Right::Metrics), Ok(By::Anybody));
        assert_eq!(may(Some(Right::Metrics), "", Right::See), nothing);
        assert_eq!(may(Some(Right::See), "", Right::See), Ok(By::Anybody));
        assert_eq!(may(Some(Right::See), "", Right::Change), nothing);
    }

    #[test]
    fn no_web_page_may_by_the_certificate_of_its_reader() {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["me.test".to_owned()]).unwrap();
        let certificate = Some(params.self_signed(&key).unwrap().der().clone());
        let access = ["me.test"].map(|name| Access {
            right: Right::Change,
            credential: Credential::Certificate(name.into()),
        });
        let settings = Settings { access: access.into(), everybody: None };
        let plain = client(REMOTE, certificate.clone(), &[]);
        assert_eq!(plain.may(Right::See, &settings), Ok(By::Certificate));
        assert_eq!(plain.may(Right::Change, &settings), Err(Refusal::CrossSite));
        let ours = client(REMOTE, certificate.clone(), &[(CLIENT_HEADER, "x")]);
        assert_eq!(ours.may(Right::Change, &settings), Ok(By::Certificate));

        // Nor does a certificate take away what a token gives.
        let token = Credential::Token(crate::secret::Secret::new("t"));
        let mut settings = settings;
        settings.access.push(Access { right: Right::Change, credential: token });
        let both = client(REMOTE, certificate, &[("authorization", "Bearer t")]);
        assert_eq!(both.may(Right::Change, &settings), Ok(By::Token));
    }

    fn judged(
        token: Option<&str>,
        peer: &str,
        given: &[(&'static str, &str)],
    ) -> Result<By, Refusal> {
        client(peer, None, given).may(Right::Change, &Settings::with_token(token))
    }

    fn client(
        peer: &str,
        certificate: Option<rustls_pki_types::CertificateDer<'static>>,
        given: &[(&'static str, &str)],
    ) -> Client {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.append(*name, value.parse().unwrap());
        }
        let peer = Arc::new(Peer { address: peer.parse().unwrap(), certificate });
        let tokens = Tokens::default();
        let shown = Shown::new(&peer, &headers, &tokens);
        let shown = shown.now_or_never().expect("nobody is asked");
        Client { shown, headers }
    }
}
