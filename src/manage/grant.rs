//! Judges what a client asks for. Pure: knows grants and texts.
//!
//! Three things can be far more than they look: an application or an action that runs a program or changes Asterisk itself, and a
//! function of the dialplan that does so when a text is evaluated. A `*` in a grant never stands for one of them.

use super::client::{Grant, OriginateGrant};
use tonic::Status;

/// Actions that reach beyond calls: files, commands, programs, the database, modules. `Originate` is one of them, and is judged by
/// the same rules as the service's own besides.
const ACTIONS: [&str; 20] = [
    "AGI",
    "Command",
    "CreateConfig",
    "DBDel",
    "DBDelTree",
    "DBGet",
    "DBGetTree",
    "DBPut",
    "DialplanExtensionAdd",
    "DialplanExtensionRemove",
    "GetConfig",
    "GetConfigJSON",
    "ListCategories",
    "LoggerRotate",
    "MixMonitor",
    "ModuleLoad",
    "Originate",
    "Reload",
    "Setvar",
    "UpdateConfig",
];

/// Parts of the names of applications that run programs, or other applications: as Asterisk itself has them.
const APPLICATIONS: [&str; 9] = [
    "system",
    "exec",
    "agi",
    "stasis",
    "externalivr",
    "mixmonitor",
    "originate",
    "reload",
    "monitor",
];

/// Beginnings of the names of functions that reach beyond the call.
const FUNCTIONS: [&str; 14] = [
    "SHELL",
    "EVAL",
    "FILE",
    "ENV",
    "CURL",
    "DB",
    "AST_CONFIG",
    "ODBC",
    "REALTIME",
    "STAT",
    "SYSINFO",
    "IMPORT",
    "MASTER_CHANNEL",
    "SHARED",
];

/// Why something is not done.
fn denied(field: &str, why: &str) -> Status {
    Status::permission_denied(format!("{field}: {why}"))
}

impl Grant {
    /// Whether an action may be sent, with these headers.
    pub(super) fn action(&self, name: &str, headers: &[(&str, &str)]) -> Result<(), Status> {
        let dangerous = ACTIONS.iter().any(|action| action.eq_ignore_ascii_case(name));
        let granted =
            if dangerous { self.actions.name(name) } else { self.actions.allow_any_case(name) };
        if !granted {
            let how = if dangerous { " by its name: `*` does not stand for it" } else { "" };
            return Err(denied(
                "action",
                &format!("`{}` is not granted{how}", name.escape_default()),
            ));
        }
        if name.eq_ignore_ascii_case("Originate") {
            return self.originate_action(headers);
        }
        for (key, value) in headers {
            if key.eq_ignore_ascii_case("Variable") {
                self.originate.variable_name(
                    "headers.Variable",
                    value.split('=').next().unwrap_or_default(),
                )?;
            }
            if key.eq_ignore_ascii_case("Context") || key.eq_ignore_ascii_case("ExtraContext") {
                self.originate.context("headers.Context", value)?;
            }
            // The text of a command is what was granted with it.
            if !name.eq_ignore_ascii_case("Command") {
                self.originate.text(&format!("headers.{key}"), value)?;
            }
        }
        Ok(())
    }

    /// `Originate` as an action is no way around what the service's own may not.
    fn originate_action(&self, headers: &[(&str, &str)]) -> Result<(), Status> {
        let grant = &self.originate;
        let mut is_to_application = false;
        let mut called = false;
        for (key, value) in headers {
            let field = format!("headers.{key}");
            match key.to_ascii_lowercase().as_str() {
                "channel" => {
                    grant.channel(&field, value)?;
                    called = true;
                }
                "context" => grant.context(&field, value)?,
                "application" => {
                    is_to_application = true;
                    grant.application(&field, value)?;
                }
                "variable" => {
                    for variable in value.split(',') {
                        grant.variable_name(
                            &field,
                            variable.split('=').next().unwrap_or_default(),
                        )?;
                    }
                    grant.text(&field, value)?;
                }
                _ => grant.text(&field, value)?,
            }
        }
        let has_context = headers.iter().any(|(key, _)| key.eq_ignore_ascii_case("Context"));
        if !called || !(is_to_application || has_context) {
            return Err(Status::invalid_argument(
                "headers: an Originate needs `Channel`, and `Context` or `Application`",
            ));
        }
        Ok(())
    }
}

impl OriginateGrant {
    pub(super) fn channel(&self, field: &str, channel: &str) -> Result<(), Status> {
        // Several at once would be one that is granted and others that are not.
        if channel.contains('&') {
            return Err(Status::invalid_argument(format!("{field}: one channel, without `&`")));
        }
        self.text(field, channel)?;
        self.granted(self.channels.allow(channel), field, channel)
    }

    pub(super) fn context(&self, field: &str, context: &str) -> Result<(), Status> {
        self.granted(self.contexts.allow(context), field, context)
    }

    pub(super) fn route(&self, route: &str) -> Result<(), Status> {
        self.granted(self.routes.allow(route), "route", route)
    }

    pub(super) fn application(&self, field: &str, application: &str) -> Result<(), Status> {
        let lower = application.to_ascii_lowercase();
        let dangerous = APPLICATIONS.iter().any(|part| lower.contains(part));
        let granted = if dangerous {
            self.applications.name(application)
        } else {
            self.applications.allow_any_case(application)
        };
        self.granted(granted, field, application)
    }

    /// The name of a variable to be set: a plain one, or a function with its arguments.
    pub(super) fn variable_name(&self, field: &str, name: &str) -> Result<(), Status> {
        let name = name.trim();
        if let Some((function, _)) = name.split_once('(') {
            self.function(field, function)?;
            return self.text(field, name);
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || !name.bytes().all(plain) {
            return Err(Status::invalid_argument(format!(
                "{field}: `{}` cannot be the name of a variable: letters, digits and `_`",
                name.escape_default()
            )));
        }
        Ok(())
    }

    /// A text that Asterisk may evaluate, now or later: expressions name what they call, and it must be granted.
    pub(super) fn text(&self, field: &str, text: &str) -> Result<(), Status> {
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            rest = &rest[at + 2..];
            let name = word(rest);
            match rest[name.len()..].bytes().next() {
                Some(b'}' | b':') if !name.is_empty() => {}
                Some(b'(') if !name.is_empty() => self.function(field, name)?,
                _ => {
                    return Err(denied(
                        field,
                        "an expression whose name is put together is not evaluated",
                    ));
                }
            }
        }
        // Without `${` it is harmless, unless something evaluates it once more.
        for (at, _) in text.match_indices('(') {
            let begin = text[..at].rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            let name = &text[begin
                .map_or(0, |it| it + text[it..].chars().next().map_or(1, char::len_utf8))
                ..at];
            if is_dangerous(name) {
                self.function(field, name)?;
            }
        }
        Ok(())
    }

    fn function(&self, field: &str, name: &str) -> Result<(), Status> {
        let granted = if is_dangerous(name) {
            self.functions.name(name)
        } else {
            self.functions.allow_any_case(name)
        };
        self.granted(granted, field, &format!("{name}()"))
    }

    #[expect(clippy::unused_self, reason = "reads as what it is: a judgement of this grant")]
    fn granted(&self, granted: bool, field: &str, what: &str) -> Result<(), Status> {
        if granted {
            return Ok(());
        }
        Err(denied(field, &format!("`{}` is not granted to this client", what.escape_default())))
    }
}

fn is_dangerous(function: &str) -> bool {
    let upper = function.to_ascii_uppercase();
    FUNCTIONS.iter().any(|begin| upper.starts_with(begin))
}

/// The letters, digits and `_` that `text` begins with.
fn word(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    &text[..end.unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manage::Globs;
    use tonic::Code;

    fn grant() -> Grant {
        Grant {
            servers: Globs::from_iter(["*"]),
            actions: Globs::from_iter(["*", "Originate", "Command"]),
            events: Globs::default(),
            originate: OriginateGrant {
                channels: Globs::from_iter(["PJSIP/32*"]),
                contexts: Globs::from_iter(["internal"]),
                routes: Globs::default(),
                applications: Globs::from_iter(["*", "ExecIf"]),
                functions: Globs::from_iter(["CALLERID"]),
            },
        }
    }

    fn code(judged: Result<(), Status>) -> Code {
        judged.map_or_else(|status| status.code(), |()| Code::Ok)
    }

    #[test]
    fn nothing_is_granted_by_default() {
        let none = Grant::default();
        assert_eq!(code(none.action("Ping", &[])), Code::PermissionDenied);
        assert_eq!(code(none.originate.channel("channel", "PJSIP/1")), Code::PermissionDenied);
        assert_eq!(code(none.originate.context("context", "a")), Code::PermissionDenied);
        assert_eq!(
            code(none.originate.application("application", "Playback")),
            Code::PermissionDenied
        );
    }

    #[test]
    fn a_star_does_not_stand_for_what_reaches_beyond_calls() {
        let grant = grant();
        assert_eq!(code(grant.action("coreshowchannels", &[])), Code::Ok);
        assert_eq!(code(grant.action("command", &[("Command", "core show version")])), Code::Ok);
        for action in ["UpdateConfig", "updateconfig", "DBPut", "AGI", "ModuleLoad", "GetConfig"] {
            assert_eq!(code(grant.action(action, &[])), Code::PermissionDenied, "{action}");
        }
        let applications = |name| code(grant.originate.application("application", name));
        assert_eq!([applications("Playback"), applications("execif")], [Code::Ok; 2]);
        for application in ["System", "TrySystem", "Exec", "AGI", "EAGI", "MixMonitor", "SYSTEM"] {
            assert_eq!(applications(application), Code::PermissionDenied, "{application}");
        }
    }

    #[test]
    fn functions_in_texts_must_be_granted_however_they_are_written() {
        let grant = grant().originate;
        for fine in
            ["", "plain (text)", "${EXTEN}", "${EXTEN:1}", "${CALLERID(num)}", "a,b=c", "5 $ {x}"]
        {
            assert_eq!(code(grant.text("data", fine)), Code::Ok, "{fine}");
        }
        for bad in [
            "${SHELL(rm)}",
            "SHELL(rm)",
            "x shell(rm)",
            "${${A}(rm)}",
            "${A${B}(rm)}",
            "${TOUPPER(x)}",
            "${CALLERID(${ENV(X)})}",
            "${FILE(/etc/passwd)}",
            "${",
            "${}",
            "${DB_DELETE(a/b)}",
            "éSHELL(x)",
            "${ SHELL(x)}",
        ] {
            assert_eq!(code(grant.text("data", bad)), Code::PermissionDenied, "{bad}");
        }
        assert_eq!(code(grant.variable_name("variables", "CALLERID(num)")), Code::Ok);
        assert_eq!(code(grant.variable_name("variables", "FILE(/tmp/x)")), Code::PermissionDenied);
        assert_eq!(code(grant.variable_name("variables", "a b")), Code::InvalidArgument);
    }

    #[test]
    fn an_originate_as_an_action_is_judged_like_any_other() {
        let grant = grant();
        let judge = |headers: &[(&str, &str)]| code(grant.action("ORIGINATE", headers));
        let to =
            [("Channel", "PJSIP/3200"), ("Context", "internal"), ("Exten", "1"), ("Async", "true")];
        assert_eq!(judge(&to), Code::Ok);
        assert_eq!(
            judge(&[("Channel", "PJSIP/4200"), ("Context", "internal")]),
            Code::PermissionDenied
        );
        assert_eq!(
            judge(&[("Channel", "PJSIP/3200"), ("Context", "other")]),
            Code::PermissionDenied
        );
        assert_eq!(
            judge(&[("Channel", "PJSIP/3200"), ("application", "System")]),
            Code::PermissionDenied
        );
        assert_eq!(
            judge(&[("Channel", "PJSIP/3200&Local/1@x"), ("Context", "internal")]),
            Code::InvalidArgument
        );
        assert_eq!(judge(&[("Channel", "PJSIP/3200")]), Code::InvalidArgument);
        let variable = |value| judge(&[to[0], to[1], ("Variable", value)]);
        assert_eq!(variable("a=1,b=2"), Code::Ok);
        assert_eq!(variable("a=1,FILE(/tmp/x)=2"), Code::PermissionDenied);
        assert_eq!(code(grant.action("Redirect", &[("Context", "other")])), Code::PermissionDenied);
        assert_eq!(
            code(grant.action("Atxfer", &[("Exten", "${SHELL(x)}")])),
            Code::PermissionDenied
        );
        assert_eq!(
            code(grant.action("Getvar", &[("Variable", "DB(a/b)")])),
            Code::PermissionDenied
        );
    }
}
