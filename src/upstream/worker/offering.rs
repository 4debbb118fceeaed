//! One offer of a call to one worker, from the choice of the worker to its answer. Knows no other services.

use super::{
    Workers,
    link::WorkerLink,
    roster::{Answer, Asked, Picked},
};
use crate::{
    proto::{CallOffer, CallStarted, call_event::Event},
    route::Service,
    upstream::{Opening, error::AttemptError},
};
use std::sync::Arc;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

/// Random bytes in a token: nobody guesses one.
const TOKEN_BYTES: usize = 24;

/// By when an offer must be taken.
#[derive(Debug, Clone, Copy)]
pub(in crate::upstream) struct By {
    /// While others can be asked.
    pub(in crate::upstream) soon: Instant,
    /// When nobody else is left.
    pub(in crate::upstream) last: Instant,
}

/// A place at a worker: for an offer first, then for its call.
#[derive(Debug)]
pub(super) struct Place {
    workers: Arc<Workers>,
    pub(super) worker_id: Arc<str>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.workers.lock().release(&self.worker_id);
    }
}

/// An offer that was made. Dropped while it stands, it is withdrawn.
struct Offered {
    token: String,
    answer: oneshot::Receiver<Answer>,
    by: Instant,
    worker_id: Arc<str>,
    // Dropped after the offer is withdrawn.
    place: Option<Place>,
    workers: Arc<Workers>,
}

impl Drop for Offered {
    fn drop(&mut self) {
        self.workers.lock().revoke(&self.token, None);
    }
}

impl Workers {
    /// Offers the call to the best worker of `group` that was not asked yet, and waits for what it says.
    pub(in crate::upstream) async fn offer(
        self: &Arc<Self>,
        service: &Arc<Service>,
        group: &str,
        opening: &Opening,
        asked: &mut Asked,
        by: By,
    ) -> Result<WorkerLink, AttemptError> {
        let mut offered = self.make_offer(group, opening, asked, by)?;
        let worker = offered.worker_id.to_string();
        match timeout_at(offered.by, &mut offered.answer).await {
            Ok(Ok(Answer::Taken(brought))) => {
                let place = offered.place.take().expect("an offer is taken once");
                // On this thread and its runtime from now on.
                let ends = brought.open(opening.capacity).await;
                let mut link = WorkerLink::new(ends, Arc::clone(service), place);
                match link.try_send(&opening.started) {
                    Ok(()) => Ok(link),
                    Err(_) => Err(AttemptError::WorkerGone { worker }),
                }
            }
            Ok(Ok(Answer::Declined(reason))) => Err(AttemptError::Declined { worker, reason }),
            Ok(Err(_)) => Err(AttemptError::WorkerGone { worker }),
            Err(_) => {
                self.lock().revoke(&offered.token, Some(Instant::now()));
                Err(AttemptError::NotTaken { worker })
            }
        }
    }

    fn make_offer(
        self: &Arc<Self>,
        group: &str,
        opening: &Opening,
        asked: &mut Asked,
        by: By,
    ) -> Result<Offered, AttemptError> {
        let now = Instant::now();
        let mut roster = self.lock();
        loop {
            let picked = roster
                .pick(group, asked, now)
                .map_err(|connected| AttemptError::NoWorker { group: group.into(), connected })?;
            let by = if picked.alone { by.last } else { by.soon };
            let token = token();
            let call = call_offer(group, opening, token.clone(), by - now);
            let (answer, answered) = oneshot::channel();
            if roster.offer(&picked, call, opening.capacity, answer, now) {
                drop(roster);
                let Picked { worker_id, .. } = picked;
                let place = Place { workers: Arc::clone(self), worker_id: Arc::clone(&worker_id) };
                let (place, workers) = (Some(place), Arc::clone(self));
                return Ok(Offered { token, answer: answered, by, worker_id, place, workers });
            }
        }
    }
}

fn call_offer(
    group: &str,
    opening: &Opening,
    token: String,
    expires_in: std::time::Duration,
) -> CallOffer {
    let mut started = None;
    if let Some(Event::Started(event)) = &opening.started.event {
        started = Some(&**event);
    }
    let text = |pick: fn(&CallStarted) -> &String| started.map(pick).cloned().unwrap_or_default();
    CallOffer {
        token,
        call_id: text(|started| &started.call_id),
        group: group.to_owned(),
        route: text(|started| &started.route),
        channel: started.and_then(|started| started.channel.clone()),
        expires_in: Some(expires_in.into()),
    }
}

fn token() -> String {
    let bytes: [u8; TOKEN_BYTES] = rand::random();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
