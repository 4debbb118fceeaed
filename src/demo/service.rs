//! The game on the phone: a whole `CallService`, from the first prompt to the last, hangups and silence included.
//!
//! `play` reads from top to bottom as the call goes. `Call` is all that it needs below it: a command is sent, and its
//! result awaited. Every command has a timeout, so that a result always comes; a bridge that is gone ends the stream.

use super::game::{Game, Level, Sum};
use crate::proto::{
    Answer, CallControl, CallEvent, CallStarted, Command, CommandError, ContinueDialplan, EndCall,
    FailDialplan, GetData, SayNumber, StreamFile, call_control::Control, call_event::Event,
    call_service_server::CallService, command::Command as Kind, command_result::Outcome,
    end_call::Next,
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use tracing::{info, warn};

const HELLO: &str = "hello";
const MINUS: &str = "digits/minus";
const BEEP: &str = "beep";
const RIGHT: &str = "auth-thankyou";
const WRONG: &str = "im-sorry";
const AGAIN: &str = "please-try-again";
const YOU_HAVE: &str = "vm-youhave";
const GOODBYE: &str = "vm-goodbye";

/// No prompt of ours lasts longer.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);
/// For the bridge to tell that the call is over.
const END_TIMEOUT: Duration = Duration::from_secs(10);
/// We never have more than one command and the end on their way.
const CONTROLS: usize = 2;

/// How the game is played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How hard the sums are.
    pub level: Level,
    /// How many there are.
    pub sums: usize,
    /// How often one is asked before we take it that nobody is there.
    pub tries: usize,
    /// How long we wait for a digit.
    pub patience: Duration,
    /// The same sums in every call; unset: others each time.
    pub seed: Option<u64>,
}

/// What the two sides of a stream said, for whoever watches.
#[derive(Debug, Clone, Copy)]
pub enum Said<'a> {
    /// The bridge, to the service.
    Event(&'a Event),
    /// The service, to the bridge.
    Control(&'a Control),
}

/// Hears all that is said, as it is said.
pub type Watch = Arc<dyn Fn(Said<'_>) + Send + Sync>;

/// The service.
#[derive(Clone)]
pub struct Subtraction {
    options: Options,
    watch: Option<Watch>,
}

impl Default for Options {
    fn default() -> Self {
        let patience = Duration::from_secs(5);
        Self { level: Level::Digits, sums: 5, tries: 3, patience, seed: None }
    }
}

impl Subtraction {
    /// A service for games of this kind.
    pub const fn new(options: Options) -> Self {
        Self { options, watch: None }
    }

    /// As [`new`](Self::new), with somebody who hears every game.
    pub fn watched(options: Options, watch: Watch) -> Self {
        Self { options, watch: Some(watch) }
    }
}

#[tonic::async_trait]
impl CallService for Subtraction {
    type HandleCallStream = ReceiverStream<Result<CallControl, Status>>;

    async fn handle_call(
        &self,
        request: Request<Streaming<CallEvent>>,
    ) -> Result<Response<Self::HandleCallStream>, Status> {
        let (controls, to_bridge) = mpsc::channel(CONTROLS);
        let watch = self.watch.clone();
        let call =
            Call { events: request.into_inner(), controls, watch, last_id: 0, draining: false };
        tokio::spawn(drive(call, self.options.clone()));
        // Answered at once, so that the bridge knows that the call is taken.
        Ok(Response::new(ReceiverStream::new(to_bridge)))
    }
}

/// One call, from `started` to `ended`.
async fn drive(mut call: Call, options: Options) {
    let Some(started) = call.started().await else {
        warn!("a call began without `started`");
        return;
    };
    let mut game =
        Game::new(options.level, options.sums, options.seed.unwrap_or_else(rand::random));
    let end = match play(&mut call, &mut game, &options).await {
        Ok(()) | Err(Stopped::HungUp) => Next::ContinueDialplan(ContinueDialplan {}),
        Err(Stopped::Refused(error)) => Next::FailDialplan(FailDialplan { reason: error.detail }),
        Err(Stopped::Gone) => return,
    };
    let score = format!("{}/{}", game.right(), game.asked());
    info!(call_id = started.call_id, score, "a game is over");
    // A dead channel takes variables too: the dialplan's h extension may read the score.
    call.end(HashMap::from([("GAME_SCORE".to_owned(), score)]), end).await;
}

/// The game itself.
async fn play(call: &mut Call, game: &mut Game, options: &Options) -> Result<(), Stopped> {
    call.run(Kind::Answer(Answer {})).await?;
    call.play(HELLO).await?;
    while let Some(sum) = game.next_sum() {
        let Some(typed) = ask(call, sum, options).await? else { break };
        let verdict = if game.judge(sum, &typed) { RIGHT } else { WRONG };
        call.play(verdict).await?;
        // The bridge is shutting down and waits for us: this was the last sum.
        if call.draining {
            break;
        }
    }
    call.play(YOU_HAVE).await?;
    call.say(game.right()).await?;
    call.play(GOODBYE).await
}

/// Asks one sum until something is typed. `None`: nobody seems to be there.
async fn ask(call: &mut Call, sum: Sum, options: &Options) -> Result<Option<String>, Stopped> {
    for attempt in 0..options.tries {
        if attempt > 0 {
            call.play(AGAIN).await?;
        }
        call.say(sum.from.into()).await?;
        call.play(MINUS).await?;
        call.say(sum.take.into()).await?;
        let get_data = GetData {
            file: BEEP.to_owned(),
            timeout: Some(options.patience.into()),
            max_digits: options.level.answer_digits(),
        };
        // Ends with the last digit that an answer can have, with `#`, or when our patience does.
        let outcome = call.run(Kind::GetData(get_data)).await?;
        if let Outcome::Digits(typed) = outcome
            && !typed.digits.is_empty()
        {
            return Ok(Some(typed.digits));
        }
    }
    Ok(None)
}

/// Both directions of one call's stream.
struct Call {
    events: Streaming<CallEvent>,
    controls: mpsc::Sender<Result<CallControl, Status>>,
    watch: Option<Watch>,
    last_id: u32,
    draining: bool,
}

/// Why a game ends early.
enum Stopped {
    /// The caller is gone.
    HungUp,
    /// A command failed while the caller is there.
    Refused(CommandError),
    /// The call is over, or the bridge is gone: nothing more can be said.
    Gone,
}

impl Call {
    async fn started(&mut self) -> Option<CallStarted> {
        match self.next().await {
            Ok(Event::Started(started)) => Some(*started),
            _ => None,
        }
    }

    /// Sends one command, and waits for its result.
    async fn run(&mut self, command: Kind) -> Result<Outcome, Stopped> {
        self.last_id += 1;
        let command = Command {
            id: self.last_id,
            timeout: Some(COMMAND_TIMEOUT.into()),
            command: Some(command),
            ..Command::default()
        };
        self.send(Control::Command(command)).await?;
        loop {
            match self.next().await? {
                Event::Result(result) if result.hung_up => return Err(Stopped::HungUp),
                Event::Result(result) => {
                    let outcome = result.outcome.ok_or(Stopped::Gone)?;
                    return if let Outcome::Error(error) = outcome {
                        Err(Stopped::Refused(error))
                    } else {
                        Ok(outcome)
                    };
                }
                Event::Draining(_) => self.draining = true,
                Event::Ended(_) => return Err(Stopped::Gone),
                // A hangup shows in the result that follows.
                Event::Hangup(_) | Event::Digit(_) | Event::Heartbeat(_) => {}
                Event::Started(_) | Event::Progress(_) => {}
            }
        }
    }

    async fn play(&mut self, file: &str) -> Result<(), Stopped> {
        let prompt = StreamFile { file: file.to_owned(), ..StreamFile::default() };
        self.run(Kind::StreamFile(prompt)).await.map(drop)
    }

    async fn say(&mut self, number: usize) -> Result<(), Stopped> {
        let number = i32::try_from(number).unwrap_or(i32::MAX);
        let say = SayNumber { number, ..SayNumber::default() };
        self.run(Kind::SayNumber(say)).await.map(drop)
    }

    /// Ends the session. The stream is kept until the bridge has said its last word, so that nothing is cut off.
    async fn end(mut self, variables: HashMap<String, String>, next: Next) {
        if self.send(Control::End(EndCall { variables, next: Some(next) })).await.is_err() {
            return;
        }
        let ended = async { while !matches!(self.next().await, Ok(Event::Ended(_)) | Err(_)) {} };
        if timeout(END_TIMEOUT, ended).await.is_err() {
            warn!("the bridge did not say that the call ended");
        }
    }

    fn tell(&self, said: Said<'_>) {
        if let Some(watch) = &self.watch {
            watch(said);
        }
    }

    async fn send(&mut self, control: Control) -> Result<(), Stopped> {
        self.tell(Said::Control(&control));
        let control = CallControl { control: Some(control) };
        self.controls.send(Ok(control)).await.map_err(|_| Stopped::Gone)
    }

    /// The next event that this version of the contract knows.
    async fn next(&mut self) -> Result<Event, Stopped> {
        loop {
            let event =
                self.events.message().await.map_err(|_| Stopped::Gone)?.ok_or(Stopped::Gone)?;
            if let Some(event) = event.event {
                self.tell(Said::Event(&event));
                return Ok(event);
            }
        }
    }
}
