//! Connections that a proxy ends in its own time, and proxies that are reloaded, or killed, under calls.

use crate::{
    GRPC, Kind, WORKER, WORKER_WS, WS, Way,
    authority::Authority,
    lane::{Beat, Lane, Plan},
    proxy::{Hop, Manner, Proxy},
};
use std::net::SocketAddr;
use tokio::{io::AsyncReadExt as _, net::TcpStream};

/// More than a connection takes.
const CALLS: usize = 5;

/// Calls at once, each of which goes on though the connection that it is on takes no others.
async fn calls_outlive_the_requests_of_a_connection(way: Way) {
    let (_proxy, lane, _) = lane(Kind::Nginx, way, Manner::ShortLived, "0s").await;
    let mut calls = Vec::new();
    for _ in 0..CALLS {
        calls.push(lane.call().await);
    }
    for call in calls {
        lane.ends_well(call).await;
    }
}

/// A call whose connection is as old as one may be, and one that comes then.
async fn calls_outlive_the_age_of_a_connection(way: Way) {
    let (_proxy, lane, address) = lane(Kind::Envoy, way, Manner::ShortLived, "0s").await;
    let held = lane.call().await;
    // This one has no stream, and came later: when it is closed, the other one's time is up.
    let mut control = TcpStream::connect(address).await.unwrap();
    assert_eq!(control.read(&mut [0]).await.unwrap(), 0);
    let new = lane.call().await;
    lane.ends_well(held).await;
    lane.ends_well(new).await;
}

/// A call stays on the old process, a new one comes to the new one.
async fn a_reload_costs_no_call(kind: Kind, way: Way) {
    let (mut proxy, lane, address) = lane(kind, way, Manner::Patient, "0s").await;
    let held = lane.call().await;
    proxy.reload(Hop::new(way.carries(), Manner::Patient, address)).await;
    let new = if way.transport.dials_in() { None } else { Some(lane.call().await) };
    lane.ends_well(held).await;
    if let Some(new) = new {
        lane.ends_well(new).await;
    }
}

/// The stream is lost with the proxy, and found again with the next one.
async fn a_call_is_resumed_when_the_proxy_is_killed(kind: Kind, way: Way) {
    let (mut proxy, lane, _) = lane(kind, way, Manner::Patient, "2m").await;
    let held = lane.call().await;
    proxy.kill().await;
    proxy.run().await;
    if way.transport.dials_in() {
        lane.dial().await;
    }
    lane.is_told("resumed").await;
    lane.ends_well(held).await;
}

async fn lane(
    kind: Kind,
    way: Way,
    manner: Manner,
    resume_for: &'static str,
) -> (Proxy, Lane, SocketAddr) {
    let authority = Authority::new();
    let plan = Plan::resumed_for(way, Beat::EachSecond, resume_for).await;
    let hop = plan.hop(manner, &authority);
    let address = hop.address;
    let proxy = Proxy::start(kind, vec![hop]).await;
    (proxy, plan.build(address, &authority).await, address)
}

macro_rules! lifetimes {
    ($($name:ident: $check:ident($($argument:expr),*);)*) => {
        $(#[tokio::test]
        async fn $name() {
            $check($($argument),*).await;
        })*
    };
}

lifetimes! {
    grpc_calls_outlive_the_requests_of_a_connection: calls_outlive_the_requests_of_a_connection(GRPC);
    websockets_outlive_the_requests_of_a_connection: calls_outlive_the_requests_of_a_connection(WS);
    grpc_calls_outlive_the_age_of_a_connection: calls_outlive_the_age_of_a_connection(GRPC);
    websockets_outlive_the_age_of_a_connection: calls_outlive_the_age_of_a_connection(WS);
    a_reload_of_nginx_costs_no_grpc_call: a_reload_costs_no_call(Kind::Nginx, GRPC);
    a_reload_of_nginx_costs_no_websocket: a_reload_costs_no_call(Kind::Nginx, WS);
    a_reload_of_nginx_costs_no_call_of_a_grpc_worker: a_reload_costs_no_call(Kind::Nginx, WORKER);
    a_reload_of_nginx_costs_no_call_of_a_websocket_worker: a_reload_costs_no_call(Kind::Nginx, WORKER_WS);
    a_reload_of_haproxy_costs_no_grpc_call: a_reload_costs_no_call(Kind::Haproxy, GRPC);
    a_reload_of_haproxy_costs_no_websocket: a_reload_costs_no_call(Kind::Haproxy, WS);
    a_reload_of_haproxy_costs_no_call_of_a_grpc_worker: a_reload_costs_no_call(Kind::Haproxy, WORKER);
    a_reload_of_haproxy_costs_no_call_of_a_websocket_worker: a_reload_costs_no_call(Kind::Haproxy, WORKER_WS);
    a_grpc_call_is_resumed_when_nginx_is_killed: a_call_is_resumed_when_the_proxy_is_killed(Kind::Nginx, GRPC);
    a_grpc_call_is_resumed_when_haproxy_is_killed: a_call_is_resumed_when_the_proxy_is_killed(Kind::Haproxy, GRPC);
    a_grpc_call_is_resumed_when_envoy_is_killed: a_call_is_resumed_when_the_proxy_is_killed(Kind::Envoy, GRPC);
    a_websocket_is_resumed_when_nginx_is_killed: a_call_is_resumed_when_the_proxy_is_killed(Kind::Nginx, WS);
    a_websocket_is_resumed_when_haproxy_is_killed: a_call_is_resumed_when_the_proxy_is_killed(Kind::Haproxy, WS);
    a_websocket_is_resumed_when_envoy_is_killed: a_call_is_resumed_when_the_proxy_is_killed(Kind::Envoy, WS);
    a_call_of_a_worker_is_resumed_when_nginx_is_killed: a_call_is_resumed_when_the_proxy_is_killed(Kind::Nginx, WORKER);
    a_call_of_a_worker_is_resumed_when_haproxy_is_killed: a_call_is_resumed_when_the_proxy_is_killed(Kind::Haproxy, WORKER);
    a_call_of_a_worker_is_resumed_when_envoy_is_killed: a_call_is_resumed_when_the_proxy_is_killed(Kind::Envoy, WORKER);
}
