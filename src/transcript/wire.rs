//! The lines of a call as they may be kept: what the route masks is gone, and unguessable marks have a name. Knows which
//! word of a command, and which part of its reply, is of which class of `redact`; nothing of time or files.
//!
//! What is masked must still be read by the bridge when it is played: a key's code is two bullets, of typed digits each is
//! one, and anything else is three. Each is played as a digit.

use super::text::{self, encode};
use crate::{
    agi::{Prelude, Words},
    redact::{MASK, Redact},
};

/// A key's code, as `35`.
const KEY_CODE: &str = "••";
/// Bytes of a mark.
const MARK_BYTES: usize = 32;
/// Asterisk's words that hold nothing of anybody.
const STANDING: [&[u8]; 6] = [
    b"510 Invalid or unknown command",
    b"511 Command Not Permitted on a dead channel or intercept routine",
    b"520-Invalid command syntax.  Proper usage follows:",
    b"520 End of proper usage.",
    b"520 Invalid command syntax.  Proper usage not available.",
    b"100 result=0 Trying...",
];

/// What a word of a command is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Shown,
    /// Anything that a service may say: it may hold digits as well as values.
    Content,
    /// The same, and perhaps a number that is called.
    Anything,
    Value,
    Number,
    Caller,
    /// How many digits it has is seen.
    Keys,
    /// A sound file: names of those that say a digit are what they say.
    File,
    /// A variable or a function: what stands in its parentheses is a value.
    Name,
}

/// The lines of one call, in order.
#[derive(Debug)]
pub(super) struct Wire {
    redact: Redact,
    /// The command that Asterisk answers, in its own spelling.
    command: Option<&'static str>,
    mark: Option<Vec<u8>>,
    /// A value with line feeds is not over yet.
    in_value: bool,
}

impl Wire {
    pub(super) fn new(redact: Redact) -> Self {
        Self { redact, command: None, mark: None, in_value: false }
    }

    pub(super) fn redact(&self) -> Redact {
        self.redact
    }

    /// Masks this as well from now on.
    pub(super) fn mask(&mut self, redact: Redact) {
        self.redact = self.redact.and(redact);
    }

    /// A line to Asterisk, without its LF.
    pub(super) fn command(&mut self, line: &[u8]) -> String {
        let words = Words::split(line);
        self.command = words.command();
        self.mark = mark(&words);
        self.in_value = false;
        let mark = self.mark.as_deref();
        let plain = || encode(line, mark);
        if self.redact == Redact::NOTHING || line.eq_ignore_ascii_case(b"failure") {
            return plain();
        }
        let Some((name, classes)) = self.command.and_then(|name| Some((name, classes(name)?)))
        else {
            let is_masked = self.content() || self.redact.numbers;
            return if is_masked { MASK.to_owned() } else { plain() };
        };
        let first = name.split(' ').count();
        let mut text = name.to_owned();
        let mut is_masked = false;
        // What the bridge leaves on the channel says nothing of the caller.
        let is_ours = name == "SET VARIABLE"
            && words.count() > first
            && words.get(first).starts_with(b"AGIBRIDGE_");
        for place in first..words.count() {
            let class = classes.get(place - first).copied().unwrap_or(Class::Anything);
            let class = if is_ours { Class::Shown } else { class };
            let word = words.get(place);
            let shown = self.word(class, word);
            is_masked |= shown.is_some();
            let shown = shown.unwrap_or_else(|| encode(&quoted(word), mark));
            text.push_str(" \"");
            text.push_str(&shown);
            text.push('"');
        }
        if is_masked { text } else { plain() }
    }

    /// A line of Asterisk, without its LF.
    pub(super) fn said(&mut self, line: &[u8]) -> String {
        let mark = self.mark.as_deref();
        let plain = || encode(line, mark);
        if self.redact == Redact::NOTHING {
            return plain();
        }
        if self.in_value {
            let closing = [mark.unwrap_or_default(), b")"].concat();
            self.in_value = !line.ends_with(&closing);
            let closing = if self.in_value { String::new() } else { encode(&closing, mark) };
            return format!("{MASK}{closing}");
        }
        if line == b"HANGUP" || STANDING.contains(&line) {
            return plain();
        }
        let Some(success) = line.strip_prefix(b"200 result=") else {
            let is_masked = self.content() || self.redact.numbers;
            return match line {
                _ if !is_masked => plain(),
                [a, b, c, separator @ (b' ' | b'-'), ..]
                    if [a, b, c].into_iter().all(u8::is_ascii_digit) =>
                {
                    format!("{}{MASK}", encode(&[*a, *b, *c, *separator], None))
                }
                _ => MASK.to_owned(),
            };
        };
        let end = success.iter().position(|&byte| byte == b' ').unwrap_or(success.len());
        let (result, rest) = success.split_at(end);
        self.success(result, rest)
    }

    fn success(&mut self, result: &[u8], rest: &[u8]) -> String {
        let mark = self.mark.clone();
        let mark = mark.as_deref();
        let is_key = !result.is_empty() && result != b"0" && !result.starts_with(b"-");
        let behind = encode(rest, mark);
        let told = |result: &str, rest: &str| format!("200 result={result}{rest}");
        let shown = told(&encode(result, mark), &behind);
        match self.command {
            Some(
                "STREAM FILE"
                | "CONTROL STREAM FILE"
                | "GET OPTION"
                | "WAIT FOR DIGIT"
                | "SAY ALPHA"
                | "SAY DATE"
                | "SAY DATETIME"
                | "SAY DIGITS"
                | "SAY NUMBER"
                | "SAY PHONETIC"
                | "SAY TIME",
            ) if self.redact.digits && is_key => told(KEY_CODE, &behind),
            // Anything else than a key is what is left of its time.
            Some("RECORD FILE")
                if self.redact.digits && is_key && !rest.starts_with(b" (timeout)") =>
            {
                told(KEY_CODE, &behind)
            }
            Some("RECEIVE CHAR") if self.content() && is_key => told(KEY_CODE, &behind),
            Some("GET DATA") if self.redact.digits && result != b"-1" => {
                let count = String::from_utf8_lossy(result).chars().count();
                told(&String::from(text::BULLET).repeat(count), &behind)
            }
            Some("GET VARIABLE" | "GET FULL VARIABLE" | "DATABASE GET" | "RECEIVE TEXT")
                if self.content() && !rest.is_empty() =>
            {
                told(&encode(result, mark), &self.value(rest))
            }
            Some("GOSUB") if self.content() => {
                let result = if is_key { MASK.to_owned() } else { encode(result, mark) };
                told(&result, if rest.starts_with(b" Gosub ") { &behind } else { "" })
            }
            Some("SPEECH RECOGNIZE") if self.redact.digits || self.redact.values => {
                told(&encode(result, mark), &heard(&behind, self.redact))
            }
            Some(_) => shown,
            None if self.content() || self.redact.numbers => told(MASK, ""),
            None => shown,
        }
    }

    /// ` (value)`, or the beginning of one.
    fn value(&mut self, rest: &[u8]) -> String {
        let mark = self.mark.as_deref().unwrap_or_default();
        let (opening, closing) = ([b" (", mark].concat(), [mark, b")"].concat());
        let Some(inner) = rest.strip_prefix(opening.as_slice()) else { return format!(" {MASK}") };
        let (opening, closed) =
            (encode(&opening, self.mark.as_deref()), encode(&closing, self.mark.as_deref()));
        match inner.strip_suffix(closing.as_slice()) {
            Some([]) => format!("{opening}{closed}"),
            Some(_) => format!("{opening}{MASK}{closed}"),
            None => {
                self.in_value = true;
                format!("{opening}{MASK}")
            }
        }
    }

    /// The word with its mask; none when it is shown.
    fn word(&self, class: Class, word: &[u8]) -> Option<String> {
        let Redact { values, numbers, .. } = self.redact;
        let content = self.content();
        let mark = self.mark.as_deref();
        let is_masked = match class {
            Class::Shown => false,
            Class::Content | Class::Keys | Class::File | Class::Name => content,
            Class::Anything => content || numbers,
            Class::Value => values,
            Class::Number => numbers,
            Class::Caller => numbers || values,
        };
        if !is_masked || word.is_empty() {
            return None;
        }
        match class {
            Class::Shown => None,
            Class::Content | Class::Anything | Class::Value | Class::Number | Class::Caller => {
                Some(MASK.to_owned())
            }
            Class::Keys => Some(
                String::from(text::BULLET).repeat(String::from_utf8_lossy(word).chars().count()),
            ),
            Class::File => {
                let says = [&b"digits/"[..], b"letters/", b"phonetic/"]
                    .into_iter()
                    .find(|folder| word.starts_with(folder))?;
                Some(format!("{}{MASK}", encode(says, None)))
            }
            Class::Name => {
                let opens = word.iter().position(|&byte| byte == b'(')? + 1;
                let (head, inner) = word.split_at(opens);
                let closes = inner.iter().rposition(|&byte| byte == b')').unwrap_or(inner.len());
                let tail = &inner[closes..];
                let usual = [&b")"[..], b")}", &[b")}", mark.unwrap_or_default()].concat()];
                let tail = if usual.contains(&tail) { tail } else { b")" };
                Some(format!("{}{MASK}{}", encode(&quoted(head), mark), encode(tail, mark)))
            }
        }
    }

    fn content(&self) -> bool {
        self.redact.digits || self.redact.values
    }
}

/// The prelude as it may be kept, `pattern` being the path of the route: keys and values.
pub(super) fn prelude(prelude: &Prelude, pattern: &str, redact: Redact) -> Vec<(String, String)> {
    let script = prelude.get("agi_network_script").unwrap_or_default();
    let shown_script =
        if redact.values { masked_script(script, pattern) } else { encode(script, None) };
    let kept = |(key, value): (String, &[u8])| {
        let is_set = !value.is_empty() && value != b"unknown";
        let text = match key.as_str() {
            "agi_callerid" | "agi_calleridname" | "agi_dnid" | "agi_rdnis" | "agi_extension"
                if redact.numbers && is_set =>
            {
                MASK.to_owned()
            }
            "agi_network_script" => shown_script.clone(),
            "agi_request" if redact.values => match value.strip_suffix(script) {
                Some(before) => format!("{}{shown_script}", encode(before, None)),
                None => MASK.to_owned(),
            },
            key if key.starts_with("agi_arg_") && redact.values && is_set => MASK.to_owned(),
            _ => encode(value, None),
        };
        (key, text)
    };
    prelude.lines().map(kept).collect()
}

/// Parameters of the path and values of the query are what they are masked for.
fn masked_script(script: &[u8], pattern: &str) -> String {
    let at = script.iter().position(|&byte| byte == b'?');
    let (path, query) = script.split_at(at.unwrap_or(script.len()));
    let mut text = if pattern.contains('{') {
        let parts = pattern.trim_start_matches('/').split('/');
        let parts: Vec<&str> = parts.map(|it| if it.contains('{') { MASK } else { it }).collect();
        parts.join("/")
    } else {
        encode(path, None)
    };
    for (place, pair) in query.split(|&byte| matches!(byte, b'?' | b'&')).skip(1).enumerate() {
        text.push(if place == 0 { '?' } else { '&' });
        let equals = pair.iter().position(|&byte| byte == b'=');
        match equals {
            Some(equals) => text.push_str(&format!("{}={MASK}", encode(&pair[..equals], None))),
            None => text.push_str(MASK),
        }
    }
    text
}

/// The mark of a GET FULL VARIABLE that reads between marks, or that only probes.
pub(super) fn mark(words: &Words) -> Option<Vec<u8>> {
    if words.command() != Some("GET FULL VARIABLE") || words.count() < 4 {
        return None;
    }
    let word = words.get(3);
    let (mark, rest) = word.split_at_checked(MARK_BYTES)?;
    let is_mark = mark.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (is_mark && (rest.is_empty() || rest.ends_with(mark))).then(|| mark.to_vec())
}

/// What stands behind `result=1` of a SPEECH RECOGNIZE, as text.
fn heard(rest: &str, redact: Redact) -> String {
    let mut text = rest.to_owned();
    if redact.digits
        && let Some(at) = text.find(" digit=")
    {
        let from = at + " digit=".len();
        let to = text[from..].find(' ').map_or(text.len(), |length| from + length);
        text.replace_range(from..to, &String::from(text::BULLET));
    }
    if redact.values {
        for place in 0.. {
            let Some(at) = text.find(&format!(" text{place}=\"")) else { break };
            let from = at + format!(" text{place}=\"").len();
            // Asterisk escapes no quotes: what was heard ends before its grammar.
            let to = text[from..].find(&format!("\" grammar{place}="));
            let to = to.map_or(text.len(), |length| from + length);
            text.replace_range(from..to, MASK);
        }
    }
    text
}

fn quoted(word: &[u8]) -> Vec<u8> {
    let escaped = |&byte: &u8| match byte {
        b'"' | b'\\' => vec![b'\\', byte],
        _ => vec![byte],
    };
    word.iter().flat_map(escaped).collect()
}

/// Of each argument; none: nothing is known of the command.
fn classes(command: &str) -> Option<&'static [Class]> {
    use Class::{Anything, Caller, Content, File, Keys, Name, Number, Shown, Value};
    Some(match command {
        "ANSWER" | "ASYNCAGI BREAK" | "SPEECH DESTROY" => &[],
        "CHANNEL STATUS"
        | "HANGUP"
        | "RECEIVE CHAR"
        | "RECEIVE TEXT"
        | "SEND IMAGE"
        | "SET AUTOHANGUP"
        | "SET CONTEXT"
        | "SET PRIORITY"
        | "SPEECH ACTIVATE GRAMMAR"
        | "SPEECH CREATE"
        | "SPEECH DEACTIVATE GRAMMAR"
        | "SPEECH UNLOAD GRAMMAR"
        | "TDD MODE"
        | "WAIT FOR DIGIT" => &[Shown],
        "SET MUSIC" | "SPEECH LOAD GRAMMAR" => &[Shown, Shown],
        "RECORD FILE" => &[Shown; 7],
        "CONTROL STREAM FILE" => &[File, Shown, Shown, Shown, Shown, Shown, Shown],
        "GET DATA" | "GET OPTION" | "SPEECH RECOGNIZE" | "STREAM FILE" => &[File, Shown, Shown],
        "DATABASE DEL" | "DATABASE DELTREE" | "DATABASE GET" | "SPEECH SET" => &[Shown, Value],
        "DATABASE PUT" => &[Shown, Value, Value],
        "EXEC" => &[Shown, Anything],
        "GET FULL VARIABLE" => &[Name, Shown],
        "GET VARIABLE" => &[Name],
        "GOSUB" => &[Shown, Shown, Shown, Anything],
        "NOOP" => &[Content; 16],
        "SAY ALPHA" | "SAY NUMBER" => &[Content, Shown, Shown],
        "SAY DATE" | "SAY TIME" => &[Value, Shown],
        "SAY DATETIME" => &[Value, Shown, Shown, Shown],
        "SAY DIGITS" => &[Keys, Shown],
        "SAY PHONETIC" => &[Content, Shown],
        "SEND TEXT" => &[Content],
        "SET CALLERID" => &[Caller],
        "SET EXTENSION" => &[Number],
        "SET VARIABLE" => &[Name, Content],
        "VERBOSE" => &[Content, Shown],
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
