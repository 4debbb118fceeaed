//! The service side of a call: its commands, taken in order, and its other controls.

use super::{
    Loss, LossKind, REFUSALS_MAX,
    ending::Verdict,
    machine::Call,
    queue::{Entry, Work, error},
    state::{Owner, State},
};
use crate::{
    agi::Exchange,
    proto::{
        CallControl, CancelCommand, Checkpoint, Command, CommandError, Heartbeat,
        call_control::Control, command_error::Code,
    },
};
use std::time::Duration;

impl Call {
    pub(super) fn control(&mut self, control: CallControl, now: Duration) {
        match control.control {
            Some(Control::Command(command)) => self.command(command, now),
            Some(Control::Cancel(CancelCommand { id, interrupt })) => {
                self.queue.cancel(id);
                if interrupt {
                    self.interrupt(id, now);
                }
            }
            Some(Control::Checkpoint(checkpoint)) => self.checkpoint(checkpoint, now),
            Some(Control::End(end)) => {
                if let State::Driven { end: slot @ None } = &mut self.state {
                    *slot = Some(Verdict::from(end));
                }
            }
            // Whoever knows the routes gives it to `handle_handoff`.
            Some(Control::Handoff(_)) => {}
            // A control of a newer contract is no fault: unknown fields are ignored.
            Some(Control::Heartbeat(Heartbeat {})) | None => {}
        }
    }

    fn command(&mut self, command: Command, now: Duration) {
        let taken = self.settings.policy.max_queued_commands as usize;
        if self.queue.len() >= taken + REFUSALS_MAX {
            // Commands that were taken back leave room for others, but they keep their place.
            let flood = format!("{} commands wait for their results", self.queue.len());
            return self.misbehaved(&flood, now);
        }
        let (id, requires_success) = (command.id, command.requires_success);
        let work = match self.accept(command) {
            Ok(work) => {
                self.refusals = 0;
                work
            }
            Err(refusal) => {
                self.refusals += 1;
                if self.refusals > REFUSALS_MAX {
                    let flood = format!(
                        "{REFUSALS_MAX} commands in a row had to be refused: {}",
                        refusal.detail
                    );
                    return self.misbehaved(&flood, now);
                }
                Work::Refuse(refusal)
            }
        };
        let name = match &work {
            Work::Run { exchange, .. } => exchange.name(),
            Work::Refuse(_) => "",
        };
        self.queue.push(Entry { id, name, work, requires_success });
    }

    fn accept(&mut self, command: Command) -> Result<Work, CommandError> {
        let invalid = |detail: String| error(Code::InvalidArgument, detail);
        if command.id <= self.last_id {
            return Err(invalid(format!(
                "id: {} is not above {}, the last one",
                command.id, self.last_id
            )));
        }
        self.last_id = command.id;
        match &self.state {
            State::Driven { end: None } => {}
            State::Driven { end: Some(_) }
            | State::Opening
            | State::Resuming(_)
            | State::Relayed(_)
            | State::Ending(_)
            | State::Closing { .. }
            | State::Ended(_) => {
                return Err(error(Code::CallEnded, "the session was ended before this command"));
            }
        }
        let timeout = timeout(&command).map_err(invalid)?;
        let Some(kind) = &command.command else {
            return Err(invalid("command: none is set that this bridge knows".to_owned()));
        };
        let mut exchange = Exchange::new(kind, &self.settings.limits, self.settings.random)
            .map_err(|refused| invalid(refused.detail))?;
        exchange
            .judge(&self.settings.policy.commands)
            .map_err(|refused| error(Code::NotAllowed, refused.detail))?;
        if self.settings.cancel_key {
            exchange = exchange.with_cancel_key(&self.settings.limits);
        }
        let unanswered = self.queue.waiting() + usize::from(self.running_for_service());
        let allowed = self.settings.policy.max_queued_commands;
        if unanswered >= allowed as usize {
            return Err(error(
                Code::QueueFull,
                format!("{allowed} commands are unanswered already"),
            ));
        }
        Ok(Work::Run { exchange: Box::new(exchange), timeout, command: Box::new(command) })
    }

    fn running_for_service(&self) -> bool {
        self.running.as_ref().is_some_and(|running| match running.owner {
            Owner::Service { .. } => true,
            Owner::Nobody | Owner::Bridge | Owner::Relay => false,
        })
    }

    fn checkpoint(&mut self, checkpoint: Checkpoint, now: Duration) {
        if self.fits_checkpoint(checkpoint.state.len(), now) && self.is_resumable() {
            self.journal.check(checkpoint);
        }
    }

    /// Cuts a service off that wants more kept than the route allows.
    pub(super) fn fits_checkpoint(&mut self, bytes: usize, now: Duration) -> bool {
        let limit = self.settings.policy.checkpoint_limit;
        if bytes > limit {
            let detail = format!("a checkpoint of {bytes} bytes, where {limit} are allowed");
            self.misbehaved(&detail, now);
        }
        bytes <= limit
    }

    fn misbehaved(&mut self, detail: &str, now: Duration) {
        let loss = Loss { kind: LossKind::Misbehaved, detail: detail.to_owned() };
        self.service_lost(&loss, now);
    }
}

fn timeout(command: &Command) -> Result<Option<Duration>, String> {
    let Some(timeout) = &command.timeout else { return Ok(None) };
    match (u64::try_from(timeout.seconds), u32::try_from(timeout.nanos)) {
        (Ok(seconds), Ok(nanos)) if nanos < 1_000_000_000 && (seconds, nanos) != (0, 0) => {
            Ok(Some(Duration::new(seconds, nanos)))
        }
        _ => Err("timeout: must be above zero".to_owned()),
    }
}
