//! The rules of a call, asserted over random histories, and the histories worth telling one by one.

mod asterisk;
mod dead_air;
mod histories;
mod interrupt;
mod properties;
mod relay;
mod resume;
mod watch;

use super::{Call, Settings};
use crate::{
    agi::Limits,
    proto::{
        CallControl, Command, EndCall, Exec, GetData, GetVariable, Noop, SetVariable, StreamFile,
        WaitForDigit, call_control::Control, command::Command as Kind,
    },
    route::{Next, Policy, Quiet, Then},
};
use std::time::Duration;

fn settings() -> Settings {
    Settings {
        policy: Policy {
            connect_timeout: Duration::from_secs(1),
            retry_for: Duration::from_secs(3),
            quiet_limit: Duration::from_secs(2),
            quiet: Quiet::Silence,
            resume_for: Duration::ZERO,
            resumes_per_minute: 3,
            journal_results: 32,
            checkpoint_limit: 64 * 1024,
            hangup_grace: Duration::from_secs(10),
            heartbeat: Duration::from_secs(20),
            max_queued_commands: 4,
            max_call_duration: Duration::from_secs(3600),
            trace_argument: false,
            trace_variable: false,
            digits: false,
            then: Then { announce: None, next: Next::Fail },
            redact: crate::redact::Redact::default(),
            record: false,
            commands: std::sync::Arc::default(),
            max_calls: None,
            calls_per_second: None,
        },
        limits: Limits { line_bytes_max: 8190 },
        reply_bytes_max: 1 << 20,
        cancel_key: true,
        random: || 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef,
    }
}

fn control(control: Control) -> CallControl {
    CallControl { control: Some(control) }
}

fn command(id: u32, kind: Kind) -> Command {
    Command { id, command: Some(kind), ..Command::default() }
}

fn noop() -> Kind {
    Kind::Noop(Noop { text: "x".into() })
}

fn stream_file() -> Kind {
    Kind::StreamFile(StreamFile {
        file: "beep".into(),
        escape_digits: "#".into(),
        offset_samples: 0,
    })
}

fn get_data() -> Kind {
    Kind::GetData(GetData { file: "beep".into(), ..GetData::default() })
}

fn get_variable() -> Kind {
    Kind::GetVariable(GetVariable { name: "X".into() })
}

fn dial() -> Kind {
    Kind::Exec(Exec { application: "Dial".into(), arguments: vec!["Local/x".into()] })
}

fn wait_for_digit() -> Kind {
    Kind::WaitForDigit(WaitForDigit { timeout: None })
}

fn set_variable() -> Kind {
    Kind::SetVariable(SetVariable { name: "A".into(), value: "b".into() })
}

fn end() -> Control {
    Control::End(EndCall::default())
}

/// A call that a service drives from the first millisecond on.
fn driven() -> Call {
    let mut call = Call::new(settings(), Duration::ZERO);
    call.handle_opened(Duration::from_millis(1));
    call
}
