//! What a scenario file may say, and how its faults are told.

use super::*;
use crate::proto::{call_control::Control, command::Command};
use serde_json::json;

fn fault(text: &str) -> String {
    parse(text, "s.yaml").expect_err("the text has a fault").to_string()
}

#[test]
fn a_whole_file_is_read() {
    let scenario = parse(
        r##"
name: digits end a prompt
caller:
  number: "3200"
  variables: {AGISIGHUP: "no"}
  steps:
    - {when: GET DATA, after: 300ms, press: "12#"}
    - {after: 1.5s, hangup: true}
    - {when: idle, redirect: {context: other, extension: "7"}}
asterisk:
  sounds: {beep: 0.3s}
  dial:
    Local/a@b: busy
    Local/c@d: {answered: {talk: 1s}}
  subroutines: {subs: {check: {return: "5", after: 1s}}}
service:
  - answer: {}
  - {command: {getData: {file: beep, timeout: 5s, maxDigits: 4}, timeout: 2s, requiresSuccess: true}}
  - cancel: 3
  - wait: 200ms
  - wait_for: hangup
  - batch: [{noop: {}}, {streamFile: {file: beep}}]
  - end: {goto_dialplan: {context: a, extension: b, priority: 2}}
  - close: ok
expect:
  results: [{done: {}}, {digits: {digits: "12", timedOut: false}}]
  ended: REASON_HANGUP
  variables: {X: "1", Y: null}
"##,
        "s.yaml",
    )
    .expect("it is right");
    assert_eq!(scenario.caller.steps[1].after, Duration::from_millis(1500));
    assert_eq!(scenario.caller.steps[1].when, None);
    assert_eq!(scenario.service.len(), 8);
    let ServiceStep::Send(control) = &scenario.service[1] else { panic!("a command") };
    let Some(Control::Command(command)) = &control.control else { panic!("a command") };
    assert!(command.requires_success);
    let Some(Command::GetData(get_data)) = &command.command else { panic!("GET DATA") };
    assert_eq!(get_data.max_digits, 4);
    assert_eq!(scenario.expect.variables["Y"], None);
}

#[test]
fn faults_name_the_line_and_the_field() {
    let text = fault("name: x\ncaller:\n  numbr: 1\n");
    assert!(text.contains("numbr") && text.contains("3"), "{text}");
    let text = fault("name: x\nservice:\n  - getData: {fil: beep}\n");
    assert!(
        text.contains("fil") && text.contains("maxDigits") && text.contains("line 3"),
        "{text}"
    );
    let text = fault("name: x\nservice:\n  - getDate: {}\n");
    assert!(text.contains("getDate"), "{text}");
    let text = fault("name: x\ncaller:\n  steps:\n    - {press: '1x'}\n");
    assert!(text.contains("keys of a phone") && text.contains("line 4"), "{text}");
    let text = fault("name: x\ncaller:\n  steps:\n    - {press: '1', hangup: true}\n");
    assert!(text.contains("exactly one"), "{text}");
    let text = fault("name: x\ncaller:\n  steps:\n    - {when: get data, hangup: true}\n");
    assert!(text.contains("capitals"), "{text}");
    let text = fault("name: x\nexpect: {results: [{digits: {digit: '1'}}]}\n");
    assert!(text.contains("digit"), "{text}");
    let text = fault("name: x\nexpect: {results: [{error: {code: CODE_TIMEDOUT}}]}\n");
    assert!(text.contains("CODE_TIMEDOUT") && text.contains("CODE_TIMED_OUT"), "{text}");
    let text = fault("name: x\nexpect: {ended: HANGUP}\n");
    assert!(text.contains("REASON") || text.contains("no reason"), "{text}");
    assert!(fault("name: x\nasterisk: {sounds: {beep: 3}}\n").contains("length of time"));
}

#[test]
fn a_part_is_compared_with_the_whole() {
    let whole = json!({"id": 3, "digits": {"digits": "12"}, "done": {}});
    for part in
        [json!({"digits": {"digits": "12", "timedOut": false}}), json!({"done": {}}), json!({})]
    {
        assert_eq!(expect::compare(&part, &whole, ""), Ok(()));
    }
    let wrong = expect::compare(&json!({"digits": {"timedOut": true}}), &whole, "");
    assert_eq!(wrong, Err("digits.timedOut: expected true, and it is not set".into()));
    assert!(expect::compare(&json!({"exec": {}}), &whole, "").is_err());
}

#[test]
fn the_documented_example_is_right() {
    let page = include_str!("../../docs/scenarios.md");
    let example = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
    let scenario = parse(example.expect("the page has one"), "scenarios.md").expect("it is right");
    assert_eq!(scenario.service.len(), 4);
}
