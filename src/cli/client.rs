//! Requests to a port of a running bridge, and what may go wrong with them, in words for whoever typed the command.

use crate::{admin::CLIENT_HEADER, outbound::Connector, route::Tls, secret::Secret};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::{client::legacy::Client as HttpClient, rt::TokioExecutor};
use serde_json::Value;
use std::{error::Error as StdError, path::PathBuf, time::Duration};
use tokio::time::timeout;

/// For an answer that is there already.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);
/// Some 100,000 calls.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A port, and what the words are called by which it is named on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// As `an admin port`.
    pub(super) port: &'static str,
    /// The option for its address,
    pub(super) address: &'static str,
    /// and its variable.
    pub(super) variable: &'static str,
    /// The same for the token.
    pub(super) token: &'static str,
}

/// Where a bridge is asked, and by what right.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) address: String,
    pub(super) token: Option<Secret>,
    pub(super) ca: Option<PathBuf>,
    pub(super) cert: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) words: &'static Words,
}

/// Why a bridge could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was given is no address.
    #[error(
        "{0:?} is no address of {port}: give {address} as http://host:port or https://host:port", port = .1.port, address = .1.address
    )]
    Address(String, &'static Words),
    /// Nothing listens there, or it cannot be reached.
    #[error("cannot reach a bridge at {address}: {cause} ({})", help(cause, words))]
    Unreachable {
        /// The address that was tried.
        address: String,
        /// What the system said.
        cause: String,
        /// Where the address came from.
        words: &'static Words,
    },
    /// It was asked, and may have done what it was asked for.
    #[error("a bridge was asked at {address}, and did not answer: {cause}{}", known(cause, words).map(|help| format!(" ({help})")).unwrap_or_default())]
    NoAnswer {
        /// The address that was asked.
        address: String,
        /// What happened instead.
        cause: String,
        /// Where the address came from.
        words: &'static Words,
    },
    /// The bridge understood, and refused.
    #[error("the bridge refused: {message}{}", hint(*status, words))]
    Refused {
        /// What it answered.
        status: StatusCode,
        /// In its own words.
        message: String,
        /// Where the right to ask came from.
        words: &'static Words,
    },
    /// Something else listens there.
    #[error("what listens at {0} does not answer as a bridge: check {address} or {variable}", address = .1.address, variable = .1.variable)]
    NoBridge(String, &'static Words),
    /// The output is gone.
    #[error("cannot write the output: {0}")]
    Write(#[from] std::io::Error),
}

#[derive(Debug)]
pub(super) struct Client {
    http: HttpClient<Connector, Full<Bytes>>,
    /// Without a slash at its end.
    address: String,
    token: Option<Secret>,
    words: &'static Words,
}

impl Client {
    pub(super) fn new(target: &Target) -> Result<Self, Error> {
        let Target { address, token, ca, cert, key, words } = target.clone();
        let url =
            if address.contains("://") { address.clone() } else { format!("http://{address}") };
        let whole = url.parse::<Uri>().is_ok_and(|uri| {
            let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
            scheme && uri.host().is_some() && uri.path() == "/"
        });
        if !whole {
            return Err(Error::Address(address, words));
        }
        let connector =
            Connector { tls: Tls { ca, cert, key, server_name: None }, alpn: "http/1.1" };
        let http = HttpClient::builder(TokioExecutor::new()).build(connector);
        Ok(Self { http, address: url.trim_end_matches('/').to_owned(), token, words })
    }

    /// As it is reached.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, Error> {
        self.request(Method::GET, path, None, TIMEOUT).await
    }

    pub(super) async fn post(&self, path: &str) -> Result<Value, Error> {
        self.request(Method::POST, path, None, TIMEOUT).await
    }

    /// `body`: JSON.
    pub(super) async fn send(
        &self,
        path: &str,
        body: Vec<u8>,
        deadline: Duration,
    ) -> Result<Value, Error> {
        self.request(Method::POST, path, Some(body), deadline).await
    }

    /// An answer that does not end soon.
    pub(super) async fn open(&self, path: &str) -> Result<Incoming, Error> {
        let opened = timeout(TIMEOUT, self.exchange(Method::GET, path, None)).await;
        let response = opened.map_err(|_| self.late(TIMEOUT))??;
        if response.status().is_success() {
            return Ok(response.into_body());
        }
        let whole = timeout(TIMEOUT, self.whole(response)).await;
        Err(self
            .told(whole.map_err(|_| self.late(TIMEOUT))??)
            .err()
            .unwrap_or_else(|| self.no_bridge()))
    }

    pub(super) fn no_bridge(&self) -> Error {
        Error::NoBridge(self.address.clone(), self.words)
    }

    pub(super) fn no_answer(&self, cause: String) -> Error {
        Error::NoAnswer { address: self.address.clone(), cause, words: self.words }
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        deadline: Duration,
    ) -> Result<Value, Error> {
        let asked = async { self.whole(self.exchange(method, path, body).await?).await };
        let answer = timeout(deadline, asked).await.map_err(|_| self.late(deadline))??;
        self.told(answer)
    }

    fn told(&self, (status, body): (StatusCode, Bytes)) -> Result<Value, Error> {
        let answer: Value = serde_json::from_slice(&body).map_err(|_| self.no_bridge())?;
        if status.is_success() {
            return Ok(answer);
        }
        let message = answer.get("error").or_else(|| answer.get("detail"));
        let message = message.and_then(Value::as_str).ok_or_else(|| self.no_bridge())?;
        Err(Error::Refused { status, message: message.to_owned(), words: self.words })
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Response<Incoming>, Error> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.address))
            .header(CLIENT_HEADER, concat!("agi-bridge/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.expose()));
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(Full::from(body.unwrap_or_default()))
            .map_err(|_| Error::Address(format!("{}{path}", self.address), self.words))?;
        self.http.request(request).await.map_err(|error| {
            let cause = cause(&error);
            if error.is_connect() {
                let (address, words) = (self.address.clone(), self.words);
                Error::Unreachable { address, cause, words }
            } else {
                self.no_answer(cause)
            }
        })
    }

    async fn whole(&self, response: Response<Incoming>) -> Result<(StatusCode, Bytes), Error> {
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await
            .map_err(|error| self.no_answer(cause(error.as_ref())))?;
        Ok((status, body.to_bytes()))
    }

    fn late(&self, deadline: Duration) -> Error {
        self.no_answer(format!("nothing came within {} s", deadline.as_secs()))
    }
}

/// The innermost error says what happened; those around it say that something did.
pub(super) fn cause(error: &(dyn StdError + 'static)) -> String {
    std::iter::successors(Some(error), |&error| error.source())
        .last()
        .map_or_else(String::new, ToString::to_string)
}

fn help(cause: &str, words: &Words) -> String {
    let Words { address, variable, .. } = words;
    known(cause, words).unwrap_or_else(|| {
        format!("is it running there? {address} or {variable} names another address")
    })
}

/// What helps where the cause tells.
fn known(cause: &str, words: &Words) -> Option<String> {
    let Words { address, variable, .. } = words;
    let is = |words: &[&str]| words.iter().any(|word| cause.contains(word));
    if is(&["alert", "ertificate"]) {
        let options =
            "--ca names the authority of its certificate, --cert and --key are what is shown to it";
        Some(options.into())
    } else if is(&["HTTP", "corrupt message"]) {
        let question = "is it https:// or http:// that it speaks there?";
        Some(format!("{question} {address} or {variable} names it"))
    } else {
        None
    }
}

fn hint(status: StatusCode, words: &Words) -> String {
    match status {
        StatusCode::UNAUTHORIZED => format!(" ({}, or --cert and --key, show it)", words.token),
        _ => String::new(),
    }
}
