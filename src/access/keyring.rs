//! The newest keys of one issuer of tokens: where they are asked for, how often, and how long they serve while they cannot be had.
//! Knows no tokens.

use super::keys::Keys;
use crate::{
    outbound::{Connector, causes},
    route::Tls,
};
use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use jsonwebtoken::{Algorithm, DecodingKey};
use std::{
    io::Read as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

/// For the issuer to send its keys.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// A set of keys has a few KiB.
const JWKS_MAX: usize = 256 * 1024;
/// A key that is not there makes the bridge ask again, but not sooner than so long after it asked last.
const ASK_PERIOD: Duration = Duration::from_secs(10);

/// Whose tokens are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// `iss`.
    pub issuer: String,
    /// One of these must be in `aud`.
    pub audience: Vec<String>,
    /// Where its keys are.
    pub jwks: KeySource,
    /// For a source by `https`: the authorities to trust; unset: the system's.
    pub ca: Option<PathBuf>,
    /// What its tokens may be signed by; at least one.
    pub algorithms: Vec<Algorithm>,
    /// How often its keys are asked for.
    pub refresh: Duration,
    /// How long keys serve that could not be asked for again.
    pub keep_for: Duration,
}

/// Where a JWKS is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// `http` or `https`.
    Url(Uri),
    /// A file.
    File(PathBuf),
}

/// A key is not to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The issuer has none such.
    Unknown,
    /// Nobody can tell: its keys cannot be read.
    Unavailable,
}

/// The keys of an issuer, kept current until this is dropped.
#[derive(Debug)]
pub(super) struct Keyring {
    pub(super) issuer: Issuer,
    state: Mutex<State>,
    /// Held by whoever asks the issuer.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    keys: Option<Arc<Keys>>,
    /// When these were read.
    read: Option<Instant>,
    /// When they were last asked for.
    asked: Option<Instant>,
    /// They could not be read then.
    failed: bool,
}

impl Keyring {
    /// Asks at once, and then again and again. On a tokio runtime.
    pub(super) fn new(issuer: Issuer) -> Arc<Self> {
        let keyring = Arc::new(Self {
            issuer,
            state: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
        });
        let held = Arc::downgrade(&keyring);
        tokio::spawn(async move {
            while let Some(keyring) = held.upgrade() {
                let asking = keyring.asking.lock().await;
                // Whoever showed a token may have been quicker.
                if keyring.may_ask() {
                    keyring.ask().await;
                }
                drop(asking);
                let failed = keyring.lock().failed;
                let refresh = keyring.issuer.refresh;
                drop(keyring);
                sleep(if failed { refresh.min(ASK_PERIOD) } else { refresh }).await;
            }
        });
        keyring
    }

    /// The key with this id, or, without an id, the only one that fits.
    pub(super) async fn find(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<DecodingKey, NoKey> {
        if let Some(key) = self.known(id, algorithm) {
            return Ok(key);
        }
        // Whoever comes while somebody asks waits for the answer that comes of it.
        let _asking = self.asking.lock().await;
        if let Some(key) = self.known(id, algorithm) {
            return Ok(key);
        }
        if self.may_ask() {
            self.ask().await;
        }
        let unavailable = self.lock().failed;
        self.known(id, algorithm).ok_or(if unavailable {
            NoKey::Unavailable
        } else {
            NoKey::Unknown
        })
    }

    fn may_ask(&self) -> bool {
        self.lock().asked.is_none_or(|asked| asked.elapsed() >= ASK_PERIOD)
    }

    fn known(&self, id: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
        let state = self.lock();
        let serves = state.read.is_some_and(|read| read.elapsed() < self.issuer.keep_for);
        state.keys.as_ref().filter(|_| serves)?.find(id, algorithm).cloned()
    }

    async fn ask(&self) {
        self.lock().asked = Some(Instant::now());
        let issuer = &self.issuer.issuer;
        let read = match timeout(FETCH_TIMEOUT, self.fetch()).await {
            Ok(Ok(text)) => Keys::read(&text).map_err(|error| error.to_string()),
            Ok(Err(why)) => Err(why),
            Err(_) => Err(format!("no answer within {} s", FETCH_TIMEOUT.as_secs())),
        };
        let mut state = self.lock();
        match read {
            Ok(keys) => {
                if state.failed || state.keys.is_none() {
                    info!(name: "agibridge.jwks.read", issuer, "the keys of an issuer are read");
                }
                (state.keys, state.read, state.failed) =
                    (Some(Arc::new(keys)), Some(Instant::now()), false);
            }
            Err(why) => {
                state.failed = true;
                let left =
                    state.read.map(|read| self.issuer.keep_for.saturating_sub(read.elapsed()));
                warn!(
                    name: "agibridge.jwks.failed", issuer, why, old_keys_serve_for = ?left.unwrap_or_default(),
                    "the keys of an issuer of tokens cannot be read"
                );
            }
        }
    }

    async fn fetch(&self) -> Result<Bytes, String> {
        match &self.issuer.jwks {
            KeySource::Url(url) => self.get(url).await,
            KeySource::File(path) => {
                let file = path.clone();
                let read = tokio::task::spawn_blocking(move || bounded(&file));
                let text = read.await.map_err(|error| error.to_string())?;
                text.map_err(|error| format!("{}: {error}", path.display()))
            }
        }
    }

    /// By a connection of its own: it is needed every few minutes.
    async fn get(&self, url: &Uri) -> Result<Bytes, String> {
        let tls = Tls { ca: self.issuer.ca.clone(), ..Tls::default() };
        let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(Connector { tls, alpn: "http/1.1" });
        let request = Request::get(url.clone())
            .header(header::ACCEPT, "application/jwk-set+json, application/json")
            .header(header::USER_AGENT, concat!("agi-bridge/", env!("CARGO_PKG_VERSION")))
            .body(Empty::new())
            .map_err(|error| error.to_string())?;
        let answer = client.request(request).await.map_err(|error| causes(&error))?;
        if answer.status() != StatusCode::OK {
            return Err(format!("the issuer says HTTP {}", answer.status()));
        }
        let body = Limited::new(answer.into_body(), JWKS_MAX).collect().await;
        Ok(body.map_err(|error| format!("its answer broke off: {error}"))?.to_bytes())
    }

    /// Nothing panics while it is held; were it so, the state is still sound.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bounded(path: &Path) -> std::io::Result<Bytes> {
    let mut content = Vec::new();
    let limit = u64::try_from(JWKS_MAX).unwrap_or(u64::MAX);
    std::fs::File::open(path)?.take(limit + 1).read_to_end(&mut content)?;
    if content.len() > JWKS_MAX {
        return Err(std::io::Error::other(format!("a JWKS has {JWKS_MAX} bytes at most")));
    }
    Ok(content.into())
}
