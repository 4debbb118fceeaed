//! An issuer of JWTs: keys that sign, and a server of their public halves that does whatever a test wants. Knows no bridge.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use rustls::ServerConfig;
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// The `iss` of [`claims`].
pub const ISSUER: &str = "https://issuer.test";

/// A key of an issuer.
#[derive(Debug)]
pub struct Signer {
    id: &'static str,
    pair: EcdsaKeyPair,
}

impl Signer {
    /// A new key by this name.
    #[must_use]
    pub fn new(id: &'static str) -> Self {
        let (random, kind) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let document = EcdsaKeyPair::generate_pkcs8(kind, &random).expect("there is randomness");
        let pair = EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &random);
        Self { id, pair: pair.expect("it was made just now") }
    }

    fn jwk(&self) -> Value {
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
        json!({"kty": "EC", "crv": "P-256", "kid": self.id, "use": "sig", "x": encoded(x), "y": encoded(y)})
    }

    /// A token with these claims.
    #[must_use]
    pub fn token(&self, claims: &Value) -> String {
        self.signed(&json!({"alg": "ES256", "kid": self.id}), claims)
    }

    /// A token with this header, whatever it says of the signature.
    #[must_use]
    pub fn signed(&self, header: &Value, claims: &Value) -> String {
        let text = unsigned(header, claims);
        let signature = self.pair.sign(&SystemRandom::new(), text.as_bytes());
        format!("{text}.{}", encoded(signature.expect("there is randomness").as_ref()))
    }

    /// A token with the public key as a shared secret: who takes it believes whoever can read a JWKS.
    #[must_use]
    pub fn by_public_key(&self, claims: &Value) -> String {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, self.pair.public_key().as_ref());
        let text = unsigned(&json!({"alg": "HS256", "kid": self.id}), claims);
        format!("{text}.{}", encoded(hmac::sign(&secret, text.as_bytes()).as_ref()))
    }
}

/// As base64 stands in a token.
pub fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token without its signature, and without the dot in front of that.
#[must_use]
pub fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()))
}

/// The set of these keys.
#[must_use]
pub fn jwks(signers: &[&Signer]) -> String {
    json!({"keys": signers.iter().map(|signer| signer.jwk()).collect::<Vec<_>>()}).to_string()
}

/// In seconds, as tokens have it.
#[must_use]
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

/// Good claims for the audience `bridge`, with `more` in their place.
#[must_use]
pub fn claims(more: &Value) -> Value {
    let mut claims = json!({"iss": ISSUER, "aud": "bridge", "sub": "ivr", "exp": now() + 3600});
    for (name, value) in more.as_object().into_iter().flatten() {
        claims[name] = value.clone();
    }
    claims
}

/// What the server of keys does.
#[derive(Debug, Clone)]
pub enum Manner {
    /// Answers with this.
    Serves(String),
    /// Sends these bytes, and closes.
    Says(String),
    /// Sends a beginning, and then more of it for as long as anybody reads.
    Endless,
    /// Takes the request, and says nothing.
    Silent,
    /// Closes.
    Down,
}

/// A server of keys, until it is dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    manner: Arc<Mutex<Manner>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Over plain text, or over TLS.
    ///
    /// # Panics
    /// Without a port.
    pub async fn start(manner: Manner, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let manner = Arc::new(Mutex::new(manner));
        let now = Arc::clone(&manner);
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let manner = now.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let tls = tls.clone();
                tokio::spawn(async move {
                    match tls.map(TlsAcceptor::from) {
                        None => answer(socket, manner).await,
                        Some(tls) => match tls.accept(socket).await {
                            Ok(socket) => answer(socket, manner).await,
                            Err(_) => None,
                        },
                    }
                });
            }
        });
        Self { address, manner, task }
    }

    /// From the next request on.
    pub fn now(&self, manner: Manner) {
        *self.manner.lock().unwrap_or_else(PoisonError::into_inner) = manner;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Ends when the client is gone, at the latest.
async fn answer(mut socket: impl AsyncRead + AsyncWrite + Unpin, manner: Manner) -> Option<()> {
    const PIECE: &[u8] = &[b' '; 4096];
    let mut request = [0; 4096];
    if let Manner::Down = manner {
        return None;
    }
    if socket.read(&mut request).await.ok()? == 0 {
        return None;
    }
    match manner {
        Manner::Serves(body) => {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            socket.write_all(head.as_bytes()).await.ok()?;
            socket.write_all(body.as_bytes()).await.ok()?;
        }
        Manner::Says(text) => socket.write_all(text.as_bytes()).await.ok()?,
        Manner::Endless => {
            socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n{").await.ok()?;
            loop {
                socket.write_all(PIECE).await.ok()?;
            }
        }
        Manner::Silent => while socket.read(&mut request).await.ok()? > 0 {},
        Manner::Down => {}
    }
    socket.shutdown().await.ok()
}
