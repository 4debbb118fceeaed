//! The 47 commands of AGI, and the raw one: a method of [`Call`] each, with its options on [`Command`].
//!
//! Text reaches Asterisk as it is: a value can hold quotes, backslashes and spaces. CR, LF and NUL are refused with
//! [`Code::InvalidArgument`](crate::Code::InvalidArgument). What is left out takes Asterisk's default. `escape_digits`
//! are the digits (`0` to `9`, `*`, `#`) that stop a prompt; without them none does.

use crate::{
    call::Call,
    command::{Command, Kind, sealed::Sealed},
    proto::{self, command::Command as Wire},
    results::{ChannelState, Digits, GosubReturn, Playback, RawReply, Recording, Speech, numbered},
    time,
};
use std::time::{Duration, SystemTime};

numbered! {
    /// Which letters have their case spoken: SAY ALPHA.
    SpokenCase: proto::say_alpha::Case {
        /// All of them.
        All
        /// Small ones.
        Lower
        /// Capital ones.
        Upper
    }
}

numbered! {
    /// A text telephone's mode: TDD MODE.
    TddState: proto::tdd_mode::Mode {
        /// Off.
        Off
        /// On.
        On
        /// On, and the line may be used for voice.
        Mate
    }
}

fn texts<I, T>(texts: I) -> Vec<String>
where
    I: IntoIterator<Item = T>,
    T: Into<String>,
{
    texts.into_iter().map(Into::into).collect()
}

macro_rules! commands {
    ($(
        $(#[$doc:meta])*
        fn $method:ident($($arg:ident: $type:ty),*) -> $kind:ident: $message:ident $output:ty = {
            $($field:ident: $value:expr),*
        }
        $(with {
            $( $(#[$option_doc:meta])* .$option:ident($option_arg:ident: $option_type:ty) $option_field:ident = $option_value:expr; )*
        })?
    )*) => {
        $(
            #[doc = concat!("See [`Call::", stringify!($method), "`].")]
            #[derive(Debug, Clone, PartialEq)]
            pub struct $kind(proto::$message);

            impl Sealed for $kind {}

            impl Kind for $kind {
                type Output = $output;

                fn into_wire(self) -> Wire {
                    Wire::$kind(self.0)
                }
            }

            $(impl Command<$kind> {
                $(
                    $(#[$option_doc])*
                    pub fn $option(mut self, $option_arg: $option_type) -> Self {
                        self.kind.0.$option_field = $option_value;
                        self
                    }
                )*
            })?
        )*

        /// The commands.
        impl Call {
            $(
                $(#[$doc])*
                pub fn $method(&self, $($arg: $type),*) -> Command<$kind> {
                    #[allow(clippy::needless_update, reason = "some messages have these fields only")]
                    Command::new(self, $kind(proto::$message { $($field: $value,)* ..Default::default() }))
                }
            )*
        }
    };
}

commands! {
    /// ANSWER: answers the channel, if it is not answered yet.
    fn answer() -> Answer: Answer () = {}

    /// ASYNCAGI BREAK: ends async AGI. Of no use in a session of the bridge, but permitted.
    fn async_agi_break() -> AsyncAgiBreak: AsyncAgiBreak () = {}

    /// CHANNEL STATUS: the state of a channel, this call's own unless [`channel`](Command::channel) is set.
    fn channel_status() -> ChannelStatus: GetChannelStatus ChannelState = {} with {
        /// Another channel, by its name.
        .channel(name: impl Into<String>) channel = name.into();
    }

    /// CONTROL STREAM FILE: plays a file that the caller can wind by digits. `file` is without its ending.
    fn control_stream_file(file: impl Into<String>) -> ControlStreamFile: ControlStreamFile Playback = { file: file.into() } with {
        /// The digits that stop it.
        .escape_digits(digits: impl Into<String>) escape_digits = digits.into();
        /// How far one press winds; 3 s unless set. In whole milliseconds.
        .skip(by: Duration) skip = Some(time::wire(by));
        /// Winds forward; `#` unless set.
        .forward_digit(digit: char) forward_digit = Some(digit.into());
        /// Winds back; `*` unless set.
        .rewind_digit(digit: char) rewind_digit = Some(digit.into());
        /// Pauses; none unless set.
        .pause_digit(digit: char) pause_digit = Some(digit.into());
        /// Where to begin. In whole milliseconds.
        .offset(from: Duration) offset = Some(time::wire(from));
    }

    /// DATABASE DEL: removes a key. Fails with `FAILED` when there is none.
    fn database_del(family: impl Into<String>, key: impl Into<String>) -> DatabaseDel: DatabaseDel () = {
        family: family.into(), key: key.into()
    }

    /// DATABASE DELTREE: removes a family, or the keys of it below [`key_tree`](Command::key_tree).
    fn database_del_tree(family: impl Into<String>) -> DatabaseDelTree: DatabaseDelTree () = { family: family.into() } with {
        /// The keys below this one.
        .key_tree(tree: impl Into<String>) key_tree = tree.into();
    }

    /// DATABASE GET: a key's value; `None` when there is no such key.
    fn database_get(family: impl Into<String>, key: impl Into<String>) -> DatabaseGet: DatabaseGet Option<String> = {
        family: family.into(), key: key.into()
    }

    /// DATABASE PUT: sets a key.
    fn database_put(family: impl Into<String>, key: impl Into<String>, value: impl Into<String>)
        -> DatabasePut: DatabasePut () = { family: family.into(), key: key.into(), value: value.into() }

    /// EXEC: runs a dialplan application, as `Dial`, and gives what it returned; most give 0, and -1 when the channel
    /// hung up. Works after the hangup too. Fails with `NO_SUCH_APPLICATION` when there is none of that name.
    fn exec(application: impl Into<String>) -> Exec: Exec i32 = { application: application.into() } with {
        /// Its arguments. They are joined by commas; a comma, quote or backslash inside one reaches the application as it is.
        .arguments(arguments: impl IntoIterator<Item = impl Into<String>>) arguments = texts(arguments);
    }

    /// GET DATA: plays a file, and takes digits until `#`, the timeout, or [`max_digits`](Command::max_digits).
    fn get_data(file: impl Into<String>) -> GetData: GetData Digits = { file: file.into() } with {
        /// Before the first digit and between digits, from the prompt's end; 6 s and 2 s unless set. In whole milliseconds.
        .timeout(limit: Duration) timeout = Some(time::wire(limit));
        /// How many digits, at most 1023; as many as come, unless set.
        .max_digits(count: u32) max_digits = count;
    }

    /// GET FULL VARIABLE: what a dialplan expression gives, as `${CALLERID(num)}`; `None` when it is unset.
    fn get_full_variable(expression: impl Into<String>) -> GetFullVariable: GetFullVariable Option<String> = {
        expression: expression.into()
    } with {
        /// On another channel, by its name.
        .channel(name: impl Into<String>) channel = name.into();
    }

    /// GET OPTION: plays a file, and waits for one of `escape_digits`.
    fn get_option(file: impl Into<String>, escape_digits: impl Into<String>) -> GetOption: GetOption Playback = {
        file: file.into(), escape_digits: escape_digits.into()
    } with {
        /// From the prompt's end; 5 s unless set. In whole milliseconds.
        .timeout(limit: Duration) timeout = Some(time::wire(limit));
    }

    /// GET VARIABLE: a variable or function, as `DIALSTATUS` or `CALLERID(num)`, whole and exact; `None` when it is unset.
    fn get_variable(name: impl Into<String>) -> GetVariable: GetVariable Option<String> = { name: name.into() }

    /// GOSUB: runs a subroutine of the dialplan. `priority` is a number or a label.
    fn gosub(context: impl Into<String>, extension: impl Into<String>, priority: impl Into<String>)
        -> Gosub: Gosub GosubReturn = {
            context: context.into(), extension: extension.into(), priority: priority.into()
        } with {
        /// Its arguments, `ARG1` and so on.
        .arguments(arguments: impl IntoIterator<Item = impl Into<String>>) arguments = texts(arguments);
    }

    /// HANGUP: hangs up a channel, this call's own unless [`channel`](Command::channel) is set.
    fn hang_up() -> HangUp: HangUp () = {} with {
        /// Another channel, by its name.
        .channel(name: impl Into<String>) channel = name.into();
    }

    /// NOOP: does nothing, and shows `text` in Asterisk's own log of AGI.
    fn noop(text: impl Into<String>) -> Noop: Noop () = { text: text.into() }

    /// RECEIVE CHAR: one character of text from the channel; `None` when none came in time.
    fn receive_char() -> ReceiveChar: ReceiveChar Option<String> = {} with {
        /// How long to wait; without limit unless set. In whole milliseconds.
        .timeout(limit: Duration) timeout = Some(time::wire(limit));
    }

    /// RECEIVE TEXT: text from the channel; `None` when none came in time.
    fn receive_text() -> ReceiveText: ReceiveText Option<String> = {} with {
        /// How long to wait; without limit unless set. In whole milliseconds.
        .timeout(limit: Duration) timeout = Some(time::wire(limit));
    }

    /// RECORD FILE: records the caller. `file` is without its ending; `format`, as `wav` or `gsm`, names that too.
    fn record_file(file: impl Into<String>, format: impl Into<String>) -> RecordFile: RecordFile Recording = {
        file: file.into(), format: format.into()
    } with {
        /// The digits that stop it.
        .escape_digits(digits: impl Into<String>) escape_digits = digits.into();
        /// How long at most; without limit unless set. In whole milliseconds.
        .timeout(limit: Duration) timeout = Some(time::wire(limit));
        /// Appends from this sample on.
        .offset_samples(samples: u32) offset_samples = samples;
        /// Beeps first.
        .beep(beep: bool) beep = beep;
        /// Stops after so much silence; never unless set. In whole seconds.
        .silence(limit: Duration) silence = Some(time::wire(limit));
    }

    /// SAY ALPHA: spells text.
    fn say_alpha(text: impl Into<String>) -> SayAlpha: SayAlpha Option<char> = { text: text.into() } with {
        /// The digits that stop it.
        .escape_digits(digits: impl Into<String>) escape_digits = digits.into();
        /// Which letters have their case spoken; none unless set.
        .spoken_case(case: SpokenCase) spoken_case = case.number();
    }

    /// SAY DATE: says a date, in the machine's time zone.
    fn say_date(date: SystemTime) -> SayDate: SayDate Option<char> = { date: Some(date.into()) } with {
        /// The digits that stop it.
        .escape_digits(digits: impl Into<String>) escape_digits = digits.into();
    }

    /// SAY DATETIME: says a moment.
    fn say_date_time(time: SystemTime) -> SayDateTime: SayDateTime Option<char> = { time: Some(time.into()) } with {
        /// The digits that stop it.
        .escape_digits(digits: impl Into<String>) escape_digits = digits.into();
        /// As voicemail.conf writes it, as `ABdY 'digits/at' IMp`; Asterisk's own unless set.
        .format(format: impl Into<String>) format = format.into();
        /// An IANA zone, as `Europe/Rome`; the machine's unless set.
        .time_zone(zone: impl Into<String>) time_zone = zone.into();
    }

    /// SAY DIGITS: says digits one by one.
    fn say_digits(digits: impl Into<String>) -> SayDigits: SayDigits Option<char> = { digits: digits.into() } with {
        /// The digits that stop it.
        .escape_digits(digits: impl Into<String>) escape_digits = digits.into();
    }

    /// SAY NUMBER: says a number.
    fn say_number(number: i32) -> SayNumber: SayNumber Option<char> = { number: number } with {
        /// The digits that stop it.
        .escape_digits(digits: impl Into<String>) escape_digits = digits.into();
        /// As the channel's language takes it: `m`, `f`, `n`, `c`.
        .gender(gender: impl Into<String>) gender = gender.into();
    }

    /// SAY PHONETIC: spells text by the phonetic alphabet.
    fn say_phonetic(text: impl Into<String>) -> SayPhonetic: SayPhonetic Option<char> = { text: text.into() } with {
        /// The digits that stop it.
        .escape_digits(digits: impl Into<String>) escape_digits = digits.into();
    }

    /// SAY TIME: says the time of day, in the machine's time zone.
    fn say_time(time: SystemTime) -> SayTime: SayTime Option<char> = { time: Some(time.into()) } with {
        /// The digits that stop it.
        .escape_digits(digits: impl Into<String>) escape_digits = digits.into();
    }

    /// SEND IMAGE: sends an image, by its file's name, on a channel that takes images.
    fn send_image(image: impl Into<String>) -> SendImage: SendImage () = { image: image.into() }

    /// SEND TEXT: sends text on a channel that takes text.
    fn send_text(text: impl Into<String>) -> SendText: SendText () = { text: text.into() }

    /// SET AUTOHANGUP: hangs up so long from now, in whole seconds; zero: never.
    fn set_auto_hangup(after: Duration) -> SetAutoHangup: SetAutoHangup () = { after: Some(time::wire(after)) }

    /// SET CALLERID: sets the caller's name and number; either may be empty.
    fn set_caller_id(name: impl Into<String>, number: impl Into<String>) -> SetCallerId: SetCallerId () = {
        name: name.into(), number: number.into()
    }

    /// SET CONTEXT: where the dialplan goes on after the session. See also [`Call::end`].
    fn set_context(context: impl Into<String>) -> SetContext: SetContext () = { context: context.into() }

    /// SET EXTENSION: where the dialplan goes on after the session. See also [`Call::end`].
    fn set_extension(extension: impl Into<String>) -> SetExtension: SetExtension () = { extension: extension.into() }

    /// SET MUSIC: switches music on hold on or off.
    fn set_music(on: bool) -> SetMusic: SetMusic () = { on: on } with {
        /// A class of music; the channel's own unless set.
        .music_class(class: impl Into<String>) music_class = class.into();
    }

    /// SET PRIORITY: where the dialplan goes on after the session, by number or label. See also [`Call::end`].
    fn set_priority(priority: impl Into<String>) -> SetPriority: SetPriority () = { priority: priority.into() }

    /// SET VARIABLE: sets a variable or a function of the channel.
    fn set_variable(name: impl Into<String>, value: impl Into<String>) -> SetVariable: SetVariable () = {
        name: name.into(), value: value.into()
    }

    /// SPEECH ACTIVATE GRAMMAR: has speech recognized by a grammar that is loaded.
    fn speech_activate_grammar(grammar: impl Into<String>) -> SpeechActivateGrammar: SpeechActivateGrammar () = {
        grammar: grammar.into()
    }

    /// SPEECH CREATE: begins speech recognition, with that engine.
    fn speech_create(engine: impl Into<String>) -> SpeechCreate: SpeechCreate () = { engine: engine.into() }

    /// SPEECH DEACTIVATE GRAMMAR: the reverse of [`Call::speech_activate_grammar`].
    fn speech_deactivate_grammar(grammar: impl Into<String>) -> SpeechDeactivateGrammar: SpeechDeactivateGrammar () = {
        grammar: grammar.into()
    }

    /// SPEECH DESTROY: ends speech recognition.
    fn speech_destroy() -> SpeechDestroy: SpeechDestroy () = {}

    /// SPEECH LOAD GRAMMAR: loads a grammar from a file, under a name.
    fn speech_load_grammar(grammar: impl Into<String>, path: impl Into<String>)
        -> SpeechLoadGrammar: SpeechLoadGrammar () = { grammar: grammar.into(), path: path.into() }

    /// SPEECH RECOGNIZE: plays a prompt, and listens.
    fn speech_recognize(prompt: impl Into<String>) -> SpeechRecognize: SpeechRecognize Speech = { prompt: prompt.into() } with {
        /// From the prompt's end; without limit unless set. In whole seconds.
        .timeout(limit: Duration) timeout = Some(time::wire(limit));
        /// Where in the prompt to begin, in samples.
        .offset_samples(samples: u32) offset_samples = samples;
    }

    /// SPEECH SET: sets a setting of the engine.
    fn speech_set(name: impl Into<String>, value: impl Into<String>) -> SpeechSet: SpeechSet () = {
        name: name.into(), value: value.into()
    }

    /// SPEECH UNLOAD GRAMMAR: the reverse of [`Call::speech_load_grammar`].
    fn speech_unload_grammar(grammar: impl Into<String>) -> SpeechUnloadGrammar: SpeechUnloadGrammar () = {
        grammar: grammar.into()
    }

    /// STREAM FILE: plays a file, without its ending.
    fn stream_file(file: impl Into<String>) -> StreamFile: StreamFile Playback = { file: file.into() } with {
        /// The digits that stop it.
        .escape_digits(digits: impl Into<String>) escape_digits = digits.into();
        /// Where to begin, in samples.
        .offset_samples(samples: u32) offset_samples = samples;
    }

    /// TDD MODE: switches a text telephone's mode.
    fn tdd_mode(mode: TddState) -> TddMode: TddMode () = { mode: mode.number() }

    /// VERBOSE: writes to Asterisk's log, at [`level`](Command::level).
    fn verbose(text: impl Into<String>) -> Verbose: Verbose () = { text: text.into() } with {
        /// 1 to 4; 1 unless set.
        .level(level: u32) level = level;
    }

    /// WAIT FOR DIGIT: one digit; `None` when none was pressed in time.
    fn wait_for_digit() -> WaitForDigit: WaitForDigit Option<char> = {} with {
        /// How long to wait; without limit unless set. In whole milliseconds.
        .timeout(limit: Duration) timeout = Some(time::wire(limit));
    }

    /// A command that this library does not know, as one line without its line end. The same limits hold.
    fn raw(line: impl Into<String>) -> Raw: RawCommand RawReply = { line: line.into() }
}
