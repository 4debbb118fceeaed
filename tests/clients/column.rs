//! A language and a way of serving, and what it takes to make calls through it: its conformance program and a bridge.

use crate::{keys::Keys, scene::Scripts};
use kit::{bridge::Bridge, clients, program::Program};
use serde_json::Value;
use std::{env, fmt, path::Path, sync::Arc, time::Duration};

/// How long a program may take to start, on a machine that has all of them to start.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) language: &'static str,
    pub(crate) serving: Serving,
}

/// How the bridge and the service come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Serving {
    Grpc,
    WebSocket,
    Worker,
}

/// A running program and the bridge before it.
#[derive(Debug)]
pub(crate) struct Stand {
    pub(crate) bridge: Bridge,
    pub(crate) program: Program,
    pub(crate) scripts: Arc<Scripts>,
}

impl Column {
    /// Every one: all have gRPC and workers, two have a WebSocket server.
    pub(crate) const ALL: [Self; 12] = [
        Self::new("python", Serving::Grpc),
        Self::new("python", Serving::WebSocket),
        Self::new("python", Serving::Worker),
        Self::new("typescript", Serving::Grpc),
        Self::new("typescript", Serving::WebSocket),
        Self::new("typescript", Serving::Worker),
        Self::new("go", Serving::Grpc),
        Self::new("go", Serving::Worker),
        Self::new("java", Serving::Grpc),
        Self::new("java", Serving::Worker),
        Self::new("rust", Serving::Grpc),
        Self::new("rust", Serving::Worker),
    ];

    const fn new(language: &'static str, serving: Serving) -> Self {
        Self { language, serving }
    }

    /// True unless `AGIBRIDGE_ONLY` names other languages.
    pub(crate) fn is_asked_for(self) -> bool {
        env::var("AGIBRIDGE_ONLY")
            .map_or(true, |only| only.split(',').any(|language| language == self.language))
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.language, self.serving.word())
    }
}

impl Serving {
    /// As the programs take it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::WebSocket => "websocket",
            Self::Worker => "worker",
        }
    }
}

impl Stand {
    /// Starts both.
    ///
    /// # Panics
    /// When one of them does not start.
    pub(crate) async fn start(column: Column, scripts: Arc<Scripts>) -> Self {
        Self::start_with(column, scripts, None).await
    }

    /// The same, with a bridge that has a link to Asterisk's manager where there is one.
    pub(crate) async fn start_with(
        column: Column,
        scripts: Arc<Scripts>,
        keys: Option<&Keys>,
    ) -> Self {
        let launcher = clients::launcher(column.language, "conformance");
        let folder = scripts.folder().to_string_lossy().into_owned();
        let mut arguments = vec![column.serving.word().to_owned(), folder];
        let (bridge, program) = if column.serving == Serving::Worker {
            let api = "api: {listen: \"127.0.0.1:0\", workers: [{groups: [kit]}]}\n";
            let bridge = start_bridge(api, "worker://kit", keys).await;
            arguments.push(bridge.api().expect("it has an API").to_string());
            let program = Program::start(&launcher, &arguments);
            program.wait_for(START_LIMIT, "that it is registered", registered).await;
            (bridge, program)
        } else {
            let program = Program::start(&launcher, &arguments);
            let address = program.wait_for(START_LIMIT, "where it listens", listening).await;
            let url = match column.serving {
                Serving::Grpc | Serving::Worker => format!("grpc://{address}"),
                Serving::WebSocket => format!("ws://{address}/"),
            };
            (start_bridge("", &url, keys).await, program)
        };
        Self { bridge, program, scripts }
    }
}

/// A bridge whose routes all lead to one service: `conformance`, `next` for handoffs, `quick` where the grace after a
/// hangup is short.
async fn start_bridge(sections: &str, url: &str, keys: Option<&Keys>) -> Bridge {
    let services = format!("services: [{{url: \"{url}\"}}]");
    let more = keys.map_or_else(String::new, Keys::configuration);
    let configuration = format!(
        "{sections}{more}routes:\n\
         - {{name: conformance, path: \"/conformance/{{script}}\", {services}}}\n\
         - {{name: next, path: \"/next/{{script}}\", {services}}}\n\
         - {{name: quick, path: \"/quick/{{script}}\", hangup_grace: 500ms, resume_for: 0s, {services}}}\n"
    );
    let bridge = Bridge::start(Path::new(env!("CARGO_BIN_EXE_agi-bridge")), &configuration).await;
    if let Some(keys) = keys {
        keys.wait_for(&bridge).await;
    }
    bridge
}

pub(crate) fn listening(line: &str) -> Option<String> {
    let told: Value = serde_json::from_str(line).ok()?;
    (told["event"] == "listening").then(|| told["address"].as_str().map(str::to_owned))?
}

pub(crate) fn registered(line: &str) -> Option<()> {
    let told: Value = serde_json::from_str(line).ok()?;
    (told["event"] == "registered").then_some(())
}
