//! The console in a real Chromium: a page that is looked at, clicked and typed into, over a bridge of its own.
//!
//! `console.test.mjs` beside this file holds the tests; this starts the service that its calls are for, and runs them. They need
//! Debian's `chromium` and Node; `setup.sh` puts `playwright-core` into the lab's folder. With `AGIBRIDGE_SCREENSHOTS=docs/images`
//! the pictures of the documentation are taken anew.

use agi_bridge::demo::{self, Options, Subtraction};
use std::{env, future::pending, path::PathBuf, process::Stdio, time::Duration};
use tokio::{net::TcpListener, process::Command, time::timeout};

/// For all tests, each of which has a shorter limit of its own: a bridge outlives tests that are cut off from here.
const PATIENCE: Duration = Duration::from_secs(900);

#[tokio::test]
async fn the_console_works_in_a_real_browser() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/console"));
    let setup = Command::new(folder.join("setup.sh")).stdout(Stdio::null()).status().await;
    assert!(setup.expect("bash is there").success(), "tests/console/setup.sh failed");

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let service = listener.local_addr().expect("bound");
    let options = Options { sums: 2, seed: Some(7), ..Options::default() };
    tokio::spawn(demo::serve(listener, Subtraction::new(options), pending()));

    let lab = env::var_os("AGIBRIDGE_LAB").map(PathBuf::from).unwrap_or_else(|| {
        PathBuf::from(env::var_os("HOME").expect("HOME or AGIBRIDGE_LAB is set"))
            .join(".cache/agi-bridge-lab")
    });
    let mut command = Command::new("node");
    for (name, _) in
        env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AGIBRIDGE_"))
    {
        command.env_remove(name);
    }
    if let Some(folder) = env::var_os("AGIBRIDGE_SCREENSHOTS") {
        command.env("SCREENSHOTS", folder);
    }
    let tests = command
        .args(["--test-reporter=spec", "--test"])
        .arg(folder.join("console.test.mjs"))
        .env("BRIDGE", env!("CARGO_BIN_EXE_agi-bridge"))
        .env("SERVICE", format!("grpc://{service}"))
        .env("PACKAGES", lab.join("console"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(PATIENCE, tests).await.expect("they end in time").expect("node is there");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
}
