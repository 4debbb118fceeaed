//! Tokens that are not good, and issuers that are not well, at every door of the whole program: each is refused with its reason,
//! and a call that runs meanwhile does not notice.

use crate::harness::{Doors, Held, Serving, next, soon, within};
use kit::{
    authority::Authority,
    issuer::{ISSUER, Manner, Server, Signer, claims, encoded, jwks, now, unsigned},
};
use serde_json::{Value, json};
use std::time::Duration;
use tonic::Code;

const ADMIN: &str =
    "listen: '127.0.0.1:0', everybody: nothing, access: [{may: see, jwt: {sub: ivr}}]";
const AWAY: &str = "the keys of the issuer of this JWT cannot be read now";
/// For a bridge to ask an issuer again.
const ASKED_AGAIN: Duration = Duration::from_secs(40);

/// A bridge all of whose doors open to the subject `ivr` of an issuer with its keys at this URL.
async fn bridge(held: &Held, jwks: &str, more: &str) -> Serving {
    let sections = format!(
        "jwt: {{issuer: '{ISSUER}', audience: bridge, jwks: '{jwks}', refresh: 10s{more}}}\n\
         api:\n  listen: '127.0.0.1:0'\n  workers: [{{groups: sales, jwt: {{sub: ivr}}}}]\n  \
         clients: [{{name: crm, jwt: {{sub: ivr}}, events: '*'}}]"
    );
    Serving::with(&held.routes(), ADMIN, &sections).await
}

fn http(server: &Server) -> String {
    format!("http://{}/jwks.json", server.address)
}

fn show(bridge: &Serving, token: impl AsRef<str>) -> Doors {
    Doors::of(bridge, Some(token.as_ref()))
}

#[tokio::test]
async fn a_token_that_is_not_good_opens_no_door() {
    let (signer, thief, held) = (Signer::new("one"), Signer::new("one"), Held::prepare().await);
    let server = Server::start(Manner::Serves(jwks(&[&signer])), None).await;
    let bridge = bridge(&held, &http(&server), "").await;
    let call = held.begin(&bridge).await;
    let good = claims(&json!({}));
    let but = |more: Value| signer.token(&claims(&more));
    let with = |header: Value| signer.signed(&header, &good);
    let other = claims(&json!({"sub": "root"})).to_string();
    let token = signer.token(&good);
    let parts: Vec<_> = token.split('.').collect();
    let swapped = format!("{}.{}.{}", parts[0], encoded(other), parts[2]);
    let embedded =
        json!({"alg": "ES256", "kid": "mine", "jku": "http://127.0.0.1:1/", "jwk": {"kty": "EC"}});
    for (token, why) in [
        (but(json!({"exp": now() - 60})), "has expired"),
        (but(json!({"nbf": now() + 60})), "is not valid yet"),
        (but(json!({"aud": "another"})), "for another audience"),
        (
            but(json!({"iss": "https://other.test"})),
            "issuer `https://other.test` of this JWT is not known",
        ),
        (but(json!({"exp": null})), "claim `exp`"),
        (but(json!({"sub": null})), "claim `sub`"),
        (with(json!({"alg": "ES256", "kid": "other"})), "no key `other`"),
        (with(embedded), "no key `mine`"),
        (with(json!({"alg": "ES256", "kid": "one", "crit": ["x"]})), "critical extensions"),
        (with(json!({"alg": "RS256", "kid": "one"})), "no key `one`"),
        (with(json!({"alg": "HS256", "kid": "one"})), "`alg` is `none`, a shared secret's"),
        (format!("{}.", unsigned(&json!({"alg": "none"}), &good)), "`alg` is `none`"),
        (signer.by_public_key(&good), "a shared secret's"),
        (thief.token(&good), "the signature of this JWT is wrong"),
        (swapped, "the signature of this JWT is wrong"),
        ("a.b.c".to_owned(), "this JWT cannot be read"),
        ("no-jwt".to_owned(), "this token is not known"),
    ] {
        show(&bridge, token).refuse(Code::Unauthenticated, 401, why).await;
    }
    let nobody = Doors::of(&bridge, None);
    nobody.refuse(Code::Unauthenticated, 401, "a credential is needed").await;
    let stranger = show(&bridge, but(json!({"sub": "other"})));
    stranger.refuse(Code::PermissionDenied, 403, "these credentials do not permit it").await;
    show(&bridge, token).open().await;
    held.finish(call).await;
}

#[tokio::test]
async fn a_token_that_has_its_day_is_seen_to_by_every_door() {
    let (signer, held) = (Signer::new("one"), Held::prepare().await);
    let server = Server::start(Manner::Serves(jwks(&[&signer])), None).await;
    let bridge = bridge(&held, &http(&server), "").await;
    let call = held.begin(&bridge).await;
    // The leeway is over soon.
    let doors = show(&bridge, signer.token(&claims(&json!({"exp": now() - 24}))));
    let mut offers = doors.worker().await.unwrap();
    let ended = loop {
        match soon("the end of the registration", offers.message()).await {
            Ok(offer) => assert!(offer.is_some(), "it ends with a word"),
            Err(ended) => break ended,
        }
    };
    assert_eq!(ended.code(), Code::Unavailable, "{ended}");
    assert!(ended.message().contains("register again"), "{ended}");
    doors.refuse(Code::Unauthenticated, 401, "has expired").await;
    show(&bridge, signer.token(&claims(&json!({})))).open().await;
    held.finish(call).await;
}

/// An issuer that was never well, and is at last.
async fn ill_at_first(manner: Manner) {
    let (signer, held) = (Signer::new("one"), Held::prepare().await);
    let server = Server::start(manner.clone(), None).await;
    let bridge = bridge(&held, &http(&server), "").await;
    let call = held.begin(&bridge).await;
    let doors = show(&bridge, signer.token(&claims(&json!({}))));
    doors.refuse(Code::Unavailable, 503, AWAY).await;
    let nobody = Doors::of(&bridge, None);
    nobody.refuse(Code::Unauthenticated, 401, "a credential is needed").await;
    server.now(Manner::Serves(jwks(&[&signer])));
    within(ASKED_AGAIN, "the keys", async { while doors.admin("GET", "/calls").await.is_err() {} })
        .await;
    doors.open().await;
    held.finish(call).await;
}

/// An issuer that was well, and falls ill.
async fn ill_later(manner: Manner) {
    let (signer, held) = (Signer::new("one"), Held::prepare().await);
    let server = Server::start(Manner::Serves(jwks(&[&signer])), None).await;
    let mut bridge = bridge(&held, &http(&server), "").await;
    let call = held.begin(&bridge).await;
    let token = signer.token(&claims(&json!({})));
    show(&bridge, &token).open().await;
    server.now(manner);
    let failed = next(&mut bridge.log, "the keys of an issuer of tokens cannot be read");
    let failed = within(ASKED_AGAIN, "a warning", failed).await;
    assert!(failed["why"].is_string() && failed["issuer"] == ISSUER, "{failed}");
    show(&bridge, token).open().await;
    let other = show(&bridge, Signer::new("two").token(&claims(&json!({}))));
    other.refuse(Code::Unavailable, 503, AWAY).await;
    held.finish(call).await;
}

fn ill() -> [Manner; 5] {
    let away = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    [
        Manner::Down,
        Manner::Silent,
        Manner::Endless,
        Manner::Serves("<html>rubbish</html>".to_owned()),
        Manner::Says(away.to_owned()),
    ]
}

#[tokio::test]
async fn an_issuer_that_is_ill_at_the_start_is_asked_until_it_is_well() {
    futures_util::future::join_all(ill().map(ill_at_first)).await;
}

#[tokio::test]
async fn while_an_issuer_is_ill_its_old_keys_go_on() {
    futures_util::future::join_all(ill().map(ill_later)).await;
}

#[tokio::test]
async fn keys_come_by_https_from_whom_the_authority_vouches_for_only() {
    let (signer, held, folder) =
        (Signer::new("one"), Held::prepare().await, tempfile::tempdir().unwrap());
    let (authority, other) = (Authority::new(), Authority::new());
    let manner = Manner::Serves(jwks(&[&signer]));
    let server = Server::start(manner.clone(), Some(authority.server("127.0.0.1"))).await;
    let misnamed = Server::start(manner, Some(authority.server("other.test"))).await;
    let file = |name: &str, authority: &Authority| {
        let path = folder.path().join(name);
        std::fs::write(&path, authority.pem()).unwrap();
        format!(", ca: '{}'", path.display())
    };
    let (ca, wrong) = (file("ca.pem", &authority), file("other.pem", &other));
    let token = signer.token(&claims(&json!({})));
    let url = |server: &Server| format!("https://{}/", server.address);
    let good = bridge(&held, &url(&server), &ca).await;
    show(&good, &token).open().await;
    for (server, ca) in [(&server, &wrong), (&misnamed, &ca)] {
        let bridge = bridge(&held, &url(server), ca).await;
        show(&bridge, &token).refuse(Code::Unavailable, 503, AWAY).await;
    }
}
