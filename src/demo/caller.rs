//! The child: hears two numbers, and knows what to type. Pure; whoever plays the phone asks it line by line.

use std::collections::VecDeque;

/// How one question is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As it should be.
    Right,
    /// One beside it.
    Wrong,
    /// Nothing is typed.
    Silent,
}

/// Listens to the lines that a phone gets from the bridge.
#[derive(Debug, Default)]
pub struct CallerBrain {
    /// What was said last, at most two numbers.
    heard: VecDeque<i64>,
    manners: VecDeque<Manner>,
}

impl CallerBrain {
    /// Answers the first questions in these manners, and all others right.
    pub fn new(manners: impl IntoIterator<Item = Manner>) -> Self {
        Self { heard: VecDeque::new(), manners: manners.into_iter().collect() }
    }

    /// Takes a command as it is on the wire, as `SAY NUMBER "7" ""`, and gives the keys to press while it runs.
    /// Keys come only at a `GET DATA` that follows two numbers; `#` is among them where it is needed to be done.
    pub fn hear(&mut self, line: &str) -> Option<String> {
        let words = words(line);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        match words[..] {
            ["SAY", "NUMBER", number, ..] => {
                self.heard.push_back(number.parse().ok()?);
                if self.heard.len() > 2 {
                    self.heard.pop_front();
                }
                None
            }
            ["GET", "DATA", _, ref rest @ ..] => {
                let [from, take] = *self.heard.make_contiguous() else { return None };
                self.heard.clear();
                let max = rest.get(1).and_then(|max| max.parse().ok()).filter(|&max| max > 0);
                self.keys(from - take, max)
            }
            _ => None,
        }
    }

    fn keys(&mut self, answer: i64, max_digits: Option<usize>) -> Option<String> {
        let answer = match self.manners.pop_front().unwrap_or(Manner::Right) {
            Manner::Right => answer,
            // Below ten an answer stays below ten.
            Manner::Wrong if answer == 9 => 8,
            Manner::Wrong => answer + 1,
            Manner::Silent => return None,
        };
        let typed = answer.to_string();
        // A `#` behind the last digit that is taken would be left for the next question.
        let whole = max_digits.is_some_and(|max| typed.len() >= max);
        Some(if whole { typed } else { typed + "#" })
    }
}

/// The words of a line, without the quotes around them.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![];
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut letters = line.trim_end().chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '\\' => word.get_or_insert_default().extend(letters.next()),
            ' ' if !quoted => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_what_was_said_is_typed() {
        let mut child = CallerBrain::default();
        assert_eq!(heard(&mut child, 17, 5, "2"), Some("12".to_owned()));
        assert_eq!(heard(&mut child, 17, 9, "2"), Some("8#".to_owned()));
        assert_eq!(heard(&mut child, 9, 2, "1"), Some("7".to_owned()));
        assert_eq!(heard(&mut child, 9, 9, "0"), Some("0#".to_owned()));
        assert_eq!(child.hear("GET DATA \"beep\""), None, "nothing was asked");
        assert_eq!(child.hear("SAY NUMBER 3 \"\"\n"), None);
        assert_eq!(child.hear("SAY NUMBER 1 \"\"\n"), None);
        assert_eq!(child.hear("GET DATA beep\n"), Some("2#".to_owned()));
    }

    #[test]
    fn only_the_last_two_numbers_count() {
        let mut child = CallerBrain::default();
        child.hear("SAY NUMBER \"100\" \"\"");
        assert_eq!(heard(&mut child, 8, 3, "1"), Some("5".to_owned()));
    }

    #[test]
    fn manners_are_used_up_in_their_order() {
        let mut child = CallerBrain::new([Manner::Silent, Manner::Wrong, Manner::Wrong]);
        let typed =
            [(5, 3), (5, 3), (9, 0), (5, 3)].map(|(from, take)| heard(&mut child, from, take, "1"));
        assert_eq!(typed, [None, Some("3".into()), Some("8".into()), Some("2".into())]);
    }

    #[test]
    fn lines_are_split_as_asterisk_does() {
        assert_eq!(
            words("EXEC \"Pla y\" \"\" \"a\\\"b\\\\\" c\n"),
            ["EXEC", "Pla y", "", "a\"b\\", "c"]
        );
    }

    fn heard(child: &mut CallerBrain, from: u8, take: u8, max: &str) -> Option<String> {
        assert_eq!(child.hear("ANSWER"), None);
        assert_eq!(child.hear(&format!("SAY NUMBER \"{from}\" \"\"")), None);
        assert_eq!(child.hear("STREAM FILE \"digits/minus\" \"\""), None);
        assert_eq!(child.hear(&format!("SAY NUMBER \"{take}\" \"\"")), None);
        child.hear(&format!("GET DATA \"beep\" \"5000\" \"{max}\""))
    }
}
