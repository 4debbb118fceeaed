//! One call, from its first event to the end of its handler: joins a transport's events, the machine and the handler.

use crate::{
    call::Call,
    handler::{self, BoxError, Ending, Handler},
    machine::{Close, Machine, Signals},
    proto::{CallControl, CallEvent, CallStarted, call_event::Event},
    trace,
};
use futures_util::{FutureExt, Stream, StreamExt, stream};
use std::{future, panic::AssertUnwindSafe, pin::pin, sync::Arc, time::Duration};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};
use tonic::metadata::MetadataMap;
use tracing::Instrument;

/// How long a handler that was cancelled has to be gone. One that blocks its thread is not.
const GONE: Duration = Duration::from_secs(1);

/// How long the bridge has to close its side after `ended`.
const CLOSING: Duration = Duration::from_secs(5);

/// How a handler ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandlerEnd {
    /// It returned, or ended by the hangup or for want of input.
    Returned,
    /// It ended with an error that is a fault, or panicked.
    Failed(String),
    /// It was still there after the grace, and was dropped.
    Cancelled,
}

/// The controls of a call, for a transport. The last item says how the stream ends.
pub(crate) fn controls(
    machine: Arc<Machine>,
) -> impl Stream<Item = Result<CallControl, Close>> + Send + 'static {
    stream::unfold(Some(machine), async |machine| {
        let machine = machine?;
        let control = future::poll_fn(|cx| machine.poll_control(cx)).await;
        let more = control.is_ok();
        Some((control, more.then_some(machine)))
    })
}

/// Drives one call to its end. `events` gives up with the reason why no more come.
pub(crate) async fn run<S>(
    machine: Arc<Machine>,
    handler: Arc<Handler>,
    events: S,
    metadata: Option<MetadataMap>,
    cleanup: Duration,
) -> HandlerEnd
where
    S: Stream<Item = Result<CallEvent, String>>,
{
    let mut events = pin!(events);
    let Some(started) = first(&machine, &mut events).await else { return HandlerEnd::Returned };
    machine.begin(&started);
    let span = trace::handler_span(&started, metadata.as_ref());
    let call = Call::new(Arc::clone(&machine), started);
    let handling = {
        let scope = Arc::clone(&machine);
        async move {
            // The closure itself may panic too, so it is called inside.
            let handled = AssertUnwindSafe(async { handler.run(call).await }).catch_unwind();
            scope.scope(handled).await
        }
    };
    let mut task = Handling(tokio::spawn(handling.instrument(span.clone())));

    let mut signals = machine.signals();
    let mut deadline = None;
    let mut open = true;
    let end = loop {
        tokio::select! {
            outcome = &mut task.0 => break span.in_scope(|| finish(&machine, outcome)),
            event = events.next(), if open => open = take(&machine, event),
            _ = signals.changed() => {
                let now = signals.borrow_and_update().clone();
                deadline = until(deadline, &now, cleanup);
            }
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                break cancel(&machine, task).instrument(span).await;
            }
        }
    };

    // What the handler had queued still runs, and `ended` follows.
    while open && !machine.signals().borrow().over() {
        open = take(&machine, events.next().await);
    }
    machine.close(Close::Done);
    if machine.signals().borrow().ended.is_some() {
        let drained = async { while events.next().await.is_some_and(|it| it.is_ok()) {} };
        let _late = timeout(CLOSING, drained).await;
    }
    end
}

/// Waits for `started`. Without it there is no call.
async fn first<S>(machine: &Machine, events: &mut std::pin::Pin<&mut S>) -> Option<CallStarted>
where
    S: Stream<Item = Result<CallEvent, String>>,
{
    loop {
        let why = match events.next().await {
            Some(Ok(CallEvent { event: Some(Event::Started(it)) })) => return Some(*it),
            // A heartbeat, or an event of a newer contract.
            Some(Ok(CallEvent { event: None | Some(Event::Heartbeat(_)) })) => continue,
            Some(Ok(_)) => {
                let why = "the bridge sent another event before `started`";
                tracing::warn!("{why}; the stream is closed");
                machine.close(Close::Failed(why.to_owned()));
                why.to_owned()
            }
            Some(Err(why)) => why,
            None => "the stream ended before `started`".to_owned(),
        };
        tracing::debug!("no call came of a stream: {why}");
        machine.lost(&why);
        machine.close(Close::Done);
        return None;
    }
}

/// Whether more events may come.
fn take(machine: &Machine, event: Option<Result<CallEvent, String>>) -> bool {
    match event {
        Some(Ok(event)) => machine.event(event),
        Some(Err(why)) => machine.lost(&why),
        None => machine.lost("the bridge closed the stream without `ended`"),
    }
    !machine.signals().borrow().over()
}

/// When the handler is cancelled, if it has not returned by then.
fn until(before: Option<Instant>, now: &Signals, cleanup: Duration) -> Option<Instant> {
    let at = |left: Duration| Instant::now().checked_add(left);
    match (before, &now.hangup) {
        (None, Some(hangup)) if !hangup.grace.is_zero() => at(hangup.grace),
        (None, Some(_)) => at(cleanup),
        (None, None) if now.over() => at(cleanup),
        // The grace runs on when the session ends; a stream that is lost may shorten it.
        (Some(before), _) if now.lost.is_some() => at(cleanup).map(|it| it.min(before)),
        (before, _) => before,
    }
}

type Handled =
    Result<Result<Result<(), BoxError>, Box<dyn std::any::Any + Send>>, tokio::task::JoinError>;

/// The handler's task, which does not outlive its session.
struct Handling(JoinHandle<Result<Result<(), BoxError>, Box<dyn std::any::Any + Send>>>);

impl Drop for Handling {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The handler is over by itself.
fn finish(machine: &Machine, outcome: Handled) -> HandlerEnd {
    let failed = match outcome {
        Ok(Ok(Ok(()))) => None,
        Ok(Ok(Err(error))) => match Ending::of(&error) {
            Ending::HungUp => None,
            Ending::NoInput => {
                tracing::info!("the handler ended: {error}");
                None
            }
            Ending::Lost | Ending::CallEnded if machine.signals().borrow().over() => {
                tracing::info!("the handler ended: {error}");
                None
            }
            Ending::Lost | Ending::CallEnded | Ending::Other => {
                let text = handler::chain(&error);
                tracing::error!("the handler failed: {text}");
                Some(text)
            }
        },
        Ok(Err(panic)) => {
            let text = panic
                .downcast_ref::<&str>()
                .map(ToString::to_string)
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "no text".to_owned());
            tracing::error!("the handler panicked: {text}");
            Some(format!("the handler panicked: {text}"))
        }
        Err(error) => Some(format!("the handler's task is gone: {error}")),
    };
    machine.returned(failed.clone());
    failed.map_or(HandlerEnd::Returned, HandlerEnd::Failed)
}

/// The handler is still there when it should be over.
async fn cancel(machine: &Machine, mut task: Handling) -> HandlerEnd {
    task.0.abort();
    match timeout(GONE, &mut task.0).await {
        Ok(Err(error)) if error.is_cancelled() => {
            tracing::warn!(
                "the handler was still running after the grace, and was dropped: return soon after the hangup or the \
                 session's end"
            );
        }
        // It came to its end just now.
        Ok(outcome) => return finish(machine, outcome),
        Err(_) => tracing::error!(
            "the handler was cancelled after the grace, and is still running: it blocks its thread; use async calls, or \
             `spawn_blocking`"
        ),
    }
    machine.returned(None);
    HandlerEnd::Cancelled
}
