//! Signatures of tokens, checked by the same library that does our TLS. Knows keys and bytes, and no claims.

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind,
    crypto::{CryptoProvider, JwtVerifier, KeyUtils},
    errors::{ErrorKind, new_error},
    signature::{self as traits, Verifier},
};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};

/// Every algorithm that is taken: a shared secret cannot tell who signed, and `none` says nothing at all.
pub(super) const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(new_error(ErrorKind::UnsupportedAlgorithm)),
    verifier_factory: verifier,
    // They serve PEM and thumbprints, of which there are none here.
    key_utils: KeyUtils::new_unimplemented(),
};

/// To be called before the first token.
pub(super) fn install() {
    // The second time it is there already.
    let _ = PROVIDER.install_default();
}

struct Signature {
    algorithm: Algorithm,
    key: DecodingKey,
}

fn verifier(
    algorithm: &Algorithm,
    key: &DecodingKey,
) -> jsonwebtoken::errors::Result<Box<dyn JwtVerifier>> {
    if algorithm.family() != key.family() || algorithm.family() == AlgorithmFamily::Hmac {
        return Err(new_error(ErrorKind::InvalidAlgorithm));
    }
    Ok(Box::new(Signature { algorithm: *algorithm, key: key.clone() }))
}

impl JwtVerifier for Signature {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Verifier<Vec<u8>> for Signature {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), traits::Error> {
        let is_right = match (self.key.kind(), self.algorithm) {
            (DecodingKeyKind::RsaModulusExponent { n, e }, algorithm) => rsa(algorithm)
                .is_some_and(|parameters| {
                    RsaPublicKeyComponents { n: trimmed(n), e: trimmed(e) }
                        .verify(parameters, message, signature)
                        .is_ok()
                }),
            (DecodingKeyKind::SecretOrDer(point), algorithm) => {
                curve(algorithm).is_some_and(|curve| {
                    UnparsedPublicKey::new(curve, point).verify(message, signature).is_ok()
                })
            }
        };
        if is_right { Ok(()) } else { Err(traits::Error::new()) }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the list is the crate's, and may grow")]
fn rsa(algorithm: Algorithm) -> Option<&'static signature::RsaParameters> {
    Some(match algorithm {
        Algorithm::RS256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RS384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::PS256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::PS512 => &signature::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the list is the crate's, and may grow")]
fn curve(algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match algorithm {
        Algorithm::ES256 => &signature::ECDSA_P256_SHA256_FIXED,
        Algorithm::ES384 => &signature::ECDSA_P384_SHA384_FIXED,
        Algorithm::EdDSA => &signature::ED25519,
        _ => return None,
    })
}

/// Some issuers write numbers with a zero in front.
fn trimmed(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use jsonwebtoken::crypto::verify;

    const MODULUS: &str = "yriCbInsMsxzgwahYJ7asSgAEuGMAZ_1f7Su15XSRCSpQAmvYObh1uTcimIHxZhrH4h4dYuOCNhP0PDkHfeMmZLkRaj-9ZicU3bZ0SGE12v_BNw_a_zbMwBnX2ql_PPTSc4q4iWswGS5TFmAeWfDvnU0WVXymnwQ-lu1xFlq2wyRyTACVvN6P5I3rSrRFK37u4EpVBDpPWZI_5kr6ZefaEh7cAoMTfbsQmFgusd3AWVXh8Kb5T2o06cJ9LQOVU5RATVAG9udIEhEz8vGJJQZ-m3eXeCU8BpaE8dPXByLEOyoD5_Su8x8Pgxr8Oi8LPCjIj7dESu56JnyX6GywQeKyQ";
    /// Of `a message`, made by OpenSSL.
    const RS256: &str = "kVH9QBX66NY0QAFzLqXVC396_9v_CKHd_iuDg0Wro18nGkPLk5_v2mmnIyLypfccYbYjSYDkINIp78BORI5NnnIB9hFqolEF1PRyj1qjEHAnVXvNHsVjlY7TSIIfk642Umnr3o8z3hsa8FIqfr1Dy3HguBNaReA7RgkUx08a3o8UkhBNo3MxDWulZewaJYGWtl7DJ1RTg0zY9vf8n4uQeUMSxQVSbS1YIXo3wUgQ4F7IOmfms-MOlWmVO9NpHz_ycp41OiVO8zoUo_WO0s5SnMZKUEatNiG4lf8H6G-nwUJXcxCcT7_COKBVKNeOgsOSZJKHOnf-vmsxsa2ug7uFWQ";
    const PS256: &str = "tvHkbXGwUvw-pupMO8KebDGTy77ou6UI-r4-Ft7hbRC5VX242oVOfI7_LcapjCx_o_AkB2GPhJoP-wLVW9vyJmrR8HgqZEx4B-QjZ2Znnc6jbRRUESyjJ5aiYG8Q3-0fZaHHWVmSO5l0Nk1LRvqtSUtzn8Ldfd6PtzliJ0k0TCbR6DU-SJ_w33Y2lRxp8Aopr44G9oAOTWKur2bmfETwv1fi-Y19Xb-jn0_Rd3Ozylo_dk15eLoOG1IzgTOvateSLY9x2KFZa2ViupSwJdGwREZUEUekT-7_HbZFMLWSazY2ZCN3JTVteM0yq2F2yTmwYAwDoiE-41TA12KY5Vs-EA";

    #[test]
    fn signatures_of_rsa_are_told_from_others() {
        install();
        let key = DecodingKey::from_rsa_components(MODULUS, "AQAB").unwrap();
        let is_right = |signature, message: &[u8], algorithm| {
            verify(signature, message, &key, algorithm).unwrap_or(false)
        };
        assert!(is_right(RS256, b"a message", Algorithm::RS256));
        assert!(is_right(PS256, b"a message", Algorithm::PS256));
        for (signature, message, algorithm) in [
            (RS256, b"A message", Algorithm::RS256),
            (RS256, b"a message", Algorithm::PS256),
            (RS256, b"a message", Algorithm::RS384),
            (PS256, b"a message", Algorithm::RS256),
            (RS256, b"a message", Algorithm::ES256),
            (RS256, b"a message", Algorithm::HS256),
        ] {
            assert!(!is_right(signature, message, algorithm), "{algorithm:?}");
        }
    }

    #[test]
    fn a_zero_before_a_modulus_changes_nothing() {
        install();
        let mut modulus = vec![0];
        modulus.extend(URL_SAFE_NO_PAD.decode(MODULUS).unwrap());
        let key = DecodingKey::from_rsa_raw_components(&modulus, &[1, 0, 1]);
        assert_eq!(verify(RS256, b"a message", &key, Algorithm::RS256), Ok(true));
    }
}
