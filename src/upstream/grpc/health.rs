//! Watches the health of one address by `grpc.health.v1`, on a connection of its own and without pings: a stock
//! server ends connections that ping it more than once in five minutes.

use super::{
    connection::{self, Connection},
    request,
    stream::{self, Unopened},
};
use crate::{
    backoff::{Backoff, jittered},
    route::Service,
    upstream::{
        address::{Address, Health},
        error::AttemptError,
    },
};
use arc_swap::ArcSwap;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
};

const WATCH: &str = "/grpc.health.v1.Health/Watch";
const CONNECT: Duration = Duration::from_secs(5);
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_CAP: Duration = Duration::from_secs(10);
/// A server without a health service may be replaced by one that has it.
const ASK_AGAIN: Duration = Duration::from_secs(60);

/// How a watch ended.
enum End {
    /// The server does not tell its health: it is taken for healthy.
    Silent,
    /// No connection, or a proxy that has no server.
    Unreachable,
    /// The stream broke; what was known stands until the next try.
    Broken,
}

/// Keeps `address`' health up to date, for as long as it is polled. `stale` is told when it cannot be reached.
pub(in crate::upstream) async fn watch(
    address: Arc<Address>,
    service: Arc<ArcSwap<Service>>,
    stale: Arc<Notify>,
) {
    let mut backoff = Backoff::new(RETRY_FIRST, RETRY_CAP);
    loop {
        let service = service.load_full();
        let begun = Instant::now();
        let end = watch_once(&address, &service).await;
        // One that answers and ends at once, again and again, is no better than one that does not answer.
        if begun.elapsed() >= RETRY_CAP {
            backoff.reset();
        }
        match end {
            End::Silent => {
                address.set_health(Health::Unknown);
                sleep(jittered(ASK_AGAIN)).await;
            }
            End::Unreachable => {
                address.set_health(Health::Unreachable);
                stale.notify_one();
                sleep(backoff.next()).await;
            }
            End::Broken => sleep(backoff.next()).await,
        }
    }
}

async fn watch_once(address: &Address, service: &Service) -> End {
    let Some(remote) = service.remote() else { return End::Silent };
    let connecting = connection::connect(address.socket(), remote, None, |_| {});
    let Ok(Ok(connection)) = timeout(CONNECT, connecting).await else { return End::Unreachable };
    address.is_back();
    let end = follow(&connection, address, service).await;
    connection.retire();
    end
}

async fn follow(connection: &Arc<Connection>, address: &Address, service: &Service) -> End {
    let _slot = connection.begin();
    let Ok(head) = request::head(service, WATCH, &[]) else { return End::Silent };
    let Some(question) = stream::frame(&HealthCheckRequest::default()) else { return End::Silent };
    // Headers come with the first status, and that at once: a server that is slow with it tells nothing.
    let opening = stream::open(connection, head, question, true);
    let (response, _outgoing) = match timeout(CONNECT, opening).await {
        Err(_) | Ok(Err(Unopened::Failed(_))) => return End::Silent,
        Ok(Err(Unopened::Stale(_))) => return End::Broken,
        Ok(Ok(opened)) => opened,
    };
    let mut statuses = match stream::accept::<HealthCheckResponse>(response) {
        Ok(statuses) => statuses,
        Err(refusal) => return refused(&refusal.error),
    };
    loop {
        match statuses.message().await {
            Ok(Some(answer)) => address.set_health(meaning(answer.status())),
            Ok(None) => return End::Broken,
            Err(status) if status.code() == tonic::Code::Unimplemented => return End::Silent,
            Err(_) => return End::Broken,
        }
    }
}

fn refused(error: &AttemptError) -> End {
    if error.blames_address() { End::Unreachable } else { End::Silent }
}

fn meaning(status: ServingStatus) -> Health {
    match status {
        ServingStatus::Serving => Health::Serving,
        // It has a health service that nobody told anything of "".
        ServingStatus::ServiceUnknown => Health::Unknown,
        ServingStatus::Unknown | ServingStatus::NotServing => Health::NotServing,
    }
}
