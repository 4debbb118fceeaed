//! Asks a bridge's manager what its standard input says, for the tests that all languages share: `manager API [TOKEN]`.

mod json;

use agibridge::{BoxError, Error, Heard, Manager, Watch};
use serde_json::{Value, json};
use std::{collections::HashMap, io::Write, process::ExitCode};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    sync::oneshot,
    task::{JoinHandle, JoinSet},
};

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    match run(std::env::args().skip(1)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _closed = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

/// A subscription that runs: what ends it, and its end.
struct Watched {
    close: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

impl Watched {
    async fn close(self) {
        // It fails when the subscription has ended by an error.
        let _ended = self.close.send(());
        let _ended = self.ended.await;
    }
}

async fn run(mut arguments: impl Iterator<Item = String>) -> Result<(), BoxError> {
    let mut settings = Manager::builder(arguments.next().ok_or("usage: manager API [TOKEN]")?);
    if let Some(token) = arguments.next() {
        settings = settings.token(token);
    }
    let manager = settings.build()?;
    let mut asked = JoinSet::new();
    let mut watched = HashMap::new();
    let mut input = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = input.next_line().await? {
        let line: Value = serde_json::from_str(&line)?;
        let id = line["id"].as_str().unwrap_or_default().to_owned();
        if line.get("watchEvents").is_some() {
            let events = json::watch(&manager, &line["watchEvents"]);
            let (close, closed) = oneshot::channel();
            let ended = tokio::spawn(hear(id.clone(), events, closed));
            watched.insert(id, Watched { close, ended });
        } else if line.get("cancel").is_some() {
            if let Some(it) = watched.remove(&id) {
                it.close().await;
            }
            say(&id, "cancelled", json!({}));
        } else {
            asked.spawn(ask(manager.clone(), id, line));
        }
    }
    for it in watched.into_values() {
        it.close().await;
    }
    while asked.join_next().await.is_some() {}
    Ok(())
}

async fn ask(manager: Manager, id: String, line: Value) {
    let (method, answer) = if let Some(it) = line.get("originate") {
        ("originate", json::originate(&manager, it).await.map(|it| json::originated(&it)))
    } else if let Some(it) = line.get("sendAction") {
        ("sendAction", json::action(&manager, it).await.map(|it| json::response(&it)))
    } else {
        ("listServers", manager.list_servers().await.map(|it| json::servers(&it)))
    };
    match answer {
        Ok(answer) => say(&id, method, answer),
        Err(error) => fail(&id, &error),
    }
}

async fn hear(id: String, mut events: Watch, mut closed: oneshot::Receiver<()>) {
    loop {
        let heard = tokio::select! {
            heard = events.next() => heard,
            _ = &mut closed => return,
        };
        match heard {
            Ok(Heard::Event(it)) => say(&id, "event", json::event(&it)),
            Ok(Heard::Missed(events)) => say(&id, "missed", json!(events)),
            Ok(Heard::State(it)) => say(&id, "serverState", json::server(&it)),
            Ok(Heard::Lost(why)) => say(&id, "lost", json!({"detail": why.to_string()})),
            Ok(_) => {}
            Err(error) => return fail(&id, &error),
        }
    }
}

fn fail(id: &str, error: &Error) {
    let code =
        if let Error::Manager(it) = error { it.code.to_string() } else { "MISUSE".to_owned() };
    say(id, "error", json!({"code": code, "message": error.to_string()}));
}

fn say(id: &str, what: &str, value: Value) {
    let mut line = json!({"id": id});
    line[what] = value;
    let mut out = std::io::stdout().lock();
    let _closed = writeln!(out, "{line}").and_then(|()| out.flush());
}
