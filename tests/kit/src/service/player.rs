//! Plays the steps of a script on one call. Knows the order of steps; what carries the call and keeps the record is not
//! its own.

use super::Log;
use agi_bridge::{
    proto::{CallControl, call_control::Control, call_event::Event},
    scenario::{Close, ServiceStep, WaitFor},
};
use std::time::Duration;
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};

/// Controls that may wait for the connection.
const CONTROLS_MAX: usize = 64;
/// For the result of any command, and any event that a step waits for.
const LIMIT: Duration = Duration::from_secs(60);

/// Where the player puts what the service says. That it is dropped means that the service is done.
pub(super) type Controls = mpsc::Sender<Result<CallControl, Failed>>;

/// The service fails: the last that it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failed {
    /// By the script.
    Scripted,
    /// It is being restarted.
    Restarting,
}

/// Between a player and what carries its call.
pub(super) fn channel() -> (Controls, mpsc::Receiver<Result<CallControl, Failed>>) {
    mpsc::channel(CONTROLS_MAX)
}

/// Plays the steps, then keeps the stream open until the bridge has closed its side.
pub(super) async fn play(steps: &[ServiceStep], mut log: watch::Receiver<Log>, controls: Controls) {
    let mut player = Player { last_id: 0, sent: 0 };
    for step in steps {
        let go_on = match step {
            ServiceStep::Send(control) => {
                player.send(&[(**control).clone()], &controls, &mut log).await
            }
            ServiceStep::Batch(batch) => player.send(batch, &controls, &mut log).await,
            ServiceStep::Wait(span) => {
                tokio::time::sleep(*span).await;
                true
            }
            ServiceStep::WaitFor(what) => wait(&mut log, |log| has(log, *what)).await,
            ServiceStep::Close(Close::Ok) => return,
            ServiceStep::Close(Close::Error) => {
                let _ = controls.send(Err(Failed::Scripted)).await;
                return;
            }
        };
        if !go_on {
            break;
        }
    }
    wait(&mut log, |_| false).await;
}

struct Player {
    /// The highest id that was sent.
    last_id: u32,
    /// Commands that were sent.
    sent: usize,
}

impl Player {
    /// Sends controls and waits for the results of all commands so far; false when there is no use to go on.
    async fn send(
        &mut self,
        batch: &[CallControl],
        controls: &Controls,
        log: &mut watch::Receiver<Log>,
    ) -> bool {
        for control in batch {
            let mut control = control.clone();
            if let Some(Control::Command(command)) = &mut control.control {
                if command.id == 0 {
                    command.id = self.last_id + 1;
                }
                self.last_id = self.last_id.max(command.id);
                self.sent += 1;
            }
            if controls.send(Ok(control)).await.is_err() {
                return false;
            }
        }
        let sent = self.sent;
        wait(log, |log| log.results().len() >= sent).await
    }
}

/// Waits for something in the log; false when the stream was over before, or it did not come.
async fn wait(log: &mut watch::Receiver<Log>, wanted: impl Fn(&Log) -> bool) -> bool {
    match timeout(LIMIT, log.wait_for(|log| log.closed || wanted(log))).await {
        Ok(Ok(log)) => wanted(&log),
        Ok(Err(_)) | Err(_) => false,
    }
}

fn has(log: &Log, what: WaitFor) -> bool {
    log.events.iter().any(|event| match event {
        Event::Hangup(_) => what == WaitFor::Hangup,
        Event::Ended(_) => what == WaitFor::Ended,
        Event::Draining(_) => what == WaitFor::Draining,
        Event::Started(_)
        | Event::Progress(_)
        | Event::Result(_)
        | Event::Digit(_)
        | Event::Heartbeat(_) => false,
    })
}
