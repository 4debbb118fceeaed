//! The program's commands. Everything that a person reads on standard output goes through here.

mod call;
pub mod calls;
pub mod check;
mod client;
mod demo;
pub mod dialplan;
mod originate;
pub mod serve;

use clap::{Args, Parser, Subcommand};
use std::{
    ffi::OsString,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

/// Variables of the program itself, which are no part of the configuration.
const OWN_VARIABLES: [&str; 12] = [
    "AGIBRIDGE_CONFIG",
    "AGIBRIDGE_ADMIN",
    "AGIBRIDGE_ADMIN_TOKEN",
    "AGIBRIDGE_ADMIN_CA",
    "AGIBRIDGE_ADMIN_CERT",
    "AGIBRIDGE_ADMIN_KEY",
    "AGIBRIDGE_API_URL",
    "AGIBRIDGE_API_TOKEN",
    "AGIBRIDGE_API_CA",
    "AGIBRIDGE_API_CERT",
    "AGIBRIDGE_API_KEY",
    "AGIBRIDGE_SIGNING_SECRET",
];

/// FastAGI in, one gRPC stream a call out
///
/// Asterisk runs AGI(agi://bridge/route) on a channel; agi-bridge turns that call into one bidirectional gRPC stream to
/// a service in any language, which sends typed commands and gets typed results.
#[derive(Debug, Parser)]
#[command(name = "agi-bridge", version, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the bridge
    ///
    /// Ready once every port is bound; /readyz on the admin port says so. SIGHUP, or a change of the file, reloads
    /// routes and limits. SIGTERM and ctrl-c drain: new calls go back to the dialplan, running ones may end; a second
    /// signal ends them now.
    Serve(ConfigArgs),
    /// Report every fault of a configuration, or print the one in force
    ///
    /// Prints the effective configuration as YAML with secrets masked and exits 0, or every fault with its path and
    /// line and exits 1.
    Check(ConfigArgs),
    /// Play a whole call on this terminal: bridge, service and caller in one process
    ///
    /// The service is the subtraction game: a child is asked sums, types answers and hears a score. The caller is
    /// simulated. Needs no Asterisk, no network and no file.
    Demo(demo::DemoArgs),
    /// Call a bridge, or any FastAGI server, as Asterisk would
    Call(Box<call::CallArgs>),
    /// List the calls of a running bridge
    Calls(calls::CallsArgs),
    /// Hang up one call of a running bridge
    Hangup(calls::HangupArgs),
    /// Start a call by a running bridge, or print a signed URL that does
    Originate(Box<originate::OriginateArgs>),
    /// Print the events of Asterisk as they come, one JSON object on a line
    Events(originate::EventsArgs),
    /// Print the lines for extensions.conf that send calls to a route
    Dialplan(DialplanArgs),
}

#[derive(Debug, Args)]
struct ConfigArgs {
    /// The configuration file; without one, AGIBRIDGE_… variables are all there is
    #[arg(long, short, env = "AGIBRIDGE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct DialplanArgs {
    /// The route's name in the configuration
    #[arg(value_name = "ROUTE")]
    route: String,

    /// Where Asterisk reaches the bridge
    #[arg(long, default_value = "127.0.0.1", value_name = "HOST[:PORT]")]
    host: String,

    /// For calls that come over Asterisk's manager: AGI(agi:async,/path)
    #[arg(long, conflicts_with = "host")]
    async_agi: bool,

    #[command(flatten)]
    config: ConfigArgs,
}

impl DialplanArgs {
    /// What stands in AGI() before the path.
    fn begin(&self) -> String {
        if self.async_agi { "agi:async,".to_owned() } else { format!("agi://{}", self.host) }
    }
}

/// Does what the command line says.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return complain(&format!("cannot start: {error}")),
    };
    let mut out = io::stdout().lock();
    match cli.command {
        Command::Serve(args) => {
            runtime.block_on(serve::serve(args.config.as_deref(), environment()))
        }
        Command::Check(args) => {
            code(check::check(args.config.as_deref(), environment().into_iter(), &mut out))
        }
        Command::Demo(args) => {
            drop(out);
            runtime.block_on(demo::demo(&args))
        }
        Command::Call(args) => {
            drop(out);
            runtime.block_on(call::call(*args))
        }
        Command::Calls(args) => done(runtime.block_on(calls::calls(&args, &mut out))),
        Command::Hangup(args) => done(runtime.block_on(calls::hangup(&args, &mut out))),
        Command::Originate(args) => runtime
            .block_on(originate::originate(&args, &mut out))
            .unwrap_or_else(|error| complain(&error.to_string())),
        Command::Events(args) => done(runtime.block_on(originate::events(&args, &mut out))),
        Command::Dialplan(args) => print_dialplan(&args, &mut out),
    }
}

fn print_dialplan(args: &DialplanArgs, out: &mut impl Write) -> ExitCode {
    match crate::config::load(args.config.config.as_deref(), environment().into_iter()) {
        Ok(loaded) => code(dialplan::dialplan(&loaded.config, &args.route, &args.begin(), out)),
        Err(faults) => complain(&faults.to_string()),
    }
}

/// The variables that may belong to the configuration.
fn environment() -> Vec<(OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| !OWN_VARIABLES.iter().any(|own| name == own)).collect()
}

fn code(written: io::Result<u8>) -> ExitCode {
    written.map_or_else(|error| complain(&error.to_string()), ExitCode::from)
}

fn done<E: std::fmt::Display>(result: Result<(), E>) -> ExitCode {
    result.map_or_else(|error| complain(&error.to_string()), |()| ExitCode::SUCCESS)
}

/// Says on standard error what went wrong.
pub(crate) fn complain(what: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "agi-bridge: {what}");
    ExitCode::FAILURE
}
