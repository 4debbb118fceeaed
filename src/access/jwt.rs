//! Tokens that an issuer signed: whether one is genuine, for us, and in time. Knows no ports, and nothing of what it permits.

use super::{
    claims::Claims,
    keyring::{Issuer, Keyring, NoKey},
    signature,
};
use arc_swap::ArcSwap;
use jsonwebtoken::{
    Algorithm, Validation, dangerous::insecure_decode_claims, decode, decode_header,
    errors::ErrorKind,
};
use serde_json::{Map, Value};
use std::{
    future::pending,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::time::sleep;

/// How far the clocks of issuer and bridge may differ.
const LEEWAY: Duration = Duration::from_secs(30);
/// Of what a stranger wrote, so much is repeated to him.
const QUOTE_MAX: usize = 64;

/// Whose tokens are taken, and their keys. Shared by both ports.
#[derive(Debug)]
pub struct Tokens(ArcSwap<Vec<Arc<Keyring>>>);

/// A token that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Who issued it.
    pub issuer: String,
    /// For whom.
    pub subject: String,
    /// When it is good no more, leeway included.
    pub expires: SystemTime,
    /// All that it says.
    pub claims: Claims,
}

impl Verified {
    pub(super) fn is_in_time(&self) -> bool {
        SystemTime::now() < self.expires
    }
}

/// Why a token is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No JWT, or an algorithm that nobody should take.
    #[error("this JWT cannot be read, or its `alg` is `none`, a shared secret's, or not known")]
    Unreadable,
    /// Nobody of ours has issued it.
    #[error("the issuer {0} of this JWT is not known")]
    Issuer(String),
    /// It is not signed in a manner that is taken of its issuer.
    #[error("`alg` {0:?} of this JWT is not taken from its issuer")]
    Algorithm(Algorithm),
    /// It wants something understood that is not.
    #[error("this JWT names critical extensions, of which none is known")]
    Critical,
    /// Not by a key of its issuer.
    #[error("its issuer has no key {0} for this JWT")]
    Key(String),
    /// It names no key, and there is not exactly one.
    #[error("this JWT names no key (`kid`), and its issuer has not exactly one that fits")]
    KeyNotNamed,
    /// Nobody can tell now.
    #[error("the keys of the issuer of this JWT cannot be read now")]
    Unavailable,
    /// Another key has signed it, or another text.
    #[error("the signature of this JWT is wrong")]
    Signature,
    /// It was good.
    #[error("this JWT has expired")]
    Expired,
    /// It will be good.
    #[error("this JWT is not valid yet")]
    Early,
    /// It is for somebody else.
    #[error("this JWT is for another audience")]
    Audience,
    /// It does not say what it must.
    #[error("the claim `{0}` of this JWT is missing, or not in order")]
    Claim(String),
}

impl Default for Tokens {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl Tokens {
    /// Takes tokens of `issuers`, whose keys are asked for at once. With issuers: on a tokio runtime.
    pub fn new(issuers: &[Issuer]) -> Self {
        signature::install();
        let tokens = Self(ArcSwap::default());
        tokens.update(issuers);
        tokens
    }

    /// Takes tokens of `issuers` from now on. The keys of those that are as they were stay.
    pub fn update(&self, issuers: &[Issuer]) {
        let known = self.0.load();
        let keyring = |issuer: &Issuer| match known.iter().find(|known| known.issuer == *issuer) {
            Some(known) => Arc::clone(known),
            None => Keyring::new(issuer.clone()),
        };
        self.0.store(Arc::new(issuers.iter().map(keyring).collect()));
    }

    /// Whether `token` may be one of these at all. Other tokens are compared as they are.
    pub(super) fn concern(&self, token: &str) -> bool {
        !self.0.load().is_empty() && token.bytes().filter(|byte| *byte == b'.').count() == 2
    }

    /// Checks a token; may ask its issuer for keys.
    ///
    /// # Errors
    /// When it is not good, or nobody can tell.
    pub(super) async fn verify(&self, token: &str) -> Result<Verified, TokenError> {
        let header = decode_header(token).map_err(|_| TokenError::Unreadable)?;
        if !signature::ALGORITHMS.contains(&header.alg) {
            return Err(TokenError::Unreadable);
        }
        let claims: Map<String, Value> =
            insecure_decode_claims(token).map_err(|_| TokenError::Unreadable)?;
        // Only to find the keys: it counts once the signature was found right.
        let issuer = claims.get("iss").and_then(Value::as_str).ok_or_else(|| claim("iss"))?;
        let keyrings = self.0.load_full();
        let keyring = keyrings
            .iter()
            .find(|keyring| keyring.issuer.issuer == issuer)
            .ok_or_else(|| TokenError::Issuer(quoted(issuer)))?;
        if !keyring.issuer.algorithms.contains(&header.alg) {
            return Err(TokenError::Algorithm(header.alg));
        }
        if header.crit.is_some() {
            return Err(TokenError::Critical);
        }
        let id = header.kid.as_deref();
        let key = keyring.find(id, header.alg).await.map_err(|error| match (error, id) {
            (NoKey::Unavailable, _) => TokenError::Unavailable,
            (NoKey::Unknown, Some(id)) => TokenError::Key(quoted(id)),
            (NoKey::Unknown, None) => TokenError::KeyNotNamed,
        })?;
        let validation = validation(&keyring.issuer, header.alg);
        let checked = decode::<Map<String, Value>>(token, &key, &validation)
            .map_err(|error| refused(error.into_kind()))?;
        verified(checked.claims)
    }
}

/// Waits until then; without a time for ever.
pub(crate) async fn expired(at: Option<SystemTime>) {
    match at {
        Some(at) => sleep(at.duration_since(SystemTime::now()).unwrap_or_default()).await,
        None => pending().await,
    }
}

fn validation(issuer: &Issuer, algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.leeway = LEEWAY.as_secs();
    validation.validate_nbf = true;
    validation.set_audience(&issuer.audience);
    validation.set_issuer(&[&issuer.issuer]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation
}

/// The signature is right, and what it stands under is in order.
fn verified(claims: Map<String, Value>) -> Result<Verified, TokenError> {
    let text = |name: &str| {
        let found = claims.get(name).and_then(Value::as_str);
        found.map(str::to_owned).ok_or_else(|| claim(name))
    };
    let (issuer, subject) = (text("iss")?, text("sub")?);
    let seconds = claims.get("exp").and_then(Value::as_f64).ok_or_else(|| claim("exp"))?;
    let since = Duration::try_from_secs_f64(seconds).map_err(|_| claim("exp"))?;
    let expires = SystemTime::UNIX_EPOCH
        .checked_add(since)
        .and_then(|at| at.checked_add(LEEWAY))
        .ok_or_else(|| claim("exp"))?;
    Ok(Verified { issuer, subject, expires, claims: Claims::new(claims) })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the list is the crate's, and may grow")]
fn refused(kind: ErrorKind) -> TokenError {
    match kind {
        ErrorKind::ExpiredSignature => TokenError::Expired,
        ErrorKind::ImmatureSignature => TokenError::Early,
        ErrorKind::InvalidAudience => TokenError::Audience,
        ErrorKind::InvalidIssuer => claim("iss"),
        ErrorKind::MissingRequiredClaim(name) | ErrorKind::InvalidClaimFormat(name) => {
            TokenError::Claim(name)
        }
        ErrorKind::InvalidSignature => TokenError::Signature,
        _ => TokenError::Unreadable,
    }
}

fn claim(name: &str) -> TokenError {
    TokenError::Claim(name.to_owned())
}

fn quoted(text: &str) -> String {
    format!("`{}`", text.escape_debug().take(QUOTE_MAX).collect::<String>())
}
