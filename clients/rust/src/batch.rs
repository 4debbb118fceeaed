//! Several commands in one go.

use crate::{
    call::Call,
    command::{Command, Kind, Reply},
    error::Error,
    machine::Submission,
    trace,
};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// Commands that are sent in one go: one round trip between the bridge and the service.
///
/// ```no_run
/// # async fn f(call: agibridge::Call) -> Result<(), agibridge::Error> {
/// let mut batch = call.batch();
/// let answered = batch.add(call.answer());
/// let pin = batch.add(call.get_data("enter-pin").max_digits(4));
/// batch.send()?;
/// answered.await?;
/// let pin = pin.await?.digits;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "a batch does nothing unless it is sent"]
pub struct Batch {
    call: Call,
    independent: bool,
    foreign: bool,
    commands: Vec<(Submission, Arc<AtomicU32>)>,
}

impl Batch {
    pub(crate) fn new(call: &Call, independent: bool) -> Self {
        Self { call: call.clone(), independent, foreign: false, commands: Vec::new() }
    }

    /// Adds a command; its result is had from the handle, once the batch was sent. To drop the handle before that only says
    /// that nobody wants the result; to drop it afterwards takes the command back.
    pub fn add<K: Kind>(&mut self, mut command: Command<K>) -> Reply<K::Output> {
        if !self.independent && !self.commands.is_empty() {
            command = command.requires_success(true);
        }
        let machine = Arc::clone(&command.call.machine);
        self.foreign |= !Arc::ptr_eq(&machine, &self.call.machine);
        let (submission, result) = command.submission();
        let id = Arc::new(AtomicU32::new(0));
        let reply = Reply::batched(submission.name, machine, Arc::clone(&id), result);
        self.commands.push((submission, id));
        reply
    }

    /// Sends all of them, and does not wait: await the handles. Commands for which the bridge has no room yet follow by
    /// themselves.
    ///
    /// # Errors
    ///
    /// As for any command; then none of them was sent.
    pub fn send(self) -> Result<(), Error> {
        if self.foreign {
            return Err(Error::misuse(
                "a command of another call in a batch: make a batch of each call's own",
            ));
        }
        let (mut commands, ids): (Vec<_>, Vec<_>) = self.commands.into_iter().unzip();
        for it in &mut commands {
            it.command.trace_context = trace::context();
        }
        let numbers = self.call.machine.submit(commands)?;
        for (id, number) in ids.iter().zip(numbers) {
            id.store(number, Ordering::Relaxed);
        }
        Ok(())
    }
}
