//! `agi-bridge calls` and `agi-bridge hangup`: what a running bridge is doing, over its admin port.

mod history;
mod table;

pub use super::client::{Error, Words};

use super::client::{self, Client};
use crate::secret::Secret;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;
use std::{convert::Infallible, io::Write, path::PathBuf};

/// What may stand in an id.
const SAFE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-');

const WORDS: Words = Words {
    port: "an admin port",
    address: "--admin",
    variable: "AGIBRIDGE_ADMIN",
    token: "--token or AGIBRIDGE_ADMIN_TOKEN",
};

/// Where the bridge is, and the right to change something there.
#[derive(Debug, Clone, clap::Args)]
pub struct Target {
    /// The bridge's admin port
    #[arg(
        long,
        env = "AGIBRIDGE_ADMIN",
        value_name = "URL",
        default_value = "http://127.0.0.1:4574"
    )]
    pub admin: String,

    /// The admin token, or a JWT, where the bridge wants one
    #[arg(
        long,
        env = "AGIBRIDGE_ADMIN_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        value_parser = secret
    )]
    pub token: Option<Secret>,

    /// PEM file with the authorities to trust where the bridge speaks https; default: the system's
    #[arg(long, env = "AGIBRIDGE_ADMIN_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,

    /// PEM file with a client certificate that the bridge knows
    #[arg(long, env = "AGIBRIDGE_ADMIN_CERT", value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,

    /// PEM file with its private key
    #[arg(long, env = "AGIBRIDGE_ADMIN_KEY", value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
}

impl Target {
    fn client(&self) -> Result<Client, Error> {
        let Self { admin, token, ca, cert, key } = self.clone();
        Client::new(&client::Target { address: admin, token, ca, cert, key, words: &WORDS })
    }
}

/// Lists the calls that live now, oldest first, or the last ones that ended; or tells what happened in one of them.
#[derive(Debug, Clone, clap::Args)]
pub struct CallsArgs {
    /// Where the bridge is.
    #[command(flatten)]
    pub target: Target,

    /// Tell what happened in this call, live or ended: its id, or enough of its beginning
    #[arg(value_name = "ID", conflicts_with = "ended")]
    pub id: Option<String>,

    /// List the last calls that ended, newest first
    #[arg(long)]
    pub ended: bool,

    /// Print what the bridge answers, as JSON
    #[arg(long)]
    pub json: bool,

    /// Show who called, and what is not masked; needs the right to change things
    #[arg(long)]
    pub callers: bool,

    /// List at most so many
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub limit: usize,
}

/// Ends one call. The service is told, and the channel is hung up.
#[derive(Debug, Clone, clap::Args)]
pub struct HangupArgs {
    /// Where the bridge is.
    #[command(flatten)]
    pub target: Target,

    /// The call's id, or enough of its beginning
    #[arg(value_name = "ID")]
    pub id: String,
}

/// Prints the calls of a running bridge.
///
/// # Errors
/// When the bridge cannot be reached or refuses, or `out` cannot be written.
pub async fn calls(args: &CallsArgs, out: &mut impl Write) -> Result<(), Error> {
    let client = args.target.client()?;
    let callers = args.callers;
    let path = match &args.id {
        Some(id) => format!("/calls/{}?callers={callers}", utf8_percent_encode(id, SAFE)),
        None if args.ended => format!("/calls/ended?limit={}&callers={callers}", args.limit),
        None => format!("/calls?limit={}&callers={callers}", args.limit),
    };
    let answer = client.get(&path).await?;
    if args.json {
        writeln!(out, "{answer:#}")?;
        return Ok(());
    }
    let no_bridge = |_| client.no_bridge();
    if args.id.is_some() {
        history::write_call(&serde_json::from_value(answer).map_err(no_bridge)?, out)?;
    } else if args.ended {
        history::write_ended(&serde_json::from_value(answer).map_err(no_bridge)?, out)?;
    } else {
        let calls: Calls = serde_json::from_value(answer).map_err(no_bridge)?;
        table::write(&calls, out)?;
    }
    Ok(())
}

/// Ends one call of a running bridge, and prints its id.
///
/// # Errors
/// When the bridge cannot be reached or refuses, when not exactly one call is meant, or `out` cannot be written.
pub async fn hangup(args: &HangupArgs, out: &mut impl Write) -> Result<(), Error> {
    let client = args.target.client()?;
    let path = format!("/calls/{}/hangup", utf8_percent_encode(&args.id, SAFE));
    let answer = client.post(&path).await?;
    let id = answer.get("call_id").and_then(Value::as_str).ok_or_else(|| client.no_bridge())?;
    writeln!(out, "{id} is told to end")?;
    Ok(())
}

/// What `/calls` answers. Fields that a later bridge adds are passed over.
#[derive(Debug, Deserialize)]
struct Calls {
    active: usize,
    calls: Vec<Call>,
}

#[derive(Debug, Deserialize)]
struct Call {
    call_id: String,
    route: String,
    #[serde(default)]
    service: String,
    channel: String,
    caller_number: Option<String>,
    state: String,
    command: Option<String>,
    commands: u32,
    hung_up: bool,
    age_seconds: u64,
}

pub(super) fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests;
