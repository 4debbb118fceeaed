//! Services that implement `CallService`: HTTP/2 connections that many calls share, and one stream on them for each call.
//! Knows no order of addresses, nor what the messages mean.

mod connection;
mod health;
mod link;
mod pool;
mod request;
mod stream;

pub(super) use health::watch;
pub(super) use link::GrpcLink;
pub(super) use pool::Pools;

use super::{
    Opening,
    address::Active,
    error::{AttemptError, Phase, Refusal},
};
use crate::route::{Remote, Service};
use bytes::Bytes;
use connection::Slot;
use std::sync::Arc;
use stream::Unopened;
use tokio::time::{Instant, timeout_at};
use tonic::Code;

const HANDLE_CALL: &str = "/agibridge.v1.CallService/HandleCall";
/// Connections that turn out to be over, on the way to one that is not.
const STALE_MAX: u32 = 3;

/// Opens a stream at the address of `active`: connected by `connect_by`, taken by the service by `accept_by`.
pub(super) async fn open(
    pools: &Pools,
    (service, remote): (&Arc<Service>, &Remote),
    opening: &Opening,
    active: Active,
    (connect_by, accept_by): (Instant, Instant),
) -> Result<GrpcLink, Refusal> {
    let pool = pools.of(active.address(), service, remote);
    let first = stream::frame(&*opening.started).ok_or_else(|| {
        invalid(Code::InvalidArgument, "the call's first event is over 4 MiB".to_owned())
    })?;
    let mut stale = 0;
    loop {
        let slot = match pool.slot() {
            Some(slot) => slot,
            None => timeout_at(connect_by, pool.connect())
                .await
                .unwrap_or(Err(AttemptError::Timeout(Phase::Connecting)))?,
        };
        let connection = slot.connection().clone();
        match ask(service, opening, first.clone(), slot, accept_by).await? {
            Ok((slot, incoming, outgoing)) => {
                let parts = (slot, active);
                return Ok(GrpcLink::new(
                    incoming,
                    outgoing,
                    service.clone(),
                    opening.capacity,
                    parts,
                ));
            }
            Err(error) => {
                pool.remove(&connection);
                stale += 1;
                if stale >= STALE_MAX {
                    return Err(error.into());
                }
            }
        }
    }
}

type Opened = (Slot, tonic::codec::Streaming<crate::proto::CallControl>, stream::Outgoing);

/// Opens the stream. The inner error means that another connection may do.
async fn ask(
    service: &Service,
    opening: &Opening,
    first: Bytes,
    slot: Slot,
    by: Instant,
) -> Result<Result<Opened, AttemptError>, Refusal> {
    let head = request::head(service, HANDLE_CALL, &opening.metadata)
        .map_err(|why| invalid(Code::InvalidArgument, why))?;
    let opened = timeout_at(by, stream::open(slot.connection(), head, first, false)).await;
    match opened {
        Err(_) => Err(AttemptError::Timeout(Phase::Accepting).into()),
        Ok(Err(Unopened::Failed(error))) => Err(error.into()),
        Ok(Err(Unopened::Stale(error))) => Ok(Err(error)),
        Ok(Ok((response, outgoing))) => Ok(Ok((slot, stream::accept(response)?, outgoing))),
    }
}

fn invalid(code: Code, message: String) -> Refusal {
    AttemptError::Status { code, message }.into()
}
