//! Tests of JWTs, with an issuer in the same process.

mod issuer;
mod shown;
mod token;

use super::{
    Credential, Demand, Demands, Issuer, KeySource, Peer, Refusal, Shown, TokenError, Tokens,
    expired,
};
use http::{HeaderMap, header};
use jsonwebtoken::Algorithm;
use kit::issuer::{ISSUER, encoded, unsigned};
pub(crate) use kit::issuer::{Signer, claims, jwks, now};
use serde_json::{Value, json};
use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::advance,
};
use tonic::Code;

pub(crate) fn issuer(jwks: KeySource) -> Issuer {
    Issuer {
        issuer: ISSUER.to_owned(),
        audience: vec!["bridge".to_owned()],
        jwks,
        ca: None,
        algorithms: vec![Algorithm::ES256, Algorithm::RS256],
        refresh: Duration::from_secs(300),
        keep_for: Duration::from_secs(3600),
    }
}

/// Takes the tokens of an issuer whose keys are in this file.
fn of_file(file: &Path) -> Tokens {
    Tokens::new(&[issuer(KeySource::File(file.to_owned()))])
}

async fn of_url(text: impl Into<Vec<u8>>, endless: bool) -> Tokens {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap()).parse().unwrap();
    let text = text.into();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(answer(socket, text.clone(), endless));
        }
    });
    Tokens::new(&[issuer(KeySource::Url(url))])
}

/// Ends when the client is gone.
async fn answer(mut socket: TcpStream, text: Vec<u8>, endless: bool) {
    let mut request = [0; 1024];
    let _ = socket.read(&mut request).await;
    let written = socket.write_all(&text).await;
    while endless && written.is_ok() && socket.write_all(&[b' '; 4096]).await.is_ok() {}
    if text.is_empty() {
        while socket.read(&mut request).await.is_ok_and(|bytes| bytes > 0) {}
    }
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

pub(crate) fn with(claim: &str, value: &str) -> Credential {
    Credential::Jwt(Demands::new(vec![Demand {
        claim: claim.to_owned(),
        values: vec![value.to_owned()],
    }]))
}
