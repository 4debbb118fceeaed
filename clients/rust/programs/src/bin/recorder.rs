//! Asks for a PIN, records a message, and keeps it when the caller likes it, or hangs up.

use agibridge::{Call, Error, ServeError, Server, secs};

/// What the caller chooses after a recording.
#[derive(Clone, Copy)]
enum Choice {
    Keep,
    Play,
    Again,
}

async fn pin_is_right(call: &Call) -> Result<bool, Error> {
    let right = call.query_parameter("pin").unwrap_or("1234").to_owned();
    let pin = call.ask("vm-password", 4).validate(move |pin| pin == right).invalid("vm-incorrect");
    match pin.await {
        Ok(_) => Ok(true),
        Err(Error::NoInput { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn record(call: &Call, file: &str) -> Result<(), Error> {
    let recording = call.record_file(file, "wav").escape_digits("#").timeout(secs(60));
    recording.beep(true).silence(secs(5)).await?;
    Ok(())
}

/// Has the caller listen and record until it will do.
async fn review(call: &Call, file: &str) -> Result<(), Error> {
    loop {
        let choices = [('1', Choice::Keep), ('2', Choice::Play), ('3', Choice::Again)];
        match call.menu("vm-review", choices).await? {
            Choice::Keep => break,
            Choice::Play => drop(call.stream_file(file).escape_digits("123").await?),
            Choice::Again => record(call, file).await?,
        }
    }
    call.stream_file("auth-thankyou").await?;
    call.end().variable("RECORDED", file).await?;
    Ok(())
}

async fn recorder(call: Call) -> Result<(), Error> {
    call.answer().await?;
    if !pin_is_right(&call).await? {
        call.stream_file("vm-goodbye").await?;
        call.end().hang_up().await?;
        return Ok(());
    }
    let file = format!("/tmp/recorder-{}", call.channel().unique_id);
    record(&call, &file).await?;
    match review(&call, &file).await {
        // There is a message, and nobody said to throw it away. A variable can be set without the caller.
        Err(Error::HungUp | Error::NoInput { .. }) => call.set_variable("RECORDED", &file).await,
        reviewed => reviewed,
    }
}

#[tokio::main]
async fn main() -> Result<(), ServeError> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:50051".to_owned());
    let server = Server::new(recorder).listen(address).bind().await?;
    println!("listening on {}", server.address());
    server.run().await
}
