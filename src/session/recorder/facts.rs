//! What is known of a call from its beginning, as its route allows it to be shown. One text holds it all: a call begins often.

use super::{record::Begun, view::Numbers};
use crate::{
    redact::{self, MASK, Redact},
    telemetry::trace::TraceId,
};

/// Of the query and of the arguments, so many are kept.
const LIST_MAX: usize = 16;
/// Of most calls.
const TEXT_BYTES_USUAL: usize = 256;

/// As they may be shown.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) trace_id: TraceId,
    text: String,
    /// Where each field ends.
    ends: [usize; FIELDS],
    pub(super) priority: i32,
    has_numbers: bool,
}

/// A text of the facts, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Path,
    Query,
    Arguments,
    Channel,
    UniqueId,
    Context,
    AccountCode,
    Language,
    Caller,
    CallerName,
    Dialed,
    Redirecting,
    Extension,
}

const ALL: [Field; FIELDS] = [
    Field::Path,
    Field::Query,
    Field::Arguments,
    Field::Channel,
    Field::UniqueId,
    Field::Context,
    Field::AccountCode,
    Field::Language,
    Field::Caller,
    Field::CallerName,
    Field::Dialed,
    Field::Redirecting,
    Field::Extension,
];
const FIELDS: usize = 13;

impl Facts {
    pub(super) fn new(begun: &Begun<'_>, redact: Redact) -> Self {
        let Begun { route, request, channel, arguments, trace_id, .. } = begun;
        // A path with parameters holds values.
        let is_pattern = redact.values && route.path.contains('{');
        let path = if is_pattern { &route.path } else { &request.path };
        let mut facts = Self {
            trace_id: *trace_id,
            text: String::with_capacity(TEXT_BYTES_USUAL),
            ends: [0; FIELDS],
            priority: channel.priority,
            has_numbers: !redact.numbers,
        };
        facts.fill(|field, text| match field {
            Field::Path => redact::push(text, path),
            Field::Query => push_query(text, &request.query, redact.values),
            Field::Arguments => push_arguments(text, arguments, redact.values),
            Field::Channel => redact::push(text, &channel.name),
            Field::UniqueId => redact::push(text, &channel.unique_id),
            Field::Context => redact::push(text, &channel.context),
            Field::AccountCode => redact::push(text, &channel.account_code),
            Field::Language => redact::push(text, &channel.language),
            field if field.is_number() && redact.numbers => {}
            Field::Caller => redact::push(text, &channel.caller_id_number),
            Field::CallerName => redact::push(text, &channel.caller_id_name),
            Field::Dialed => redact::push(text, &channel.dialed_number),
            Field::Redirecting => redact::push(text, &channel.redirecting_number),
            Field::Extension => redact::push(text, &channel.extension),
        });
        facts
    }

    fn fill(&mut self, mut push: impl FnMut(Field, &mut String)) {
        for (field, end) in ALL.into_iter().zip(&mut self.ends) {
            push(field, &mut self.text);
            *end = self.text.len();
        }
    }

    /// One of them; may be empty.
    pub(super) fn get(&self, field: Field) -> &str {
        let at = field as usize;
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before));
        let end = self.ends.get(at).copied().unwrap_or_default();
        self.text.get(start.copied().unwrap_or_default()..end).unwrap_or_default()
    }

    /// Who called whom, unless it is masked.
    pub(super) fn numbers(&self) -> Option<Numbers> {
        let text = |field| self.get(field).to_owned();
        self.has_numbers.then(|| Numbers {
            caller: text(Field::Caller),
            name: text(Field::CallerName),
            dialed: text(Field::Dialed),
            redirecting: text(Field::Redirecting),
            extension: text(Field::Extension),
        })
    }

    /// What was kept under a laxer route is not kept any more.
    pub(super) fn mask(&mut self, redact: Redact) {
        let has_numbers = self.has_numbers && !redact.numbers;
        let text = String::with_capacity(self.text.len());
        let mut masked = Self { text, has_numbers, ..*self };
        masked.fill(|field, text| {
            let known = self.get(field);
            let is_value = matches!(field, Field::Path | Field::Query | Field::Arguments);
            if is_value && redact.values && !known.is_empty() {
                text.push_str(MASK);
            } else if has_numbers || !field.is_number() {
                text.push_str(known);
            }
        });
        *self = masked;
    }

    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }
}

impl Field {
    const fn is_number(self) -> bool {
        matches!(
            self,
            Self::Caller | Self::CallerName | Self::Dialed | Self::Redirecting | Self::Extension
        )
    }
}

fn push_query(text: &mut String, query: &[(String, String)], is_masked: bool) {
    if query.is_empty() {
        return;
    }
    let pairs: Vec<String> = query
        .iter()
        .take(LIST_MAX)
        .map(|(key, it)| format!("{}={}", redact::short(key), redact::value(it, is_masked)))
        .collect();
    redact::push(text, &pairs.join("&"));
}

fn push_arguments(text: &mut String, arguments: &[String], is_masked: bool) {
    if arguments.is_empty() {
        return;
    }
    let shown: Vec<String> =
        arguments.iter().take(LIST_MAX).map(|it| redact::value(it, is_masked)).collect();
    redact::push(text, &shown.join(", "));
}
