//! What a service of the bench says to what it hears: the same script as the FastAGI server's, in the words of the
//! contract. Knows no transport.

use crate::{job::Script, script};
use agi_bridge::proto::{
    CallControl, CallEvent, EndCall, call_control::Control, call_event::Event,
};

/// One call in the hands of a service.
pub(crate) struct Driver {
    script: Script,
    sent: usize,
    ended: bool,
}

/// What follows an event.
#[expect(clippy::large_enum_variant, reason = "it is used up where it is made")]
pub(crate) enum Next {
    Say(CallControl),
    Wait,
    /// The call is over.
    Over,
}

impl Driver {
    pub(crate) fn new() -> Self {
        Self { script: Script::Loop, sent: 0, ended: false }
    }

    /// Takes an event in.
    pub(crate) fn hear(&mut self, event: CallEvent) -> Next {
        match event.event {
            Some(Event::Started(started)) => {
                let path = started.environment.get("agi_network_script");
                self.script = Script::of_path(path.map_or("", String::as_str));
                self.command()
            }
            Some(Event::Result(_)) => self.after_result(),
            Some(Event::Hangup(_) | Event::Ended(_)) => Next::Over,
            Some(
                Event::Progress(_) | Event::Draining(_) | Event::Digit(_) | Event::Heartbeat(_),
            )
            | None => Next::Wait,
        }
    }

    fn after_result(&mut self) -> Next {
        if self.script.commands().is_none_or(|commands| self.sent < commands) {
            return self.command();
        }
        let end = self.script == Script::Five && !self.ended;
        self.ended |= end;
        if end { say(Control::End(EndCall::default())) } else { Next::Wait }
    }

    fn command(&mut self) -> Next {
        let command = script::command(self.sent);
        self.sent += 1;
        say(Control::Command(command))
    }
}

fn say(control: Control) -> Next {
    Next::Say(CallControl { control: Some(control) })
}
