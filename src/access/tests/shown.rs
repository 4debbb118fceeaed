//! Who shows a token, and what he is told.

use super::*;

async fn shown(token: &str, tokens: &Tokens) -> Shown {
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    let address = SocketAddr::from(([10, 0, 0, 9], 1));
    Shown::new(&Arc::new(Peer { address, certificate: None }), &headers, tokens).await
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

#[tokio::test]
async fn what_was_shown_in_time_opens_nothing_once_it_has_expired() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    let signer = Signer::new("one");
    fs::write(&file, jwks(&[&signer])).unwrap();
    let credential = with("sub", "ivr");
    // The leeway is over soon.
    let token = signer.token(&claims(&json!({"exp": now() - 28})));
    let shown = shown(&token, &of_file(&file)).await;
    assert!(credential.is_met_by(&shown));
    expired(shown.expires([&credential])).await;
    assert!(!credential.is_met_by(&shown));
    assert_eq!(shown.refusal([&credential]), Refusal::Jwt(TokenError::Expired));
}
