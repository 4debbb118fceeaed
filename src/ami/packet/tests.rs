//! The reader, and both directions together: whatever comes, and however it is cut.

use super::*;
use proptest::prelude::*;

const GREETING: &[u8] = b"Asterisk Call Manager/11.0.0\r\n";
const SMALL: Limits = Limits { line_bytes_max: 40, headers_max: 6, message_bytes_max: 120 };

/// All that is read of `bytes`, given in pieces of these sizes, and then as a whole.
fn read(bytes: &[u8], cuts: &[usize], limits: Limits) -> (Vec<Incoming>, Option<NoManager>) {
    let mut reader = Reader::new(limits);
    let mut read = Vec::new();
    let mut rest = bytes;
    let mut cuts = cuts.iter();
    while !rest.is_empty() {
        let size = cuts.next().map_or(rest.len(), |size| (*size).clamp(1, rest.len()));
        let (piece, after) = rest.split_at(size);
        rest = after;
        reader.push(piece);
        loop {
            match reader.take() {
                Ok(Some(incoming)) => read.push(incoming),
                Ok(None) => break,
                Err(error) => return (read, Some(error)),
            }
        }
    }
    (read, None)
}

fn messages_of(greeting: &[u8], bytes: &[u8], limits: Limits) -> Vec<Message> {
    let (read, error) = read(&[greeting, bytes].concat(), &[], limits);
    assert_eq!(error, None);
    let messages = read.into_iter().filter_map(|incoming| match incoming {
        Incoming::Message(message) => Some(message),
        Incoming::Banner(_) => None,
    });
    messages.collect()
}

fn messages(bytes: &[u8]) -> Vec<Message> {
    messages_of(GREETING, bytes, Limits::default())
}

fn pairs(message: &Message) -> Vec<(&str, &str)> {
    message.headers.iter().collect()
}

#[test]
fn the_greeting_comes_first_and_nothing_else_may() {
    let banner = Incoming::Banner(Banner { version: "11.0.0".into() });
    assert_eq!(read(GREETING, &[], Limits::default()), (vec![banner], None));
    for other in [&b"SSH-2.0-OpenSSH_9\r\n"[..], b"\r\n", b"\x15\x03\x01\xff\n"] {
        assert!(read(other, &[], Limits::default()).1.is_some(), "{other:?}");
    }
    // Somebody who never ends a line is not waited for.
    let (nothing, error) = read(&[b'x'; 41], &[], SMALL);
    assert_eq!(nothing, []);
    assert!(error.unwrap().to_string().ends_with("`xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx`"));
}

#[test]
fn headers_keep_their_order_repeats_and_case() {
    let read =
        messages(b"Event: VarSet\r\nVariable: a\nVARIABLE: b: c\r\nEmpty: \r\nNone:\r\n\r\n");
    let wanted =
        [("Event", "VarSet"), ("Variable", "a"), ("VARIABLE", "b: c"), ("Empty", ""), ("None", "")];
    assert_eq!(pairs(&read[0]), wanted);
    assert_eq!((read[0].event(), read.len()), (Some("VarSet"), 1));
}

#[test]
fn blank_lines_between_messages_mean_nothing() {
    let read = messages(b"\r\n\n\r\nResponse: Success\r\n\r\n\r\n\r\n\nEvent: A\r\n\r\n\r\n");
    assert_eq!(read.len(), 2);
    assert_eq!((read[0].response(), read[1].event()), (Some("Success"), Some("A")));
}

#[test]
fn bytes_that_are_no_text_are_replaced() {
    let read = messages(b"Event: A\r\nName: a\xff\xfeb\0\r\n\r\n");
    assert_eq!(read[0].headers.get("Name"), Some("a\u{fffd}\u{fffd}b\0"));
}

#[test]
fn a_line_without_a_name_goes_on_with_the_value_before_it() {
    let read =
        messages(b"Response: Success\r\nActionID: 1\r\nValue: a\r\nb\nhttp://c\r\nd e: f\r\n\r\n");
    assert_eq!(read[0].headers.get("Value"), Some("a\nb\nhttp://c\nd e: f"));
}

#[test]
fn a_value_that_forges_headers_cannot_change_what_stood_before_it() {
    let value = "x\r\nActionID: 2\r\nResponse: Error\r\n\r\nVariable: y\r\nResponse: Success\r\nActionID: 3";
    let read =
        messages(format!("Response: Success\r\nActionID: 1\r\nValue: {value}\r\n\r\n").as_bytes());
    assert_eq!((read[0].response(), read[0].action_id()), (Some("Success"), Some("1")));
    // The second one begins with neither word, and is nobody's.
    assert_eq!((read[1].response(), read[1].event(), read.len()), (None, None, 2));
}

#[test]
fn output_of_a_command_is_a_header_each_line() {
    let read = messages(
        b"Response: Success\r\nActionID: 1\r\nMessage: Command output follows\r\nOutput: a: b\r\nOutput: \r\nOutput: c\r\n\r\n",
    );
    assert_eq!(read[0].headers.all("Output").collect::<Vec<_>>(), ["a: b", "", "c"]);
    // The word alone begins no raw output in this protocol.
    let read = messages(b"Response: Follows\r\nActionID: 1\r\n\r\nEvent: A\r\n\r\n");
    assert_eq!((read[0].response(), read[1].event()), (Some("Follows"), Some("A")));
}

#[test]
fn raw_output_of_an_old_asterisk_ends_at_its_mark() {
    let old = b"Asterisk Call Manager/2.10.4\r\n";
    let text = b"Response: Follows\r\nPrivilege: Command\r\nActionID: 1\r\nHello: there\n\nActionID: 9\nlast--END COMMAND--\r\n\r\nEvent: A\r\n\r\n";
    let read = messages_of(old, text, Limits::default());
    assert_eq!((read[0].action_id(), read[1].event()), (Some("1"), Some("A")));
    let output: Vec<_> = read[0].headers.all("Output").collect();
    assert_eq!(output, ["Hello: there", "", "ActionID: 9", "last"]);
    let empty = b"Response: Follows\r\nActionID: 1\r\n--END COMMAND--\r\n\r\n";
    assert_eq!(messages_of(old, empty, Limits::default())[0].headers.len(), 2);
}

#[test]
fn what_is_too_long_is_cut_and_says_so() {
    let long = format!("Event: A\r\nX: {}\r\nY: z\r\n\r\n", "x".repeat(100));
    let read = messages_of(GREETING, long.as_bytes(), SMALL);
    assert!(read[0].is_cut);
    assert_eq!(pairs(&read[0]), [("Event", "A"), ("X", "x".repeat(37).as_str()), ("Y", "z")]);

    let many = format!("Event: A\r\n{}\r\nEvent: B\r\n\r\n", "X: y\r\n".repeat(50));
    let read = messages_of(GREETING, many.as_bytes(), SMALL);
    assert_eq!((read[0].headers.len(), read[0].is_cut), (6, true));
    assert_eq!((read[1].headers.len(), read[1].is_cut), (1, false));

    let large = format!("Event: A\r\n{}\r\n", "X: 0123456789012345678901234567890\r\n".repeat(5));
    let read = messages_of(GREETING, large.as_bytes(), SMALL);
    assert_eq!((read[0].headers.len(), read[0].is_cut), (4, true));
}

#[test]
fn input_without_end_takes_no_memory() {
    let mut reader = Reader::new(SMALL);
    reader.push(GREETING);
    reader.take().unwrap().unwrap();
    for text in [&b"x"[..], b"A: b\r\n"] {
        for _ in 0..10_000 {
            reader.push(text);
            assert_eq!(reader.take(), Ok(None));
        }
    }
    reader.push(b"\r\n\r\n");
    let Ok(Some(Incoming::Message(message))) = reader.take() else { panic!("a message was ended") };
    assert!(message.is_cut);
    assert!(message.headers.size() < 1_000, "{}", message.headers.size());
}

/// Bytes made to look like the end of something.
fn nasty() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just(b"\r\n".to_vec()),
        Just(b"\n\n".to_vec()),
        Just(b"Response: Success\r\n".to_vec()),
        Just(b"Response: Follows\r\n".to_vec()),
        Just(b"ActionID: 1\r\n".to_vec()),
        Just(b"Event: X\n".to_vec()),
        Just(b"Output: x\r\n".to_vec()),
        Just(b"--END COMMAND--\r\n\r\n".to_vec()),
        Just(b"A long line that is longer than forty bytes, and: a colon\r\n".to_vec()),
        prop::collection::vec(any::<u8>(), 0..12),
    ];
    prop::collection::vec(word, 0..16).prop_map(|words| words.concat())
}

fn greeting() -> impl Strategy<Value = &'static [u8]> {
    prop_oneof![
        Just(GREETING),
        Just(&b"Asterisk Call Manager/2.8.0\n"[..]),
        Just(&b"Asterisk Call Manager/\r\n"[..]),
        Just(&b""[..])
    ]
}

proptest! {
    #[test]
    fn no_segmentation_changes_what_is_read(
        greeting in greeting(), bytes in nasty(), cuts in prop::collection::vec(1usize..30, 0..40), small: bool,
    ) {
        let limits = if small { SMALL } else { Limits::default() };
        let bytes = [greeting, &bytes].concat();
        prop_assert_eq!(read(&bytes, &cuts, limits), read(&bytes, &[], limits));
    }

    #[test]
    fn every_action_comes_back_as_it_was_sent(
        name in "[A-Za-z][A-Za-z0-9]{0,20}",
        headers in prop::collection::vec(("[A-Za-z][A-Za-z0-9_()-]{0,20}", "[^\r\n\0]{0,60}"), 0..20),
        number: u128,
    ) {
        let Ok(mut action) = Action::new(&name) else { return Ok(()) };
        let mut wanted = vec![("Action".to_owned(), name), ("ActionID".to_owned(), format!("{number:032x}"))];
        for (key, value) in headers {
            let Ok(longer) = action.clone().header(&key, &value) else { continue };
            action = longer;
            wanted.push((key, value));
        }
        let Ok(bytes) = action.encode(&ActionId::of(number)) else { return Ok(()) };
        let read = messages(&bytes);
        prop_assert_eq!(read.len(), 1);
        let found: Vec<_> = pairs(&read[0]).into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        prop_assert_eq!(found, wanted);
    }

    #[test]
    fn a_refused_field_is_refused_whatever_surrounds_it(before in ".{0,20}", bad in "[\r\n\0]", after in ".{0,20}") {
        let value = before + &bad + &after;
        prop_assert!(Action::new("Ping").unwrap().header("X", &value).is_err());
        prop_assert!(Action::new(&value).is_err());
        prop_assert!(ActionId::new(value).is_err());
    }
}
