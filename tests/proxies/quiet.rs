//! Calls on which nothing happens for longer than a proxy bears.

use crate::{
    GRPC, GRPCS, Kind, WORKER, WORKER_WS, WS, WSS, Way,
    authority::Authority,
    lane::{Beat, Lane, Plan},
    proxy::{Manner, Proxy, settings},
};

/// Three calls, each over a hop of its own: one that heartbeats keep, one without, which the proxy cuts, and one without on a
/// hop with the settings that the documentation asks for.
async fn quiet_calls_survive(kind: Kind, way: Way) {
    let authority = Authority::new();
    let [kept, cut, patient] = [
        (Beat::EachSecond, Manner::Impatient),
        (Beat::Never, Manner::Impatient),
        (Beat::Never, Manner::Patient),
    ];
    let (_proxy, lanes) = lanes(kind, way, &authority, [kept, cut, patient]).await;
    let [kept, cut, patient] = &lanes;

    let held = (kept.call().await, patient.call().await);
    // From here on these two are quiet, and for twice as long as the third one bears, which comes later.
    is_cut(cut).await;
    if way.transport.dials_in() {
        cut.dial().await;
    }
    is_cut(cut).await;
    kept.ends_well(held.0).await;
    patient.ends_well(held.1).await;
    for lane in [kept, patient] {
        lane.ends_well(lane.call().await).await;
    }
    if way.transport.dials_in() {
        assert_eq!([kept.logged("a worker is gone"), patient.logged("a worker is gone")], [0, 0]);
        assert_eq!([kept.logged("a worker registered"), cut.logged("a worker registered")], [1, 2]);
    }
}

/// Heartbeats go one way only, as long as the service does not answer them.
async fn heartbeats_without_answers(kind: Kind, way: Way, enough: bool) {
    let authority = Authority::new();
    let lanes = lanes(
        kind,
        way,
        &authority,
        [(Beat::EachSecond, Manner::Impatient), (Beat::Never, Manner::Impatient)],
    );
    let (_proxy, [mute, cut]) = lanes.await;
    mute.service.mute();
    if enough {
        let held = mute.call().await;
        is_cut(&cut).await;
        is_cut(&cut).await;
        mute.ends_well(held).await;
    } else {
        is_cut(&mute).await;
    }
}

/// A call that nobody ends is cut by the proxy.
async fn is_cut(lane: &Lane) {
    let mut caller = lane.call().await;
    caller.answer().await;
    caller.is_asked("STEP", "2").await;
    caller.answer().await;
    caller.is_asked("AGIBRIDGE_STATUS", "LOST").await;
}

async fn lanes<const N: usize>(
    kind: Kind,
    way: Way,
    authority: &Authority,
    of: [(Beat, Manner); N],
) -> (Proxy, [Lane; N]) {
    let mut plans = Vec::new();
    let mut hops = Vec::new();
    for (beat, manner) in of {
        let plan = Plan::new(way, beat).await;
        hops.push(plan.hop(manner, authority));
        plans.push(plan);
    }
    let addresses: Vec<_> = hops.iter().map(|hop| hop.address).collect();
    let proxy = Proxy::start(kind, hops).await;
    let mut lanes = Vec::new();
    for (plan, address) in plans.into_iter().zip(addresses) {
        lanes.push(plan.build(address, authority).await);
    }
    let Ok(lanes) = lanes.try_into() else { unreachable!("as many as there are plans") };
    (proxy, lanes)
}

macro_rules! quiet {
    ($($name:ident: $kind:ident $way:ident;)*) => {
        $(#[tokio::test]
        async fn $name() {
            quiet_calls_survive(Kind::$kind, $way).await;
        })*
    };
}

quiet! {
    a_quiet_grpc_call_survives_nginx: Nginx GRPC;
    a_quiet_grpc_call_survives_haproxy: Haproxy GRPC;
    a_quiet_grpc_call_survives_envoy: Envoy GRPC;
    a_quiet_grpc_call_survives_nginx_that_ends_tls: Nginx GRPCS;
    a_quiet_grpc_call_survives_haproxy_that_ends_tls: Haproxy GRPCS;
    a_quiet_grpc_call_survives_envoy_that_ends_tls: Envoy GRPCS;
    a_quiet_websocket_survives_nginx: Nginx WS;
    a_quiet_websocket_survives_haproxy: Haproxy WS;
    a_quiet_websocket_survives_envoy: Envoy WS;
    a_quiet_websocket_survives_nginx_that_ends_tls: Nginx WSS;
    a_quiet_websocket_survives_haproxy_that_ends_tls: Haproxy WSS;
    a_quiet_websocket_survives_envoy_that_ends_tls: Envoy WSS;
    a_quiet_grpc_worker_survives_nginx: Nginx WORKER;
    a_quiet_grpc_worker_survives_haproxy: Haproxy WORKER;
    a_quiet_grpc_worker_survives_envoy: Envoy WORKER;
    a_quiet_websocket_worker_survives_nginx: Nginx WORKER_WS;
    a_quiet_websocket_worker_survives_haproxy: Haproxy WORKER_WS;
    a_quiet_websocket_worker_survives_envoy: Envoy WORKER_WS;
}

#[test]
fn the_documentation_has_the_settings_that_are_tried_here() {
    let page = include_str!("../../docs/operating.md");
    for setting in settings() {
        assert!(page.contains(&format!("`{setting}`")), "{setting}");
    }
}

#[tokio::test]
async fn nginx_cuts_a_service_that_does_not_answer_heartbeats() {
    heartbeats_without_answers(Kind::Nginx, GRPC, false).await;
}

#[tokio::test]
async fn haproxy_lets_a_service_be_that_does_not_answer_heartbeats() {
    heartbeats_without_answers(Kind::Haproxy, GRPC, true).await;
}

#[tokio::test]
async fn envoy_lets_a_service_be_that_does_not_answer_heartbeats() {
    heartbeats_without_answers(Kind::Envoy, GRPC, true).await;
}
