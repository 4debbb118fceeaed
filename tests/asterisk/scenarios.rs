//! Every scenario on the real Asterisk and on the simulated phone, both through the bridge: what comes of it must be what
//! the scenario says, and what passes between Asterisk and the bridge must be the same.

use crate::runner::Runner;
use agi_bridge::scenario::{self, Scenario};
use kit::{
    asterisk::Asterisk,
    bridge::Bridge,
    play::{self, Played},
    service::Service,
    transcript::{COMMANDS, difference},
};
use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios");

/// What the scenarios share.
pub(crate) struct Lab {
    asterisk: Arc<Asterisk>,
    bridge: Bridge,
    service: Service,
    /// Held by scenarios that would disturb each other.
    alone: tokio::sync::Mutex<()>,
    /// The commands that the bridge wrote to the real Asterisk.
    commands: Mutex<BTreeSet<&'static str>>,
}

/// Reads every scenario.
pub(crate) fn load() -> Vec<(String, Scenario)> {
    let mut files: Vec<_> = fs::read_dir(FOLDER)
        .expect("tests/scenarios exists")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "tests/scenarios has scenarios");
    files.into_iter().map(|path| (stem(&path), load_one(&path))).collect()
}

/// Starts what they need and adds a test for each.
pub(crate) async fn add(
    runner: &mut Runner,
    asterisk: &Arc<Asterisk>,
    scenarios: Vec<(String, Scenario)>,
) -> Arc<Lab> {
    let service = Service::start().await;
    let configuration = format!(
        "routes:\n  - name: scenarios\n    path: /scenario\n    services: [{{url: \"{}\"}}]\n",
        service.url()
    );
    let bridge = Bridge::start(Path::new(env!("CARGO_BIN_EXE_agi-bridge")), &configuration).await;
    let lab = Arc::new(Lab {
        asterisk: Arc::clone(asterisk),
        bridge,
        service,
        alone: tokio::sync::Mutex::default(),
        commands: Mutex::default(),
    });
    for (name, scenario) in scenarios {
        let lab = Arc::clone(&lab);
        runner.add(&format!("scenario: {name}"), async move { lab.play(&scenario).await });
    }
    lab
}

impl Lab {
    async fn play(&self, scenario: &Scenario) {
        let on_phone = play::on_phone(scenario, self.bridge.agi(), &self.service);
        if scenario.phone_only.is_some() {
            require("phone", &on_phone.await, None);
            return;
        }
        let (on_asterisk, on_phone) = tokio::join!(self.on_asterisk(scenario), on_phone);
        let lines = on_asterisk.lines();
        self.note(&on_asterisk);
        let phone_lines = on_phone.lines();
        let parted = difference("simulated phone", &phone_lines, "real Asterisk", &lines);
        require("real Asterisk", &on_asterisk, parted.as_deref());
        require("simulated phone", &on_phone, parted.as_deref());
        if let Some(text) = parted {
            panic!("{}: the simulated phone and the real Asterisk differ:\n{text}", scenario.name);
        }
    }

    async fn on_asterisk(&self, scenario: &Scenario) -> Played {
        let _alone =
            if play::needs_asterisk_alone(scenario) { Some(self.alone.lock().await) } else { None };
        play::on_asterisk(scenario, &self.asterisk, self.bridge.agi(), &self.service).await
    }

    fn note(&self, played: &Played) {
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        commands.extend(played.transcripts.iter().flat_map(|transcript| transcript.commands()));
    }

    /// Commands of AGI that no scenario has put to the real Asterisk.
    pub(crate) fn unused_commands(&self) -> Vec<&'static str> {
        let commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        COMMANDS.into_iter().filter(|name| !commands.contains(name)).collect()
    }

    /// What the bridge logged at WARN and above.
    pub(crate) fn bridge_warnings(&self) -> Vec<String> {
        let is_bad = |line: &String| {
            line.contains("\"WARN\"") || line.contains("\"ERROR\"") || line.contains("panicked")
        };
        self.bridge.log().into_iter().filter(is_bad).collect()
    }
}

fn require(whose: &str, played: &Played, parted: Option<&str>) {
    if played.faults.is_empty() {
        return;
    }
    let lines = parted.map_or_else(|| format!("{}\n", played.lines().join("\n")), str::to_owned);
    panic!("on the {whose}:\n  {}\n{lines}", played.faults.join("\n  "));
}

fn load_one(path: &Path) -> Scenario {
    scenario::load(path).unwrap_or_else(|err| panic!("{err}"))
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
