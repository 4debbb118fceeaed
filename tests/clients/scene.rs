//! What is played: the scenarios of the bridge, and those that only a client library has. Knows the files and the scripts
//! that are made of them.

use agi_bridge::scenario::{self, Asterisk, Caller, Close, Expect, Scenario, ServiceStep, WaitFor};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

const SCENARIOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios");
const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/conformance/scenarios");

/// One call, and what each stream of it does and must tell.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    /// The file's name, and the script's.
    pub(crate) stem: String,
    /// Caller, Asterisk and what must come of the channel; its `service` only where another service can play it too.
    pub(crate) scenario: Scenario,
    /// The first part of the path.
    pub(crate) route: String,
    /// Behind the `?`; may be empty.
    pub(crate) query: String,
    /// What the handler does, for each stream of the call.
    pub(crate) scripts: Vec<Value>,
    /// Parts of what the program tells of each stream.
    pub(crate) calls: Vec<Value>,
    /// The script of another call that goes on meanwhile.
    pub(crate) alongside: Option<Value>,
    /// Who is asked to stop once the handler waits.
    pub(crate) drain: Option<Drain>,
    /// Whether Asterisk's manager tells of keys, and presses those that stop commands.
    pub(crate) digits: bool,
}

/// Who drains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Drain {
    Bridge,
    Service,
}

/// The folder with the scripts.
#[derive(Debug)]
pub(crate) struct Scripts(TempDir);

/// A file of `clients/conformance/scenarios`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnScene {
    name: String,
    #[serde(default = "conformance")]
    route: String,
    #[serde(default)]
    query: String,
    #[serde(default)]
    caller: Caller,
    #[serde(default)]
    asterisk: Asterisk,
    scripts: Vec<Value>,
    calls: Vec<Value>,
    #[serde(default)]
    alongside: Option<Value>,
    #[serde(default)]
    drain: Option<Drain>,
    #[serde(default)]
    digits: bool,
    #[serde(default)]
    expect: Expect,
}

impl Scene {
    /// True when it needs a bridge and a program for itself.
    pub(crate) fn is_alone(&self) -> bool {
        self.drain.is_some() || self.digits
    }

    /// True when the kit's service can play it too.
    pub(crate) fn is_shared(&self) -> bool {
        !self.scenario.service.is_empty()
    }

    fn of(stem: String, scenario: Scenario) -> Self {
        let steps: Vec<Value> = scenario.service.iter().map(step).collect();
        let expect = &scenario.expect;
        let closes = scenario.service.iter().any(|step| matches!(step, ServiceStep::Close(_)));
        let mut part = json!({"attempt": 0, "handler": "returned"});
        if let Some(results) = &expect.results {
            part["results"] = results.iter().map(|result| result.0.clone()).collect();
        }
        if let Some(reason) = expect.ended
            && !closes
        {
            part["ended"] = json!({"reason": reason.as_str_name()});
        }
        Self {
            stem,
            route: conformance(),
            query: String::new(),
            scripts: vec![Value::Array(steps)],
            calls: vec![part],
            alongside: None,
            drain: None,
            digits: false,
            scenario,
        }
    }

    fn of_own(stem: String, own: OwnScene) -> Self {
        let OwnScene { name, caller, asterisk, expect, .. } = own;
        let service = Vec::new();
        let scenario = Scenario { name, phone_only: None, caller, asterisk, service, expect };
        Self {
            stem,
            scenario,
            route: own.route,
            query: own.query,
            scripts: own.scripts,
            calls: own.calls,
            alongside: own.alongside,
            drain: own.drain,
            digits: own.digits,
        }
    }
}

impl Scripts {
    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }
}

/// Every scene, those of the bridge first.
pub(crate) fn load() -> Vec<Scene> {
    let shared = files(SCENARIOS).into_iter().map(|(stem, path)| {
        let scenario = scenario::load(&path).unwrap_or_else(|err| panic!("{err}"));
        Scene::of(stem, scenario)
    });
    let own = files(OWN).into_iter().map(|(stem, path)| {
        let text = fs::read_to_string(&path).unwrap();
        let options = serde_saphyr::options! { strict_booleans: true };
        let own = serde_saphyr::from_str_with_options(&text, options);
        let own: OwnScene = own.unwrap_or_else(|err| panic!("{}: {err}", path.display()));
        assert_eq!(own.scripts.len(), own.calls.len(), "{stem}: a script for each of the calls");
        Scene::of_own(stem, own)
    });
    shared.chain(own).collect()
}

/// Puts all scripts where the programs find them; `@script@` in one is the scene's own name.
pub(crate) fn write(scenes: &[Scene]) -> Scripts {
    let folder = TempDir::new().unwrap();
    for scene in scenes {
        let numbered = scene.scripts.iter().enumerate().map(|(number, script)| {
            let name =
                if number == 0 { scene.stem.clone() } else { format!("{}.{number}", scene.stem) };
            (name, script)
        });
        let other = scene.alongside.iter().map(|script| (format!("{}-other", scene.stem), script));
        for (name, script) in numbered.chain(other) {
            let text = script.to_string().replace("@script@", &scene.stem);
            fs::write(folder.path().join(format!("{name}.json")), text).unwrap();
        }
    }
    Scripts(folder)
}

fn files(folder: &str) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(folder).unwrap_or_else(|err| panic!("{folder}: {err}"));
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), path))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{folder} has scenarios");
    files
}

fn conformance() -> String {
    "conformance".to_owned()
}

fn step(step: &ServiceStep) -> Value {
    match step {
        ServiceStep::Send(control) => serde_json::to_value(control).unwrap(),
        ServiceStep::Batch(controls) => json!({"batch": serde_json::to_value(controls).unwrap()}),
        ServiceStep::Wait(span) => json!({"wait": format!("{}s", span.as_secs_f64())}),
        ServiceStep::WaitFor(WaitFor::Hangup) => json!({"waitFor": "hangup"}),
        ServiceStep::WaitFor(WaitFor::Ended) => json!({"waitFor": "ended"}),
        ServiceStep::WaitFor(WaitFor::Draining) => json!({"waitFor": "draining"}),
        ServiceStep::Close(Close::Ok) => json!({"close": "ok"}),
        ServiceStep::Close(Close::Error) => json!({"close": "error"}),
    }
}
