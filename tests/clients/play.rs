//! Plays a scene through one column: the simulated phone, a tap, the bridge, and the language's program behind it.

use crate::{
    column::{Column, Stand},
    judge,
    keys::Keys,
    scene::{Drain, Scene},
    told,
};
use agi_bridge::{
    phone::{Options, Phone, Report},
    scenario::{Act, Scenario},
};
use kit::{
    bridge::Bridge,
    play::on_phone,
    service::Service,
    tap::Tap,
    transcript::{Names, Transcript},
};
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// No scenario takes longer.
const LIMIT: Duration = Duration::from_secs(120);
/// How long a busy machine may take to close what is over.
const CLOSE_LIMIT: Duration = Duration::from_secs(30);

/// The line that tells the dialplan why a service was lost.
const REASON: &str = "A< SET VARIABLE \"AGIBRIDGE_REASON\"";

/// What came of a scene in one column.
#[derive(Debug)]
pub(crate) struct Played {
    /// What passed between Asterisk and the bridge, without what differs from run to run.
    pub(crate) lines: Vec<String>,
    /// Where it differs from what the scene expects; empty: nowhere.
    pub(crate) faults: Vec<String>,
}

/// The kit's own service behind a bridge: what every library is compared with.
#[derive(Debug)]
pub(crate) struct Model {
    bridge: Bridge,
    service: Service,
}

impl Model {
    pub(crate) async fn start() -> Self {
        let service = Service::start().await;
        let configuration = format!(
            "routes:\n- {{name: conformance, path: /scenario, services: [{{url: \"{}\"}}]}}\n",
            service.url()
        );
        let program = Path::new(env!("CARGO_BIN_EXE_agi-bridge"));
        let bridge = Bridge::start(program, &configuration).await;
        Self { bridge, service }
    }

    /// The lines of a scene that this service can play; `None` when it cannot.
    ///
    /// # Panics
    /// When it does not come out as the scene has it.
    pub(crate) async fn play(&self, scene: &Scene) -> Option<Vec<String>> {
        if !scene.is_shared() {
            return None;
        }
        let played = on_phone(&scene.scenario, self.bridge.agi(), &self.service).await;
        assert!(played.faults.is_empty(), "{}", played.faults.join("\n"));
        let started = played.log.started().expect("the call began");
        let run = started.query_parameters.first().expect("the kit's calls have ?run=");
        Some(normalised(&played.transcripts, &format!("scenario?run={}", run.value)))
    }
}

/// Plays it.
pub(crate) async fn play(scene: &Scene, column: Column, shared: &Stand) -> Played {
    let keys = if scene.digits { Some(Keys::start().await) } else { None };
    let own = if scene.is_alone() {
        let scripts = Arc::clone(&shared.scripts);
        Some(Stand::start_with(column, scripts, keys.as_ref()).await)
    } else {
        None
    };
    let stand = own.as_ref().unwrap_or(shared);
    let other = alongside(scene, stand).await;
    let tap = Tap::start(stand.bridge.agi()).await;
    let path = path(scene);
    let (acts, acting) = mpsc::channel(1);
    let phone = phone(&scene.scenario).with_acts(acting);
    let phone = match keys {
        Some(keys) => keys.beside(phone, acts.clone()),
        None => phone,
    };
    let url = format!("agi://{}/{path}", tap.address());
    let calling = tokio::spawn(async move { phone.call(&url).await });

    let mut faults = Vec::new();
    if let Some(drain) = scene.drain {
        told::waiting(&stand.program, &scene.stem).await;
        match drain {
            Drain::Bridge => stand.bridge.interrupt(),
            Drain::Service => {
                stand.program.interrupt();
                faults.extend(refused(stand.bridge.agi()).await);
                acts.send(Act::HangUp).await.expect("the caller is there still");
            }
        }
    }
    let report =
        calling.await.unwrap().unwrap_or_else(|err| panic!("the phone cannot call: {err}"));
    drop(other);
    faults.extend(report.compare(&scene.scenario.expect));
    for (attempt, part) in scene.calls.iter().enumerate() {
        let told = told::call(&stand.program, &scene.stem, attempt).await;
        faults.extend(judge::stream(part, &told, &report));
    }
    let transcripts = tap.wait_until_closed(CLOSE_LIMIT).await;
    let lines = normalised(&transcripts, &path);
    if let Some(own) = own {
        faults.extend(stop(own, scene.drain).await);
    }
    Played { lines, faults }
}

fn path(scene: &Scene) -> String {
    let query = if scene.query.is_empty() { String::new() } else { format!("?{}", scene.query) };
    format!("{}/{}{query}", scene.route, scene.stem)
}

fn phone(scenario: &Scenario) -> Phone {
    Phone::new(Options { timeout: LIMIT, ..Options::from(scenario) })
}

/// Another call through the same program, which goes on until what is given is dropped.
async fn alongside(scene: &Scene, stand: &Stand) -> Option<mpsc::Sender<Act>> {
    scene.alongside.as_ref()?;
    let script = format!("{}-other", scene.stem);
    let (acts, acting) = mpsc::channel(1);
    let phone = Phone::new(Options { timeout: LIMIT, ..Options::default() }).with_acts(acting);
    let url = format!("agi://{}/{}/{script}", stand.bridge.agi(), scene.route);
    tokio::spawn(async move { phone.call(&url).await });
    told::waiting(&stand.program, &script).await;
    Some(acts)
}

/// Calls until a call is refused: the signal may be on its way still.
async fn refused(bridge: SocketAddr) -> Option<String> {
    const TRIES: usize = 20;
    let mut last = None;
    for _ in 0..TRIES {
        let phone = Phone::new(Options { timeout: LIMIT, ..Options::default() });
        let report: Report = phone.call(&format!("agi://{bridge}/conformance/noop")).await.unwrap();
        last = report.variables.get("AGIBRIDGE_STATUS").cloned();
        if last.as_deref() == Some("UNAVAILABLE") {
            return None;
        }
    }
    Some(format!("a service that drains still takes calls: AGIBRIDGE_STATUS is {last:?}"))
}

/// Stops what a scene had for itself.
async fn stop(stand: Stand, drain: Option<Drain>) -> Option<String> {
    let Stand { bridge, program, .. } = stand;
    // A second signal to a service that drains would cut it short.
    if drain != Some(Drain::Service) {
        program.interrupt();
    }
    let lines = program.lines();
    let status = program.wait_until_ended(CLOSE_LIMIT).await;
    drop(bridge);
    (!status.success())
        .then(|| format!("the program did not end well: {status}\n{}", lines.join("\n")))
}

/// Lines in which the call's own path is `(path)`, without what each language says in its own words.
fn normalised(transcripts: &[Transcript], path: &str) -> Vec<String> {
    let names = Names::new().with(path, "path");
    let lines = transcripts.iter().map(|transcript| transcript.normalised(&names));
    let mut lines = lines.collect::<Vec<_>>().join(&"(next connection)".to_owned());
    for line in &mut lines {
        // How a service failed is told in words of its own.
        if line.starts_with(REASON) {
            REASON.clone_into(line);
        }
    }
    lines
}
