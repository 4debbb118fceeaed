//! The URL of a service, taken apart. Knows what each kind may have, and nothing of the keys beside it.

use super::{
    read::{Read, Reader, text},
    tree::Node,
};
#[cfg(test)]
use serde_json::json;
use std::{fs, path::PathBuf};

/// Where a service is.
#[derive(Debug)]
pub(super) struct ServiceUrl {
    pub(super) text: String,
    pub(super) place: Place,
}

/// What a service's URL names, before its TLS files are known.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    Grpc(Authority),
    WebSocket { authority: Authority, path: String },
    Worker { group: String },
    FastAgi { authority: Authority, path: Option<String> },
    Script { program: PathBuf },
}

/// `host:port`, and whether it is reached over TLS.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Authority {
    pub(super) secure: bool,
    pub(super) host: String,
    pub(super) port: u16,
}

impl Place {
    /// Whether the connection is encrypted.
    pub(super) fn is_secure(&self) -> bool {
        match self {
            Self::Grpc(authority) | Self::WebSocket { authority, .. } => authority.secure,
            Self::Worker { .. } | Self::FastAgi { .. } | Self::Script { .. } => false,
        }
    }
}

const KINDS: &str = "a URL such as `grpc://host:50051`, `ws://host:8080/calls`, `worker://group`, \
                     `agi://host:4573` or `exec:///path/to/script`";

impl Read for ServiceUrl {
    fn read(node: &Node, path: &str, reader: &mut Reader) -> Option<Self> {
        let given = text(node, path, KINDS, reader)?;
        match service_url(given) {
            Ok(url) => Some(url),
            Err(what) => reader.unfit(node, path, format!("{what}: {KINDS} is wanted here")),
        }
    }

    #[cfg(test)]
    fn schema() -> serde_json::Value {
        let about = "`grpc://host:port`, `ws://host:port/path`, both with an `s` for TLS, `worker://group`, \
                     `agi://host:port`, or `exec:///path`.";
        let host = "(\\[[0-9a-fA-F:.]+\\]|[A-Za-z0-9_.-]+)";
        let port = ":[0-9]{1,5}";
        let pattern = format!(
            "^(grpcs?://{host}{port}/?|wss?://{host}{port}([/?][^#]*)?|agi://{host}({port})?(/[^#]*)?|worker://[A-Za-z0-9_.-]+/?|exec:(//)?/.+)$"
        );
        json!({"description": about, "type": "string", "pattern": pattern})
    }
}

fn service_url(text: &str) -> Result<ServiceUrl, String> {
    if let Some(program) = text.strip_prefix("exec:") {
        let program = script(program)?;
        return Ok(ServiceUrl { text: text.to_owned(), place: Place::Script { program } });
    }
    let (scheme, rest) = text.split_once("://").ok_or_else(|| format!("`{text}` has no scheme"))?;
    let at = |secure| authority(rest, scheme, secure);
    let place = match scheme {
        "grpc" | "grpcs" => match at(scheme == "grpcs")? {
            (authority, "" | "/") => Place::Grpc(authority),
            (_, _) => return Err(format!("`{scheme}://` has no path and no query")),
        },
        "ws" | "wss" => {
            let (authority, path) = at(scheme == "wss")?;
            let path = request_path(path)?;
            Place::WebSocket { authority, path: if path.is_empty() { "/".into() } else { path } }
        }
        "agi" => {
            let (authority, path) = at(false)?;
            let path = request_path(path)?;
            if path.contains('?') {
                return Err("`agi://` has no query: the call's own is passed on".into());
            }
            Place::FastAgi { authority, path: (path.len() > 1).then_some(path) }
        }
        "worker" => Place::Worker { group: group(rest.strip_suffix('/').unwrap_or(rest))? },
        "http" | "https" => return Err(format!("`{scheme}://` is no service here")),
        other => return Err(format!("`{other}://` is unknown")),
    };
    let shown = match &place {
        Place::Grpc(_) => text.strip_suffix('/').unwrap_or(text),
        Place::WebSocket { .. }
        | Place::Worker { .. }
        | Place::FastAgi { .. }
        | Place::Script { .. } => text,
    };
    Ok(ServiceUrl { text: shown.to_owned(), place })
}

/// Takes `host:port` off, and gives what follows it.
pub(super) fn authority<'a>(
    rest: &'a str,
    scheme: &str,
    secure: bool,
) -> Result<(Authority, &'a str), String> {
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err("a URL holds no user and no password, use `token`".into());
    }
    let (host, port) = match (authority.rsplit_once(':'), scheme) {
        (Some((host, port)), _) if !port.ends_with(']') => (host, port),
        (_, "agi") => (authority, "4573"),
        (_, "ami") => (authority, "5038"),
        (_, _) => return Err("the port is missing".into()),
    };
    let port = match port.parse::<u16>() {
        Ok(number) if number > 0 && port.bytes().all(|byte| byte.is_ascii_digit()) => number,
        Ok(_) | Err(_) => return Err(format!("`{port}` is no port")),
    };
    let host = checked_host(host).ok_or_else(|| format!("`{host}` is no host"))?;
    Ok((Authority { secure, host, port }, path))
}

/// What may stand in the first line of a request as it is.
fn request_path(path: &str) -> Result<String, String> {
    if path.contains('#') {
        return Err("a URL of a service has no fragment".into());
    }
    if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("`{path}` has characters that must be percent-encoded"));
    }
    Ok(if path.starts_with('?') { format!("/{path}") } else { path.to_owned() })
}

/// The name of a group of workers.
pub(super) fn group(name: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if (1..=64).contains(&name.len()) && name.bytes().all(plain) {
        Ok(name.to_owned())
    } else {
        Err(format!("`{name}` is no group: 1 to 64 letters, digits, `-`, `_` and `.`"))
    }
}

/// `exec:///path` or `exec:/path`: a file that can be run.
fn script(path: &str) -> Result<PathBuf, String> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = path.strip_prefix("//").unwrap_or(path);
    if !path.starts_with('/') {
        return Err("the path of a script is absolute, as in `exec:///path/to/script`".into());
    }
    let found = fs::metadata(path).map_err(|error| format!("{path}: {error}"))?;
    if !found.is_file() {
        return Err(format!("{path} is no file"));
    }
    if found.permissions().mode() & 0o111 == 0 {
        return Err(format!("{path} cannot be run: it has no execute permission"));
    }
    Ok(path.into())
}

/// A name or an address, without brackets.
fn checked_host(host: &str) -> Option<String> {
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']')?;
        return inner.parse::<std::net::Ipv6Addr>().ok().map(|_| inner.to_owned());
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    let name = host.strip_suffix('.').unwrap_or(host);
    let numeric =
        name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    let fits = name.len() <= 253 && name.split('.').all(label);
    // What ends in a number is an address, and then a whole one.
    let fits = fits && (!numeric || name.parse::<std::net::Ipv4Addr>().is_ok());
    fits.then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(secure: bool, host: &str, port: u16) -> Authority {
        Authority { secure, host: host.to_owned(), port }
    }

    #[test]
    fn urls_of_services_are_taken_apart() {
        let url = service_url("grpcs://[::1]:443/").unwrap();
        assert_eq!(url.text, "grpcs://[::1]:443");
        assert_eq!(url.place, Place::Grpc(remote(true, "::1", 443)));
        let place = |text: &str| service_url(text).unwrap_or_else(|what| panic!("{what}")).place;
        let (authority, path) = (remote(true, "ivr.ns.svc", 8443), "/calls?v=1".to_owned());
        assert_eq!(place("wss://ivr.ns.svc:8443/calls?v=1"), Place::WebSocket { authority, path });
        let (authority, path) = (remote(false, "h", 1), "/".to_owned());
        assert_eq!(place("ws://h:1"), Place::WebSocket { authority, path });
        assert_eq!(place("worker://sales-2/"), Place::Worker { group: "sales-2".into() });
        let at = |path: Option<&str>| Place::FastAgi {
            authority: remote(false, "pbx", 4573),
            path: path.map(str::to_owned),
        };
        assert_eq!(place("agi://pbx"), at(None));
        assert_eq!(place("agi://pbx:4573/"), at(None));
        assert_eq!(place("agi://pbx/old/ivr.agi"), at(Some("/old/ivr.agi")));
        for text in ["exec:///bin/sh", "exec:/bin/sh"] {
            assert_eq!(place(text), Place::Script { program: "/bin/sh".into() });
        }
    }

    #[test]
    fn bad_urls_are_named() {
        for bad in [
            "",
            "host:1",
            "grpc://",
            "grpc://host",
            "grpc://host:0",
            "grpc://host:65536",
            "grpc://host:+1",
            "grpc://:1",
            "grpc://u@h:1",
            "grpc://h:1/path",
            "grpc://h:1?x",
            "grpc://::1:1",
            "grpc://[::1:1",
            "grpc://1.2.3:4",
            "grpc://a..b:1",
            "grpc://a b:1",
            "ws://h/x",
            "ws://h:1/x y",
            "ws://h:1/x#y",
            "ws://u:p@h:1/",
            "worker://",
            "worker://a/b",
            "worker://a b",
            "agi://h:1/x?y=1",
            "agi://",
            "exec://bin/sh",
            "exec:bin/sh",
            "exec:///nowhere/at/all",
            "exec:///tmp",
            "exec:///etc/passwd",
            "http://h:1",
            "GRPC://h:1",
            "grpc:h:1",
        ] {
            assert!(service_url(bad).is_err(), "{bad}");
        }
    }
}
