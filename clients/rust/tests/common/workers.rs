//! A bridge's API for workers that is made up.

#![allow(dead_code, reason = "each test program uses its part")]

use agibridge::proto::{
    CallControl, CallEvent, CallOffer, Registered, WorkerHello, WorkerOffer, WorkerReport,
    worker_offer::Offer,
    worker_report::Report,
    worker_service_server::{WorkerService, WorkerServiceServer},
};
use std::{net::SocketAddr, pin::Pin};
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc},
    task::JoinHandle,
};
use tokio_stream::{
    Stream,
    wrappers::{ReceiverStream, TcpListenerStream},
};
use tonic::{Request, Response, Status, Streaming, metadata::MetadataMap};

type Outgoing<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;
pub(crate) type Offers = mpsc::Sender<Result<WorkerOffer, Status>>;
pub(crate) type Events = mpsc::Sender<Result<CallEvent, Status>>;

/// What a worker opened.
enum Opened {
    Registration(MetadataMap, Offers, Streaming<WorkerReport>),
    Call(MetadataMap, Events, Streaming<CallControl>),
}

struct Api(mpsc::Sender<Opened>);

#[tonic::async_trait]
impl WorkerService for Api {
    type RegisterStream = Outgoing<WorkerOffer>;
    type TakeCallStream = Outgoing<CallEvent>;

    async fn register(
        &self,
        request: Request<Streaming<WorkerReport>>,
    ) -> Result<Response<Self::RegisterStream>, Status> {
        let (metadata, _, reports) = request.into_parts();
        let (offers, sent) = mpsc::channel(16);
        self.0.send(Opened::Registration(metadata, offers, reports)).await.unwrap();
        Ok(Response::new(Box::pin(ReceiverStream::new(sent))))
    }

    async fn take_call(
        &self,
        request: Request<Streaming<CallControl>>,
    ) -> Result<Response<Self::TakeCallStream>, Status> {
        let (metadata, _, controls) = request.into_parts();
        let (events, sent) = mpsc::channel(16);
        self.0.send(Opened::Call(metadata, events, controls)).await.unwrap();
        Ok(Response::new(Box::pin(ReceiverStream::new(sent))))
    }
}

pub(crate) struct Bridge {
    pub(crate) address: SocketAddr,
    opened: Mutex<mpsc::Receiver<Opened>>,
    pub(crate) server: JoinHandle<()>,
}

impl Bridge {
    pub(crate) async fn new() -> Self {
        Self::at("127.0.0.1:0").await
    }

    pub(crate) async fn at(address: &str) -> Self {
        let (opened, open) = mpsc::channel(16);
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tonic::transport::Server::builder()
            .add_service(WorkerServiceServer::new(Api(opened)))
            .serve_with_incoming(TcpListenerStream::new(listener));
        let server = tokio::spawn(async { server.await.unwrap() });
        Self { address, opened: Mutex::new(open), server }
    }

    pub(crate) async fn registration(&self) -> Registration {
        match self.opened.lock().await.recv().await.unwrap() {
            Opened::Registration(metadata, offers, reports) => {
                Registration { metadata, offers, reports }
            }
            Opened::Call(..) => panic!("a call, and not a registration"),
        }
    }

    /// A registration that has said hello and was told that it is registered.
    pub(crate) async fn registered(&self) -> (Registration, WorkerHello) {
        let mut registration = self.registration().await;
        let Some(Report::Hello(hello)) = registration.report().await else { panic!("no hello") };
        registration
            .offer(Offer::Registered(Registered { bridge_id: self.address.to_string() }))
            .await;
        (registration, hello)
    }

    pub(crate) async fn taken(&self) -> (MetadataMap, Events, Streaming<CallControl>) {
        match self.opened.lock().await.recv().await.unwrap() {
            Opened::Call(metadata, events, controls) => (metadata, events, controls),
            Opened::Registration(..) => panic!("a registration, and not a call"),
        }
    }
}

pub(crate) struct Registration {
    pub(crate) metadata: MetadataMap,
    pub(crate) offers: Offers,
    pub(crate) reports: Streaming<WorkerReport>,
}

impl Registration {
    pub(crate) async fn report(&mut self) -> Option<Report> {
        self.reports.message().await.unwrap().and_then(|it| it.report)
    }

    pub(crate) async fn offer(&self, offer: Offer) {
        self.offers.send(Ok(WorkerOffer { offer: Some(offer) })).await.unwrap();
    }

    pub(crate) async fn call(&self, token: &str) {
        self.offer(Offer::Call(CallOffer { token: token.to_owned(), ..Default::default() })).await;
    }
}
