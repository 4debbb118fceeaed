//! `agi-bridge call --replay`: a transcript against a service, and what is told of it. Knows nothing of how it is played.

use super::{print, show};
use crate::{
    phone::{self, Difference, ReplayOptions, Replayed},
    transcript::Transcript,
};
use serde_json::json;
use std::{path::Path, process::ExitCode};

/// Plays the file against whoever answers at `url`.
pub(super) async fn replay(
    file: &Path,
    url: &str,
    options: ReplayOptions,
    (quiet, as_json): (bool, bool),
) -> Result<ExitCode, String> {
    let name = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("cannot read the transcript {name}: {error}"))?;
    let transcript = Transcript::parse(&text).map_err(|error| format!("{name}: {error}"))?;
    let observer = move |entry: &phone::Entry| {
        if !quiet {
            show(entry, as_json);
        }
    };
    let result = phone::replay(&transcript, url, options, observer).await;
    let result = result.map_err(|error| error.to_string())?;
    if as_json {
        print(&to_json(&result, &transcript).to_string());
    } else {
        summary(&result, &transcript, file);
    }
    Ok(if result.is_equal() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn summary(result: &Replayed, transcript: &Transcript, file: &Path) {
    for Difference { line, expected, got } in &result.differences {
        print(&format!("{}:{line}: not as recorded", file.display()));
        print(&format!("  expected  {expected}"));
        print(&format!("  got       {got}"));
    }
    let commands = result.commands;
    match result.differences.len() {
        0 => print(&format!("as recorded: commands compared: {commands}")),
        count => {
            print(&format!("not as recorded: differences: {count}, commands compared: {commands}"))
        }
    }
    if !transcript.masked.is_empty() {
        print(&format!(
            "masked as it was recorded: {}; that is not compared, and was played as fives",
            transcript.masked
        ));
    }
    if result.is_cut {
        print("the call went on; how was not recorded");
    }
}

fn to_json(result: &Replayed, transcript: &Transcript) -> serde_json::Value {
    let difference =
        |it: &Difference| json!({"line": it.line, "expected": it.expected, "got": it.got});
    let masked: Vec<&str> = transcript.masked.split(", ").filter(|it| !it.is_empty()).collect();
    json!({
        "equal": result.is_equal(),
        "commands": result.commands,
        "differences": result.differences.iter().map(difference).collect::<Vec<_>>(),
        "masked": masked,
        "complete": !result.is_cut,
    })
}
