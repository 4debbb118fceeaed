//! The keys of an issuer of tokens, as its JWKS lists them. Pure.

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, Jwk, PublicKeyUse},
};
use serde_json::Value;

/// Keys of one issuer, at most.
const KEYS_MAX: usize = 100;

/// Public keys that tokens may be signed with.
#[derive(Debug)]
pub(super) struct Keys(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: Option<String>,
    /// The one algorithm that it serves, where the issuer says so.
    algorithm: Option<String>,
    key: DecodingKey,
}

/// What an issuer serves is no set of keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeysError {
    #[error("this is no JWKS: an object with a list of `keys` is wanted")]
    NoSet,
    #[error("there is no public key for signatures in the JWKS")]
    NoKey,
    #[error("the JWKS has more than {KEYS_MAX} keys")]
    TooMany,
}

impl Keys {
    /// Keys of other kinds, and for other uses, are passed over.
    pub(super) fn read(text: &[u8]) -> Result<Self, KeysError> {
        let set: Value = serde_json::from_slice(text).map_err(|_| KeysError::NoSet)?;
        let listed = set.get("keys").and_then(Value::as_array).ok_or(KeysError::NoSet)?;
        if listed.len() > KEYS_MAX {
            return Err(KeysError::TooMany);
        }
        let keys: Vec<_> = listed.iter().filter_map(Key::read).collect();
        if keys.is_empty() { Err(KeysError::NoKey) } else { Ok(Self(keys)) }
    }

    /// The key with this id; without an id the only one that fits.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&DecodingKey> {
        let mut fitting = self
            .0
            .iter()
            .filter(|key| (id.is_none() || key.id.as_deref() == id) && key.fits(algorithm));
        let found = fitting.next()?;
        (id.is_some() || fitting.next().is_none()).then_some(&found.key)
    }
}

impl Key {
    fn read(listed: &Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(listed.clone()).ok()?;
        let signs = match &jwk.common.public_key_use {
            None | Some(PublicKeyUse::Signature) => true,
            Some(PublicKeyUse::Encryption | PublicKeyUse::Other(_)) => false,
        };
        let is_public = matches!(
            jwk.algorithm,
            AlgorithmParameters::RSA(_)
                | AlgorithmParameters::EllipticCurve(_)
                | AlgorithmParameters::OctetKeyPair(_)
        );
        if !signs || !is_public {
            return None;
        }
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        let algorithm = listed.get("alg").and_then(Value::as_str).map(str::to_owned);
        Some(Self { id: jwk.common.key_id, algorithm, key })
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        self.key.family() == algorithm.family()
            && self.algorithm.as_ref().is_none_or(|only| *only == format!("{algorithm:?}"))
    }
}
