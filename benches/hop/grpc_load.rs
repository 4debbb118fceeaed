//! The floor of gRPC: the service driven over bare tonic streams, the load in the bridge's place with no Asterisk behind.

use crate::{
    counters::{self, Reading},
    job::{Job, Outcome},
};
use agi_bridge::proto::{
    CallControl, CallEvent, CallStarted, CommandResult, Done, call_control::Control,
    call_event::Event, call_service_client::CallServiceClient, command_result,
};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::{sync::mpsc, task::LocalSet, time};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Streaming,
    transport::{Channel, Endpoint},
};

/// As many as the bridge puts on one connection.
const STREAMS_PER_CONNECTION: usize = 100;
const WINDOW_BYTES: u32 = 8 << 20;
const OPENING_TIMEOUT: Duration = Duration::from_secs(20);

/// Plays the role.
pub(crate) async fn main(task: &[String]) -> anyhow::Result<()> {
    let job = Job::parse(task)?;
    LocalSet::new().run_until(measure(job)).await?.tell()
}

#[derive(Default)]
struct Tally {
    open: Cell<usize>,
    failed: Cell<u64>,
    fault: RefCell<Option<String>>,
    measuring: Cell<bool>,
    turns: Cell<u64>,
    turn_times: RefCell<Vec<u32>>,
}

async fn measure(job: Job) -> anyhow::Result<Outcome> {
    let memory_before = counters::memory_bytes(&job.watch);
    let tally = Rc::new(Tally::default());
    let mut streams = Vec::new();
    let mut channel = connect(&job).await?;
    for number in 0..job.calls {
        if number > 0 && number % STREAMS_PER_CONNECTION == 0 {
            channel = connect(&job).await?;
        }
        streams.push(tokio::task::spawn_local(hold(channel.clone(), job.clone(), tally.clone())));
    }
    let all_open = async {
        while tally.open.get() + (tally.failed.get() as usize) < job.calls {
            time::sleep(Duration::from_millis(1)).await;
        }
    };
    let late = time::timeout(OPENING_TIMEOUT, all_open).await.is_err();
    time::sleep(job.warm()).await;

    let mut outcome = Outcome::default();
    tally.measuring.set(true);
    let before = Reading::take(&job.watch);
    time::sleep(job.window()).await;
    let after = Reading::take(&job.watch);
    tally.measuring.set(false);
    before.until(&after, &mut outcome);

    outcome.turns = tally.turns.get();
    outcome.errors = tally.failed.get() + u64::from(late);
    outcome.fault =
        tally.fault.take().or_else(|| late.then(|| "got no command in time".to_owned()));
    outcome.grown_bytes = counters::memory_bytes(&job.watch)
        .iter()
        .zip(memory_before)
        .map(|(after, before)| after - before)
        .collect();
    outcome.set_turn_times(tally.turn_times.take());
    for stream in streams {
        stream.abort();
    }
    Ok(outcome)
}

async fn connect(job: &Job) -> anyhow::Result<Channel> {
    Ok(Endpoint::from_shared(format!("http://{}", job.target))?
        .tcp_nodelay(true)
        .initial_connection_window_size(WINDOW_BYTES)
        .connect_timeout(Duration::from_secs(5))
        .connect()
        .await?)
}

async fn hold(channel: Channel, job: Job, tally: Rc<Tally>) {
    if let Err(error) = turn(channel, &job, &tally).await {
        tally.failed.set(tally.failed.get() + 1);
        tally.fault.replace(Some(error.to_string()));
    }
}

async fn turn(channel: Channel, job: &Job, tally: &Tally) -> anyhow::Result<()> {
    let (to_service, events) = mpsc::channel(4);
    let environment = [("agi_network_script".to_owned(), job.script.path().to_owned())].into();
    let started = CallStarted { environment, ..CallStarted::default() };
    to_service.send(event(Event::Started(Box::new(started)))).await?;
    let mut client = CallServiceClient::new(channel);
    let mut controls: Streaming<CallControl> =
        client.handle_call(ReceiverStream::new(events)).await?.into_inner();
    let mut replied_at: Option<Instant> = None;
    while let Some(control) = controls.message().await? {
        let Some(Control::Command(command)) = control.control else { continue };
        let now = Instant::now();
        match replied_at {
            None => tally.open.set(tally.open.get() + 1),
            Some(from) if tally.measuring.get() => {
                tally.turns.set(tally.turns.get() + 1);
                let time = now.duration_since(from).as_nanos();
                tally.turn_times.borrow_mut().push(u32::try_from(time).unwrap_or(u32::MAX));
            }
            Some(_) => {}
        }
        replied_at = Some(now);
        let result = CommandResult {
            id: command.id,
            outcome: Some(command_result::Outcome::Done(Done {})),
            ..CommandResult::default()
        };
        to_service.send(event(Event::Result(result))).await?;
    }
    Ok(())
}

fn event(event: Event) -> CallEvent {
    CallEvent { event: Some(event) }
}
