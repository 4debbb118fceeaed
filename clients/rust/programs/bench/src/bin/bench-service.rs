//! Five commands on each call, by the library.

use agibridge::{Call, Error, ServeError, Server};

async fn five(call: Call) -> Result<(), Error> {
    call.set_variable("CALLED_BY", "bench").await?;
    call.verbose("a line for the log").level(1).await?;
    call.noop("nothing at all").await?;
    call.set_variable("MENU", "main,1").await?;
    call.noop("and again nothing").await
}

#[tokio::main]
async fn main() -> Result<(), ServeError> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let server = Server::new(five).listen(address).bind().await?;
    println!("listening on {}", server.address());
    server.run().await
}
