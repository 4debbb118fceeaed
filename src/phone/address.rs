//! AGI URLs, as Asterisk reads them. Knows no resolver.

/// Where an AGI URL points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// As given, for `agi_request`.
    pub url: String,
    /// A name or an address, without brackets.
    pub host: String,
    /// TCP port; 4573 unless given.
    pub port: u16,
    /// What follows the first slash after the host, query included, as it stands; `agi_network_script`.
    pub script: String,
}

/// Why a URL cannot be called.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AddressError {
    /// Something else than `agi://`.
    #[error("{0:?} is no AGI URL: it must start with agi://")]
    Scheme(String),
    /// `hagi://` asks the DNS for services, which the simulated phone does not.
    #[error("{0:?}: hagi:// is not simulated; use agi://host:port")]
    Srv(String),
    /// No host, or one with user, password or query in it: Asterisk fails on these.
    #[error(
        "{0:?} has no usable host: Asterisk takes agi://host[:port]/path?query and no user or password"
    )]
    Host(String),
    /// Not a port.
    #[error("{0:?} has a bad port: it must be 1 to 65535")]
    Port(String),
}

impl std::str::FromStr for Address {
    type Err = AddressError;

    fn from_str(url: &str) -> Result<Self, AddressError> {
        let rest = match url.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("agi") => rest,
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("hagi") => {
                return Err(AddressError::Srv(url.to_owned()));
            }
            _ => return Err(AddressError::Scheme(url.to_owned())),
        };
        // A line break would forge lines of the prelude.
        if url.contains(['\n', '\0']) {
            return Err(AddressError::Host(url.to_owned()));
        }
        let (authority, script) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) =
            split_port(authority).ok_or_else(|| AddressError::Port(url.to_owned()))?;
        if host.is_empty() || host.contains(['@', '?', '#', ' ', '[', ']']) {
            return Err(AddressError::Host(url.to_owned()));
        }
        Ok(Self { url: url.to_owned(), host: host.to_owned(), port, script: script.to_owned() })
    }
}

/// Unset: the port is no number.
fn split_port(authority: &str) -> Option<(&str, u16)> {
    let (host, port) = if let Some(inner) = authority.strip_prefix('[') {
        let (host, after) = inner.split_once(']').unwrap_or((authority, ""));
        (host, after.strip_prefix(':'))
    } else if authority.matches(':').count() > 1 {
        (authority, None)
    } else {
        authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)))
    };
    match port {
        None => Some((host, 4573)),
        Some(port) => port.parse().ok().filter(|&port| port > 0).map(|port| (host, port)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> (String, u16, String) {
        let address: Address = url.parse().expect(url);
        (address.host, address.port, address.script)
    }

    #[test]
    fn urls_are_read_as_asterisk_reads_them() {
        assert_eq!(parts("agi://h/x"), ("h".into(), 4573, "x".into()));
        assert_eq!(parts("AGI://h:1/a/b?c=%20d"), ("h".into(), 1, "a/b?c=%20d".into()));
        assert_eq!(parts("agi://[::1]:2//x"), ("::1".into(), 2, "/x".into()));
        assert_eq!(parts("agi://::1/x"), ("::1".into(), 4573, "x".into()));
        assert_eq!(parts("agi://h"), ("h".into(), 4573, String::new()));
    }

    #[test]
    fn what_asterisk_fails_on_is_refused() {
        for url in [
            "http://h/",
            " agi://h/x",
            "hagi://h/x",
            "agi://h?x=1",
            "agi://u:p@h/x",
            "agi:///x",
            "agi://h:0/x",
            "agi://h:x/",
        ] {
            assert!(url.parse::<Address>().is_err(), "{url}");
        }
    }
}
