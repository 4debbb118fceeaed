//! What happened in calls: the last ones that ended, and one call with its timeline.

use super::{
    Parts,
    permission::{Client, Refusal, Right},
    routes::{Failure, Shared},
};
use crate::session::{
    recorder::{CallView, EndedPage, EndedQuery, Reader},
    registry::{Callers, NotOne, Summary},
};
use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
};
use serde::{Deserialize, Serialize};
use std::time::SystemTime;

/// Calls of a page, at most.
const LIMIT_MAX: usize = 1_000;

/// Which calls that ended are wanted.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct EndedParameters {
    limit: Option<usize>,
    before: Option<u64>,
    route: Option<String>,
    #[serde(default)]
    callers: bool,
}

/// Which of a call's entries are wanted.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct CallParameters {
    #[serde(default)]
    since: u32,
    #[serde(default)]
    callers: bool,
}

/// A call that lives or has ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct OneCall {
    /// What it is doing; none once it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<Summary>,
    /// What happened in it; none where nothing is noted.
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<CallView>,
}

impl OneCall {
    pub(super) fn revision(&self) -> u32 {
        self.record.as_ref().map_or(0, |record| record.revision)
    }

    pub(super) fn has_news(&self) -> bool {
        self.record.as_ref().is_some_and(|record| !record.entries.is_empty())
    }

    pub(super) fn is_over(&self) -> bool {
        self.live.is_none()
    }
}

/// Who asks: whoever wants to see more must have the right to change things.
pub(super) fn reader(parts: &Parts, wants_more: bool, client: &Client) -> Result<Reader, Refusal> {
    if !wants_more {
        return parts.may(client, Right::See).map(|_| Reader::Anybody);
    }
    parts.may(client, Right::Change).map(|_| Reader::Entitled)
}

pub(super) fn callers(reader: Reader) -> Callers {
    match reader {
        Reader::Anybody => Callers::Hidden,
        Reader::Entitled => Callers::Shown,
    }
}

pub(super) async fn ended(
    State(parts): Shared,
    client: Client,
    query: Result<Query<EndedParameters>, QueryRejection>,
) -> Result<Json<EndedPage>, Failure> {
    let Query(query) = query?;
    let reader = reader(&parts, query.callers, &client)?;
    Ok(Json(parts.recorder.ended(&query.into(), reader)))
}

pub(super) async fn call(
    State(parts): Shared,
    client: Client,
    Path(id): Path<String>,
    query: Result<Query<CallParameters>, QueryRejection>,
) -> Result<Json<OneCall>, Failure> {
    let Query(query) = query?;
    let reader = reader(&parts, query.callers, &client)?;
    Ok(Json(one(&parts, &id, query.since, reader, SystemTime::now())?))
}

/// A call by its id, or the beginning of it; those that live come first.
pub(super) fn one(
    parts: &Parts,
    id: &str,
    since: u32,
    reader: Reader,
    now: SystemTime,
) -> Result<OneCall, NotOne> {
    match parts.registry.get(id, now, callers(reader)) {
        Ok((live, record)) => {
            let record = record.map(|record| record.view(since, reader));
            Ok(OneCall { live: Some(live), record })
        }
        Err(NotOne::Unknown) => {
            let record = parts.recorder.find(id)?.view(since, reader);
            Ok(OneCall { live: None, record: Some(record) })
        }
        Err(ambiguous) => Err(ambiguous),
    }
}

impl EndedParameters {
    pub(super) fn page(limit: usize, before: Option<u64>, route: Option<String>) -> Self {
        Self { limit: Some(limit), before, route, callers: false }
    }
}

impl From<EndedParameters> for EndedQuery {
    fn from(asked: EndedParameters) -> Self {
        let limit = asked.limit.unwrap_or(100).min(LIMIT_MAX);
        Self { limit, before: asked.before, route: asked.route }
    }
}
