//! The same five commands on each call, by a FastAGI library and without the bridge.

use async_trait::async_trait;
use blazing_agi::{
    AGIError, AGIRequest,
    command::{RawCommand, set_variable::SetVariable},
    connection::Connection,
    handler::AGIHandler,
    router::Router,
    serve,
};
use tokio::net::TcpListener;

#[derive(Debug)]
struct Five;

#[async_trait]
impl AGIHandler for Five {
    async fn handle(&self, connection: &mut Connection, _: &AGIRequest) -> Result<(), AGIError> {
        connection
            .send_command(SetVariable::new("CALLED_BY".to_owned(), "bench".to_owned()))
            .await?;
        connection
            .send_command(RawCommand::new("VERBOSE \"a line for the log\" 1".to_owned()))
            .await?;
        connection.send_command(RawCommand::new("NOOP \"nothing at all\"".to_owned())).await?;
        connection.send_command(SetVariable::new("MENU".to_owned(), "main,1".to_owned())).await?;
        connection.send_command(RawCommand::new("NOOP \"and again nothing\"".to_owned())).await?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    serve::serve(listener, Router::new().route("/*", Five)).await?;
    Ok(())
}
