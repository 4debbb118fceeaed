//! A collector of traces that throws away what it gets: the bridge that is traced shall have somebody to send to.

use crate::host;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
    trace_service_server::{TraceService, TraceServiceServer},
};
use tokio::net::TcpListener;
use tonic::{Request, Response, Status, transport::server::TcpIncoming};

struct Traces;

/// Plays the role, until it is killed.
pub(crate) async fn main() -> anyhow::Result<()> {
    let listener = host::listen()?;
    host::say_ready(&listener)?;
    let incoming = TcpIncoming::from(TcpListener::from_std(listener)?).with_nodelay(Some(true));
    tonic::transport::Server::builder()
        .add_service(TraceServiceServer::new(Traces))
        .serve_with_incoming(incoming)
        .await?;
    Ok(())
}

#[tonic::async_trait]
impl TraceService for Traces {
    async fn export(
        &self,
        _: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}
