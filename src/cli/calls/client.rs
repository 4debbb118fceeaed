//! Requests to an admin port, and what may go wrong with them, in words for whoever typed the command.

use super::Target;
use crate::{admin::CLIENT_HEADER, outbound::Connector, route::Tls, secret::Secret};
use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::{client::legacy::Client as HttpClient, rt::TokioExecutor};
use serde_json::Value;
use std::{error::Error as StdError, time::Duration};
use tokio::time::timeout;

const TIMEOUT: Duration = Duration::from_secs(10);
/// Some 100,000 calls.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Why a bridge could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was given is no address.
    #[error(
        "{0:?} is no address of an admin port: give --admin as http://host:port or https://host:port"
    )]
    Address(String),
    /// Nothing listens there, or it cannot be reached.
    #[error("cannot reach a bridge at {admin}: {cause} ({})", help(cause))]
    Unreachable {
        /// The address that was tried.
        admin: String,
        /// What the system said.
        cause: String,
    },
    /// The bridge understood, and refused.
    #[error("the bridge refused: {message}{}", hint(*status))]
    Refused {
        /// What it answered.
        status: StatusCode,
        /// In its own words.
        message: String,
    },
    /// Something else listens there.
    #[error("what listens at {0} does not answer as a bridge: check --admin or AGIBRIDGE_ADMIN")]
    NoBridge(String),
    /// The output is gone.
    #[error("cannot write the output: {0}")]
    Write(#[from] std::io::Error),
}

#[derive(Debug)]
pub(super) struct Client {
    http: HttpClient<Connector, Empty<Bytes>>,
    /// Without a slash at its end.
    admin: String,
    token: Option<Secret>,
}

impl Client {
    pub(super) fn new(target: &Target) -> Result<Self, Error> {
        let given = &target.admin;
        let admin = if given.contains("://") { given.clone() } else { format!("http://{given}") };
        let whole = admin.parse::<Uri>().is_ok_and(|uri| {
            let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
            scheme && uri.host().is_some() && uri.path() == "/"
        });
        if !whole {
            return Err(Error::Address(given.clone()));
        }
        let tls = Tls {
            ca: target.ca.clone(),
            cert: target.cert.clone(),
            key: target.key.clone(),
            server_name: None,
        };
        let connector = Connector { tls, alpn: "http/1.1" };
        let http = HttpClient::builder(TokioExecutor::new()).build(connector);
        let admin = admin.trim_end_matches('/').to_owned();
        Ok(Self { http, admin, token: target.token.clone() })
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, Error> {
        self.request(Method::GET, path).await
    }

    pub(super) async fn post(&self, path: &str) -> Result<Value, Error> {
        self.request(Method::POST, path).await
    }

    pub(super) fn no_bridge(&self) -> Error {
        Error::NoBridge(self.admin.clone())
    }

    async fn request(&self, method: Method, path: &str) -> Result<Value, Error> {
        let (status, body) = timeout(TIMEOUT, self.exchange(method, path))
            .await
            .map_err(|_| self.unreachable(format!("no answer within {} s", TIMEOUT.as_secs())))??;
        let answer: Value = serde_json::from_slice(&body).map_err(|_| self.no_bridge())?;
        if status.is_success() {
            return Ok(answer);
        }
        let message =
            answer.get("error").and_then(Value::as_str).ok_or_else(|| self.no_bridge())?;
        Err(Error::Refused { status, message: message.to_owned() })
    }

    async fn exchange(&self, method: Method, path: &str) -> Result<(StatusCode, Bytes), Error> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.admin))
            .header(CLIENT_HEADER, concat!("agi-bridge/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.expose()));
        }
        let request = request
            .body(Empty::new())
            .map_err(|_| Error::Address(format!("{}{path}", self.admin)))?;
        let response =
            self.http.request(request).await.map_err(|error| self.unreachable(cause(&error)))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await
            .map_err(|error| self.unreachable(cause(error.as_ref())))?;
        Ok((status, body.to_bytes()))
    }

    fn unreachable(&self, cause: String) -> Error {
        Error::Unreachable { admin: self.admin.clone(), cause }
    }
}

/// The innermost error says what happened; those around it say that something did.
fn cause(error: &(dyn StdError + 'static)) -> String {
    std::iter::successors(Some(error), |&error| error.source())
        .last()
        .map_or_else(String::new, ToString::to_string)
}

fn help(cause: &str) -> &'static str {
    let is = |words: &[&str]| words.iter().any(|word| cause.contains(word));
    if is(&["alert", "ertificate"]) {
        "--ca names the authority of its certificate, --cert and --key are what is shown to it"
    } else if is(&["HTTP", "corrupt message"]) {
        "is it https:// or http:// that it speaks there? --admin or AGIBRIDGE_ADMIN names it"
    } else {
        "is it running there? --admin or AGIBRIDGE_ADMIN names another address"
    }
}

fn hint(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => " (--token, or --cert and --key, show it)",
        _ => "",
    }
}
