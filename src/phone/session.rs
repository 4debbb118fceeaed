//! The loop of AGI() on one channel: lines in, replies out, the hangup told when Asterisk would tell it. Pure: bytes,
//! acts of the caller and `now` (since the connection) go in; after each, [`Session::poll_output`] until it is empty,
//! then wait for input or [`Session::deadline`].

use super::{
    AgiStatus, Gone, Options,
    address::Address,
    channel::Channel,
    command::{self, Start, World},
    input::{Excess, Input, Read},
    prelude,
    script::Script,
    sounds::Sounds,
    table::{self, Verb},
    task::{Ending, Event, Task},
    words,
};
use crate::scenario::{Act, Location};
use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    time::Duration,
};

/// So many lines in a row that are no commands come from no AGI server.
const UNKNOWN_MAX: usize = 100;

/// What a session begins with.
#[derive(Debug)]
pub struct Setup<'a> {
    /// How the call is made.
    pub options: &'a Options,
    /// The URL that AGI() was given.
    pub address: &'a Address,
    /// Seconds since 1970 when the call began; names the channel's unique id and gives EPOCH.
    pub epoch: u64,
}

/// One AGI session, Asterisk's side of it, and the caller on the channel.
#[derive(Debug)]
pub struct Session {
    world: World,
    input: Input,
    running: Option<Running>,
    script: Script,
    outputs: VecDeque<Output>,
    status: AgiStatus,
    sends_hangup: bool,
    exits_on_hangup: bool,
    limit: Duration,
    unknown_in_a_row: usize,
    ended: Option<Ended>,
}

#[derive(Debug)]
struct Running {
    task: Task,
    told_of_hangup: bool,
}

/// What a session wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Write these bytes to the AGI socket.
    Send(Vec<u8>),
    /// Something that the caller does or hears.
    Note(String),
    /// Close the socket: the session is over.
    Close,
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The server closed the connection.
    Server,
    /// The server sent a `failure` line.
    Failure,
    /// The call was hung up, and AGIEXITONHANGUP is set.
    Hangup,
    /// The server did what no AGI server may.
    Fault(Fault),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server => f.write_str("the AGI server ended the session"),
            Self::Failure => f.write_str("the AGI server said failure"),
            Self::Hangup => {
                f.write_str("Asterisk ended the session at the hangup (AGIEXITONHANGUP)")
            }
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}

/// What an AGI server did wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The call went on for longer than the phone was told to wait.
    #[error("the AGI server did not end the session in time")]
    Timeout,
    /// 64 KiB without a line end.
    #[error("the AGI server sent 64 KiB without a line end")]
    EndlessLine,
    /// 1 MiB while a command ran.
    #[error("the AGI server sent 1 MiB while a command was running")]
    Flood,
    /// A hundred lines in a row that are no commands.
    #[error("the AGI server sent 100 lines in a row that are no AGI commands")]
    Garbage,
    /// More than 128 words in quotes.
    #[error(
        "the AGI server sent more than 128 words in quotes: a real Asterisk would have crashed"
    )]
    Crash,
    /// The transcript grew beyond what can be kept.
    #[error("the AGI server kept the session going for more lines than are kept")]
    TooLong,
    /// Asterisk drops what is not read within 100 ms; this was seconds.
    #[error("the AGI server does not read what Asterisk writes")]
    NotReading,
}

impl Session {
    /// Begins; the prelude is the first output.
    pub fn new(setup: &Setup<'_>) -> Self {
        let options = setup.options;
        let caller = &options.caller;
        let channel = Channel::new(caller, setup.epoch);
        let heard = options.asterisk.speech.iter().flat_map(|speech| speech.results.clone());
        let block = prelude::block(&channel, setup.address, &options.version, &caller.arguments);
        Self {
            sends_hangup: channel.flag("AGISIGHUP") != Some(false),
            exits_on_hangup: channel.flag("AGIEXITONHANGUP") == Some(true),
            world: World {
                channel,
                sounds: Sounds::new(&options.asterisk, options.sounds.clone()),
                asterisk: options.asterisk.clone(),
                audio: caller.audio,
                speech: false,
                heard: heard.collect(),
                hangup_at: None,
                dead: caller.dead,
                began_dead: caller.dead,
                notes: Vec::new(),
                now: Duration::ZERO,
            },
            input: Input::default(),
            running: None,
            script: Script::new(caller, &options.digits, options.hangup_after),
            outputs: VecDeque::from([Output::Send(block)]),
            status: AgiStatus::Success,
            limit: options.timeout,
            unknown_in_a_row: 0,
            ended: None,
        }
    }

    /// Bytes came on the AGI socket.
    pub fn handle_bytes(&mut self, bytes: &[u8], now: Duration) {
        self.handle_time(now);
        if let Err(excess) = self.input.push(bytes) {
            self.fail(excess.into());
        }
        self.turn();
    }

    /// The server closed its side, or broke the connection: Asterisk sees no difference.
    pub fn handle_close(&mut self, now: Duration) {
        self.handle_time(now);
        self.input.close();
        self.turn();
    }

    /// The caller does something beside the script.
    pub fn handle_act(&mut self, act: Act, now: Duration) {
        self.handle_time(now);
        if let Act::Press(keys) = act {
            for key in keys.chars() {
                self.act(Act::Press(key.to_string()));
                self.turn();
            }
        } else {
            self.act(act);
        }
        self.turn();
    }

    /// Time has come to `now`: everything that is due happens, in the order in which it is due.
    pub fn handle_time(&mut self, now: Duration) {
        while let Some(due) = self.deadline().filter(|due| *due <= now) {
            self.set_now(due.max(self.world.now));
            self.happen(due);
            self.turn();
        }
        self.set_now(now.max(self.world.now));
    }

    /// Ends the session because of what the driver saw.
    pub fn handle_fault(&mut self, fault: Fault) {
        self.fail(fault);
    }

    /// When [`Session::handle_time`] must be called; unset once the session is over.
    pub fn deadline(&self) -> Option<Duration> {
        if self.ended.is_some() {
            return None;
        }
        let task = self.running.as_ref().and_then(|running| running.task.deadline());
        [self.script.deadline(), self.world.hangup_at, task]
            .into_iter()
            .flatten()
            .chain([self.limit])
            .min()
    }

    /// What is to be done next, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Why the session ended; unset while it goes on.
    pub fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    /// AGISTATUS as it stands.
    pub fn agistatus(&self) -> AgiStatus {
        self.status
    }

    /// Who took the caller away, if anybody did.
    pub fn gone(&self) -> Option<Gone> {
        self.world.channel.gone
    }

    /// Where the dialplan goes on; unset when the call is over.
    pub fn position(&self) -> Option<Location> {
        let channel = &self.world.channel;
        match channel.gone {
            Some(Gone::Caller | Gone::Server | Gone::Timer) => None,
            None | Some(Gone::Redirect | Gone::Before) => Some(Location {
                context: words::to_people(&channel.context),
                extension: words::to_people(&channel.extension),
                priority: i32::try_from(channel.priority + 1).unwrap_or(i32::MAX),
            }),
        }
    }

    /// The channel's variables, without inheritance marks.
    pub fn variables(&self) -> BTreeMap<String, String> {
        self.world.channel.variables()
    }

    /// AstDB, as `family/key`.
    pub fn database(&self) -> BTreeMap<String, String> {
        let people =
            |(key, value): (&String, &String)| (words::to_people(key), words::to_people(value));
        self.world.channel.database.iter().map(people).collect()
    }

    fn set_now(&mut self, now: Duration) {
        self.world.now = now;
        self.world.channel.now = now;
    }

    /// One thing that is due.
    fn happen(&mut self, due: Duration) {
        if self.script.deadline() == Some(due) {
            let task = self.running.as_ref().map(|running| &running.task);
            let wants = |key| task.is_some_and(|task| task.wants(key));
            if let Some(act) = self.script.take(due, task.is_none(), wants) {
                self.act(act);
            }
        } else if self.world.hangup_at == Some(due) {
            self.world.hangup_at = None;
            self.note("SET AUTOHANGUP hangs up".into());
            self.world.channel.hang_up(Gone::Timer);
        } else if self.limit == due {
            self.fail(Fault::Timeout);
        } else {
            self.tell(&Event::Time);
        }
    }

    fn act(&mut self, act: Act) {
        if self.world.channel.gone.is_some() || self.ended.is_some() {
            return;
        }
        match act {
            Act::Press(key) => {
                let heard = self.running.is_some();
                self.note(format!("presses {key}{}", if heard { "" } else { " (nobody listens)" }));
                if let Some(key) = key.chars().next() {
                    self.tell(&Event::Key(key));
                }
            }
            Act::HangUp => {
                self.note("hangs up".into());
                self.world.channel.hang_up(Gone::Caller);
            }
            Act::Text(text) => {
                self.note(format!("sends the text {text:?}"));
                self.tell(&Event::Text(words::from_people(&text)));
            }
            Act::Redirect(to) => {
                self.note(format!(
                    "is redirected to {},{},{}",
                    to.context, to.extension, to.priority
                ));
                let (context, extension) =
                    (words::from_people(&to.context), words::from_people(&to.extension));
                self.world.channel.go_to(Some(&context), Some(&extension), to.priority.into());
                self.world.channel.hang_up(Gone::Redirect);
            }
        }
    }

    /// Lets the running command know; ends it if that is its end.
    fn tell(&mut self, event: &Event) {
        let Some(running) = &mut self.running else { return };
        let World { channel, sounds, now, .. } = &mut self.world;
        if let Some(ending) = running.task.on(event, *now, channel, sounds) {
            self.running = None;
            self.complete(ending);
        }
    }

    /// Goes on until a command runs or nothing is left to read.
    fn turn(&mut self) {
        while self.ended.is_none() {
            if self.running.is_some() {
                if !self.interrupt() {
                    return;
                }
            } else if !self.idle() {
                return;
            }
        }
    }

    /// Tells the running command of a hangup and of bytes on the socket; true when it ended.
    fn interrupt(&mut self) -> bool {
        let hung_up = self.world.channel.gone.is_some();
        if let Some(running) =
            self.running.as_mut().filter(|running| hung_up && !running.told_of_hangup)
        {
            running.told_of_hangup = true;
            self.tell(&Event::HangUp);
        }
        if self.running.is_some() && self.input.is_readable() {
            self.tell(&Event::Readable);
        }
        self.running.is_none()
    }

    /// Between commands: notices a hangup, reads a line. False when there is nothing to do.
    fn idle(&mut self) -> bool {
        // While a line is incomplete Asterisk spins on the socket and sees nothing else.
        if !self.input.is_mid_line() && !self.world.dead && self.world.channel.gone.is_some() {
            self.world.dead = true;
            if self.status == AgiStatus::Success {
                self.status = AgiStatus::Hangup;
            }
            self.send_hangup();
            if self.exits_on_hangup {
                self.finish(Ended::Hangup);
            }
            return true;
        }
        if !self.input.is_readable() {
            return false;
        }
        match self.input.read_line() {
            Ok(Read::Line(line)) => self.execute(&words::from_wire(&line)),
            Ok(Read::Incomplete) => return false,
            Ok(Read::End) => self.finish(Ended::Server),
            Err(excess) => self.fail(excess.into()),
        }
        true
    }

    fn execute(&mut self, line: &str) {
        if line.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("failure")) {
            self.status = AgiStatus::Failure;
            self.finish(Ended::Failure);
            return;
        }
        let Ok(words) = words::split(line) else {
            self.fail(Fault::Crash);
            return;
        };
        let Some((entry, arguments)) = table::find(&words) else {
            self.unknown_in_a_row += 1;
            self.send("510 Invalid or unknown command\n");
            if self.unknown_in_a_row >= UNKNOWN_MAX {
                self.fail(Fault::Garbage);
            }
            return;
        };
        self.unknown_in_a_row = 0;
        if self.world.dead && !entry.dead {
            self.send("511 Command Not Permitted on a dead channel or intercept routine\n");
            return;
        }
        let start = if (entry.least..=entry.most).contains(&arguments.len()) {
            let application = arguments.first().filter(|_| entry.verb == Verb::Exec);
            let name =
                application.map_or_else(|| entry.name.to_owned(), |name| format!("EXEC {name}"));
            self.script.command_began(&name, self.world.now);
            command::start(&mut self.world, entry.verb, arguments)
        } else {
            Start::Usage
        };
        for note in std::mem::take(&mut self.world.notes) {
            self.note(note);
        }
        match start {
            Start::Usage => {
                self.send(&entry.usage());
                self.script.idle(self.world.now);
            }
            Start::Done(ending) => self.complete(ending),
            Start::Run(task) => self.run(task),
            Start::Trying(task) => {
                self.send("100 result=0 Trying...\n");
                self.run(task);
            }
        }
    }

    fn run(&mut self, task: Task) {
        self.running = Some(Running { task, told_of_hangup: self.world.dead });
    }

    fn complete(&mut self, ending: Ending) {
        if let Some(result) = ending.reply {
            self.send(&format!("200 result={result}\n"));
        }
        if ending.failed && self.world.channel.gone.is_none() {
            self.status = AgiStatus::Failure;
        }
        self.script.idle(self.world.now);
    }

    fn send(&mut self, text: &str) {
        self.outputs.push_back(Output::Send(words::to_wire(text)));
    }

    fn send_hangup(&mut self) {
        if self.sends_hangup {
            self.send("HANGUP\n");
        }
    }

    fn note(&mut self, text: String) {
        self.outputs.push_back(Output::Note(text));
    }

    fn fail(&mut self, fault: Fault) {
        if self.ended.is_none() {
            self.note(fault.to_string());
            self.status = AgiStatus::Failure;
            self.finish(Ended::Fault(fault));
        }
    }

    /// The end of every session says HANGUP too, also on a healthy call.
    fn finish(&mut self, ended: Ended) {
        self.running = None;
        self.send_hangup();
        self.world.channel.set_status(self.status);
        self.outputs.push_back(Output::Close);
        self.ended = Some(ended);
    }
}

impl From<Excess> for Fault {
    fn from(excess: Excess) -> Self {
        match excess {
            Excess::EndlessLine => Self::EndlessLine,
            Excess::Flood => Self::Flood,
        }
    }
}

#[cfg(test)]
mod tests;
