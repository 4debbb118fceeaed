//! What points outside of the file: other files, secrets in files, headers.

use super::{
    read::{Read, Reader, text},
    service_url::{Authority, authority, group},
    tree::Node,
};
use crate::{access::KeySource, secret::Secret};
use http::Uri;
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

/// Where the manager of an Asterisk listens.
#[derive(Debug)]
pub(super) struct ManagerAddress(pub(super) Authority);

impl Read for ManagerAddress {
    fn read(node: &Node, path: &str, reader: &mut Reader) -> Option<Self> {
        const WANTED: &str = "an address such as `pbx1:5038`";
        let given = text(node, path, WANTED, reader)?;
        match authority(given, "ami", false) {
            Ok((found, "")) => Some(Self(found)),
            Ok((_, _)) => reader.unfit(node, path, format!("{WANTED} is wanted here")),
            Err(what) => reader.unfit(node, path, format!("{what}: {WANTED} is wanted here")),
        }
    }

    #[cfg(test)]
    fn schema() -> serde_json::Value {
        let pattern = "^(\\[[0-9a-fA-F:.]+\\]|[A-Za-z0-9_.-]+)(:[0-9]{1,5})?$";
        json!({"description": "`host:port`, or `host`.", "type": "string", "pattern": pattern})
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

/// The name of a folder, made absolute or relative to where the program runs. Whether it can be written to shows later.
#[derive(Debug)]
pub(super) struct DirectoryPath(pub(super) PathBuf);

impl Read for DirectoryPath {
    fn read(node: &Node, path: &str, reader: &mut Reader) -> Option<Self> {
        let given = text(node, path, "a folder's name", reader)?;
        let directory = reader.directory.join(given);
        if directory.exists() && !directory.is_dir() {
            return reader.unfit(node, path, format!("{} is no folder", directory.display()));
        }
        Some(Self(directory))
    }

    #[cfg(test)]
    fn schema() -> serde_json::Value {
        json!({"description": "Relative to the configuration file.", "type": "string", "minLength": 1})
    }
}

/// Where public keys are: a URL, or a file's name.
#[derive(Debug)]
pub(super) struct Jwks(pub(super) KeySource);

impl Read for Jwks {
    fn read(node: &Node, path: &str, reader: &mut Reader) -> Option<Self> {
        let given = text(node, path, "a URL, or a file's name,", reader)?;
        if !given.contains("://") {
            return FilePath::read(node, path, reader).map(|file| Self(KeySource::File(file.0)));
        }
        let url = given.parse::<Uri>().ok().filter(|url| {
            let host = url.authority().is_some_and(|it| !it.as_str().contains('@'));
            host && matches!(url.scheme_str(), Some("https" | "http"))
        });
        match url {
            Some(url) => Some(Self(KeySource::Url(url))),
            None => {
                let wanted = "a URL such as `https://issuer.example/jwks.json`, without a user,";
                reader.unfit(node, path, format!("{wanted} or a file's name is wanted here"))
            }
        }
    }

    #[cfg(test)]
    fn schema() -> serde_json::Value {
        json!({"description": "A URL, or a file's name relative to the configuration file.", "type": "string", "minLength": 1})
    }
}

/// A name that a certificate can carry.
#[derive(Debug)]
pub(super) struct DnsName(pub(super) String);

impl Read for DnsName {
    fn read(node: &Node, path: &str, reader: &mut Reader) -> Option<Self> {
        let given = text(node, path, "a DNS name", reader)?;
        match rustls_pki_types::DnsName::try_from(given) {
            Ok(_) => Some(Self(given.to_owned())),
            Err(_) => reader.unfit(node, path, format!("`{given}` is no DNS name")),
        }
    }

    #[cfg(test)]
    fn schema() -> serde_json::Value {
        json!({"type": "string", "pattern": "^[A-Za-z0-9_.-]+$"})
    }
}

/// A group of workers; none: every group.
#[derive(Debug)]
pub(super) struct WorkerGroup(pub(super) Option<String>);

impl Read for WorkerGroup {
    fn read(node: &Node, path: &str, reader: &mut Reader) -> Option<Self> {
        let given = text(node, path, "a group of workers, or `\"*\"` for every group,", reader)?;
        if given == "*" {
            return Some(Self(None));
        }
        match group(given) {
            Ok(name) => Some(Self(Some(name))),
            Err(what) => reader.unfit(node, path, what),
        }
    }

    #[cfg(test)]
    fn schema() -> serde_json::Value {
        json!({"type": "string", "pattern": "^(\\*|[A-Za-z0-9_.-]{1,64})$"})
    }
}

/// Why `name`, in lower case, cannot be set as metadata.
pub(super) fn header_fault(name: &str) -> Option<&'static str> {
    const OURS: [&str; 12] = [
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
        "upgrade",
        "user-agent",
    ];
    const OUR_PREFIXES: [&str; 3] = ["agibridge-", "grpc-", "sec-websocket-"];
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    if name.is_empty() || !name.bytes().all(plain) {
        Some("the name of a header has letters, digits, `-`, `_` and `.`")
    } else if name == "authorization" {
        Some("this header is made from `token`")
    } else if OURS.contains(&name) || OUR_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        Some("this header is set by the bridge itself")
    } else if name.ends_with("-bin") {
        Some("headers that end in `-bin` carry bytes, and only text can be set here")
    } else {
        None
    }
}
