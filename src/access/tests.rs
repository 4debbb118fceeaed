//! Tests of JWTs, with an issuer in the same process.

use super::{
    Credential, Demand, Demands, Issuer, KeySource, Peer, Refusal, Shown, TokenError, Tokens,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, header};
use jsonwebtoken::Algorithm;
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
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

const ISSUER: &str = "https://issuer.test";

/// A key of an issuer.
pub(crate) struct Signer {
    id: &'static str,
    pair: EcdsaKeyPair,
}

impl Signer {
    pub(crate) fn new(id: &'static str) -> Self {
        let (random, kind) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let document = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &random).unwrap();
        Self { id, pair }
    }

    fn public(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    fn jwk(&self) -> Value {
        let (x, y) = self.public()[1..].split_at(32);
        json!({"kty": "EC", "crv": "P-256", "kid": self.id, "use": "sig", "x": encoded(x), "y": encoded(y)})
    }

    pub(crate) fn token(&self, claims: &Value) -> String {
        self.signed(&json!({"alg": "ES256", "kid": self.id}), claims)
    }

    fn signed(&self, header: &Value, claims: &Value) -> String {
        let text = unsigned(header, claims);
        let signature = self.pair.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", encoded(signature.as_ref()))
    }
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", encoded(header.to_string().as_bytes()), encoded(claims.to_string().as_bytes()))
}

pub(crate) fn jwks(signers: &[&Signer]) -> String {
    json!({"keys": signers.iter().map(|signer| signer.jwk()).collect::<Vec<_>>()}).to_string()
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// Good claims, with `more` in their place.
pub(crate) fn claims(more: &Value) -> Value {
    let mut claims = json!({"iss": ISSUER, "aud": "bridge", "sub": "ivr", "exp": now() + 3600});
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

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
    let secret = hmac::Key::new(hmac::HMAC_SHA256, signer.public());
    let text = unsigned(&json!({"alg": "HS256", "kid": "one"}), &good);
    let by_public_key =
        format!("{text}.{}", encoded(hmac::sign(&secret, text.as_bytes()).as_ref()));
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
        (by_public_key, Unreadable),
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

#[tokio::test(start_paused = true)]
async fn a_new_key_is_asked_for_when_it_is_used_but_not_too_often() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    let (old, new) = (Signer::new("old"), Signer::new("new"));
    fs::write(&file, jwks(&[&old])).unwrap();
    let tokens = of_file(&file);
    let (by_old, by_new) = (old.token(&claims(&json!({}))), new.token(&claims(&json!({}))));
    assert!(tokens.verify(&by_old).await.is_ok());
    fs::write(&file, jwks(&[&new])).unwrap();
    let unknown = Err(TokenError::Key("`new`".into()));
    assert_eq!(tokens.verify(&by_new).await, unknown, "it was asked for just now");
    advance(Duration::from_secs(10)).await;
    assert!(tokens.verify(&by_new).await.is_ok());
    assert_eq!(tokens.verify(&by_old).await, Err(TokenError::Key("`old`".into())), "withdrawn");
}

#[tokio::test(start_paused = true)]
async fn old_keys_serve_for_a_while_when_there_are_no_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    let signer = Signer::new("one");
    let token = signer.token(&claims(&json!({})));
    let tokens = of_file(&file);
    assert_eq!(tokens.verify(&token).await, Err(TokenError::Unavailable));
    fs::write(&file, jwks(&[&signer])).unwrap();
    advance(Duration::from_secs(10)).await;
    assert!(tokens.verify(&token).await.is_ok());

    for rubbish in ["", "{}", r#"{"keys": []}"#, r#"{"keys": [{"kty": "oct", "k": "AAAA"}]}"#] {
        fs::write(&file, rubbish).unwrap();
        advance(Duration::from_secs(301)).await;
        assert!(tokens.verify(&token).await.is_ok());
        let other = Signer::new("two").token(&claims(&json!({})));
        assert_eq!(tokens.verify(&other).await, Err(TokenError::Unavailable), "{rubbish}");
    }
    advance(Duration::from_secs(3600)).await;
    assert_eq!(tokens.verify(&token).await, Err(TokenError::Unavailable), "old for too long");
}

#[tokio::test]
async fn an_issuer_that_answers_rubbish_or_without_end_is_unavailable() {
    let token = Signer::new("one").token(&claims(&json!({})));
    let endless = "HTTP/1.1 200 OK\r\ncontent-length: 9999999\r\n\r\n{";
    let away = "HTTP/1.1 302 Found\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n".to_owned();
    for (text, endless) in [
        (endless.to_owned(), true),
        (away, false),
        ("SSH-2.0-what\r\n".to_owned(), false),
        (ok("<html>"), false),
    ] {
        let tokens = of_url(text.clone(), endless).await;
        assert_eq!(tokens.verify(&token).await, Err(TokenError::Unavailable), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_does_not_answer_is_not_waited_for() {
    let tokens = of_url("", false).await;
    let token = Signer::new("one").token(&claims(&json!({})));
    assert_eq!(tokens.verify(&token).await, Err(TokenError::Unavailable));
}

#[tokio::test]
async fn an_update_keeps_the_keys_of_an_issuer_that_stays() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    let signer = Signer::new("one");
    fs::write(&file, jwks(&[&signer])).unwrap();
    let stays = issuer(KeySource::File(file.clone()));
    let tokens = Tokens::new(std::slice::from_ref(&stays));
    let token = signer.token(&claims(&json!({})));
    assert!(tokens.verify(&token).await.is_ok());
    fs::remove_file(&file).unwrap();
    tokens.update(&[issuer(KeySource::File("/nowhere".into())), stays]);
    tokens.update(&[issuer(KeySource::File(file.clone()))]);
    assert!(tokens.verify(&token).await.is_ok());
    tokens.update(&[]);
    assert!(!tokens.concern(&token));
}

async fn shown(token: &str, tokens: &Tokens) -> Shown {
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    let address = SocketAddr::from(([10, 0, 0, 9], 1));
    Shown::new(&Arc::new(Peer { address, certificate: None }), &headers, tokens).await
}

pub(crate) fn with(claim: &str, value: &str) -> Credential {
    Credential::Jwt(Demands::new(vec![Demand {
        claim: claim.to_owned(),
        values: vec![value.to_owned()],
    }]))
}

#[tokio::test]
async fn a_renewed_token_is_the_same_identity_and_a_refusal_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    let signer = Signer::new("one");
    fs::write(&file, jwks(&[&signer])).unwrap();
    let tokens = of_file(&file);
    let credential = with("sub", "ivr");
    let identity = |shown: &Shown| shown.identity([&credential]);
    let first = shown(&signer.token(&claims(&json!({"jti": 1}))), &tokens).await;
    let renewed = shown(&signer.token(&claims(&json!({"jti": 2}))), &tokens).await;
    assert!(credential.is_met_by(&first) && identity(&first).is(&identity(&renewed)));
    assert!(first.expires([&credential]).is_some());

    let other = shown(&signer.token(&claims(&json!({"sub": "other"}))), &tokens).await;
    assert!(!credential.is_met_by(&other) && !identity(&first).is(&identity(&other)));
    let expired = shown(&signer.token(&claims(&json!({"exp": 1}))), &tokens).await;
    let nowhere =
        shown(&Signer::new("x").token(&claims(&json!({}))), &of_file(Path::new("/nowhere"))).await;
    for (shown, code, http, text) in [
        (other, Code::PermissionDenied, 403, "these credentials do not permit it"),
        (expired, Code::Unauthenticated, 401, "this JWT has expired"),
        (nowhere, Code::Unavailable, 503, "the keys of the issuer of this JWT cannot be read now"),
    ] {
        let refusal: Refusal = shown.refusal([&credential]);
        assert_eq!((refusal.code(), refusal.status().as_u16()), (code, http));
        assert_eq!(refusal.to_string(), text);
    }
}

#[tokio::test]
async fn no_token_is_ever_printed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    let signer = Signer::new("one");
    fs::write(&file, jwks(&[&signer])).unwrap();
    let tokens = of_file(&file);
    for more in [json!({}), json!({"exp": 1}), json!({"iss": "x"})] {
        let token = signer.token(&claims(&more));
        let shown = shown(&token, &tokens).await;
        let printed = format!("{shown:?} {:?} {}", tokens, shown.refusal([]));
        for part in token.split('.') {
            assert!(!printed.contains(part), "{printed}");
        }
    }
}
