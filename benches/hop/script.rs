//! The commands that every driving side sends, as a FastAGI server writes them and as a service says them, and
//! what Asterisk answers. None of the answers leaves open whether the caller is still there, so that no hop
//! has a reason to ask.

use agi_bridge::proto::{self, command::Command as Kind};

/// Lines as the bridge writes them, in the order in which they are sent; after the last comes the first.
pub(crate) const LINES: [&[u8]; 5] = [
    b"SET VARIABLE \"CALLED_BY\" \"bench\"\n",
    b"VERBOSE \"a line for the log\" \"1\"\n",
    b"NOOP \"nothing at all\"\n",
    b"SET VARIABLE \"MENU\" \"main,1\"\n",
    b"NOOP \"and again nothing\"\n",
];

/// The same command as the service says it.
pub(crate) fn command(index: usize) -> proto::Command {
    let kind = match index % LINES.len() {
        0 => Kind::SetVariable(variable("CALLED_BY", "bench")),
        1 => Kind::Verbose(proto::Verbose { text: "a line for the log".to_owned(), level: 1 }),
        2 => Kind::Noop(proto::Noop { text: "nothing at all".to_owned() }),
        3 => Kind::SetVariable(variable("MENU", "main,1")),
        _ => Kind::Noop(proto::Noop { text: "and again nothing".to_owned() }),
    };
    proto::Command { id: index as u32 + 1, command: Some(kind), ..proto::Command::default() }
}

/// What Asterisk answers to a line.
pub(crate) fn reply(line: &[u8]) -> &'static [u8] {
    match line.first() {
        Some(b'S' | b'V') => b"200 result=1\n",
        Some(b'C') => b"200 result=6\n",
        _ => b"200 result=0\n",
    }
}

/// The environment block of a call: the lines that Asterisk 22 sends, some 500 bytes.
pub(crate) fn prelude(path: &str, number: usize) -> Vec<u8> {
    let unique = format!("{}.{number}", 1_795_219_769 + number);
    format!(
        "agi_network: yes\nagi_network_script: {path}\nagi_request: agi://127.0.0.1/{path}\n\
         agi_channel: PJSIP/100-{number:08x}\nagi_language: en\nagi_type: PJSIP\nagi_uniqueid: {unique}\n\
         agi_version: 22.10.1+dfsg+~cs6.15\nagi_callerid: 4930{number:07}\nagi_calleridname: unknown\n\
         agi_callingpres: 0\nagi_callingani2: 0\nagi_callington: 0\nagi_callingtns: 0\nagi_dnid: 100\n\
         agi_rdnis: unknown\nagi_context: from-trunk\nagi_extension: 100\nagi_priority: 2\n\
         agi_enhanced: 0.0\nagi_accountcode: \nagi_threadid: 139722345477824\n\n"
    )
    .into_bytes()
}

fn variable(name: &str, value: &str) -> proto::SetVariable {
    proto::SetVariable { name: name.to_owned(), value: value.to_owned() }
}
