//! What each command does: at once, or by a task that takes time. The limits of words and arguments were checked before.

mod media;
pub(super) use media::DIGIT_TIMES;
mod state;

use super::{
    application,
    channel::Channel,
    function,
    sounds::Sounds,
    table::Verb,
    task::{Ending, Leaves, Task},
};
use crate::scenario::{Asterisk, Audio, Heard};
use std::{collections::VecDeque, time::Duration};

/// All that commands work on.
#[derive(Debug)]
pub(super) struct World {
    pub(super) channel: Channel,
    pub(super) sounds: Sounds,
    pub(super) asterisk: Asterisk,
    pub(super) audio: Audio,
    /// A speech object was created.
    pub(super) speech: bool,
    /// What the speech engine will still hear.
    pub(super) heard: VecDeque<Heard>,
    pub(super) hangup_at: Option<Duration>,
    /// Asterisk has noticed the hangup.
    pub(super) dead: bool,
    /// The session began on a dead channel.
    pub(super) began_dead: bool,
    /// What the caller hears, for the transcript.
    pub(super) notes: Vec<String>,
    pub(super) now: Duration,
}

/// How a command begins.
#[derive(Debug)]
pub(super) enum Start {
    /// 520.
    Usage,
    /// It is over at once.
    Done(Ending),
    /// It takes time.
    Run(Task),
    /// As `Run`, after a provisional `100`.
    Trying(Task),
}

impl World {
    /// A file plays now: its length. Unset when there is none.
    pub(super) fn hear(&mut self, file: &str) -> Option<super::sounds::Sound> {
        let sound = self.sounds.find(file, &self.channel.language)?;
        self.notes.push(format!(
            "hears {} ({:.2} s)",
            super::words::to_people(file),
            sound.duration().as_secs_f64()
        ));
        Some(sound)
    }

    /// The length of several files in a row; those that are missing are silent.
    pub(super) fn hear_all(&mut self, files: &[String]) -> Duration {
        let length =
            files.iter().map(|file| self.sounds.duration(file, &self.channel.language)).sum();
        if !files.is_empty() {
            let names = super::words::to_people(&files.join(" "));
            self.notes.push(format!("hears {names} ({:.2} s)", Duration::as_secs_f64(&length)));
        }
        length
    }

    /// Answers, as any application that needs an answered channel: half a second to wait for media, if it was not up.
    pub(super) fn answer(&mut self) -> Duration {
        if std::mem::replace(&mut self.channel.is_up, true) { Duration::ZERO } else { ANSWER_TIME }
    }
}

/// Asterisk waits for media after it answered.
const ANSWER_TIME: Duration = Duration::from_millis(500);

/// Begins a command whose arguments are as many as it takes.
pub(super) fn start(world: &mut World, verb: Verb, arguments: &[String]) -> Start {
    begin(world, verb, arguments).unwrap_or(Start::Usage)
}

/// Unset when an argument cannot be read.
fn begin(world: &mut World, verb: Verb, arguments: &[String]) -> Option<Start> {
    let argument = |at: usize| arguments.get(at).map_or("", String::as_str);
    let key = || Channel::database_key(argument(0), argument(1));
    let channel = &mut world.channel;
    let ending = match verb {
        Verb::Answer => return Some(answer(world)),
        Verb::Exec => return Some(exec(world, arguments)),
        Verb::Gosub => return Some(gosub(world, arguments)),
        Verb::StreamFile => return media::stream_file(world, arguments),
        Verb::GetOption => return Some(media::get_option(world, arguments)),
        Verb::ControlStreamFile => return media::control(world, arguments),
        Verb::GetData => return Some(media::get_data(world, arguments)),
        Verb::RecordFile => return media::record(world, arguments),
        Verb::SpeechRecognize => return Some(media::recognize(world, arguments)),
        Verb::WaitForDigit => return media::wait_for_digit(world, argument(0)),
        Verb::ReceiveChar => return Some(media::receive(world, argument(0), true)),
        Verb::ReceiveText => return Some(media::receive(world, argument(0), false)),
        Verb::SayNumber => return media::say_number(world, arguments),
        Verb::SayDigits => return media::say_digits(world, arguments),
        Verb::SayAlpha => return media::say_alpha(world, arguments),
        Verb::SayPhonetic => return Some(media::say_phonetic(world, arguments)),
        Verb::SayDate => return media::say_time(world, arguments, "ABdY"),
        Verb::SayTime => return media::say_time(world, arguments, "IMp"),
        Verb::SayDateTime => {
            let format = arguments.get(2).map_or("ABdY 'digits/at' IMp", String::as_str);
            return media::say_time(world, arguments, format);
        }
        // TDD MODE: the channel's driver has no such option, as none without a modem has.
        Verb::Noop | Verb::AsyncAgiBreak | Verb::SendImage | Verb::TddMode => Ending::ok(0),
        Verb::Verbose => Ending::ok(1),
        Verb::ChannelStatus => state::channel_status(channel, arguments.first()),
        Verb::Hangup => state::hangup(channel, arguments.first()),
        Verb::GetVariable => state::get_variable(channel, argument(0)),
        Verb::GetFullVariable => state::get_full_variable(channel, argument(0), arguments.get(1)),
        Verb::SetVariable => {
            function::write(channel, argument(0), argument(1));
            Ending::ok(1)
        }
        Verb::SetCallerId => state::set_caller_id(channel, arguments.first()),
        Verb::SetContext => {
            argument(0).clone_into(&mut channel.context);
            Ending::ok(0)
        }
        Verb::SetExtension => {
            argument(0).clone_into(&mut channel.extension);
            Ending::ok(0)
        }
        Verb::SetPriority => state::set_priority(channel, argument(0))?,
        Verb::SetAutoHangup => state::set_auto_hangup(world, argument(0))?,
        Verb::SetMusic => state::set_music(world, argument(0)),
        Verb::SendText => state::send_text(channel),
        Verb::DatabaseGet => state::database_get(channel, &key()),
        Verb::DatabasePut => {
            channel.database.insert(key(), argument(2).to_owned());
            Ending::ok(1)
        }
        Verb::DatabaseDel => {
            channel.database.remove(&key());
            Ending::ok(1)
        }
        Verb::DatabaseDelTree => state::database_del_tree(channel, argument(0), arguments.get(1)),
        Verb::SpeechCreate => state::speech_create(world, argument(0)),
        Verb::SpeechDestroy => Ending::ok(u8::from(std::mem::take(&mut world.speech))),
        Verb::SpeechSet
        | Verb::SpeechLoadGrammar
        | Verb::SpeechUnloadGrammar
        | Verb::SpeechActivateGrammar
        | Verb::SpeechDeactivateGrammar => Ending::ok(u8::from(world.speech)),
    };
    Some(Start::Done(ending))
}

/// A task that only waits.
pub(super) fn pause(until: Duration, then: Ending, on_hangup: Ending) -> Task {
    Task::Pause { until: Some(until), then, on_hangup, leaves: Leaves::default() }
}

fn answer(world: &mut World) -> Start {
    let waits = world.answer();
    if waits.is_zero() {
        return Start::Done(Ending::ok(0));
    }
    Start::Run(pause(world.now + waits, Ending::ok(0), Ending::failed(-1)))
}

fn exec(world: &mut World, arguments: &[String]) -> Start {
    let data = arguments.get(1).cloned().unwrap_or_default();
    let data = if world.channel.flag("AGIEXECFULL") == Some(true) {
        super::expand::expand(&mut world.channel, &data)
    } else {
        data
    };
    application::start(world, &arguments[0], &data).unwrap_or_else(|| Start::Done(Ending::ok(-2)))
}

fn gosub(world: &mut World, arguments: &[String]) -> Start {
    let [context, extension, priority] =
        [0, 1, 2].map(|at| super::words::to_people(&arguments[at]));
    let found =
        world.asterisk.subroutines.get(&context).and_then(|context| context.get(&extension));
    let Some(subroutine) = found.filter(|_| priority == "1") else {
        return Start::Done(Ending::failed("-1 Gosub label not found"));
    };
    let abnormal = Ending::ok("0 Gosub complete (abnormal exit)");
    let value = if subroutine.abnormal {
        String::new()
    } else {
        super::words::from_people(&subroutine.value)
    };
    let leaves =
        Leaves { variables: vec![("GOSUB_RETVAL".into(), value)], hang_up: subroutine.abnormal };
    let then = if subroutine.abnormal { abnormal.clone() } else { Ending::ok("0 Gosub complete") };
    let until = Some(world.now + subroutine.after.0);
    world.channel.set("GOSUB_RETVAL", "");
    Start::Trying(Task::Pause { until, then, on_hangup: abnormal, leaves })
}
