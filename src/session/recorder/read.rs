//! How a record is read: as a line of a list, and as a whole, by anybody or by those who may change things.

use super::{
    facts::Field,
    lock,
    record::{Inner, Record},
    timeline::{Command, Entry, What},
    timestamp,
    view::{AnswerView, CallView, EndedSummary, EntryView, Numbers, Reader},
};

impl Record {
    pub(super) fn summary(&self, number: u64, reader: Reader) -> Option<EndedSummary> {
        let inner = lock(&self.inner);
        Some(EndedSummary {
            number,
            call_id: self.call_id,
            route: inner.route.to_string(),
            service: inner.services.last().map(ToString::to_string),
            channel: inner.facts.get(Field::Channel).into(),
            caller_number: inner.numbers(reader).map(|numbers| numbers.caller),
            accepted_at: timestamp(self.accepted_at),
            end: inner.end.clone()?,
        })
    }

    /// The whole call, with the entries that changed since a revision.
    pub fn view(&self, since: u32, reader: Reader) -> CallView {
        let inner = lock(&self.inner);
        let hides_content = reader == Reader::Anybody && inner.redact.shows_content();
        let facts = &inner.facts;
        let content = |text: &str| if hides_content { String::new() } else { text.to_owned() };
        let entries = inner.timeline.entries();
        let news = entries.iter().filter(|entry| entry.revision > since);
        CallView {
            call_id: self.call_id,
            trace_id: facts.trace_id.to_string(),
            route: inner.route.to_string(),
            services: inner.services.iter().map(ToString::to_string).collect(),
            path: content(facts.get(Field::Path)),
            query: content(facts.get(Field::Query)),
            arguments: content(facts.get(Field::Arguments)),
            channel: facts.get(Field::Channel).into(),
            unique_id: facts.get(Field::UniqueId).into(),
            context: facts.get(Field::Context).into(),
            priority: facts.priority,
            account_code: facts.get(Field::AccountCode).into(),
            language: facts.get(Field::Language).into(),
            numbers: inner.numbers(reader),
            accepted_at: timestamp(self.accepted_at),
            end: inner.end.clone(),
            redact: inner.redact.words().collect(),
            hidden: hides_content || (reader == Reader::Anybody && facts.numbers().is_some()),
            revision: inner.timeline.revision,
            dropped: inner.timeline.dropped,
            entries: news.map(|entry| view_of(entry, hides_content)).collect(),
        }
    }
}

impl Inner {
    fn numbers(&self, reader: Reader) -> Option<Numbers> {
        match reader {
            Reader::Anybody => None,
            Reader::Entitled => self.facts.numbers(),
        }
    }
}

fn view_of(entry: &Entry<'_>, hides_content: bool) -> EntryView {
    let content = |text: &str| if hides_content { String::new() } else { text.to_owned() };
    let view = EntryView {
        number: entry.number,
        at: entry.at,
        kind: "command".into(),
        command: None,
        id: None,
        text: String::new(),
        written: None,
        answer: None,
    };
    match &entry.what {
        // A path may hold values.
        What::Event { name: kind @ "handoff", text } => {
            EntryView { kind: (*kind).into(), text: content(text), ..view }
        }
        What::Event { name: kind, text } => {
            EntryView { kind: (*kind).into(), text: (*text).into(), ..view }
        }
        What::Command(command) => {
            let Command { id, name, arguments, written, answer } = command;
            let answer = answer.as_ref().map(|answer| AnswerView {
                at: answer.at,
                elapsed: answer.elapsed,
                outcome: answer.outcome.into(),
                is_error: answer.is_error,
                text: content(answer.text),
            });
            EntryView {
                command: Some((*name).into()),
                id: (*id > 0).then_some(*id),
                text: content(arguments),
                written: *written,
                answer,
                ..view
            }
        }
    }
}
