//! Somebody who sends one action after the other, and waits for each answer.

use super::{
    Asked, TOKEN,
    tally::{Phase, Tally},
};
use crate::job::Outcome;
use agi_bridge::proto::{SendActionRequest, manager_service_client::ManagerServiceClient};
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time;
use tonic::{Request, transport::Endpoint};

/// Between two actions.
const PAUSE: Duration = Duration::from_millis(3);

/// Until no more events are sent; an action that fails is a fault.
pub(super) async fn run(api: SocketAddr, tally: Arc<Tally>) -> anyhow::Result<Asked> {
    let endpoint = Endpoint::from_shared(format!("http://{api}"))?.tcp_nodelay(true);
    let mut client = ManagerServiceClient::new(endpoint.connect().await?);
    let mut outcome = Outcome::default();
    let mut times = Vec::new();
    while !tally.is_past(Phase::Sending) {
        let action = SendActionRequest { action: "Ping".to_owned(), ..Default::default() };
        let mut request = Request::new(action);
        request.metadata_mut().insert("authorization", format!("Bearer {TOKEN}").parse()?);
        let begun = Instant::now();
        let told = client.send_action(request).await?.into_inner();
        anyhow::ensure!(told.success, "a ping was refused: {}", told.message);
        if tally.is_measuring() {
            times.push(u32::try_from(begun.elapsed().as_nanos()).unwrap_or(u32::MAX));
        }
        time::sleep(PAUSE).await;
    }
    outcome.set_turn_times(times);
    Ok(Asked { p50_ns: outcome.p50_ns, p99_ns: outcome.p99_ns })
}
