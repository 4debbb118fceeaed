//! From the connection to a session, and the ways in which there is none.

use super::*;
use crate::route::Tls;
use kit::manager::{GREETING, KEY};
use rustls::{ServerConfig, crypto::ring};
use rustls_pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

#[tokio::test(start_paused = true)]
async fn the_secret_itself_is_not_sent_where_a_challenge_is_given() {
    let mut lab = Lab::start().await;
    let mut asterisk = lab.manager.accept().await;
    asterisk.say(GREETING).await;
    let challenge = asterisk.request().await.unwrap();
    assert_eq!((challenge.get("Action"), challenge.get("AuthType")), ("Challenge", "MD5"));
    asterisk.answer(&challenge).await;
    let login = asterisk.request().await.unwrap();
    assert_eq!(
        (login.get("Username"), login.get("AuthType"), login.get("Key")),
        (USER, "MD5", KEY)
    );
    assert_eq!(login.get("Secret"), "");
    asterisk.answer(&login).await;
    let link = lab.link();
    assert!(!link.state().connected, "no event can have come yet");
    tokio::select! { () = asterisk.serve() => {}, state = until(&link, |it| it.connected) => {
        assert_eq!((&*state.version, &*state.detail), ("22.0.0", ""));
    } }
    assert_eq!(lab.sample("agibridge_manager_connected{server=\"pbx1\"}"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_is_told_and_not_tried_again_soon() {
    let mut lab = Lab::start_with(|server| server.secret = Secret::new("wrong"), None).await;
    let mut asterisk = lab.manager.accept().await;
    asterisk.say(GREETING).await;
    for _ in ["Challenge", "Login"] {
        let request = asterisk.request().await.unwrap();
        asterisk.answer(&request).await;
    }
    drop(asterisk);
    let link = lab.link();
    let state = down(&link, "refused").await;
    assert!(state.detail.contains("Authentication failed"), "{}", state.detail);
    let error = link.send(action("Ping"), SECOND, None).await.unwrap_err();
    assert_eq!(error, SendError::NotConnected { server: "pbx1".into(), detail: state.detail });
    assert!(timeout(14 * SECOND, lab.manager.accept()).await.is_err(), "tried again too soon");
    timeout(PATIENCE, lab.manager.accept()).await.expect("tried again");
}

#[tokio::test(start_paused = true)]
async fn a_greeting_that_never_comes_is_not_waited_for() {
    let mut lab = Lab::start().await;
    let silent = lab.manager.accept().await;
    down(&lab.link(), "no greeting").await;
    let mut asterisk = lab.manager.accept_user().await;
    until(&lab.link(), |state| state.connected).await;
    drop(silent);
    asterisk.say("").await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_the_login_that_never_comes_is_not_waited_for() {
    let mut lab = Lab::start().await;
    let mut silent = lab.manager.accept().await;
    silent.say(GREETING).await;
    down(&lab.link(), "Challenge was not answered").await;
}

#[tokio::test(start_paused = true)]
async fn whoever_is_no_manager_is_not_logged_in_to() {
    let mut lab = Lab::start().await;
    let mut other = lab.manager.accept().await;
    other.say("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    down(&lab.link(), "no Asterisk manager port: it says `HTTP/1.1 400 Bad Request`").await;
    assert_eq!(other.request().await, None, "nothing is sent there");
}

#[tokio::test(start_paused = true)]
async fn without_a_challenge_the_secret_is_sent_only_where_that_is_wanted() {
    for plain_login in [false, true] {
        let mut lab = Lab::start_with(|server| server.plain_login = plain_login, None).await;
        let mut asterisk = lab.manager.accept().await;
        asterisk.say(GREETING).await;
        let challenge = asterisk.request().await.unwrap();
        asterisk.say(challenge.response("Error", "Message: no MD5 here\r\n")).await;
        if plain_login {
            assert_eq!(asterisk.request().await.unwrap().get("Secret"), SECRET);
        } else {
            down(&lab.link(), "no challenge was given (no MD5 here)").await;
            assert_eq!(asterisk.request().await, None);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_who_may_not_ask_for_the_version_is_linked_all_the_same() {
    let mut lab = Lab::start().await;
    let mut asterisk = lab.manager.accept().await;
    asterisk.say(GREETING).await;
    loop {
        let request = asterisk.request().await.unwrap();
        if request.get("Action") == "CoreSettings" {
            asterisk.say(request.response("Error", "Message: Permission denied\r\n")).await;
        } else {
            asterisk.answer(&request).await;
        }
        if request.get("Action") == "Events" {
            break;
        }
    }
    let state = until(&lab.link(), |state| state.connected).await;
    assert_eq!(&*state.version, "");
}

#[tokio::test]
async fn a_link_over_tls_checks_who_is_there() {
    let own = rcgen::generate_simple_self_signed(["pbx.test".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, own.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    for (name, connects) in [("pbx.test", true), ("other.test", false)] {
        let tls = Tls { ca: Some(ca.clone()), server_name: Some(name.into()), ..Tls::default() };
        let mut lab = Lab::start_with(|server| server.remote.tls = Some(tls), None).await;
        let shaken = acceptor.accept(lab.manager.accept_stream().await).await;
        assert_eq!(shaken.is_ok(), connects, "{name}");
        let Ok(stream) = shaken else {
            down(&lab.link(), "no TLS connection").await;
            continue;
        };
        let mut asterisk = Connection::over(stream);
        asterisk.log_in().await;
        let link = lab.link();
        until(&link, |state| state.connected).await;
        let reply = tokio::select! {
            () = asterisk.serve() => panic!("closed"),
            reply = link.send(action("Ping"), PATIENCE, None) => reply.unwrap(),
        };
        assert_eq!(reply.headers.get("Ping"), Some("Pong"));
    }
}
