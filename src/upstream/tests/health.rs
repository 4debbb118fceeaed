//! Health as the servers tell it.

use super::*;
use tonic_health::{ServingStatus, server::HealthReporter};

async fn server_with_health() -> (Server, HealthReporter) {
    let (reporter, health) = tonic_health::server::health_reporter();
    let router = transport::Server::builder().add_service(health).add_service(scripted(echo));
    (serve_router(router).await, reporter)
}

#[tokio::test]
async fn an_unhealthy_address_is_avoided_until_it_is_well() {
    let ((sick, reporter), (well, _keep)) =
        (server_with_health().await, server_with_health().await);
    let (core, services) = one(&[sick.address, well.address]);
    core.open(&services).await.expect("taken");
    until(|| core.health(sick.address) == Some(Health::Serving)).await;
    until(|| core.health(well.address) == Some(Health::Serving)).await;

    reporter.set_service_status("", ServingStatus::NotServing).await;
    until(|| core.health(sick.address) == Some(Health::NotServing)).await;
    let mut links = Vec::new();
    for _ in 0..4 {
        links.push(core.open(&services).await.expect("taken"));
    }
    assert!(links.iter().all(|link| link.endpoint() == well.address.to_string()));

    reporter.set_service_status("", ServingStatus::Serving).await;
    until(|| core.health(sick.address) == Some(Health::Serving)).await;
    assert_eq!(core.open(&services).await.expect("taken").endpoint(), sick.address.to_string());
}

#[tokio::test]
async fn an_unhealthy_address_is_better_than_none() {
    let (sick, reporter) = server_with_health().await;
    reporter.set_service_status("", ServingStatus::NotServing).await;
    let (core, services) = each(&[sick.address]);
    until(|| core.health(sick.address) == Some(Health::NotServing)).await;
    core.open(&services).await.expect("taken");
}

#[tokio::test]
async fn a_server_without_a_health_service_is_healthy() {
    let (asked, mut questions) = tokio::sync::mpsc::channel(8);
    let address = serve_raw(move |request, mut respond| {
        let asked = asked.clone();
        async move {
            let answer = http::Response::builder().header("content-type", "application/grpc");
            let answer = answer.header("grpc-status", "12").body(()).expect("a response");
            let _ = respond.send_response(answer, true);
            asked.send(request.uri().path().to_owned()).await.expect("the test waits");
        }
    })
    .await;
    let (core, _services) = each(&[address]);
    assert_eq!(questions.recv().await.as_deref(), Some("/grpc.health.v1.Health/Watch"));
    for _ in 0..100 {
        yield_now().await;
    }
    assert_eq!(core.health(address), Some(Health::Unknown));
    assert!(questions.try_recv().is_err(), "it is not asked again at once");
}

#[tokio::test]
async fn an_address_that_is_gone_is_tried_last_and_welcomed_back() {
    let (listener, gone) = listener().await;
    drop(listener);
    let (core, services) = each(&[gone]);
    until(|| core.health(gone) == Some(Health::Unreachable)).await;
    let listener = TcpListener::bind(gone).await.expect("the port is still free");
    let router = transport::Server::builder().add_service(scripted(echo));
    tokio::spawn(router.serve_with_incoming(prompt(listener)));
    core.open(&services).await.expect("taken");
    assert_eq!(core.health(gone), Some(Health::Unknown));
}
