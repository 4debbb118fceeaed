//! Workers whose token is a file that is written anew, as Kubernetes does it: one that is refused is no reason to end. How a
//! fixed one that is refused ends them is in `faults`.

use crate::{
    column::{Column, Serving, registered},
    judge, told,
};
use agi_bridge::phone::{Options, Phone};
use futures_util::future::join_all;
use kit::{bridge::Bridge, clients, program::Program};
use serde_json::json;
use std::{fs, path::Path, time::Duration};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(60);

/// What every library says of a token that is refused, whoever its user is.
const REFUSED: &str = "the token is refused";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_with_a_refused_token_takes_calls_once_its_file_has_a_good_one_in_every_language()
{
    let languages = clients::LANGUAGES
        .into_iter()
        .filter(|language| Column { language, serving: Serving::Worker }.is_asked_for());
    let tries = languages.map(|language| async move {
        if let Err(fault) = renewed(language).await {
            panic!("{language}: {fault}");
        }
    });
    join_all(tries).await;
}

async fn renewed(language: &str) -> Result<(), String> {
    let configuration = "api: {listen: \"127.0.0.1:0\", workers: [{groups: [kit], token: good}]}\n\
         routes:\n- {name: kit, path: \"/kit/{script}\", services: [{url: \"worker://kit\"}]}\n";
    let bridge = Bridge::start(Path::new(env!("CARGO_BIN_EXE_agi-bridge")), configuration).await;
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("renewed.json"), json!([{"command": {"noop": {}}}]).to_string()).unwrap();
    fs::write(at("token"), "stale\n").unwrap();
    let scripts = folder.path().to_string_lossy().into_owned();
    let shown = format!("file:{}", at("token").display());
    let address = bridge.api().unwrap().to_string();
    let launcher = clients::launcher(language, "conformance");
    let program = Program::start(launcher, &["worker", &scripts, &address, &shown]);

    let refused = |line: &str| line.contains(REFUSED).then_some(());
    program.wait_for(LIMIT, "that the token is refused", refused).await;
    fs::write(at("next"), "good\n").unwrap();
    fs::rename(at("next"), at("token")).unwrap();
    program.wait_for(LIMIT, "that it is registered", registered).await;
    let phone = Phone::new(Options { timeout: LIMIT, ..Options::default() });
    let call = phone.call(&format!("agi://{}/kit/renewed", bridge.agi())).await;
    let report = call.map_err(|error| error.to_string())?;
    let told = told::call(&program, "renewed", 0).await;
    let part = json!({"results": [{"done": {}}], "handler": "returned"});
    let faults = judge::stream(&part, &told, &report);

    let lines = program.lines();
    let warned = lines.iter().filter(|line| line.contains(REFUSED)).count();
    program.interrupt();
    let status = program.wait_until_ended(LIMIT).await;
    if !faults.is_empty() {
        return Err(faults.join("\n"));
    }
    if warned != 1 || !status.success() {
        return Err(format!("it warned {warned} times: {status}\n{}", lines.join("\n")));
    }
    Ok(())
}
