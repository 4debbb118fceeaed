//! What a token must be.

use super::*;

#[tokio::test]
async fn a_token_of_a_known_issuer_is_taken() {
    let signer = Signer::new("one");
    let tokens = of_url(ok(&jwks(&[&Signer::new("two"), &signer])), false).await;
    let token = signer.token(&claims(&json!({"aud": ["other", "bridge"], "groups": ["a"]})));
    let verified = tokens.verify(&token).await.unwrap();
    assert_eq!((verified.issuer.as_str(), verified.subject.as_str()), (ISSUER, "ivr"));
    assert!(verified.expires > SystemTime::now());
    // Within the leeway.
    let late = signer.token(&claims(&json!({"exp": now() - 10, "nbf": now() + 10})));
    assert!(tokens.verify(&late).await.is_ok());
    let nameless = signer.signed(&json!({"alg": "ES256"}), &claims(&json!({})));
    assert_eq!(tokens.verify(&nameless).await, Err(TokenError::KeyNotNamed), "there are two");
}

#[tokio::test]
async fn a_token_that_is_not_good_is_refused_with_the_reason() {
    use TokenError::{
        Algorithm as Alg, Audience, Claim, Critical, Early, Expired, Key, Signature, Unreadable,
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    let (signer, thief) = (Signer::new("one"), Signer::new("one"));
    fs::write(&file, jwks(&[&signer])).unwrap();
    let tokens = of_file(&file);
    let claim = |name: &str| Claim(name.to_owned());
    for (wrong, why) in [
        (json!({"exp": now() - 60}), Expired),
        (json!({"nbf": now() + 60}), Early),
        (json!({"nbf": "soon"}), claim("nbf")),
        (json!({"exp": "never"}), claim("exp")),
        (json!({"exp": null}), claim("exp")),
        (json!({"aud": "another"}), Audience),
        (json!({"aud": null}), claim("aud")),
        (json!({"sub": null}), claim("sub")),
        (json!({"iss": null}), claim("iss")),
        (json!({"iss": ["https://issuer.test"]}), claim("iss")),
        (json!({"iss": "https://other.test"}), TokenError::Issuer("`https://other.test`".into())),
    ] {
        assert_eq!(tokens.verify(&signer.token(&claims(&wrong))).await, Err(why), "{wrong}");
    }

    let good = claims(&json!({}));
    let with = |header: Value| signer.signed(&header, &good);
    let signed = signer.token(&good);
    let (head, signature) = signed.rsplit_once('.').unwrap();
    let other = claims(&json!({"sub": "admin"})).to_string();
    let swapped =
        format!("{}.{}.{signature}", head.split('.').next().unwrap(), encoded(other.as_bytes()));
    for (token, why) in [
        (thief.token(&good), Signature),
        (swapped, Signature),
        (format!("{head}."), Signature),
        (format!("{}.", unsigned(&json!({"alg": "none"}), &good)), Unreadable),
        (signer.by_public_key(&good), Unreadable),
        (with(json!({"alg": "ES384", "kid": "one"})), Alg(Algorithm::ES384)),
        (with(json!({"alg": "RS256", "kid": "one"})), Key("`one`".into())),
        (with(json!({"alg": "ES256", "kid": "other\n"})), Key("`other\\n`".into())),
        (with(json!({"alg": "ES256", "kid": "one", "crit": ["b64"]})), Critical),
        ("a.b.c".into(), Unreadable),
        ("..".into(), Unreadable),
    ] {
        assert_eq!(tokens.verify(&token).await, Err(why), "{token}");
    }
    assert!(tokens.verify(&signed).await.is_ok(), "none of this touches a good one");
}
