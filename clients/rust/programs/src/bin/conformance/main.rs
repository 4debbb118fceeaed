//! The program that the conformance suite drives: a handler that does what a script says, and reports what became of it.

mod command;
mod read;
mod report;
mod script;

use agibridge::{BoxError, Call, Server, Worker};
use report::line;
use serde_json::json;
use std::{path::PathBuf, process::ExitCode, sync::Once};

const USAGE: &str = "usage: conformance grpc SCRIPTS | conformance worker SCRIPTS API [TOKEN]";

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    match run(std::env::args().skip(1).collect()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            use std::io::Write;
            let _closed = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Vec<String>) -> Result<(), BoxError> {
    let mut arguments = arguments.into_iter();
    let (Some(kind), Some(scripts)) = (arguments.next(), arguments.next()) else {
        return Err(USAGE.into());
    };
    let scripts = PathBuf::from(scripts);
    let handler = move |call: Call| script::handle(call, scripts.clone());
    match (kind.as_str(), arguments.next()) {
        ("grpc", None) => {
            let server = Server::new(handler).listen("127.0.0.1:0").bind().await?;
            line(&json!({"event": "listening", "address": server.address().to_string()}));
            server.run().await?;
        }
        ("worker", Some(api)) => {
            let once = Once::new();
            let mut worker =
                Worker::new(handler).bridge(api).group("kit").on_registered(move |_| {
                    once.call_once(|| line(&json!({"event": "registered"})));
                });
            if let Some(token) = arguments.next() {
                worker = match token.strip_prefix("file:") {
                    Some(path) => worker.token_file(path),
                    None => worker.token(token),
                };
            }
            worker.run().await?;
        }
        _ => return Err(USAGE.into()),
    }
    Ok(())
}
