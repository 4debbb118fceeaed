//! A service that tests kill: it drives every call from wherever it stands, over gRPC, WebSocket, or as a worker that
//! dials in. Knows its command line and its end; what it plays is the kit's.
//!
//! `resumable grpc|websocket|worker ADDRESS PART [NAME]`: where it listens, or the bridge's API; the part as JSON; a worker's
//! name. Every event is a line of JSON; `serving` is the first. SIGTERM drains it.

use anyhow::{Context as _, bail};
use kit::service::{Part, Service, Tell, Transport};
use serde_json::{Value, json};
use std::{
    env,
    io::{self, Write as _},
    time::Duration,
};
use tokio::signal::unix::{SignalKind, signal};

/// For the bridge to take the end of every stream.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    let service = serve().await?;
    say(&json!({ "event": "serving", "url": service.url() }));
    terminated.recv().await;
    let left = service.drain(DRAIN_LIMIT).await;
    say(&json!({ "event": "drained", "left": left }));
    Ok(())
}

async fn serve() -> anyhow::Result<Service> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [kind, address, part, name @ ..] = arguments.as_slice() else {
        bail!("usage: resumable grpc|websocket|worker ADDRESS PART [NAME]");
    };
    let address = address.parse().context("an address")?;
    let part: Part = serde_json::from_str(part).context("a part")?;
    let tell = Tell::new(|event| say(&event));
    match kind.as_str() {
        "grpc" => Ok(Service::resumable(Transport::Grpc, Some(address), part, tell)),
        "websocket" => Ok(Service::resumable(Transport::WebSocketJson, Some(address), part, tell)),
        "worker" => {
            let service = Service::resumable(Transport::WorkerGrpc, None, part, tell);
            let service = name.iter().fold(service, |service, name| service.named(name));
            service.dial(address).await;
            Ok(service)
        }
        other => bail!("{other}: no kind of service"),
    }
}

fn say(event: &Value) {
    // A test that is over reads no more.
    let _ = writeln!(io::stdout(), "{event}");
}
