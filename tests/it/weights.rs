//! Several services on a route: by weight, or in their order; and one that keeps failing is left alone for a while.

use crate::harness::{Asterisk, Bridge, FastAgi, Script, Service, end, nowhere, soon, until};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

/// Calls until an address that refuses them is left alone.
const FAILURES: usize = 5;

/// A service that counts its calls, and ends each at once.
struct Counting {
    service: Service,
    calls: Arc<AtomicUsize>,
}

impl Counting {
    async fn start() -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    async fn start_at(address: SocketAddr) -> Self {
        let calls = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&calls);
        let service = Service::start_at(address, move |mut caller| {
            count.fetch_add(1, Relaxed);
            async move {
                caller.started().await;
                caller.send(end()).await;
                caller.ended().await;
                Ok(())
            }
        })
        .await;
        Self { service, calls }
    }

    fn calls(&self) -> usize {
        self.calls.load(Relaxed)
    }
}

async fn call(bridge: &Bridge) {
    assert_eq!(Asterisk::call(bridge.address()).await.finish().await, [""; 0]);
}

fn weighted(services: &[(String, u32)]) -> Bridge {
    let services: Vec<String> = services
        .iter()
        .map(|(url, weight)| format!("{{url: '{url}', weight: {weight}}}"))
        .collect();
    Bridge::on(&[("test", "/test/{colour}", &services.join(", "), "")], "")
}

/// Attempts at services of this kind that nobody answered.
fn refused(bridge: &Bridge, transport: &str) -> usize {
    let labels = format!(r#"{{route="test",transport="{transport}",status="UNAVAILABLE"}} "#);
    let begin = format!("agibridge_stream_opened_total{labels}");
    let lines = bridge.metrics(&begin);
    lines.first().map_or(0, |line| line[begin.len()..].parse().unwrap())
}

#[tokio::test]
async fn a_canary_gets_its_share_and_weight_0_gets_none() {
    let (stable, canary, spare) =
        (Counting::start().await, Counting::start().await, Counting::start().await);
    let bridge =
        weighted(&[(canary.service.url(), 1), (spare.service.url(), 0), (stable.service.url(), 3)]);
    for _ in 0..100 {
        call(&bridge).await;
    }
    let (stable, canary) = (stable.calls(), canary.calls());
    // By chance less than once in a hundred million runs otherwise.
    assert!(canary > 0 && stable > canary, "{stable} and {canary}");
    assert_eq!((stable + canary, spare.calls()), (100, 0));
}

#[tokio::test]
async fn where_the_chosen_one_fails_the_others_get_its_calls_and_weight_0_comes_last() {
    let spare = Counting::start().await;
    let bridge = weighted(&[
        (spare.service.url(), 0),
        (format!("grpc://{}", nowhere()), 1),
        (format!("agi://{}", nowhere()), 1),
        (format!("ws://{}", nowhere()), 1),
    ]);
    call(&bridge).await;
    assert_eq!(spare.calls(), 1);
    assert_eq!(["grpc", "fastagi", "websocket"].map(|kind| refused(&bridge, kind)), [1, 1, 1]);
}

#[tokio::test]
async fn a_standby_gets_calls_while_the_first_is_away() {
    let (first, standby) = (Counting::start().await, Counting::start().await);
    let bridge = Bridge::start(&[&first.service, &standby.service]);
    for _ in 0..3 {
        call(&bridge).await;
    }
    assert_eq!((first.calls(), standby.calls()), (3, 0));
    let address = first.service.kill().await;
    for _ in 0..2 {
        call(&bridge).await;
    }
    assert_eq!(standby.calls(), 2);
    let again = Counting::start_at(address).await;
    soon("the first to get calls again", async {
        while again.calls() == 0 {
            call(&bridge).await;
        }
    })
    .await;
    let before = standby.calls();
    call(&bridge).await;
    assert_eq!((again.calls(), standby.calls()), (2, before));
}

#[tokio::test]
async fn what_keeps_failing_is_left_alone_and_found_again() {
    let address = nowhere();
    for (scheme, transport) in [("grpc", "grpc"), ("ws", "websocket"), ("agi", "fastagi")] {
        let script = Script::sh("exit 0");
        let bridge = Bridge::at(&[format!("{scheme}://{address}"), script.url()], "", "");
        for _ in 0..FAILURES {
            call(&bridge).await;
        }
        assert_eq!(refused(&bridge, transport), FAILURES);
        // Its turn comes in half a second at the earliest: these calls do not even try, or one of them does.
        for _ in 0..3 {
            call(&bridge).await;
        }
        assert!(refused(&bridge, transport) <= FAILURES + 1, "{scheme}");
    }
    let standby = Counting::start().await;
    let bridge = Bridge::at(&[format!("grpc://{address}"), standby.service.url()], "", "");
    for _ in 0..FAILURES {
        call(&bridge).await;
    }
    let back = Counting::start_at(address).await;
    soon("it to be tried again", async {
        while back.calls() == 0 {
            call(&bridge).await;
        }
    })
    .await;
    assert!(refused(&bridge, "grpc") <= FAILURES + 1, "it is back");
}

#[tokio::test]
async fn a_call_waits_for_the_only_service_that_is_left_alone() {
    let address = nowhere();
    let bridge = Bridge::at(&[format!("grpc://{address}")], "    retry_for: 5s\n", "");
    let mut waiting = Asterisk::call(bridge.address()).await;
    until("it to be left alone", || refused(&bridge, "grpc") >= FAILURES).await;
    let back = Counting::start_at(address).await;
    assert_eq!(waiting.finish().await, [""; 0]);
    assert_eq!(back.calls(), 1);
}

#[tokio::test]
async fn a_fastagi_server_stands_in_for_a_service_that_is_away() {
    let old = FastAgi::listen();
    let bridge = Bridge::at(&[format!("grpc://{}", nowhere()), old.url("/ivr")], "", "");
    let mut asterisk = Asterisk::call(bridge.address()).await;
    let mut program = old.accept().await;
    program.send("ANSWER\n").await;
    asterisk.expect("ANSWER", "200 result=0\n").await;
    program.hears("200 result=0").await;
}
