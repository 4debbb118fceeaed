//! Who may change something. Pure: judges headers and an address.

use super::{CLIENT_HEADER, Settings};
use axum::http::{HeaderMap, StatusCode, header};
use std::net::{IpAddr, SocketAddr};

/// What gave the right to change something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Right {
    Token,
    /// The request came from this machine.
    Loopback,
}

/// Why a change is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("this needs the admin token, as `Authorization: Bearer …`")]
    NoToken,
    #[error("this is not the admin token")]
    WrongToken,
    #[error("no admin token is set, so changes are taken from this machine only")]
    NotLoopback,
    #[error(
        "a change needs the header `agibridge-client` or a JSON content type, so that no web page can ask for it"
    )]
    CrossSite,
    #[error("the host of the request must be an address or localhost while no admin token is set")]
    ForeignHost,
}

impl Right {
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Loopback => "loopback",
        }
    }
}

impl Refusal {
    pub(super) const fn status(self) -> StatusCode {
        match self {
            Self::NoToken | Self::WrongToken => StatusCode::UNAUTHORIZED,
            Self::NotLoopback | Self::CrossSite | Self::ForeignHost => StatusCode::FORBIDDEN,
        }
    }
}

pub(super) fn check(
    settings: &Settings,
    headers: &HeaderMap,
    peer: SocketAddr,
) -> Result<Right, Refusal> {
    if let Some(token) = &settings.token {
        // A web page cannot add this header to a request to another site, so nothing more is asked of the client.
        let given = text(headers, "authorization").and_then(bearer).ok_or(Refusal::NoToken)?;
        return if same(given.as_bytes(), token.expose().as_bytes()) {
            Ok(Right::Token)
        } else {
            Err(Refusal::WrongToken)
        };
    }
    // A proxy on this machine lends its address to whoever it serves.
    let proxied =
        headers.contains_key(header::FORWARDED) || headers.contains_key("x-forwarded-for");
    if proxied || !peer.ip().to_canonical().is_loopback() {
        return Err(Refusal::NotLoopback);
    }
    // A name that an attacker points to 127.0.0.1 makes his page and this port one site.
    if !text(headers, "host").is_some_and(is_local_host) {
        return Err(Refusal::ForeignHost);
    }
    let json = text(headers, "content-type").is_some_and(|kind| {
        kind.split(';')
            .next()
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
    });
    if json || headers.contains_key(CLIENT_HEADER) {
        Ok(Right::Loopback)
    } else {
        Err(Refusal::CrossSite)
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Looks at every byte, so that the time it takes tells nothing of where two texts differ.
fn same(given: &[u8], token: &[u8]) -> bool {
    let differing = given.iter().zip(token).fold(0, |differing, (a, b)| differing | (a ^ b));
    std::hint::black_box(differing) == 0 && given.len() == token.len() && !token.is_empty()
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
    use crate::secret::Secret;

    const LOCAL: &str = "127.0.0.1:9999";
    const REMOTE: &str = "10.0.0.9:9999";

    #[test]
    fn with_a_token_only_the_token_counts() {
        let token = Some("s3cret");
        let right = [("authorization", "Bearer s3cret")];
        assert_eq!(judged(token, REMOTE, &right), Ok(Right::Token));
        assert_eq!(judged(token, LOCAL, &[("authorization", "bearer  s3cret ")]), Ok(Right::Token));
        assert_eq!(
            judged(token, LOCAL, &[("agibridge-client", "x"), ("host", "localhost")]),
            Err(Refusal::NoToken)
        );
        for wrong in ["Bearer s3cre", "Bearer s3cret1", "Bearer ", "Bearer S3CRET"] {
            assert_eq!(
                judged(token, LOCAL, &[("authorization", wrong)]),
                Err(Refusal::WrongToken),
                "{wrong}"
            );
        }
        assert_eq!(
            judged(token, LOCAL, &[("authorization", "Basic s3cret")]),
            Err(Refusal::NoToken)
        );
        assert_eq!(
            judged(Some(""), LOCAL, &[("authorization", "Bearer ")]),
            Err(Refusal::WrongToken)
        );
    }

    #[test]
    fn without_a_token_only_this_machine_may() {
        let client = [("host", "localhost:4574"), ("agibridge-client", "1")];
        for local in [LOCAL, "[::1]:9", "[::ffff:127.0.0.1]:9"] {
            assert_eq!(judged(None, local, &client), Ok(Right::Loopback), "{local}");
        }
        assert_eq!(judged(None, REMOTE, &client), Err(Refusal::NotLoopback));
        let proxied = [client[0], client[1], ("x-forwarded-for", "10.0.0.9")];
        assert_eq!(judged(None, LOCAL, &proxied), Err(Refusal::NotLoopback));
    }

    #[test]
    fn without_a_token_no_web_page_may() {
        let judge = |headers: &[(&'static str, &str)]| judged(None, LOCAL, headers);
        let host = ("host", "127.0.0.1:4574");
        assert_eq!(
            judge(&[host, ("content-type", "application/json; charset=utf-8")]),
            Ok(Right::Loopback)
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
                Ok(Right::Loopback),
                "{name}"
            );
        }
    }

    fn judged(
        token: Option<&str>,
        peer: &str,
        given: &[(&'static str, &str)],
    ) -> Result<Right, Refusal> {
        let headers = given
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), value.parse().unwrap()));
        check(
            &Settings { token: token.map(Secret::new) },
            &headers.collect(),
            peer.parse().unwrap(),
        )
    }
}
