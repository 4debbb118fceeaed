//! Drives calls from wherever they stand: a checkpoint after each step, and after a loss on from the last one, with what
//! was answered since and the command that runs. Knows no transport, and nothing of what the commands do.

use super::{
    Log,
    player::{Controls, Failed},
    port,
};
use agi_bridge::{
    proto::{
        CallControl, CallStarted, Checkpoint, CommandResult, Resumption, call_control::Control,
        call_event::Event, command_error::Code, command_result::Outcome,
    },
    scenario::{ServiceStep, WaitFor},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::sync::watch;

/// What a service does on every call.
#[derive(Debug, Deserialize)]
pub struct Part {
    /// One after another, each once its command is answered.
    pub steps: Vec<ServiceStep>,
    /// Instead of what is left of `steps`, once the caller is gone.
    #[serde(default)]
    pub hangup: Vec<ServiceStep>,
}

/// Is given every event of every call, each an object with `at`, the time in µs, `call` and `event`.
pub struct Tell(Box<dyn Fn(Value) + Send + Sync>);

/// Where a call is in its part: what a checkpoint holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    hangup: bool,
    step: usize,
}

/// A part, and who hears of it.
#[derive(Debug)]
pub(super) struct Played {
    pub(super) part: Part,
    pub(super) tell: Tell,
}

struct Player {
    played: Arc<Played>,
    started: CallStarted,
    place: Place,
    /// The highest id that was used.
    last_id: u32,
    /// The newest result that was seen.
    answered: u32,
    hung_up: bool,
    log: watch::Receiver<Log>,
    /// Events of the log that were seen.
    seen: usize,
}

/// The stream is over, or of no more use.
struct Over;

impl Tell {
    /// Tells it to `hear`.
    pub fn new(hear: impl Fn(Value) + Send + Sync + 'static) -> Self {
        Self(Box::new(hear))
    }
}

impl fmt::Debug for Tell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tell")
    }
}

/// Plays on until the bridge has closed the stream, or `stop` is true: then the stream ends as lost.
pub(super) async fn play(
    played: Arc<Played>,
    started: CallStarted,
    log: watch::Receiver<Log>,
    controls: Controls,
    mut stop: watch::Receiver<bool>,
) {
    let mut over = log.clone();
    let mut player = Player::new(played, started, log);
    let to_the_end = async {
        if player.play(&controls).await.is_ok() {
            while player.next().await.is_ok() {}
        }
        let _ = over.wait_for(|log| log.closed).await;
    };
    tokio::select! {
        biased;
        () = port::stopped(&mut stop) => {
            let _ = controls.send(Err(Failed::Restarting)).await;
        }
        () = to_the_end => {}
    }
}

impl Place {
    /// Behind the next command: a step that is none leaves no result.
    fn behind_command(&mut self, part: &Part) {
        let steps = part.steps(*self);
        while steps.get(self.step).is_some_and(|step| !is_command(step)) {
            self.step += 1;
        }
        self.step += 1;
    }
}

impl Part {
    fn steps(&self, place: Place) -> &[ServiceStep] {
        if place.hangup { &self.hangup } else { &self.steps }
    }
}

impl Player {
    fn new(played: Arc<Played>, started: CallStarted, log: watch::Receiver<Log>) -> Self {
        let place = Place::default();
        let (last_id, answered, seen) = (0, 0, 0);
        Self { played, started, place, last_id, answered, hung_up: false, log, seen }
    }

    async fn play(&mut self, controls: &Controls) -> Result<(), Over> {
        match self.started.resumption.clone() {
            None => self.tell("started", json!({})),
            Some(resumption) => self.take_over(&resumption, controls).await?,
        }
        loop {
            if self.hung_up && !self.place.hangup {
                self.place = Place { hangup: true, step: 0 };
                self.checkpoint(controls).await?;
            }
            let played = Arc::clone(&self.played);
            let Some(step) = played.part.steps(self.place).get(self.place.step) else {
                return Ok(());
            };
            match step {
                ServiceStep::Send(control) => self.send((**control).clone(), controls).await?,
                // Whoever had the call before has waited.
                ServiceStep::Wait(_) if self.started.resumption.is_some() => self.place.step += 1,
                ServiceStep::Wait(span) => {
                    self.wait(*span).await?;
                    self.place.step += 1;
                }
                ServiceStep::WaitFor(WaitFor::Hangup) => {
                    while !self.hung_up {
                        self.next().await?;
                    }
                }
                ServiceStep::WaitFor(WaitFor::Ended | WaitFor::Draining)
                | ServiceStep::Batch(_)
                | ServiceStep::Close(_) => return Ok(()),
            }
        }
    }

    async fn take_over(
        &mut self,
        resumption: &Resumption,
        controls: &Controls,
    ) -> Result<(), Over> {
        let state = resumption.checkpoint.as_deref();
        let place = state.and_then(|state| serde_json::from_slice(state).ok());
        self.place = place.unwrap_or_default();
        self.last_id = resumption.last_command_id;
        self.hung_up = resumption.hung_up;
        let running = resumption.running.as_ref().map(|command| command.id);
        self.tell(
            "resumed",
            json!({
                "attempt": resumption.attempt,
                "step": self.place.step,
                "running": running,
                "results": resumption.results.len(),
                "hung_up": resumption.hung_up,
            }),
        );
        let written = resumption.results.iter().filter(|result| !is_cancelled(result));
        for result in written {
            self.answered = result.id;
            self.place.behind_command(&self.played.part);
            self.tell("result", json!({ "result": result }));
        }
        if let Some(id) = running {
            self.result(id).await?;
            self.place.behind_command(&self.played.part);
        }
        self.checkpoint(controls).await
    }

    async fn send(&mut self, mut control: CallControl, controls: &Controls) -> Result<(), Over> {
        let mut awaited = None;
        if let Some(Control::Command(command)) = &mut control.control {
            self.last_id += 1;
            command.id = self.last_id;
            awaited = Some(command.id);
        }
        self.tell("sent", json!({ "control": control }));
        controls.send(Ok(control)).await.map_err(|_| Over)?;
        self.place.step += 1;
        match awaited {
            Some(id) => {
                self.result(id).await?;
                self.checkpoint(controls).await
            }
            None => Ok(()),
        }
    }

    async fn checkpoint(&self, controls: &Controls) -> Result<(), Over> {
        let state = serde_json::to_vec(&self.place).expect("a place has a JSON form").into();
        let checkpoint = Checkpoint { state, last_result_id: Some(self.answered) };
        let control = CallControl { control: Some(Control::Checkpoint(checkpoint)) };
        controls.send(Ok(control)).await.map_err(|_| Over)
    }

    /// Waits for the result of this command. Others are those of commands that were never written.
    async fn result(&mut self, id: u32) -> Result<(), Over> {
        while self.answered != id {
            self.next().await?;
        }
        Ok(())
    }

    async fn wait(&mut self, span: Duration) -> Result<(), Over> {
        let until = tokio::time::Instant::now() + span;
        while let Ok(event) = tokio::time::timeout_at(until, self.next()).await {
            event?;
            if self.hung_up {
                break;
            }
        }
        Ok(())
    }

    /// Takes in one more event.
    async fn next(&mut self) -> Result<(), Over> {
        let seen = self.seen;
        let known = self.log.wait_for(|log| log.closed || log.events.len() > seen).await;
        let event = known.map_err(|_| Over)?.events.get(seen).cloned().ok_or(Over)?;
        self.seen += 1;
        match event {
            Event::Result(result) => {
                if !is_cancelled(&result) {
                    self.answered = result.id;
                }
                self.tell("result", json!({ "result": result }));
            }
            Event::Hangup(hangup) => {
                self.hung_up = true;
                self.tell("hangup", json!({ "hangup": hangup }));
            }
            Event::Ended(ended) => self.tell("ended", json!({ "ended": ended })),
            Event::Started(_)
            | Event::Progress(_)
            | Event::Draining(_)
            | Event::Digit(_)
            | Event::Heartbeat(_) => {}
        }
        Ok(())
    }

    fn tell(&self, event: &str, mut facts: Value) {
        let at = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        facts["at"] = u64::try_from(at.as_micros()).unwrap_or(u64::MAX).into();
        facts["call"] = self.started.call_id.as_str().into();
        facts["event"] = event.into();
        (self.played.tell.0)(facts);
    }
}

fn is_command(step: &ServiceStep) -> bool {
    match step {
        ServiceStep::Send(control) => matches!(control.control, Some(Control::Command(_))),
        ServiceStep::Batch(_)
        | ServiceStep::Wait(_)
        | ServiceStep::WaitFor(_)
        | ServiceStep::Close(_) => false,
    }
}

/// It was never written to Asterisk.
fn is_cancelled(result: &CommandResult) -> bool {
    matches!(&result.outcome, Some(Outcome::Error(error)) if error.code() == Code::Cancelled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_stands_for_the_next_step_that_is_a_command() {
        let steps = r#"{"steps": [{"noop": {}}, {"wait": "1s"}, {"answer": {}}, {"end": {}}]}"#;
        let part: Part = serde_json::from_str(steps).expect("a part");
        let mut place = Place::default();
        place.behind_command(&part);
        assert_eq!(place.step, 1);
        place.behind_command(&part);
        assert_eq!(place.step, 3);
    }
}
