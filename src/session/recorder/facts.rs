//! What is known of a call from its beginning, as its route allows it to be shown.

use super::{record::Begun, view::Numbers};
use crate::redact::{self, MASK, Redact};

/// As they may be shown.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) trace_id: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) arguments: String,
    pub(super) channel: String,
    pub(super) unique_id: String,
    pub(super) context: String,
    pub(super) priority: i32,
    pub(super) account_code: String,
    pub(super) language: String,
    pub(super) numbers: Option<Numbers>,
}

impl Facts {
    pub(super) fn new(begun: Begun<'_>, redact: Redact) -> Self {
        let Begun { route, request, channel, arguments, trace_id, .. } = begun;
        let text = |text: &str| redact::short(text);
        // A path with parameters holds values.
        let is_pattern = redact.values && route.path.contains('{');
        let path = if is_pattern { &route.path } else { &request.path };
        let value = |text: &str| redact::value(text, redact.values);
        let query: Vec<String> = request
            .query
            .iter()
            .take(16)
            .map(|(key, it)| format!("{}={}", text(key), value(it)))
            .collect();
        let arguments: Vec<String> = arguments.iter().take(16).map(|it| value(it)).collect();
        Self {
            trace_id,
            path: text(path),
            query: text(&query.join("&")),
            arguments: text(&arguments.join(", ")),
            channel: text(&channel.name),
            unique_id: text(&channel.unique_id),
            context: text(&channel.context),
            priority: channel.priority,
            account_code: text(&channel.account_code),
            language: text(&channel.language),
            numbers: (!redact.numbers).then(|| Numbers {
                caller: text(&channel.caller_id_number),
                name: text(&channel.caller_id_name),
                dialed: text(&channel.dialed_number),
                redirecting: text(&channel.redirecting_number),
                extension: text(&channel.extension),
            }),
        }
    }

    /// What was kept under a laxer route is not kept any more.
    pub(super) fn mask(&mut self, redact: Redact) {
        if redact.numbers {
            self.numbers = None;
        }
        if redact.values {
            for text in [&mut self.path, &mut self.query, &mut self.arguments] {
                if !text.is_empty() {
                    MASK.clone_into(text);
                }
            }
        }
    }

    pub(super) fn bytes(&self) -> usize {
        [&self.trace_id, &self.path, &self.query, &self.arguments, &self.channel]
            .into_iter()
            .chain([&self.unique_id, &self.context, &self.account_code, &self.language])
            .map(String::len)
            .sum::<usize>()
            + self.numbers.as_ref().map_or(0, |it| {
                it.caller.len()
                    + it.name.len()
                    + it.dialed.len()
                    + it.redirecting.len()
                    + it.extension.len()
            })
    }
}
