//! Actions that clients send.

use super::{Access, Manage, events::manager_event, unanswered};
use crate::{
    ami::Action,
    proto::{Header, SendActionRequest, SendActionResponse},
    telemetry::trace::TraceContext,
};
use std::time::Duration;
use tonic::Status;

/// Where nothing else is asked for.
const TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT_MAX: Duration = Duration::from_secs(600);

impl Manage {
    /// Sends an action, once, and collects its answer.
    ///
    /// # Errors
    /// When it may not be sent, or is not answered. That Asterisk refuses it is an answer.
    pub async fn send_action(
        &self,
        access: &Access,
        request: &SendActionRequest,
        parent: Option<&TraceContext>,
    ) -> Result<SendActionResponse, Status> {
        access.quota.request()?;
        let link = self.link(access, &request.server)?;
        let timeout = timeout(request)?;
        let invalid = |error: crate::ami::ActionError| Status::invalid_argument(error.to_string());
        let mut action = Action::new(&request.action).map_err(invalid)?;
        for Header { key, value } in &request.headers {
            action = action.header(key, value).map_err(invalid)?;
        }
        let headers: Vec<_> =
            request.headers.iter().map(|it| (it.key.as_str(), it.value.as_str())).collect();
        access.client.grant.action(&request.action, &headers)?;
        let _place = access.quota.run()?;
        let reply = link.send(action, timeout, parent).await.map_err(|error| unanswered(&error))?;
        let headers = reply.headers.iter().filter(|(key, _)| {
            !["Response", "ActionID", "Message", "Output", "EventList"]
                .iter()
                .any(|ours| ours.eq_ignore_ascii_case(key))
        });
        Ok(SendActionResponse {
            success: reply.is_success(),
            message: reply.message().to_owned(),
            headers: headers.map(header).collect(),
            events: reply.events.iter().map(|event| manager_event(event)).collect(),
            output: reply.output().map(str::to_owned).collect(),
            truncated: reply.is_cut,
        })
    }
}

pub(super) fn header((key, value): (&str, &str)) -> Header {
    Header { key: key.to_owned(), value: value.to_owned() }
}

fn timeout(request: &SendActionRequest) -> Result<Duration, Status> {
    let Some(asked) = &request.timeout else { return Ok(TIMEOUT) };
    let asked = u64::try_from(asked.seconds).ok().zip(u32::try_from(asked.nanos).ok());
    let asked = asked.filter(|it| it.1 < 1_000_000_000).map(|it| Duration::new(it.0, it.1));
    let fits = asked.filter(|asked| !asked.is_zero() && *asked <= TIMEOUT_MAX);
    fits.ok_or_else(|| Status::invalid_argument("timeout: more than 0s, and at most 600s"))
}
