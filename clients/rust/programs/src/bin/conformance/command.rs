//! The contract's commands in ProtoJSON, as calls of the library's methods.

use crate::read::{count, digit, duration, moment, number, some_text, text, texts};
use agibridge::{
    Call, Command, Kind,
    commands::{SpokenCase, TddState},
    proto::{say_alpha, tdd_mode},
};
use serde_json::Value;

/// Takes a command of any kind.
pub(crate) trait Visitor {
    type Output;

    fn visit<K: Kind>(self, command: Command<K>) -> Self::Output
    where
        K::Output: crate::report::Noted;
}

/// Sets an option where the script has it.
macro_rules! options {
    ($command:expr, $($method:ident($value:expr)),* $(,)?) => {{
        let mut command = $command;
        $(if let Some(value) = $value { command = command.$method(value); })*
        command
    }};
}

/// Calls the method of the command in `step`, and gives what it makes to `visitor`. `None` for a command that is none.
pub(crate) fn build<V: Visitor>(call: &Call, step: &Value, visitor: V) -> Option<V::Output> {
    let own = ["id", "timeout", "requiresSuccess", "traceContext"];
    let (name, it) = step.as_object()?.iter().find(|(key, _)| !own.contains(&key.as_str()))?;
    let t = |key| text(it, key);
    let some = |key| some_text(it, key);
    let limit = |key| duration(&it[key]);
    Some(match name.as_str() {
        "answer" => visitor.visit(call.answer()),
        "asyncAgiBreak" => visitor.visit(call.async_agi_break()),
        "channelStatus" => visitor.visit(options!(call.channel_status(), channel(some("channel")))),
        "controlStreamFile" => visitor.visit(options!(
            call.control_stream_file(t("file")),
            escape_digits(some("escapeDigits")),
            skip(limit("skip")),
            forward_digit(digit(it, "forwardDigit")),
            rewind_digit(digit(it, "rewindDigit")),
            pause_digit(digit(it, "pauseDigit")),
            offset(limit("offset")),
        )),
        "databaseDel" => visitor.visit(call.database_del(t("family"), t("key"))),
        "databaseDelTree" => {
            visitor.visit(options!(call.database_del_tree(t("family")), key_tree(some("keyTree"))))
        }
        "databaseGet" => visitor.visit(call.database_get(t("family"), t("key"))),
        "databasePut" => visitor.visit(call.database_put(t("family"), t("key"), t("value"))),
        "exec" => visitor.visit(call.exec(t("application")).arguments(texts(it, "arguments"))),
        "getData" => visitor.visit(options!(
            call.get_data(t("file")),
            timeout(limit("timeout")),
            max_digits(count(it, "maxDigits")),
        )),
        "getFullVariable" => visitor
            .visit(options!(call.get_full_variable(t("expression")), channel(some("channel")),)),
        "getOption" => visitor.visit(options!(
            call.get_option(t("file"), t("escapeDigits")),
            timeout(limit("timeout")),
        )),
        "getVariable" => visitor.visit(call.get_variable(t("name"))),
        "gosub" => visitor.visit(
            call.gosub(t("context"), t("extension"), t("priority"))
                .arguments(texts(it, "arguments")),
        ),
        "hangUp" => visitor.visit(options!(call.hang_up(), channel(some("channel")))),
        "noop" => visitor.visit(call.noop(t("text"))),
        "receiveChar" => visitor.visit(options!(call.receive_char(), timeout(limit("timeout")))),
        "receiveText" => visitor.visit(options!(call.receive_text(), timeout(limit("timeout")))),
        "recordFile" => visitor.visit(options!(
            call.record_file(t("file"), t("format")),
            escape_digits(some("escapeDigits")),
            timeout(limit("timeout")),
            offset_samples(count(it, "offsetSamples")),
            beep(it["beep"].as_bool()),
            silence(limit("silence")),
        )),
        "sayAlpha" => visitor.visit(options!(
            call.say_alpha(t("text")),
            escape_digits(some("escapeDigits")),
            spoken_case(
                it["spokenCase"]
                    .as_str()
                    .and_then(say_alpha::Case::from_str_name)
                    .map(|case| SpokenCase::from_number(case.into()))
            ),
        )),
        "sayDate" => visitor.visit(options!(
            call.say_date(moment(it, "date")),
            escape_digits(some("escapeDigits")),
        )),
        "sayDateTime" => visitor.visit(options!(
            call.say_date_time(moment(it, "time")),
            escape_digits(some("escapeDigits")),
            format(some("format")),
            time_zone(some("timeZone")),
        )),
        "sayDigits" => visitor
            .visit(options!(call.say_digits(t("digits")), escape_digits(some("escapeDigits")),)),
        "sayNumber" => visitor.visit(options!(
            call.say_number(number(it, "number")),
            escape_digits(some("escapeDigits")),
            gender(some("gender")),
        )),
        "sayPhonetic" => visitor
            .visit(options!(call.say_phonetic(t("text")), escape_digits(some("escapeDigits")),)),
        "sayTime" => visitor.visit(options!(
            call.say_time(moment(it, "time")),
            escape_digits(some("escapeDigits")),
        )),
        "sendImage" => visitor.visit(call.send_image(t("image"))),
        "sendText" => visitor.visit(call.send_text(t("text"))),
        "setAutoHangup" => visitor.visit(call.set_auto_hangup(limit("after").unwrap_or_default())),
        "setCallerId" => visitor.visit(call.set_caller_id(t("name"), t("number"))),
        "setContext" => visitor.visit(call.set_context(t("context"))),
        "setExtension" => visitor.visit(call.set_extension(t("extension"))),
        "setMusic" => visitor.visit(options!(
            call.set_music(it["on"].as_bool().unwrap_or_default()),
            music_class(some("musicClass")),
        )),
        "setPriority" => visitor.visit(call.set_priority(t("priority"))),
        "setVariable" => visitor.visit(call.set_variable(t("name"), t("value"))),
        "speechActivateGrammar" => visitor.visit(call.speech_activate_grammar(t("grammar"))),
        "speechCreate" => visitor.visit(call.speech_create(t("engine"))),
        "speechDeactivateGrammar" => visitor.visit(call.speech_deactivate_grammar(t("grammar"))),
        "speechDestroy" => visitor.visit(call.speech_destroy()),
        "speechLoadGrammar" => visitor.visit(call.speech_load_grammar(t("grammar"), t("path"))),
        "speechRecognize" => visitor.visit(options!(
            call.speech_recognize(t("prompt")),
            timeout(limit("timeout")),
            offset_samples(count(it, "offsetSamples")),
        )),
        "speechSet" => visitor.visit(call.speech_set(t("name"), t("value"))),
        "speechUnloadGrammar" => visitor.visit(call.speech_unload_grammar(t("grammar"))),
        "streamFile" => visitor.visit(options!(
            call.stream_file(t("file")),
            escape_digits(some("escapeDigits")),
            offset_samples(count(it, "offsetSamples")),
        )),
        "tddMode" => {
            let mode = it["mode"].as_str().and_then(tdd_mode::Mode::from_str_name);
            let mode = mode.map_or(0, Into::into);
            visitor.visit(call.tdd_mode(TddState::from_number(mode)))
        }
        "verbose" => visitor.visit(options!(call.verbose(t("text")), level(count(it, "level")))),
        "waitForDigit" => visitor.visit(options!(call.wait_for_digit(), timeout(limit("timeout")))),
        "raw" => visitor.visit(call.raw(t("line"))),
        _ => return None,
    })
}

/// Sets what every command may have.
pub(crate) fn common<K: Kind>(mut command: Command<K>, step: &Value) -> Command<K> {
    if let Some(limit) = duration(&step["timeout"]) {
        command = command.reply_timeout(limit);
    }
    if step["requiresSuccess"] == true {
        command = command.requires_success(true);
    }
    command
}
