//! What is known of a call for as long as it lives: who it is, which route it is on, and what a service is told first.

use super::{
    Rules,
    digits::{Digits, Listener},
    started,
};
use crate::{
    agi::{Prelude, Request},
    proto::{CallEvent, Resumption},
    route::{self, Route},
    telemetry::trace::TraceContext,
    upstream::Opening,
};
use std::{sync::Arc, time::SystemTime};
use uuid::Uuid;

/// Names and circumstances of one call.
pub(super) struct Facts {
    pub(super) call_id: Uuid,
    pub(super) accepted_at: SystemTime,
    /// Of the channel.
    pub(super) unique_id: String,
    pub(super) prelude: Arc<Prelude>,
    pub(super) request: Request,
    pub(super) trace: TraceContext,
    /// Whether a service is told the trace, and its baggage.
    pub(super) told: (bool, bool),
    /// Those that the call began with.
    pub(super) rules: Arc<Rules>,
    pub(super) place: Place,
}

/// Where a call is: on a route, by a path.
pub(super) struct Place {
    pub(super) route: Arc<Route>,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) query: Vec<(String, String)>,
}

impl Facts {
    /// What a service gets to see that may take the call, for the first time or again.
    pub(super) fn opening(&self, resumption: Option<Resumption>) -> Opening {
        let Place { route, parameters, query } = &self.place;
        Opening {
            metadata: started::metadata(self.call_id, route, &self.trace, self.told),
            started: Arc::new(self.started(parameters, query, resumption)),
            capacity: 2 * route.policy.max_queued_commands as usize + 16,
            prelude: Arc::clone(&self.prelude),
            trace: Some(self.trace.clone()),
            trace_argument: route.policy.trace_argument,
        }
    }

    /// The digits of the caller, where the route wants them.
    pub(super) fn digits(&self, all: &Arc<Digits>) -> Option<Listener> {
        self.place.route.policy.digits.then(|| all.listen(&self.unique_id))
    }

    /// Where a service's handoff leads: a route by its name, or by a path as a new call's.
    pub(super) fn handoff(&self, target: &str) -> Result<Place, String> {
        if !target.starts_with('/') {
            let found = self.rules.routes.get(target);
            let route = found.ok_or_else(|| "no route has this name".to_owned())?;
            let parameters = self.rules.routes.parameters(route, &self.request.path);
            let query = self.request.query.clone();
            return Ok(Place { route: Arc::clone(route), parameters, query });
        }
        let asked = Request::parse(target.trim_start_matches('/').as_bytes());
        let query = if target.contains('?') { asked.query } else { self.request.query.clone() };
        let channel = self.prelude.channel();
        let request = route::Request {
            path: &asked.path,
            query: &query,
            context: &channel.context,
            extension: &channel.extension,
            dialed_number: &channel.dialed_number,
            account_code: &channel.account_code,
        };
        let picked = self.rules.routes.pick(&request);
        let picked = picked.ok_or_else(|| "no route has this path".to_owned())?;
        Ok(Place { route: picked.route, parameters: picked.parameters, query })
    }

    fn started(
        &self,
        parameters: &[(String, String)],
        query: &[(String, String)],
        resumption: Option<Resumption>,
    ) -> CallEvent {
        started::started(
            (self.call_id, self.accepted_at),
            &self.prelude,
            (&self.place.route, parameters),
            query,
            resumption,
        )
    }
}
