//! The action that a request to originate becomes. Pure: checks the request against the grant, and against what Asterisk would
//! misread.

use super::client::Grant;
use crate::{
    ami::{Action, ActionError, ActionId},
    proto::{OriginateRequest, originate_request::Destination},
};
use ring::digest::{SHA256, digest};
use std::time::Duration;
use tonic::Status;

/// Where nothing else is asked for.
const RING_TIMEOUT: Duration = Duration::from_secs(30);
const RING_TIMEOUTS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(600);

/// A request id, in bytes.
const REQUEST_ID_MAX: usize = 128;

/// The context that `agi-bridge dialplan` prints, through which an originated call comes to a route: it runs AGI() with the path in
/// [`ROUTE_PATH`].
pub(crate) const ROUTE_CONTEXT: &str = "agi-bridge";
pub(crate) const ROUTE_PATH: &str = "AGIBRIDGE_PATH";
/// Of the parameter `traceparent` with its value.
const TRACE_BYTES: usize = 68;

/// What is asked of Asterisk, but for its ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    headers: Vec<(&'static str, String)>,
    /// Of the route where it goes on, with its query.
    path: Option<String>,
    pub(super) ring_timeout: Duration,
}

impl Plan {
    pub(super) fn of(request: &OriginateRequest, grant: &Grant) -> Result<Self, Status> {
        let ring_timeout = ring_timeout(request)?;
        if request.request_id.len() > REQUEST_ID_MAX {
            return Err(invalid("request_id", &format!("at most {REQUEST_ID_MAX} bytes")));
        }
        let mut plan = Self { headers: Vec::new(), path: None, ring_timeout };
        let granted = &grant.originate;
        if !request.channel.contains('/') {
            return Err(invalid("channel", "a technology and whom to call, as `PJSIP/3200`"));
        }
        granted.channel("channel", &request.channel)?;
        plan.add("Channel", "channel", &request.channel)?;
        match &request.destination {
            Some(Destination::Dialplan(target)) => {
                granted.context("dialplan.context", &target.context)?;
                granted.text("dialplan.extension", &target.extension)?;
                if target.context.is_empty() || target.extension.is_empty() {
                    return Err(invalid("dialplan", "both `context` and `extension` are wanted"));
                }
                let priority = match target.priority {
                    0 => 1,
                    priority @ 1.. => priority,
                    ..0 => return Err(invalid("dialplan.priority", "1 or more")),
                };
                plan.add("Context", "dialplan.context", &target.context)?;
                plan.add("Exten", "dialplan.extension", &target.extension)?;
                plan.add("Priority", "dialplan.priority", &priority.to_string())?;
            }
            Some(Destination::Application(target)) => {
                granted.application("application.application", &target.application)?;
                granted.text("application.data", &target.data)?;
                plan.add("Application", "application.application", &target.application)?;
                plan.add("Data", "application.data", &target.data)?;
            }
            Some(Destination::Route(path)) => {
                granted.route(path)?;
                plan.route(path)?;
            }
            None => return Err(invalid("destination", "one of dialplan, application and route")),
        }
        plan.add("Timeout", "ring_timeout", &ring_timeout.as_millis().to_string())?;
        plan.caller_id(request)?;
        plan.variables(request, grant)?;
        if !request.account_code.is_empty() {
            plan.add("Account", "account_code", &request.account_code)?;
        }
        if request.early_media {
            plan.add("EarlyMedia", "early_media", "true")?;
        }
        if !request.codecs.is_empty() {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            let named = |codec: &String| !codec.is_empty() && codec.bytes().all(plain);
            if !request.codecs.iter().all(named) {
                return Err(invalid("codecs", "names of codecs, as `ulaw`"));
            }
            plan.add("Codecs", "codecs", &request.codecs.join(","))?;
        }
        plan.add("Async", "", "true")?;
        Ok(plan)
    }

    /// What is the same in a repeated request.
    pub(super) fn fingerprint(&self) -> String {
        let headers = self.headers.iter().flat_map(|(name, value)| [*name, value.as_str()]);
        hash(headers.chain(self.path.as_deref()))
    }

    /// The action, for a channel with this id. `trace`: tells the call which trace it belongs to.
    pub(super) fn action(
        &self,
        channel: &str,
        id: ActionId,
        trace: &str,
    ) -> Result<Action, ActionError> {
        let mut action = Action::new("Originate")?;
        for (name, value) in &self.headers {
            action = action.header(name, value)?;
        }
        action = action.header("ChannelId", channel)?;
        action = action.header("OtherChannelId", &format!("{channel}-2"))?;
        if let Some(path) = &self.path {
            let mark = if path.contains('?') { '&' } else { '?' };
            let path = format!("{ROUTE_PATH}={path}{mark}traceparent={trace}");
            action = action.header("Variable", &path)?;
        }
        Ok(action.header("Variable", &format!("TRACEPARENT={trace}"))?.with_id(id))
    }

    fn route(&mut self, path: &str) -> Result<(), Status> {
        let plain = |byte: u8| byte.is_ascii_graphic() && !br#"\",;(){}$"#.contains(&byte);
        if !path.starts_with('/') || !path.bytes().all(plain) {
            return Err(invalid(
                "route",
                "a path, as `/reminder?lang=en`: it begins with `/`, other bytes than ASCII's plain ones as %xx",
            ));
        }
        self.add("Context", "route", ROUTE_CONTEXT)?;
        self.add("Exten", "route", "s")?;
        self.add("Priority", "route", "1")?;
        self.path = Some(path.to_owned());
        // It gets longer by the trace.
        self.add("Variable", "route", &format!("{ROUTE_PATH}={path}{}", "?".repeat(TRACE_BYTES)))?;
        self.headers.pop();
        Ok(())
    }

    fn caller_id(&mut self, request: &OriginateRequest) -> Result<(), Status> {
        let (name, number) = (&request.caller_id_name, &request.caller_id_number);
        if name.is_empty() && number.is_empty() {
            return Ok(());
        }
        for (field, text) in [("caller_id_name", name), ("caller_id_number", number)] {
            if text.contains(['"', '\\', '<', '>']) {
                return Err(invalid(field, "without quotes, `\\`, `<` and `>`"));
            }
        }
        self.add("CallerID", "caller_id_name", &format!("\"{name}\" <{number}>"))
    }

    /// Sorted: a repeated request must be the same one.
    fn variables(&mut self, request: &OriginateRequest, grant: &Grant) -> Result<(), Status> {
        let mut variables: Vec<_> = request.variables.iter().collect();
        variables.sort_unstable();
        for (name, value) in variables {
            grant.originate.variable_name("variables", name)?;
            let field = format!("variables[{name}]");
            grant.originate.text(&field, value)?;
            // Asterisk splits at commas and takes quotes away.
            let mut escaped = String::with_capacity(value.len());
            for c in value.chars() {
                if ['\\', '"', ','].contains(&c) {
                    escaped.push('\\');
                }
                escaped.push(c);
            }
            self.add("Variable", &field, &format!("{name}={escaped}"))?;
        }
        Ok(())
    }

    /// Whatever Asterisk would misread is told with the contract's field.
    fn add(&mut self, name: &'static str, field: &str, value: &str) -> Result<(), Status> {
        Action::new("Originate")
            .and_then(|action| action.header(name, value))
            .map_err(|error| invalid(field, &error.to_string()))?;
        self.headers.push((name, value.to_owned()));
        Ok(())
    }
}

/// An id for a channel that is the same for the same request of the same client at the same Asterisk, and for no other.
pub(super) fn channel_id(client: &str, server: &str, request_id: &str) -> String {
    format!("agibridge-{}", hash([client, server, request_id].into_iter()))
}

/// 128 bits, in hexadecimal.
fn hash<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut bytes = Vec::new();
    for text in texts {
        bytes.extend_from_slice(&text.len().to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    digest(&SHA256, &bytes).as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn ring_timeout(request: &OriginateRequest) -> Result<Duration, Status> {
    let Some(asked) = &request.ring_timeout else { return Ok(RING_TIMEOUT) };
    let asked = u64::try_from(asked.seconds).ok().zip(u32::try_from(asked.nanos).ok());
    let asked = asked.filter(|it| it.1 < 1_000_000_000).map(|it| Duration::new(it.0, it.1));
    let fits = asked.filter(|asked| RING_TIMEOUTS.contains(asked));
    fits.ok_or_else(|| invalid("ring_timeout", "from 1s to 600s"))
}

fn invalid(field: &str, why: &str) -> Status {
    Status::invalid_argument(format!("{field}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        manage::{Globs, OriginateGrant},
        proto::DialplanTarget,
    };
    use tonic::Code;

    fn grant() -> Grant {
        let all = || Globs::from_iter(["*"]);
        Grant {
            originate: OriginateGrant {
                channels: all(),
                contexts: all(),
                routes: all(),
                applications: all(),
                functions: all(),
            },
            ..Grant::default()
        }
    }

    fn request() -> OriginateRequest {
        let target = DialplanTarget { context: "c".into(), extension: "e".into(), priority: 0 };
        OriginateRequest {
            channel: "PJSIP/3200".into(),
            destination: Some(Destination::Dialplan(target)),
            ..OriginateRequest::default()
        }
    }

    fn written(request: &OriginateRequest) -> String {
        let plan = Plan::of(request, &grant()).unwrap();
        let action = plan.action("id", ActionId::of(1), "00-1").unwrap();
        String::from_utf8(action.encode(&ActionId::of(1)).unwrap()).unwrap()
    }

    #[test]
    fn a_request_becomes_an_asynchronous_action_with_an_id_of_our_own() {
        let text = written(&OriginateRequest {
            caller_id_name: "Näme".into(),
            caller_id_number: "100".into(),
            variables: [("b".into(), "1,\"2\"\\".into()), ("a".into(), " ".into())].into(),
            codecs: vec!["ulaw".into(), "alaw".into()],
            early_media: true,
            account_code: "acc".into(),
            ..request()
        });
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with("ActionID")).collect();
        assert_eq!(
            lines,
            [
                "Action: Originate",
                "Channel: PJSIP/3200",
                "Context: c",
                "Exten: e",
                "Priority: 1",
                "Timeout: 30000",
                "CallerID: \"Näme\" <100>",
                "Variable: a= ",
                "Variable: b=1\\,\\\"2\\\"\\\\",
                "Account: acc",
                "EarlyMedia: true",
                "Codecs: ulaw,alaw",
                "Async: true",
                "ChannelId: id",
                "OtherChannelId: id-2",
                "Variable: TRACEPARENT=00-1",
                "",
            ]
        );
    }

    #[test]
    fn what_asterisk_would_misread_is_refused_with_its_field() {
        let refused = |request: OriginateRequest| {
            let status = Plan::of(&request, &grant()).unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
            status.message().split(':').next().unwrap().to_owned()
        };
        let variables = |name: &str, value: &str| [(name.to_owned(), value.to_owned())].into();
        assert_eq!(refused(OriginateRequest { channel: "PJSIP".into(), ..request() }), "channel");
        assert_eq!(
            refused(OriginateRequest { channel: "PJSIP/1\r\nX: y".into(), ..request() }),
            "channel"
        );
        assert_eq!(refused(OriginateRequest { destination: None, ..request() }), "destination");
        let line_break =
            OriginateRequest { variables: variables("a", "1\nAction: x"), ..request() };
        assert_eq!(refused(line_break), "variables[a]");
        assert_eq!(
            refused(OriginateRequest { variables: variables("a b", ""), ..request() }),
            "variables"
        );
        let long = OriginateRequest { variables: variables("a", &"x".repeat(1100)), ..request() };
        assert_eq!(refused(long), "variables[a]");
        assert_eq!(
            refused(OriginateRequest { caller_id_name: "a\"b".into(), ..request() }),
            "caller_id_name"
        );
        assert_eq!(refused(OriginateRequest { codecs: vec!["a,b".into()], ..request() }), "codecs");
        let seconds = |seconds| Some(pbjson_types::Duration { seconds, nanos: 0 });
        for seconds in [seconds(0), seconds(-1), seconds(601), seconds(i64::MAX)] {
            assert_eq!(
                refused(OriginateRequest { ring_timeout: seconds, ..request() }),
                "ring_timeout"
            );
        }
        let route = |path: &str| OriginateRequest {
            destination: Some(Destination::Route(path.into())),
            ..request()
        };
        for path in ["reminder", "/a,b", "/a b", "/${X}", ""] {
            assert_eq!(refused(route(path)), "route", "{path}");
        }
        assert!(
            written(&route("/reminder?lang=en"))
                .contains("\nVariable: AGIBRIDGE_PATH=/reminder?lang=en&traceparent=00-1\r\n")
        );
    }

    #[test]
    fn an_id_is_the_same_for_the_same_request_and_for_no_other() {
        let id = channel_id("crm", "pbx1", "7");
        assert_eq!(id, channel_id("crm", "pbx1", "7"));
        for other in [("crm", "pbx1", "8"), ("crm", "pbx", "17"), ("crmp", "bx1", "7")] {
            assert_ne!(id, channel_id(other.0, other.1, other.2));
        }
        let (one, other) = (request(), OriginateRequest { account_code: "x".into(), ..request() });
        let fingerprint =
            |request: &OriginateRequest| Plan::of(request, &grant()).unwrap().fingerprint();
        assert_eq!(
            fingerprint(&one),
            fingerprint(&OriginateRequest { wait_for_outcome: true, ..one.clone() })
        );
        assert_ne!(fingerprint(&one), fingerprint(&other));
    }
}
