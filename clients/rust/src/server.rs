//! The gRPC server: the bridge dials it, one stream a call.

use crate::{
    call::{CLEANUP, Call},
    drain::{Calls, DRAIN, Stage, Stopper},
    handler::{BoxError, Handler},
    machine::{Close, Machine},
    proto::{
        self, CallControl, CallEvent,
        call_service_server::{CallService, CallServiceServer},
    },
    session,
};
use futures_util::StreamExt;
use std::{net::SocketAddr, pin::Pin, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming, metadata::MetadataMap};
use tonic_health::ServingStatus;
use tonic_reflection::server::v1::{ServerReflection, ServerReflectionServer};

/// The window of a stream and of a connection: far above HTTP/2's own 64 KiB.
const WINDOW: u32 = 1 << 20;

/// How long connections have to close once no call is left.
const CLOSING: Duration = Duration::from_secs(1);

const SERVICE: &str = "agibridge.v1.CallService";

/// Why a server or a worker could not run, or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}: {source}: choose a free address of this machine, as 0.0.0.0:50051"
    )]
    Listen {
        /// What was asked for.
        address: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A setting cannot be used.
    #[error("{0}")]
    Setting(String),
    /// A bridge refuses this worker, and trying again would not help.
    #[error("the bridge at {address} refuses this worker: {reason}: {advice}")]
    Refused {
        /// The bridge.
        address: String,
        /// What it says.
        reason: String,
        /// What to do.
        advice: &'static str,
    },
    /// The server broke.
    #[error("the server broke: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// Signals cannot be listened to.
    #[error("signals cannot be listened to: {0}")]
    Signals(std::io::Error),
}

/// Serves calls on `address` until SIGTERM or SIGINT, and drains then: all of [`Server`] at its defaults.
///
/// # Errors
///
/// [`ServeError`], as when the address is in use.
pub async fn serve<H, F, E>(address: &str, handler: H) -> Result<(), ServeError>
where
    H: Fn(Call) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    Server::new(handler).listen(address).bind().await?.run().await
}

/// A gRPC server that has a handler for each call, with health and reflection.
#[derive(Debug)]
#[must_use = "a server does nothing until it is bound and run"]
pub struct Server {
    handler: Handler,
    address: String,
    token: Option<String>,
    max_calls: Option<usize>,
    cleanup: Duration,
    drain: Duration,
    reflection: bool,
    signals: bool,
    stopper: Stopper,
    #[cfg(feature = "tls")]
    tls: Option<crate::tls::ServerTls>,
}

impl Server {
    /// A server with this handler. Its error may be of any type that can be boxed: [`Error`](crate::Error), anyhow's, text.
    pub fn new<H, F, E>(handler: H) -> Self
    where
        H: Fn(Call) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        Self {
            handler: Handler::new(handler),
            address: "0.0.0.0:50051".to_owned(),
            token: None,
            max_calls: None,
            cleanup: CLEANUP,
            drain: DRAIN,
            reflection: true,
            signals: true,
            stopper: Stopper::default(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Where to listen, `0.0.0.0:50051` unless set; port 0 is any free one.
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.address = address.into();
        self
    }

    /// Refuses calls that do not show this token, as the bridge's route has it.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// How many calls at once; one more is refused, so that the bridge asks another instance. No limit unless set.
    pub fn max_calls(mut self, max: usize) -> Self {
        self.max_calls = Some(max);
        self
    }

    /// How long a handler may take after the session's end or the loss of its stream, before it is dropped; 10 s unless
    /// set. After a hangup it is the bridge's grace that counts.
    pub fn cleanup_timeout(mut self, limit: Duration) -> Self {
        self.cleanup = limit;
        self
    }

    /// How long calls may go on after a signal to stop; 1 h unless set.
    pub fn drain_timeout(mut self, limit: Duration) -> Self {
        self.drain = limit;
        self
    }

    /// Whether tools may ask for the contract; they may, unless set.
    pub fn reflection(mut self, on: bool) -> Self {
        self.reflection = on;
        self
    }

    /// Whether SIGTERM and SIGINT drain it; they do, unless set. See also [`Server::stopper`].
    pub fn signals(mut self, on: bool) -> Self {
        self.signals = on;
        self
    }

    /// TLS, and client certificates if wanted.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: crate::tls::ServerTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Stops this server from the program itself.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Begins to listen; calls are taken once it runs.
    ///
    /// # Errors
    ///
    /// [`ServeError::Listen`] when the address cannot be had.
    pub async fn bind(self) -> Result<BoundServer, ServeError> {
        let failed = |source| ServeError::Listen { address: self.address.clone(), source };
        let listener = TcpListener::bind(&self.address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(BoundServer { server: self, listener, address })
    }
}

/// A server that listens.
#[derive(Debug)]
#[must_use = "a server does nothing until it is run"]
pub struct BoundServer {
    server: Server,
    listener: TcpListener,
    address: SocketAddr,
}

impl BoundServer {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it has drained.
    ///
    /// # Errors
    ///
    /// [`ServeError`] when the server breaks, or its TLS cannot be used.
    pub async fn run(self) -> Result<(), ServeError> {
        let Self { server, listener, .. } = self;
        let stopper = server.stopper;
        let calls = Arc::new(Calls::default());
        let (health, health_service) = tonic_health::server::health_reporter();
        for name in ["", SERVICE] {
            health.set_service_status(name, ServingStatus::Serving).await;
        }
        let reflection = server.reflection.then(reflection).transpose()?;
        let service = CallServiceServer::new(Service {
            handler: Arc::new(server.handler),
            calls: Arc::clone(&calls),
            stopper: stopper.clone(),
            token: server.token.map(|it| format!("Bearer {it}")),
            max_calls: server.max_calls,
            cleanup: server.cleanup,
        });

        let mut builder = tonic::transport::Server::builder()
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW);
        #[cfg(feature = "tls")]
        if let Some(tls) = server.tls {
            builder = builder.tls_config(tls.into_config())?;
        }
        let (closed, closing) = tokio::sync::oneshot::channel::<()>();
        let incoming = TcpListenerStream::new(listener).map(|stream| {
            stream.inspect(|it| {
                // Without it a small message would wait for the one before.
                let _unset = it.set_nodelay(true);
            })
        });
        let serving = builder
            .add_service(service)
            .add_service(health_service)
            .add_optional_service(reflection)
            .serve_with_incoming_shutdown(incoming, async {
                let _dropped = closing.await;
            });
        let draining = async {
            stopper.reached(Stage::Draining).await;
            for name in ["", SERVICE] {
                health.set_service_status(name, ServingStatus::NotServing).await;
            }
            calls.drain(&stopper, server.drain).await;
        };
        let signals = async {
            if server.signals {
                stopper.by_signals().await.map_err(ServeError::Signals)
            } else {
                std::future::pending().await
            }
        };
        let mut serving = std::pin::pin!(serving);
        tokio::select! {
            broken = &mut serving => return broken.map_err(Into::into),
            Err(error) = signals => return Err(error),
            () = draining => {}
        }
        // Watches of the health would keep connections open.
        let _closed = closed.send(());
        let mut health = health;
        for name in ["", SERVICE] {
            health.clear_service_status(name).await;
        }
        tokio::time::timeout(CLOSING, serving).await.unwrap_or(Ok(())).map_err(Into::into)
    }
}

fn reflection() -> Result<ServerReflectionServer<impl ServerReflection>, ServeError> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .build_v1()
        .map_err(|error| ServeError::Setting(format!("reflection is not to be had: {error}")))
}

struct Service {
    handler: Arc<Handler>,
    calls: Arc<Calls>,
    stopper: Stopper,
    token: Option<String>,
    max_calls: Option<usize>,
    cleanup: Duration,
}

impl Service {
    fn permitted(&self, metadata: &MetadataMap) -> Result<(), Status> {
        let Some(token) = &self.token else { return Ok(()) };
        let shown = metadata.get("authorization").map_or(&[][..], |it| it.as_bytes());
        // As long for a wrong token as for the right one.
        let differs = shown.iter().zip(token.as_bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
        if differs == 0 && shown.len() == token.len() {
            return Ok(());
        }
        Err(Status::unauthenticated(
            "this service asks for a token: set `token` at the route's service",
        ))
    }
}

#[tonic::async_trait]
impl CallService for Service {
    type HandleCallStream =
        Pin<Box<dyn futures_util::Stream<Item = Result<CallControl, Status>> + Send>>;

    async fn handle_call(
        &self,
        request: Request<Streaming<CallEvent>>,
    ) -> Result<Response<Self::HandleCallStream>, Status> {
        self.permitted(request.metadata())?;
        if self.stopper.stage() > Stage::Serving {
            return Err(Status::unavailable("this instance is draining"));
        }
        let machine = Machine::new();
        let Some(place) = self.calls.enter(&machine, self.max_calls) else {
            return Err(Status::resource_exhausted("this instance has as many calls as it takes"));
        };
        let (metadata, _, events) = request.into_parts();
        let events = events.map(|event| event.map_err(|it| reason(&it)));
        let (handler, cleanup) = (Arc::clone(&self.handler), self.cleanup);
        let session = Arc::clone(&machine);
        tokio::spawn(async move {
            session::run(session, handler, events, Some(metadata), cleanup).await;
            drop(place);
        });
        let controls = session::controls(machine).filter_map(async |control| match control {
            Ok(control) => Some(Ok(control)),
            Err(Close::Done) => None,
            Err(Close::Failed(why)) => Some(Err(Status::internal(why))),
            Err(Close::Released(why)) => Some(Err(Status::unavailable(why))),
        });
        Ok(Response::new(Box::pin(controls)))
    }
}

/// Why a stream broke, for people.
pub(crate) fn reason(status: &Status) -> String {
    format!("the stream broke: {:?}: {}", status.code(), status.message())
}
