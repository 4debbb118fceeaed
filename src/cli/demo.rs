//! `agi-bridge demo`: a whole call in one process, with the bridge, its built-in service and a simulated caller.

use super::complain;
use crate::{
    app::App,
    config,
    demo::{self, CallerBrain, Options, Said, caller::Manner},
    phone::{self, Entry, Phone, Report, Speaker},
    proto::{CallControl, CallEvent, call_control::Control, call_event::Event},
    scenario::{Act, Caller},
};
use anyhow::{Context, anyhow};
use std::{
    future::pending,
    io::{self, Write},
    net::SocketAddr,
    path::Path,
    process::ExitCode,
    sync::Arc,
};
use tokio::{net::TcpListener, sync::mpsc};

/// The demo's options.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct DemoArgs {
    /// Let time pass so many times faster; the times shown stay those of the call
    #[arg(long, value_name = "N", default_value_t = 8.0, value_parser = speed)]
    speed: f64,

    /// The same sums every time; any number
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

const LEGEND: &str = "\
A child calls and plays the subtraction game.
  A>  Asterisk (the simulated phone) to the bridge     A<  the bridge to Asterisk, in AGI
  S<  the bridge to the service                        S>  the service to the bridge, in gRPC
  --  what the caller does and hears
";

/// Plays the demo on standard output.
pub(super) async fn demo(args: &DemoArgs) -> ExitCode {
    match play(args).await {
        Ok(report) => {
            say(&summary(&report));
            if report.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => complain(&format!("{error:#}")),
    }
}

async fn play(args: &DemoArgs) -> anyhow::Result<Report> {
    say(LEGEND);
    let service = start_service(args.seed).await.context("the service cannot start")?;
    let app = start_bridge(service).context("the bridge cannot start")?;
    let address = app.agi().first().ok_or_else(|| anyhow!("the bridge listens nowhere"))?;
    let report = call(&format!("agi://{address}/game"), args.speed).await?;
    let (_hurry, hurried) = mpsc::channel(1);
    app.drain(hurried).await;
    Ok(report)
}

async fn start_service(seed: Option<u64>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let options = Options { sums: 3, seed, ..Options::default() };
    let watch = Arc::new(|said: Said<'_>| say(&service_line(said)));
    // It ends with the process: the demo is over when its one call is.
    tokio::spawn(demo::serve(listener, demo::Subtraction::watched(options, watch), pending()));
    Ok(address)
}

fn start_bridge(service: SocketAddr) -> anyhow::Result<App> {
    let text = format!(
        "agi: {{listen: '127.0.0.1:0', cores: 1}}\n\
         shutdown: {{linger: 0s}}\n\
         routes: [{{name: game, path: /game, services: [{{url: 'grpc://{service}'}}]}}]\n"
    );
    let config = config::parse(Some(&text), Path::new(""), std::iter::empty())
        .map_err(|faults| anyhow!("{faults}"))?;
    App::start(&config)
}

/// The child gets one sum wrong.
async fn call(url: &str, speed: f64) -> Result<Report, phone::Error> {
    let (acts, receiver) = mpsc::channel(8);
    let mut brain = CallerBrain::new([Manner::Right, Manner::Wrong]);
    let options = phone::Options {
        caller: Caller { name: "Ada".into(), number: "3200".into(), ..Caller::default() },
        speed,
        ..phone::Options::default()
    };
    let observer = move |entry: &Entry| {
        say(&format!("{entry}\n"));
        if entry.speaker == Speaker::ToAsterisk
            && let Some(keys) = brain.hear(&entry.text)
        {
            // The phone takes acts as fast as they come; a full queue would be a caller with too many fingers.
            let _ = acts.try_send(Act::Press(keys));
        }
    };
    Phone::new(options).with_observer(observer).with_acts(receiver).call(url).await
}

/// What the service was told, or said, on one line.
fn service_line(said: Said<'_>) -> String {
    let (mark, text) = match said {
        Said::Event(Event::Started(started)) => {
            ("S<", format!("started: call {} on route {}", started.call_id, started.route))
        }
        Said::Event(Event::Result(result)) => ("S<", json(result)),
        Said::Event(event) => ("S<", json(&CallEvent { event: Some(event.clone()) })),
        Said::Control(Control::Command(command)) => ("S>", json(command)),
        Said::Control(control) => ("S>", json(&CallControl { control: Some(control.clone()) })),
    };
    format!("{:8} {mark} {text}\n", "")
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| format!("(not shown: {error})"))
}

fn summary(report: &Report) -> String {
    let score = report.variables.get("GAME_SCORE").map_or("none", String::as_str);
    format!(
        "\nThe call took {:.1} s. GAME_SCORE={score}, AGISTATUS={}.\n",
        report.duration.as_secs_f64(),
        report.agistatus.as_str()
    )
}

fn say(text: &str) {
    // A reader who left does not want the rest.
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(speed) if (0.1..=1000.0).contains(&speed) => Ok(speed),
        _ => Err("a number from 0.1 to 1000".to_owned()),
    }
}
