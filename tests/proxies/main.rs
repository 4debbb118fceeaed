//! Calls through real proxies: nginx, HAProxy and Envoy, between the bridge and services, and between workers and the bridge.
//! Each proxy cuts what is quiet for three seconds, and is seen to do so in the same test.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod authority;
mod caller;
mod lane;
mod lifetime;
mod proxy;
mod quiet;

use kit::service::Transport;
use lane::Way;
use proxy::Kind;

const GRPC: Way = Way { transport: Transport::Grpc, tls: false };
const GRPCS: Way = Way { transport: Transport::Grpc, tls: true };
const WS: Way = Way { transport: Transport::WebSocketProto, tls: false };
const WSS: Way = Way { transport: Transport::WebSocketJson, tls: true };
const WORKER: Way = Way { transport: Transport::WorkerGrpc, tls: false };
const WORKER_WS: Way = Way { transport: Transport::WorkerWebSocket, tls: false };
