//! The `agi_*` block that opens a session, in Asterisk's order and with its odd empty values.

use super::{address::Address, channel::Channel, words};

/// Names nobody looks at: the handle of the thread that runs the call.
const THREAD_ID: u64 = 139_722_345_477_824;

/// The whole block, its closing empty line included. Nothing is escaped: Asterisk does not either.
pub(super) fn block(
    channel: &Channel,
    address: &Address,
    version: &str,
    arguments: &[String],
) -> Vec<u8> {
    let known = |text: &str| if text.is_empty() { "unknown".to_owned() } else { text.to_owned() };
    let mut lines = vec![("network", "yes".to_owned())];
    if !address.script.is_empty() {
        lines.push(("network_script", words::from_people(&address.script)));
    }
    lines.extend([
        ("request", words::from_people(&address.url)),
        ("channel", channel.name.clone()),
        ("language", channel.language.clone()),
        ("type", channel.technology().to_owned()),
        ("uniqueid", channel.unique_id.clone()),
        ("version", version.to_owned()),
        ("callerid", known(&channel.number)),
        ("calleridname", known(&channel.caller_name)),
        ("callingpres", channel.presentation().to_string()),
        ("callingani2", "0".into()),
        ("callington", "0".into()),
        ("callingtns", "0".into()),
        ("dnid", known(&channel.dialed_number)),
        ("rdnis", known(&channel.redirecting_number)),
        ("context", channel.context.clone()),
        ("extension", channel.extension.clone()),
        ("priority", channel.priority.to_string()),
        ("enhanced", "0.0".into()),
        ("accountcode", channel.account_code.clone()),
        ("threadid", THREAD_ID.to_string()),
    ]);
    let mut text: String =
        lines.iter().map(|(key, value)| format!("agi_{key}: {value}\n")).collect();
    for (index, argument) in arguments.iter().enumerate() {
        text.push_str(&format!("agi_arg_{}: {}\n", index + 1, words::from_people(argument)));
    }
    text.push('\n');
    words::to_wire(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Caller;

    #[test]
    fn a_plain_call_has_the_lines_in_order() {
        let caller = Caller { name: "Zoë".into(), ..Caller::default() };
        let channel = Channel::new(&caller, 1_795_219_769);
        let address = "agi://127.0.0.1:4573/a/b?c=%20d".parse().expect("a URL");
        let block = block(&channel, &address, "22.10.1", &["x".into(), String::new()]);
        let text = String::from_utf8(block).expect("UTF-8");
        assert_eq!(
            text,
            "agi_network: yes\nagi_network_script: a/b?c=%20d\nagi_request: agi://127.0.0.1:4573/a/b?c=%20d\n\
             agi_channel: Local/s@default-00000000;1\nagi_language: en\nagi_type: Local\n\
             agi_uniqueid: 1795219769.0\nagi_version: 22.10.1\nagi_callerid: unknown\nagi_calleridname: Zoë\n\
             agi_callingpres: 67\nagi_callingani2: 0\nagi_callington: 0\nagi_callingtns: 0\nagi_dnid: unknown\n\
             agi_rdnis: unknown\nagi_context: default\nagi_extension: s\nagi_priority: 1\nagi_enhanced: 0.0\n\
             agi_accountcode: \nagi_threadid: 139722345477824\nagi_arg_1: x\nagi_arg_2: \n\n"
        );
    }
}
