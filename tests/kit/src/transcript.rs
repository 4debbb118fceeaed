//! What went over an AGI socket, line by line and in order, for people to read and for tests to compare. Knows lines,
//! and which words differ from run to run; nothing of sockets.

use std::fmt;

/// Which way a line went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Asterisk wrote it: `A>`.
    FromAsterisk,
    /// It was written to Asterisk: `A<`.
    ToAsterisk,
}

/// A line, or the end of one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Which way.
    pub way: Way,
    /// Its bytes without the LF; `None`: this way was closed.
    pub bytes: Option<Vec<u8>>,
}

/// One connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transcript {
    /// In the order in which they passed.
    pub lines: Vec<Line>,
}

/// Values that differ from run to run, beyond those that can be told by their place.
#[derive(Debug, Clone, Default)]
pub struct Names(Vec<(String, String)>);

pub use agi_bridge::agi::COMMANDS;

/// Prelude lines that say where a call ran and not what it was.
const OWN_LINES: [&str; 5] =
    ["agi_channel", "agi_type", "agi_uniqueid", "agi_version", "agi_threadid"];

impl Names {
    /// Nothing beyond what can be told by its place.
    pub fn new() -> Self {
        Self::default()
    }

    /// `value` is shown as `(name)` wherever it stands.
    #[must_use]
    pub fn with(mut self, value: &str, name: &str) -> Self {
        if !value.is_empty() {
            self.0.push((value.to_owned(), format!("({name})")));
        }
        self
    }
}

impl Transcript {
    /// The names of the commands that were written, in order.
    pub fn commands(&self) -> Vec<&'static str> {
        self.text_lines(Way::ToAsterisk).filter_map(|line| command(&line)).collect()
    }

    /// Lines as text, for comparing two runs: what differs from run to run is replaced by its name, the free text of a
    /// usage block by `(usage)`, and what crossed on the wire stands in one order.
    pub fn normalised(&self, names: &Names) -> Vec<String> {
        let own = self.own_names();
        let mut record_file = false;
        let mut lines = Vec::new();
        let marks: Vec<String> =
            self.text_lines(Way::ToAsterisk).flat_map(|line| marks(&line)).collect();
        for line in &self.lines {
            let mut text = line.to_string();
            if line.way == Way::ToAsterisk {
                record_file = command(&text[3..]) == Some("RECORD FILE");
            }
            for mark in &marks {
                text = text.replace(mark.as_str(), "(mark)");
            }
            for (value, name) in own.0.iter().chain(&names.0) {
                text = text.replace(value.as_str(), name);
            }
            lines.push(normalise(&text, record_file));
        }
        uncross(&mut lines);
        hide_usage(&mut lines);
        lines
    }

    /// The channel and its id, as the prelude has them.
    fn own_names(&self) -> Names {
        let mut names = Names::new();
        for line in self.text_lines(Way::FromAsterisk).take_while(|line| !line.is_empty()) {
            for (key, name) in [("agi_channel: ", "channel"), ("agi_uniqueid: ", "id")] {
                if let Some(value) = line.strip_prefix(key) {
                    names = names.with(value, name);
                }
            }
        }
        names
    }

    fn text_lines(&self, way: Way) -> impl Iterator<Item = String> {
        let lines = self.lines.iter().filter(move |line| line.way == way);
        lines.filter_map(|line| line.bytes.as_deref().map(readable))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.way {
            Way::FromAsterisk => "A> ",
            Way::ToAsterisk => "A< ",
        })?;
        match &self.bytes {
            Some(bytes) => f.write_str(&readable(bytes)),
            None => f.write_str("(closed)"),
        }
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// The command that a line begins with, if it is one of AGI's.
pub fn command(line: &str) -> Option<&'static str> {
    let matches = COMMANDS.iter().filter(|name| {
        let mut words = line.split_ascii_whitespace();
        name.split(' ')
            .all(|wanted| words.next().is_some_and(|word| word.eq_ignore_ascii_case(wanted)))
    });
    matches.max_by_key(|name| name.len()).copied()
}

/// Shows where two lists of lines part, for people; `None` when they are the same.
pub fn difference(
    left_name: &str,
    left: &[String],
    right_name: &str,
    right: &[String],
) -> Option<String> {
    if left == right {
        return None;
    }
    let mut text = format!("  - {left_name}\n  + {right_name}\n");
    for (mark, line) in edits(left, right) {
        text.push_str(&format!("  {mark} {line}\n"));
    }
    Some(text)
}

/// The lines of both, each with `-`, `+`, or a blank where they agree: by the longest common subsequence.
fn edits<'a>(left: &'a [String], right: &'a [String]) -> Vec<(char, &'a str)> {
    let width = right.len() + 1;
    let mut common = vec![0_u32; (left.len() + 1) * width];
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            common[i * width + j] = if left[i] == right[j] {
                common[(i + 1) * width + j + 1] + 1
            } else {
                common[(i + 1) * width + j].max(common[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut edits) = (0, 0, Vec::new());
    while i < left.len() || j < right.len() {
        if i < left.len() && j < right.len() && left[i] == right[j] {
            edits.push((' ', left[i].as_str()));
            (i, j) = (i + 1, j + 1);
        } else if j == right.len()
            || i < left.len() && common[(i + 1) * width + j] >= common[i * width + j + 1]
        {
            edits.push(('-', left[i].as_str()));
            i += 1;
        } else {
            edits.push(('+', right[j].as_str()));
            j += 1;
        }
    }
    edits
}

fn readable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for c in String::from_utf8_lossy(bytes).chars() {
        match c {
            '\u{0}'..='\u{1f}' | '\u{7f}' => text.push_str(&format!("\\x{:02x}", u32::from(c))),
            _ => text.push(c),
        }
    }
    text
}

fn normalise(text: &str, record_file: bool) -> String {
    for name in OWN_LINES {
        if text.starts_with(&format!("A> {name}: ")) {
            return format!("A> {name}: (own)");
        }
    }
    let mut text = text.to_owned();
    if text.starts_with("A> agi_request: ") {
        text = port(&text);
    }
    if text.starts_with("A> 200 ") {
        // A digit that comes at once leaves nothing: a matter of milliseconds.
        text = number_after(&text, " endpos=").replace("(dtmf) endpos=0", "(dtmf) endpos=(n)");
        // What was left of the time when the last frame came; 0 is as good as 3.
        if record_file && text.contains(" (timeout) ") {
            text = number_after(&text, " result=").replace("result=0 ", "result=(n) ");
        }
    }
    text
}

/// Puts what can cross on the wire into one order. Asterisk tells a hangup within milliseconds, and what is written
/// meanwhile may be seen before that or after: a command comes after it, and our close before it. Its own close is last.
fn uncross(lines: &mut Vec<String>) {
    if let Some(index) = lines.iter().position(|line| line == "A> (closed)") {
        let closed = lines.remove(index);
        lines.push(closed);
    }
    let is_command =
        |line: &str| line.starts_with("A< ") && !matches!(line, "A< (closed)" | "A< failure");
    for index in 1..lines.len() {
        if lines[index] == "A> HANGUP" && is_command(&lines[index - 1]) {
            lines.swap(index - 1, index);
        }
    }
    let closed = lines.iter().position(|line| line == "A< (closed)");
    for index in (1..=closed.unwrap_or(0)).rev() {
        if lines[index - 1] != "A> HANGUP" {
            break;
        }
        lines.swap(index - 1, index);
    }
}

fn hide_usage(lines: &mut Vec<String>) {
    let mut inside = false;
    lines.retain_mut(|line| {
        let begins = line.starts_with("A> 520-");
        let ends = line.starts_with("A> 520 ");
        let keep = !inside || ends;
        inside = begins || inside && !ends;
        if begins {
            line.push_str(" (usage)");
        }
        keep
    });
}

/// Replaces a number above zero behind `key`: samples and milliseconds are never the same twice.
fn number_after(text: &str, key: &str) -> String {
    let Some((before, after)) = text.split_once(key) else { return text.to_owned() };
    let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    match after[..end].parse::<u64>() {
        Ok(1..) => format!("{before}{key}(n){}", &after[end..]),
        Ok(0) | Err(_) => text.to_owned(),
    }
}

/// The bridge's marks around a value: runs of 32 hexadecimal digits in what it writes.
fn marks(line: &str) -> Vec<String> {
    let runs = line.split(|c: char| !c.is_ascii_hexdigit()).filter(|run| run.len() == 32);
    runs.map(str::to_owned).collect()
}

/// Replaces the port of an AGI URL.
fn port(text: &str) -> String {
    let Some((before, after)) = text.split_once("://") else { return text.to_owned() };
    let Some((host, path)) = after.split_once('/') else { return text.to_owned() };
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    format!("{before}://{host}:(port)/{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transcript(lines: &[&str]) -> Transcript {
        let lines = lines.iter().map(|line| Line {
            way: if line.starts_with("A>") { Way::FromAsterisk } else { Way::ToAsterisk },
            bytes: Some(line.as_bytes()[3..].to_vec()),
        });
        Transcript { lines: lines.collect() }
    }

    /// The end of a session; `None` is our close.
    fn end(lines: &[Option<&str>]) -> Transcript {
        let mut end = transcript(&["A< HANGUP", "A> 200 result=1"]);
        for line in lines {
            end.lines.push(match line {
                Some(line) => transcript(&[line]).lines.remove(0),
                None => Line { way: Way::ToAsterisk, bytes: None },
            });
        }
        end.lines.push(Line { way: Way::FromAsterisk, bytes: None });
        end
    }

    #[test]
    fn what_differs_from_run_to_run_is_replaced() {
        let mark = "0123456789abcdef0123456789abcdef";
        let lines = transcript(&[
            "A> agi_request: agi://127.0.0.1:4573/x?run=7",
            "A> agi_channel: Local/s@lab-near-00000001;2",
            &format!("A< GET FULL VARIABLE \"{mark}${{X}}{mark}\""),
            &format!("A> 200 result=1 ({mark}12{mark})"),
            "A> 200 result=-1 endpos=6560",
            "A> 200 result=0 endpos=0",
            "A< RECORD FILE \"a\" \"wav\" \"\" \"-1\"",
            "A> 200 result=7482 (timeout) endpos=12",
        ])
        .normalised(&Names::new().with("run=7", "run"));
        assert_eq!(
            lines,
            [
                "A> agi_request: agi://127.0.0.1:(port)/x?(run)",
                "A> agi_channel: (own)",
                "A< GET FULL VARIABLE \"(mark)${X}(mark)\"",
                "A> 200 result=1 ((mark)12(mark))",
                "A> 200 result=-1 endpos=(n)",
                "A> 200 result=0 endpos=0",
                "A< RECORD FILE \"a\" \"wav\" \"\" \"-1\"",
                "A> 200 result=(n) (timeout) endpos=(n)",
            ]
        );
    }

    #[test]
    fn a_crossing_and_a_usage_text_make_no_difference() {
        let names = Names::new();
        let one = transcript(&[
            "A> HANGUP",
            "A< ANSWER",
            "A> 511 x",
            "A< X",
            "A> 520-u",
            "A> one",
            "A> 520 End",
        ]);
        let other = transcript(&[
            "A< ANSWER",
            "A> HANGUP",
            "A> 511 x",
            "A< X",
            "A> 520-u",
            "A> a",
            "A> b",
            "A> 520 End",
        ]);
        assert_eq!(one.normalised(&names), other.normalised(&names));
        assert_eq!(other.normalised(&names).len(), 6);
        let one = end(&[Some("A> HANGUP"), None, Some("A> HANGUP")]);
        let other = end(&[None, Some("A> HANGUP"), Some("A> HANGUP")]);
        assert_eq!(one.normalised(&names), other.normalised(&names));
    }

    #[test]
    fn the_longest_command_name_is_meant() {
        assert_eq!(command("DATABASE DELTREE \"a\""), Some("DATABASE DELTREE"));
        assert_eq!(command("set music on"), Some("SET MUSIC"));
        assert_eq!(command("FOO"), None);
    }

    #[test]
    fn a_difference_shows_both_sides() {
        let text = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        let shown =
            difference("phone", &text(&["a", "b", "c"]), "asterisk", &text(&["a", "x", "c"]));
        assert_eq!(shown.as_deref(), Some("  - phone\n  + asterisk\n    a\n  - b\n  + x\n    c\n"));
        assert_eq!(difference("l", &text(&["a"]), "r", &text(&["a"])), None);
    }
}
