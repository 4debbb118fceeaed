//! The keys of an issuer of tokens, as its JWKS lists them. Pure.

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
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
    /// What a key of its kind can serve.
    serves: &'static [Algorithm],
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
        let serves = serves(&jwk.algorithm);
        if !signs || serves.is_empty() {
            return None;
        }
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        let algorithm = listed.get("alg").and_then(Value::as_str).map(str::to_owned);
        Some(Self { id: jwk.common.key_id, serves, algorithm, key })
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        self.serves.contains(&algorithm)
            && self.algorithm.as_ref().is_none_or(|only| *only == format!("{algorithm:?}"))
    }
}

/// Nothing by a shared secret, and nothing by a curve that is not known.
#[expect(clippy::wildcard_enum_match_arm, reason = "the list is the crate's, and may grow")]
fn serves(kind: &AlgorithmParameters) -> &'static [Algorithm] {
    use Algorithm as Alg;
    match kind {
        AlgorithmParameters::RSA(_) => {
            &[Alg::RS256, Alg::RS384, Alg::RS512, Alg::PS256, Alg::PS384, Alg::PS512]
        }
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            &[Alg::ES256]
        }
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => {
            &[Alg::ES384]
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            &[Alg::EdDSA]
        }
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde_json::json;

    fn curve(id: &str, name: &str, bytes: usize) -> Value {
        let number = URL_SAFE_NO_PAD.encode(vec![1; bytes]);
        json!({"kty": "EC", "crv": name, "kid": id, "x": number, "y": number})
    }

    fn read(keys: &[Value]) -> Result<Keys, KeysError> {
        Keys::read(json!({"keys": keys}).to_string().as_bytes())
    }

    #[test]
    fn a_key_serves_what_its_curve_is_for() {
        let keys = read(&[
            curve("a", "P-256", 32),
            curve("a", "P-384", 48),
            curve("a", "P-521", 66),
            json!({"kty": "oct", "kid": "a", "k": "AAAA"}),
        ]);
        let keys = keys.unwrap();
        // By its name, and as the only one that fits.
        for id in [Some("a"), None] {
            assert!(keys.find(id, Algorithm::ES256).is_some(), "{id:?}");
            assert!(keys.find(id, Algorithm::ES384).is_some(), "{id:?}");
            for other in [Algorithm::RS256, Algorithm::EdDSA, Algorithm::HS256] {
                assert!(keys.find(id, other).is_none(), "{id:?} {other:?}");
            }
        }
        let of = |algorithm| keys.find(Some("a"), algorithm).unwrap();
        let same = std::ptr::eq(of(Algorithm::ES256), of(Algorithm::ES384));
        assert!(!same, "not just the first of that name");
    }

    #[test]
    fn what_cannot_sign_is_no_key() {
        let mut encrypts = curve("a", "P-256", 32);
        encrypts["use"] = "enc".into();
        for useless in [curve("a", "P-521", 66), encrypts, json!(3), json!({"kty": "RSA"})] {
            assert_eq!(read(&[useless]).err(), Some(KeysError::NoKey));
        }
    }
}
