//! The token of a worker, when it is another each time.

#![cfg(test)]

#[path = "common/logged.rs"]
mod logged;
#[path = "common/workers.rs"]
mod workers;

use agibridge::{Call, Error, ServeError, Worker, proto::worker_report::Report};
use logged::Log;
use std::{
    collections::VecDeque,
    fs,
    sync::{Arc, Mutex},
};
use tonic::{Code, Status, metadata::MetadataMap};
use workers::Bridge;

type Given = Arc<Mutex<VecDeque<Result<&'static str, &'static str>>>>;

/// A worker whose tokens are these, one after the other; once there is none, its function fails.
fn worker(
    bridge: &Bridge,
    tokens: impl IntoIterator<Item = Result<&'static str, &'static str>>,
) -> Worker {
    let given: Given = Arc::new(Mutex::new(tokens.into_iter().collect()));
    silent(bridge).token_fn(move || {
        let next = given.lock().unwrap().pop_front().unwrap_or(Err("gone"));
        async move { next.map(str::to_owned) }
    })
}

fn silent(bridge: &Bridge) -> Worker {
    Worker::new(|_: Call| async { Ok::<_, Error>(()) })
        .bridge(bridge.address.to_string())
        .group("kit")
        .signals(false)
}

fn shown(metadata: &MetadataMap) -> &str {
    metadata.get("authorization").unwrap().to_str().unwrap()
}

/// Refuses the next registration, and gives the token that it showed.
async fn refuse(bridge: &Bridge, why: &str) -> String {
    let registration = bridge.registration().await;
    let refusal = Status::new(Code::Unauthenticated, why);
    registration.offers.send(Err(refusal)).await.unwrap();
    shown(&registration.metadata).to_owned()
}

#[tokio::test]
async fn the_function_is_asked_for_every_registration_and_call() {
    let bridge = Bridge::new().await;
    let tokens = [Ok("one"), Err("no such file"), Ok(""), Ok("a\nb"), Ok("two"), Ok("three")];
    let running = tokio::spawn(worker(&bridge, tokens).run());
    let (first, _) = bridge.registered().await;
    assert_eq!(shown(&first.metadata), "Bearer one");
    first.offers.send(Err(Status::unavailable("register again"))).await.unwrap();
    let (mut second, _) = bridge.registered().await;
    assert_eq!(shown(&second.metadata), "Bearer two");
    second.call("offer-1").await;
    let (metadata, ..) = bridge.taken().await;
    assert_eq!(shown(&metadata), "Bearer three");
    second.call("offer-2").await;
    let Some(Report::Declined(declined)) = second.report().await else { panic!("not declined") };
    assert_eq!(
        (declined.token.as_str(), declined.reason.as_str()),
        ("offer-2", "this worker has no token now")
    );
    running.abort();
}

#[tokio::test]
async fn after_a_refused_token_the_next_one_is_tried_and_each_reason_is_told_once() {
    let (log, _guard) = Log::start();
    let bridge = Bridge::new().await;
    let tokens = ["stale", "stale", "early", "early", "good"].map(Ok);
    let running = tokio::spawn(worker(&bridge, tokens).run());
    for (token, why) in [
        ("stale", "expired"),
        ("stale", "expired"),
        ("early", "not valid yet"),
        ("early", "not valid yet"),
    ] {
        assert_eq!(refuse(&bridge, why).await, format!("Bearer {token}"));
    }
    let (good, _) = bridge.registered().await;
    assert_eq!(shown(&good.metadata), "Bearer good");
    let warned = log.lines("refused");
    assert_eq!(warned.len(), 2, "{warned:?}");
    assert!(warned[0].contains("expired") && warned[1].contains("not valid yet"), "{warned:?}");
    running.abort();
}

#[tokio::test]
async fn why_there_is_no_token_is_told_once() {
    let (log, _guard) = Log::start();
    let bridge = Bridge::new().await;
    let tokens = [Err("the vault is sealed"), Err("the vault is sealed"), Ok("good")];
    let running = tokio::spawn(worker(&bridge, tokens).run());
    bridge.registered().await;
    let warned = log.lines("there is no token: the vault is sealed");
    assert_eq!(warned.len(), 1, "{warned:?}");
    running.abort();
}

#[tokio::test]
async fn a_function_does_not_help_against_what_is_no_matter_of_the_token() {
    let bridge = Bridge::new().await;
    let running = tokio::spawn(worker(&bridge, [Ok("good")]).run());
    let registration = bridge.registration().await;
    let refusal = Status::permission_denied("not this group");
    registration.offers.send(Err(refusal)).await.unwrap();
    let error = running.await.unwrap().unwrap_err();
    assert!(matches!(error, ServeError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn a_file_is_read_each_time() {
    let (log, _guard) = Log::start();
    let bridge = Bridge::new().await;
    let folder = std::env::temp_dir().join(format!("agibridge-{:016x}", rand::random::<u64>()));
    let file = folder.join("token");
    let running = tokio::spawn(silent(&bridge).token_file(&file).run());
    log.wait_for("there is no token").await;
    assert!(log.lines("there is no token")[0].contains(file.to_str().unwrap()));
    fs::create_dir(&folder).unwrap();
    for token in ["one", "two"] {
        fs::write(folder.join("new"), format!("{token}\n")).unwrap();
        fs::rename(folder.join("new"), &file).unwrap();
        let (registration, _) = bridge.registered().await;
        assert_eq!(shown(&registration.metadata), format!("Bearer {token}"));
        fs::remove_file(&file).unwrap();
        registration.offers.send(Err(Status::unavailable("register again"))).await.unwrap();
    }
    running.abort();
    fs::remove_dir_all(&folder).unwrap();
}
