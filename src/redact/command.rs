//! The arguments of a command as a line: which of them is of which class.

use super::{Redact, line::Line};
use crate::proto::{command::Command, say_alpha::Case, tdd_mode::Mode};

/// The arguments of a command, as `file=enter-pin max_digits=4`.
pub fn arguments(command: &Command, redact: Redact) -> String {
    let mut line = Line::default();
    let Redact { values, numbers, .. } = redact;
    let any = redact.any_content();
    match command {
        Command::Answer(_) | Command::AsyncAgiBreak(_) | Command::SpeechDestroy(_) => {}
        Command::ChannelStatus(it) => line.text("channel", &it.channel),
        Command::ControlStreamFile(it) => {
            line.file("file", &it.file, any);
            line.text("escape_digits", &it.escape_digits);
            line.span("skip", it.skip.as_ref());
            line.span("offset", it.offset.as_ref());
        }
        Command::DatabaseDel(it) => {
            line.text("family", &it.family);
            line.secret("key", &it.key, values);
        }
        Command::DatabaseDelTree(it) => {
            line.text("family", &it.family);
            line.secret("key_tree", &it.key_tree, values);
        }
        Command::DatabaseGet(it) => {
            line.text("family", &it.family);
            line.secret("key", &it.key, values);
        }
        Command::DatabasePut(it) => {
            line.text("family", &it.family);
            line.secret("key", &it.key, values);
            line.secret("value", &it.value, values);
        }
        Command::Exec(it) => {
            line.text("application", &it.application);
            line.secret("arguments", &joined(&it.arguments), any || numbers);
        }
        Command::GetData(it) => {
            line.file("file", &it.file, any);
            line.span("timeout", it.timeout.as_ref());
            line.number("max_digits", it.max_digits);
        }
        Command::GetFullVariable(it) => {
            line.name("expression", &it.expression, any);
            line.text("channel", &it.channel);
        }
        Command::GetOption(it) => {
            line.file("file", &it.file, any);
            line.text("escape_digits", &it.escape_digits);
            line.span("timeout", it.timeout.as_ref());
        }
        Command::GetVariable(it) => line.name("name", &it.name, any),
        Command::Gosub(it) => {
            line.text("context", &it.context);
            line.text("extension", &it.extension);
            line.text("priority", &it.priority);
            line.secret("arguments", &joined(&it.arguments), any || numbers);
        }
        Command::HangUp(it) => line.text("channel", &it.channel),
        Command::Noop(it) => line.secret("text", &it.text, any),
        Command::ReceiveChar(it) => line.span("timeout", it.timeout.as_ref()),
        Command::ReceiveText(it) => line.span("timeout", it.timeout.as_ref()),
        Command::RecordFile(it) => {
            line.text("file", &it.file);
            line.text("format", &it.format);
            line.text("escape_digits", &it.escape_digits);
            line.span("timeout", it.timeout.as_ref());
            line.span("silence", it.silence.as_ref());
        }
        Command::SayAlpha(it) => {
            line.secret("text", &it.text, any);
            line.text("escape_digits", &it.escape_digits);
            line.text(
                "spoken_case",
                match it.spoken_case() {
                    Case::Unspecified => "",
                    Case::All => "all",
                    Case::Lower => "lower",
                    Case::Upper => "upper",
                },
            );
        }
        Command::SayDate(it) => line.secret("date", &moment(it.date.as_ref()), values),
        Command::SayDateTime(it) => {
            line.secret("time", &moment(it.time.as_ref()), values);
            line.text("format", &it.format);
            line.text("time_zone", &it.time_zone);
        }
        Command::SayDigits(it) => {
            line.keys("digits", &it.digits, any);
            line.text("escape_digits", &it.escape_digits);
        }
        Command::SayNumber(it) => line.secret("number", &it.number.to_string(), any),
        Command::SayPhonetic(it) => line.secret("text", &it.text, any),
        Command::SayTime(it) => line.secret("time", &moment(it.time.as_ref()), values),
        Command::SendImage(it) => line.text("image", &it.image),
        Command::SendText(it) => line.secret("text", &it.text, any),
        Command::SetAutoHangup(it) => line.span("after", it.after.as_ref()),
        Command::SetCallerId(it) => {
            line.secret("name", &it.name, numbers || values);
            line.secret("number", &it.number, numbers || values);
        }
        Command::SetContext(it) => line.text("context", &it.context),
        Command::SetExtension(it) => line.secret("extension", &it.extension, numbers),
        Command::SetMusic(it) => {
            line.text("on", if it.on { "yes" } else { "no" });
            line.text("class", &it.music_class);
        }
        Command::SetPriority(it) => line.text("priority", &it.priority),
        Command::SetVariable(it) => {
            line.name("name", &it.name, any);
            line.secret("value", &it.value, any);
        }
        Command::SpeechActivateGrammar(it) => line.text("grammar", &it.grammar),
        Command::SpeechCreate(it) => line.text("engine", &it.engine),
        Command::SpeechDeactivateGrammar(it) => line.text("grammar", &it.grammar),
        Command::SpeechLoadGrammar(it) => {
            line.text("grammar", &it.grammar);
            line.text("path", &it.path);
        }
        Command::SpeechRecognize(it) => {
            line.file("prompt", &it.prompt, any);
            line.span("timeout", it.timeout.as_ref());
        }
        Command::SpeechSet(it) => {
            line.text("name", &it.name);
            line.secret("value", &it.value, values);
        }
        Command::SpeechUnloadGrammar(it) => line.text("grammar", &it.grammar),
        Command::StreamFile(it) => {
            line.file("file", &it.file, any);
            line.text("escape_digits", &it.escape_digits);
            line.number("offset_samples", it.offset_samples);
        }
        Command::TddMode(it) => line.text(
            "mode",
            match it.mode() {
                Mode::Unspecified => "",
                Mode::Off => "off",
                Mode::On => "on",
                Mode::Mate => "mate",
            },
        ),
        Command::Verbose(it) => line.secret("text", &it.text, any),
        Command::WaitForDigit(it) => line.span("timeout", it.timeout.as_ref()),
        Command::Raw(it) => line.secret("line", &it.line, any || numbers),
    }
    line.finish()
}

fn joined(arguments: &[String]) -> String {
    let mut text = String::new();
    for argument in arguments {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(&argument[..argument.floor_char_boundary(super::FIELD_BYTES_MAX)]);
        if text.len() > super::FIELD_BYTES_MAX {
            text.push('…');
            break;
        }
    }
    text
}

fn moment(at: Option<&pbjson_types::Timestamp>) -> String {
    at.map(|at| at.seconds.to_string()).unwrap_or_default()
}
