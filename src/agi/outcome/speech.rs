//! The replies to SPEECH RECOGNIZE. Texts in them are not escaped, so they are read from the right.

use super::{Finished, Success, Verdict, error, text};
use crate::proto::{
    SpeechResult,
    command_error::Code,
    command_result::Outcome,
    hangup::Source,
    speech_result::{End, Match},
};
use bytes::Bytes;

/// More than any engine gives within Asterisk's 4 kB. Each is searched for in the whole reply.
const MATCHES_MAX: usize = 256;

/// Everything but recognised speech is one line.
pub(super) fn first_line(reply: Success<'_>) -> Verdict {
    let reason = reply.rest.split(|&byte| byte == b' ').next().unwrap_or_default();
    let end = match (&reply.result[..], reason) {
        (b"0", _) => {
            return error(Code::Failed, "the call has no speech engine".to_owned()).into();
        }
        (b"1", b"(speech)") => return Verdict::Probe,
        (b"1", b"(digit)") => End::Digit,
        (b"1", b"(timeout)") => End::Timeout,
        (b"1", b"(hangup)") => End::Hangup,
        (_, _) => return reply.unexpected().into(),
    };
    let digit =
        reply.rest.split(|&byte| byte == b' ').find_map(|word| word.strip_prefix(b"digit="));
    let outcome = Outcome::Speech(SpeechResult {
        end: end.into(),
        matches: Vec::new(),
        digit: text(digit.unwrap_or_default()),
        end_samples: end_samples(reply),
    });
    let hangup = (end == End::Hangup).then_some(Source::Reply);
    Verdict::Done(Finished { outcome, hangup })
}

/// `200 result=1 (speech) endpos=0 results=2 score0=… text0="…" grammar0=… score1=…`. Asterisk cuts what is longer than
/// 4 kB: a match that lost its end is left out.
pub(super) fn whole(whole: &[u8]) -> Outcome {
    let whole = Bytes::copy_from_slice(whole);
    let rest = whole.slice(b"200 result=1 ".len().min(whole.len())..);
    let reply = Success { result: &Bytes::new(), rest: &rest, line: &whole };
    let count = reply.attribute(b"results=").and_then(|count| usize::try_from(count).ok());
    let header = find(&rest, b" results=").map(|at| at + 1);
    let Some((header, count)) = header.zip(count) else { return reply.unexpected() };
    let mut left = &rest[header..];
    let mut matches = Vec::new();
    for place in (0..count.min(MATCHES_MAX)).rev() {
        let score = format!(" score{place}=");
        let Some(at) =
            (if place == 0 { find(left, score.as_bytes()) } else { rfind(left, score.as_bytes()) })
        else {
            continue;
        };
        matches.extend(parse_match(&left[at + score.len()..], place));
        left = &left[..at];
    }
    matches.reverse();
    Outcome::Speech(SpeechResult {
        end: End::Speech.into(),
        matches,
        digit: String::new(),
        end_samples: end_samples(reply),
    })
}

/// `5 text0="second" grammar0=(null)`
fn parse_match(bytes: &[u8], place: usize) -> Option<Match> {
    let blank = bytes.iter().position(|&byte| byte == b' ')?;
    let score = std::str::from_utf8(&bytes[..blank]).ok()?.parse().ok()?;
    let words = bytes[blank..].strip_prefix(format!(" text{place}=\"").as_bytes())?;
    let separator = format!("\" grammar{place}=");
    let end = rfind(words, separator.as_bytes())?;
    let grammar = &words[end + separator.len()..];
    let grammar = if grammar == b"(null)" { String::new() } else { text(grammar) };
    Some(Match { score, text: text(&words[..end]), grammar })
}

fn end_samples(reply: Success<'_>) -> u32 {
    reply.attribute(b"endpos=").and_then(|position| u32::try_from(position).ok()).unwrap_or(0)
}

fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window == text)
}

fn rfind(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).rposition(|window| window == text)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            Kind, judge_whole,
            tests::{failed, unexpected, verdict},
        },
        *,
    };

    fn speech(end: End, matches: &[(i32, &str, &str)], digit: &str, end_samples: u32) -> Outcome {
        let matches = matches.iter().map(|&(score, text, grammar)| Match {
            score,
            text: text.to_owned(),
            grammar: grammar.to_owned(),
        });
        let (end, digit) = (end.into(), digit.to_owned());
        Outcome::Speech(SpeechResult { end, matches: matches.collect(), digit, end_samples })
    }

    #[test]
    fn what_is_no_speech_is_one_line() {
        let hangup =
            Finished { outcome: speech(End::Hangup, &[], "", 0), hangup: Some(Source::Reply) };
        let table = [
            ("200 result=1 (digit) digit=7 endpos=80", speech(End::Digit, &[], "7", 80).into()),
            ("200 result=1 (timeout) endpos=0", speech(End::Timeout, &[], "", 0).into()),
            ("200 result=1 (hangup) endpos=0", Verdict::Done(hangup)),
            ("200 result=0", failed("the call has no speech engine")),
            ("200 result=1 (speech) endpos=0 results=1 score0=", Verdict::Probe),
            ("200 result=1 (other)", unexpected("200 result=1 (other)")),
        ];
        for (line, expected) in table {
            assert_eq!(verdict(Kind::Speech, line), expected, "{line}");
        }
    }

    #[test]
    fn matches_are_read_from_the_right() {
        let two = "results=2 score0=5 text0=\"second\" grammar0=(null) score1=87 text1=\"hello \"quoted\" world\" grammar1=g1";
        type Matches = &'static [(i32, &'static str, &'static str)];
        let table: [(&str, Matches); 7] = [
            (two, &[(5, "second", ""), (87, "hello \"quoted\" world", "g1")]),
            ("results=0 ", &[]),
            ("results=1 score0=1 text0=\"a\nHANGUP\nb\" grammar0=", &[(1, "a\nHANGUP\nb", "")]),
            (
                "results=1 score0=1 text0=\" score0=2 text0=\"x\" grammar0=y\" grammar0=g",
                &[(1, " score0=2 text0=\"x\" grammar0=y", "g")],
            ),
            ("results=2 score0=1 text0=\"a\" grammar0=g score1=2 text1=\"cut of", &[(1, "a", "g")]),
            ("results=2 score0=1 text0=\"a\" grammar0=g", &[(1, "a", "g")]),
            ("results=99999999999 x", &[]),
        ];
        for (rest, matches) in table {
            let line = Bytes::from(format!("200 result=1 (speech) endpos=9 {rest}"));
            let finished = judge_whole(Kind::Speech, &line, b"").expect("never torn");
            assert_eq!(finished.outcome, speech(End::Speech, matches, "", 9), "{rest}");
        }
    }

    #[test]
    fn no_more_matches_are_read_than_an_engine_gives() {
        let each = |place| format!(" score{place}={place} text{place}=\"t\" grammar{place}=g");
        let all: String = (0..300).map(each).collect();
        let line = Bytes::from(format!("200 result=1 (speech) endpos=9 results=300{all}"));
        let finished = judge_whole(Kind::Speech, &line, b"").expect("never torn");
        let Outcome::Speech(speech) = finished.outcome else { panic!("{finished:?}") };
        assert_eq!(speech.matches.len(), MATCHES_MAX);
        assert_eq!(speech.matches[MATCHES_MAX - 2].text, "t");
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_results_do_not_panic(bytes: Vec<u8>) {
            let line = [&b"200 result=1 (speech) endpos=0 results="[..], &bytes].concat();
            let _ = judge_whole(Kind::Speech, &line.into(), &bytes);
            let _ = whole(&bytes);
        }
    }
}
