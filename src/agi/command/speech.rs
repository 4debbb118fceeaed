//! Speech recognition by an engine that is attached to the call.

use super::{
    Draft,
    argument::{Unit, duration},
};
use crate::{
    agi::{
        outcome::Kind,
        words::{InvalidArgument, Line},
    },
    proto::{
        SpeechActivateGrammar, SpeechCreate, SpeechDeactivateGrammar, SpeechLoadGrammar,
        SpeechRecognize, SpeechSet, SpeechUnloadGrammar,
    },
};

type Result = std::result::Result<Draft, InvalidArgument>;

pub(super) fn activate_grammar(command: &SpeechActivateGrammar) -> Result {
    let line = Line::new("SPEECH ACTIVATE GRAMMAR")
        .text("speech_activate_grammar.grammar", &command.grammar)?;
    Ok(grammar(line))
}

pub(super) fn create(command: &SpeechCreate) -> Result {
    let line = Line::new("SPEECH CREATE").optional("speech_create.engine", &command.engine)?;
    let problem = "there is no such engine, it refused, or the call has one already";
    Ok(Draft::new(Kind::Positive(problem), line))
}

pub(super) fn deactivate_grammar(command: &SpeechDeactivateGrammar) -> Result {
    let line = Line::new("SPEECH DEACTIVATE GRAMMAR")
        .text("speech_deactivate_grammar.grammar", &command.grammar)?;
    Ok(grammar(line))
}

pub(super) fn destroy() -> Draft {
    Draft::new(Kind::Positive("the call has no speech engine"), Line::new("SPEECH DESTROY"))
}

pub(super) fn load_grammar(command: &SpeechLoadGrammar) -> Result {
    let line = Line::new("SPEECH LOAD GRAMMAR")
        .text("speech_load_grammar.grammar", &command.grammar)?
        .text("speech_load_grammar.path", &command.path)?;
    Ok(grammar(line))
}

/// To Asterisk a timeout of zero is none, so the shortest one is a second.
pub(super) fn recognize(command: &SpeechRecognize) -> Result {
    let timeout = command.timeout.as_ref();
    let timeout = duration("speech_recognize.timeout", timeout, Unit::Seconds)?;
    let mut line = Line::new("SPEECH RECOGNIZE")
        .text("speech_recognize.prompt", &command.prompt)?
        .number(timeout.map_or(0, |seconds| seconds.max(1)));
    if command.offset_samples > 0 {
        line = line.number(i64::from(command.offset_samples));
    }
    Ok(Draft::new(Kind::Speech, line))
}

pub(super) fn set(command: &SpeechSet) -> Result {
    let line = Line::new("SPEECH SET")
        .text("speech_set.name", &command.name)?
        .text("speech_set.value", &command.value)?;
    Ok(Draft::new(Kind::Positive("the call has no speech engine"), line))
}

pub(super) fn unload_grammar(command: &SpeechUnloadGrammar) -> Result {
    let line = Line::new("SPEECH UNLOAD GRAMMAR")
        .text("speech_unload_grammar.grammar", &command.grammar)?;
    Ok(grammar(line))
}

fn grammar(line: Line) -> Draft {
    Draft::new(Kind::Positive("the call has no speech engine, or it refused the grammar"), line)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check_lines, check_refused};

    #[test]
    fn lines_for_the_engine() {
        check_lines(&[
            (r#"{"speechActivateGrammar":{"grammar":"g"}}"#, r#"SPEECH ACTIVATE GRAMMAR "g""#),
            (r#"{"speechCreate":{}}"#, "SPEECH CREATE"),
            (r#"{"speechCreate":{"engine":"e"}}"#, r#"SPEECH CREATE "e""#),
            (r#"{"speechDeactivateGrammar":{"grammar":"g"}}"#, r#"SPEECH DEACTIVATE GRAMMAR "g""#),
            (r#"{"speechDestroy":{}}"#, "SPEECH DESTROY"),
            (
                r#"{"speechLoadGrammar":{"grammar":"g","path":"/p"}}"#,
                r#"SPEECH LOAD GRAMMAR "g" "/p""#,
            ),
            (r#"{"speechRecognize":{"prompt":"p"}}"#, r#"SPEECH RECOGNIZE "p" "0""#),
            (
                r#"{"speechRecognize":{"prompt":"p","timeout":"4.1s","offsetSamples":9}}"#,
                r#"SPEECH RECOGNIZE "p" "5" "9""#,
            ),
            (r#"{"speechRecognize":{"timeout":"0s"}}"#, r#"SPEECH RECOGNIZE "" "1""#),
            (r#"{"speechSet":{"name":"n","value":"v"}}"#, r#"SPEECH SET "n" "v""#),
            (r#"{"speechUnloadGrammar":{"grammar":"g"}}"#, r#"SPEECH UNLOAD GRAMMAR "g""#),
        ]);
        check_refused(&[
            (r#"{"speechRecognize":{"timeout":"-1s"}}"#, "speech_recognize.timeout: is negative"),
            (r#"{"speechCreate":{"engine":"\n"}}"#, "speech_create.engine: holds LF"),
        ]);
    }
}
