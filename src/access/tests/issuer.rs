//! Where keys come from, and while they do not.

use super::*;

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
