//! The 47 commands: their words, how many arguments they take, and whether a dead channel permits them.

use std::fmt::Write as _;

/// A command of AGI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Answer,
    AsyncAgiBreak,
    ChannelStatus,
    ControlStreamFile,
    DatabaseDel,
    DatabaseDelTree,
    DatabaseGet,
    DatabasePut,
    Exec,
    GetData,
    GetFullVariable,
    GetOption,
    GetVariable,
    Gosub,
    Hangup,
    Noop,
    ReceiveChar,
    ReceiveText,
    RecordFile,
    SayAlpha,
    SayDate,
    SayDateTime,
    SayDigits,
    SayNumber,
    SayPhonetic,
    SayTime,
    SendImage,
    SendText,
    SetAutoHangup,
    SetCallerId,
    SetContext,
    SetExtension,
    SetMusic,
    SetPriority,
    SetVariable,
    SpeechActivateGrammar,
    SpeechCreate,
    SpeechDeactivateGrammar,
    SpeechDestroy,
    SpeechLoadGrammar,
    SpeechRecognize,
    SpeechSet,
    SpeechUnloadGrammar,
    StreamFile,
    TddMode,
    Verbose,
    WaitForDigit,
}

/// What is known of a command before it runs.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) verb: Verb,
    /// In capitals, with single blanks.
    pub(super) name: &'static str,
    /// A dead channel permits it.
    pub(super) dead: bool,
    /// Arguments after the command's own words.
    pub(super) least: usize,
    pub(super) most: usize,
    /// The arguments, for the usage text.
    synopsis: &'static str,
}

/// More words than that are ignored.
const ANY: usize = usize::MAX;

const fn entry(
    verb: Verb,
    name: &'static str,
    dead: bool,
    (least, most): (usize, usize),
    synopsis: &'static str,
) -> Entry {
    Entry { verb, name, dead, least, most, synopsis }
}

/// Every command.
pub(super) const ENTRIES: [Entry; 47] = [
    entry(Verb::Answer, "ANSWER", false, (0, ANY), ""),
    entry(Verb::AsyncAgiBreak, "ASYNCAGI BREAK", true, (0, 0), ""),
    entry(Verb::ChannelStatus, "CHANNEL STATUS", false, (0, 1), "[channel]"),
    entry(
        Verb::ControlStreamFile,
        "CONTROL STREAM FILE",
        false,
        (2, 7),
        "file escape_digits [skipms [ffchar [rewchr [pausechr [offsetms]]]]]",
    ),
    entry(Verb::DatabaseDel, "DATABASE DEL", true, (2, 2), "family key"),
    entry(Verb::DatabaseDelTree, "DATABASE DELTREE", true, (1, 2), "family [keytree]"),
    entry(Verb::DatabaseGet, "DATABASE GET", true, (2, 2), "family key"),
    entry(Verb::DatabasePut, "DATABASE PUT", true, (3, 3), "family key value"),
    entry(Verb::Exec, "EXEC", true, (1, ANY), "application [options]"),
    entry(Verb::GetData, "GET DATA", false, (1, ANY), "file [timeout [maxdigits]]"),
    entry(Verb::GetFullVariable, "GET FULL VARIABLE", true, (1, 2), "expression [channel]"),
    entry(Verb::GetOption, "GET OPTION", false, (2, 3), "file escape_digits [timeout]"),
    entry(Verb::GetVariable, "GET VARIABLE", true, (1, 1), "name"),
    entry(Verb::Gosub, "GOSUB", false, (3, ANY), "context extension priority [arguments]"),
    entry(Verb::Hangup, "HANGUP", false, (0, 1), "[channel]"),
    entry(Verb::Noop, "NOOP", true, (0, ANY), ""),
    entry(Verb::ReceiveChar, "RECEIVE CHAR", false, (1, 1), "timeout"),
    entry(Verb::ReceiveText, "RECEIVE TEXT", false, (1, 1), "timeout"),
    entry(
        Verb::RecordFile,
        "RECORD FILE",
        false,
        (4, ANY),
        "file format escape_digits timeout [offset] [BEEP] [s=silence]",
    ),
    entry(Verb::SayAlpha, "SAY ALPHA", false, (2, 3), "text escape_digits [case]"),
    entry(Verb::SayDate, "SAY DATE", false, (2, 2), "date escape_digits"),
    entry(
        Verb::SayDateTime,
        "SAY DATETIME",
        false,
        (2, ANY),
        "time escape_digits [format [timezone]]",
    ),
    entry(Verb::SayDigits, "SAY DIGITS", false, (2, 2), "digits escape_digits"),
    entry(Verb::SayNumber, "SAY NUMBER", false, (2, 3), "number escape_digits [gender]"),
    entry(Verb::SayPhonetic, "SAY PHONETIC", false, (2, 2), "text escape_digits"),
    entry(Verb::SayTime, "SAY TIME", false, (2, 2), "time escape_digits"),
    entry(Verb::SendImage, "SEND IMAGE", false, (1, 1), "image"),
    entry(Verb::SendText, "SEND TEXT", false, (1, 1), "text"),
    entry(Verb::SetAutoHangup, "SET AUTOHANGUP", false, (1, 1), "seconds"),
    entry(Verb::SetCallerId, "SET CALLERID", false, (0, ANY), "callerid"),
    entry(Verb::SetContext, "SET CONTEXT", false, (1, 1), "context"),
    entry(Verb::SetExtension, "SET EXTENSION", false, (1, 1), "extension"),
    entry(Verb::SetMusic, "SET MUSIC", false, (1, ANY), "on|off [class]"),
    entry(Verb::SetPriority, "SET PRIORITY", false, (1, 1), "priority"),
    entry(Verb::SetVariable, "SET VARIABLE", true, (2, 2), "name value"),
    entry(Verb::SpeechActivateGrammar, "SPEECH ACTIVATE GRAMMAR", false, (1, 1), "grammar"),
    entry(Verb::SpeechCreate, "SPEECH CREATE", false, (0, ANY), "engine"),
    entry(Verb::SpeechDeactivateGrammar, "SPEECH DEACTIVATE GRAMMAR", false, (1, 1), "grammar"),
    entry(Verb::SpeechDestroy, "SPEECH DESTROY", true, (0, ANY), ""),
    entry(Verb::SpeechLoadGrammar, "SPEECH LOAD GRAMMAR", false, (2, 2), "grammar path"),
    entry(Verb::SpeechRecognize, "SPEECH RECOGNIZE", false, (2, ANY), "prompt timeout [offset]"),
    entry(Verb::SpeechSet, "SPEECH SET", false, (2, 2), "name value"),
    entry(Verb::SpeechUnloadGrammar, "SPEECH UNLOAD GRAMMAR", true, (1, 1), "grammar"),
    entry(Verb::StreamFile, "STREAM FILE", false, (2, 3), "file escape_digits [offset]"),
    entry(Verb::TddMode, "TDD MODE", false, (1, 1), "on|off|mate|tdd"),
    entry(Verb::Verbose, "VERBOSE", true, (1, ANY), "message [level]"),
    entry(Verb::WaitForDigit, "WAIT FOR DIGIT", false, (1, 1), "timeout"),
];

/// The command that `words` begin with, and its arguments.
pub(super) fn find(words: &[String]) -> Option<(&'static Entry, &[String])> {
    static TABLE: [Entry; 47] = ENTRIES;
    TABLE.iter().find_map(|entry| {
        let own: Vec<&str> = entry.name.split(' ').collect();
        let begins = words.len() >= own.len()
            && own.iter().zip(words).all(|(own, word)| own.eq_ignore_ascii_case(word));
        begins.then(|| (entry, &words[own.len()..]))
    })
}

impl Entry {
    /// The 520 block, in the form of Asterisk's: the first line has `520-`, the text has nothing.
    pub(super) fn usage(&self) -> String {
        let mut text = String::from("520-Invalid command syntax.  Proper usage follows:\n");
        let _ = writeln!(text, " Usage: {}", format!("{} {}", self.name, self.synopsis).trim_end());
        let _ = writeln!(
            text,
            "\tTakes its arguments in this order and answers with 200 result=<replaceable>R</replaceable>."
        );
        text.push_str("520 End of proper usage.\n");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirteen_of_47_are_permitted_when_dead() {
        assert_eq!(ENTRIES.iter().filter(|entry| entry.dead).count(), 13);
    }

    #[test]
    fn commands_are_found_by_whole_words_in_any_case() {
        let found = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            find(&words).map(|(entry, rest)| (entry.name, rest.len()))
        };
        assert_eq!(found("get Variable X"), Some(("GET VARIABLE", 1)));
        assert_eq!(found("DATABASE DELTREE f"), Some(("DATABASE DELTREE", 1)));
        assert_eq!(found("GET"), None);
        assert_eq!(found("NOOPX"), None);
        assert_eq!(find(&[]).map(|(entry, _)| entry.name), None);
    }

    #[test]
    fn a_usage_block_ends_with_its_own_line() {
        let text = ENTRIES[0].usage();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "520-Invalid command syntax.  Proper usage follows:");
        assert_eq!(lines.last(), Some(&"520 End of proper usage."));
        assert!(lines[1..lines.len() - 1].iter().all(|line| !line.starts_with("520")));
    }
}
