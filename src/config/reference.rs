//! What points outside of the file: other files, secrets in files, the URLs of services.

use super::read::{Read, Reader, text};
use super::tree::Node;
use crate::secret::Secret;
#[cfg(test)]
use serde_json::json;
use std::{
    fs::{self, File},
    io::Read as _,
    path::PathBuf,
};

/// Largest file with a secret, in bytes.
const SECRET_MAX: u64 = 64 * 1024;

/// A secret, or `file:` and the name of a file that holds it.
#[derive(Debug)]
pub(super) struct SecretText(pub(super) Secret);

impl Read for SecretText {
    fn read(node: &Node, path: &str, reader: &mut Reader) -> Option<Self> {
        let given = text(node, path, "a secret, or `file:` and a file's name,", reader)?;
        let Some(name) = given.strip_prefix("file:") else {
            return match printable(given) {
                Ok(()) => Some(Self(Secret::new(given))),
                Err(what) => reader.unfit(node, path, what),
            };
        };
        let file = reader.directory.join(name);
        match secret_of(&file) {
            Ok(secret) => Some(Self(secret)),
            Err(what) => reader.unfit(node, path, format!("{}: {what}", file.display())),
        }
    }

    #[cfg(test)]
    fn schema() -> serde_json::Value {
        let about = "The text itself, or `file:` and the name of the file that holds it.";
        json!({"description": about, "type": "string", "pattern": "^[ -~]+$"})
    }
}

fn secret_of(file: &PathBuf) -> Result<Secret, String> {
    let mut content = String::new();
    // A bound, since the name may be that of a device or of something that is no secret.
    let read =
        File::open(file).and_then(|file| file.take(SECRET_MAX + 1).read_to_string(&mut content));
    read.map_err(|error| format!("the secret cannot be read: {error}"))?;
    if u64::try_from(content.len()).unwrap_or(u64::MAX) > SECRET_MAX {
        return Err(format!("a secret has {SECRET_MAX} bytes at most"));
    }
    let line = content.strip_suffix('\n').unwrap_or(&content);
    let secret = line.strip_suffix('\r').unwrap_or(line);
    if secret.is_empty() {
        return Err("the file of the secret is empty".into());
    }
    printable(secret).map(|()| Secret::new(secret))
}

/// Secrets travel in headers.
fn printable(secret: &str) -> Result<(), String> {
    if secret.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        Ok(())
    } else {
        Err("a secret is one line of printable ASCII".into())
    }
}

/// The name of a file that can be read, made absolute or relative to where the program runs.
#[derive(Debug)]
pub(super) struct FilePath(pub(super) PathBuf);

impl Read for FilePath {
    fn read(node: &Node, path: &str, reader: &mut Reader) -> Option<Self> {
        let given = text(node, path, "a file's name", reader)?;
        let file = reader.directory.join(given);
        let readable =
            fs::metadata(&file).and_then(|found| File::open(&file).map(|_| found.is_file()));
        match readable {
            Ok(true) => Some(Self(file)),
            Ok(false) => reader.unfit(node, path, format!("{} is no file", file.display())),
            Err(error) => reader.unfit(node, path, format!("{}: {error}", file.display())),
        }
    }

    #[cfg(test)]
    fn schema() -> serde_json::Value {
        json!({"description": "Relative to the configuration file.", "type": "string", "minLength": 1})
    }
}

/// Where a service is: `grpc://host:port` or `grpcs://host:port`.
#[derive(Debug)]
pub(super) struct ServiceUrl {
    pub(super) text: String,
    pub(super) secure: bool,
    pub(super) host: String,
    pub(super) port: u16,
}

/// Kinds of services that a later version serves.
const LATER: [&str; 5] = ["ws", "wss", "worker", "agi", "exec"];

impl Read for ServiceUrl {
    fn read(node: &Node, path: &str, reader: &mut Reader) -> Option<Self> {
        let wanted = "a URL such as `grpc://host:50051` or `grpcs://host:443`";
        let given = text(node, path, wanted, reader)?;
        match service_url(given) {
            Ok(url) => Some(url),
            Err(what) => reader.unfit(node, path, format!("{what}: {wanted} is wanted here")),
        }
    }

    #[cfg(test)]
    fn schema() -> serde_json::Value {
        let about = "`grpc://host:port`, or `grpcs://host:port` for TLS.";
        json!({"description": about, "type": "string", "pattern": "^grpcs?://(\\[[0-9a-fA-F:.]+\\]|[A-Za-z0-9_.-]+):[0-9]{1,5}/?$"})
    }
}

fn service_url(text: &str) -> Result<ServiceUrl, String> {
    let (scheme, rest) = text.split_once("://").ok_or_else(|| format!("`{text}` has no scheme"))?;
    let secure = match scheme {
        "grpc" => false,
        "grpcs" => true,
        later if LATER.contains(&later) => {
            return Err(format!("this version of agi-bridge does not serve `{later}://` yet"));
        }
        "http" | "https" => return Err(format!("`{scheme}://` is no service here")),
        other => return Err(format!("`{other}://` is unknown")),
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains('@') {
        return Err("a URL holds no user and no password, use `token`".into());
    }
    if authority.contains(['/', '?', '#']) {
        return Err(format!("`{scheme}://` has no path and no query"));
    }
    let (host, port) = authority.rsplit_once(':').ok_or("the port is missing")?;
    let port = match port.parse::<u16>() {
        Ok(number) if number > 0 && port.bytes().all(|byte| byte.is_ascii_digit()) => number,
        Ok(_) | Err(_) => return Err(format!("`{port}` is no port")),
    };
    let host = checked_host(host).ok_or_else(|| format!("`{host}` is no host"))?;
    Ok(ServiceUrl { text: text.strip_suffix('/').unwrap_or(text).to_owned(), secure, host, port })
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

/// Why `name`, in lower case, cannot be set as metadata.
pub(super) fn header_fault(name: &str) -> Option<&'static str> {
    const OURS: [&str; 11] = [
        "baggage",
        "connection",
        "content-length",
        "content-type",
        "host",
        "te",
        "traceparent",
        "tracestate",
        "trailer",
        "transfer-encoding",
        "user-agent",
    ];
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    if name.is_empty() || !name.bytes().all(plain) {
        Some("the name of a header has letters, digits, `-`, `_` and `.`")
    } else if name == "authorization" {
        Some("this header is made from `token`")
    } else if OURS.contains(&name) || name.starts_with("grpc-") || name.starts_with("agibridge-") {
        Some("this header is set by the bridge itself")
    } else if name.ends_with("-bin") {
        Some("headers that end in `-bin` carry bytes, and only text can be set here")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_services_are_taken_apart() {
        let url = service_url("grpcs://[::1]:443/").unwrap();
        assert_eq!(
            (url.text.as_str(), url.secure, url.host.as_str(), url.port),
            ("grpcs://[::1]:443", true, "::1", 443)
        );
        assert_eq!(
            service_url("grpc://support-ivr.ns.svc:50051").unwrap().host,
            "support-ivr.ns.svc"
        );
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
            "ws://h:1/x",
            "http://h:1",
            "GRPC://h:1",
            "grpc:h:1",
        ] {
            assert!(service_url(bad).is_err(), "{bad}");
        }
    }
}
