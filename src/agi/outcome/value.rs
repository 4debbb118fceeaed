//! Replies that carry text of the caller or the dialplan, and raw ones.

use super::{Finished, Success, Verdict, error, text};
use crate::{
    agi::reply::{Mark, Reply},
    proto::{RawReply, ValueResult, command_error::Code, command_result::Outcome, hangup::Source},
};
use bytes::Bytes;

/// DATABASE GET, and GET VARIABLE behind an empty read: `0`, or `1 (value)`.
pub(super) fn keyed(reply: Success<'_>) -> Verdict {
    match (&reply.result[..], &reply.rest[..]) {
        (b"0", _) => Outcome::Value(ValueResult { value: None }).into(),
        (b"1", rest) if rest.starts_with(b"(") => Verdict::Probe,
        (_, _) => reply.unexpected().into(),
    }
}

/// GET FULL VARIABLE without its marks.
pub(super) fn full(reply: Success<'_>) -> Outcome {
    match &reply.result[..] {
        b"0" => error(Code::Failed, "there is no such channel".to_owned()),
        _ => reply.unexpected(),
    }
}

pub(super) fn some(value: &[u8]) -> Outcome {
    Outcome::Value(ValueResult { value: Some(text(value)) })
}

/// The value of a whole `200 result=1 (value)`; `None` when its end was lost.
pub(in crate::agi) fn whole_value(whole: &[u8]) -> Option<&[u8]> {
    whole.strip_prefix(b"200 result=1 (")?.strip_suffix(b")")
}

/// What stands between two copies of the mark in `(MARK…MARK)`.
pub(in crate::agi) fn between_marks<'a>(rest: &'a [u8], mark: &Mark) -> Option<&'a [u8]> {
    let mark = mark.as_bytes();
    rest.strip_prefix(b"(")?.strip_prefix(mark)?.strip_suffix(b")")?.strip_suffix(mark)
}

/// Any reply to a raw command is its result. Whether a 200 is whole is known only where it holds no value.
pub(super) fn raw_reply(reply: &Reply, own_hangup: bool) -> Verdict {
    let (code, hangup) = match reply {
        Reply::Success { result, rest, .. } => match &result[..] {
            b"0" | b"-1" if rest.is_empty() => (200, None),
            _ if own_hangup && rest.is_empty() => (200, Some(Source::Service)),
            _ => return Verdict::Probe,
        },
        Reply::Unknown(_) => (510, None),
        Reply::Dead(_) => (511, Some(Source::Reply)),
        Reply::Usage(_) => (520, None),
        Reply::Other { code, .. } => (i32::from(*code), None),
    };
    Verdict::Done(Finished { outcome: raw(code, reply.line()), hangup })
}

/// A 200 that was read whole.
pub(super) fn whole_raw(whole: &[u8]) -> Outcome {
    raw(200, whole)
}

fn raw(code: i32, whole: &[u8]) -> Outcome {
    let (mut result, mut value) = (String::new(), None);
    if let Some(Reply::Success { result: found, rest, .. }) =
        Reply::parse(Bytes::copy_from_slice(whole))
    {
        result = text(&found);
        let end = rest.iter().rposition(|&byte| byte == b')');
        value = rest.strip_prefix(b"(").zip(end).map(|(inner, end)| text(&inner[..end - 1]));
    }
    Outcome::Raw(RawReply { code, result, value, text: text(whole) })
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

    #[test]
    fn a_value_is_unset_empty_or_to_be_read_on() {
        let table = [
            ("200 result=0", Outcome::Value(ValueResult { value: None }).into()),
            ("200 result=1 ()", Verdict::Probe),
            ("200 result=1 (a", Verdict::Probe),
            ("200 result=1", unexpected("200 result=1")),
            ("200 result=-1", unexpected("200 result=-1")),
        ];
        for (line, expected) in table {
            assert_eq!(verdict(Kind::DatabaseGet, line), expected, "{line}");
        }
        assert_eq!(verdict(Kind::FullVariable, "200 result=0"), failed("there is no such channel"));
        assert_eq!(verdict(Kind::FullVariable, "200 result=1 (x)"), unexpected("200 result=1 (x)"));
    }

    #[test]
    fn a_whole_value_reaches_from_the_first_to_the_last_parenthesis() {
        let table: [(&'static [u8], &[u8], Option<&str>); 5] = [
            (b"200 result=1 ()", b"", Some("")),
            (b"200 result=1 (a) (b)", b"", Some("a) (b")),
            (
                b"200 result=1 (line1",
                b"200 result=1 (fake)\nline3)\n",
                Some("line1\n200 result=1 (fake)\nline3"),
            ),
            (b"200 result=1 (a\xff\r", b"HANGUP)\n", Some("a\u{fffd}\r\nHANGUP")),
            (b"200 result=1 (torn", b"", None),
        ];
        for (first, tail, expected) in table {
            let finished = judge_whole(Kind::DatabaseGet, &Bytes::from_static(first), tail);
            let value = finished.map(|finished| finished.outcome);
            assert_eq!(value, expected.map(|value| some(value.as_bytes())), "{first:?}");
        }
    }

    #[test]
    fn raw_replies_come_back_as_they_are() {
        let reply = |code, result: &str, value: Option<&str>, text: &str| {
            let (value, text) = (value.map(str::to_owned), text.to_owned());
            Outcome::Raw(RawReply { code, result: result.to_owned(), value, text })
        };
        let kind = Kind::Raw { own_hangup: false };
        let direct = [
            ("200 result=0", reply(200, "0", None, "200 result=0"), None),
            ("200 result=-1", reply(200, "-1", None, "200 result=-1"), None),
            ("510 x", reply(510, "", None, "510 x"), None),
            ("511 x", reply(511, "", None, "511 x"), Some(Source::Reply)),
            ("520-a\nb\n520 c", reply(520, "", None, "520-a\nb\n520 c"), None),
            ("503 result=-2 x", reply(503, "", None, "503 result=-2 x"), None),
        ];
        for (line, outcome, hangup) in direct {
            assert_eq!(verdict(kind, line), Verdict::Done(Finished { outcome, hangup }), "{line}");
        }
        let whole: [(&str, Outcome); 5] = [
            ("200 result=1", reply(200, "1", None, "200 result=1")),
            (
                "200 result=12 (timeout)",
                reply(200, "12", Some("timeout"), "200 result=12 (timeout)"),
            ),
            (
                "200 result=1 (a) b) endpos=5",
                reply(200, "1", Some("a) b"), "200 result=1 (a) b) endpos=5"),
            ),
            ("200 result=1 (a", reply(200, "1", None, "200 result=1 (a")),
            ("200 result=5 endpos=7", reply(200, "5", None, "200 result=5 endpos=7")),
        ];
        for (line, outcome) in whole {
            let first = Bytes::from(line.to_owned());
            assert_eq!(
                judge_whole(kind, &first, b""),
                Some(Finished { outcome, hangup: None }),
                "{line}"
            );
        }
        let hangup = verdict(Kind::Raw { own_hangup: true }, "200 result=1");
        let outcome = reply(200, "1", None, "200 result=1");
        assert_eq!(hangup, Verdict::Done(Finished { outcome, hangup: Some(Source::Service) }));
    }

    #[test]
    fn the_value_stands_between_the_marks() {
        let mark = Mark::new(5);
        let digits = String::from_utf8_lossy(mark.as_bytes()).into_owned();
        assert_eq!(
            between_marks(format!("({digits}a)b{digits})").as_bytes(), &mark),
            Some(&b"a)b"[..])
        );
        assert_eq!(between_marks(format!("({digits}{digits})").as_bytes(), &mark), Some(&b""[..]));
        assert_eq!(between_marks(format!("({digits})").as_bytes(), &mark), None);
    }
}
