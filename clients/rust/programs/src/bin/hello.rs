//! Answers, greets, and says the caller's number.

use agibridge::{Call, Error, ServeError, Server};

async fn hello(call: Call) -> Result<(), Error> {
    call.answer().await?;
    call.stream_file("hello-world").await?;
    let number = &call.channel().caller_id_number;
    if !number.is_empty() {
        call.say_digits(number).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), ServeError> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:50051".to_owned());
    let server = Server::new(hello).listen(address).bind().await?;
    println!("listening on {}", server.address());
    server.run().await
}
