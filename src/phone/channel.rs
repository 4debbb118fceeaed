//! One channel: where it stands, what it is called, its variables, and the AstDB behind it. Knows no commands.

use super::{AgiStatus, Gone, words};
use crate::scenario::Caller;
use std::{collections::BTreeMap, time::Duration};

/// The channel that AGI() runs on. All text is as on the wire: a byte is a character.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) name: String,
    pub(super) unique_id: String,
    pub(super) language: String,
    pub(super) account_code: String,
    pub(super) number: String,
    pub(super) caller_name: String,
    pub(super) dialed_number: String,
    pub(super) redirecting_number: String,
    pub(super) context: String,
    pub(super) extension: String,
    /// As Asterisk keeps it while AGI() runs: it adds one before it goes on.
    pub(super) priority: i64,
    pub(super) is_up: bool,
    pub(super) gone: Option<Gone>,
    pub(super) hangup_cause: i64,
    pub(super) database: BTreeMap<String, String>,
    variables: BTreeMap<String, String>,
    /// Seconds since 1970 when the call began.
    epoch: u64,
    pub(super) now: Duration,
}

impl Channel {
    pub(super) fn new(caller: &Caller, epoch: u64) -> Self {
        let extension = caller.extension.clone();
        let extension =
            extension.unwrap_or_else(|| if caller.dead { "h".into() } else { "s".into() });
        let name = caller.channel.clone();
        let name =
            name.unwrap_or_else(|| format!("Local/{extension}@{}-00000000;1", caller.context));
        let mut channel = Self {
            name: words::from_people(&name),
            unique_id: format!("{epoch}.0"),
            language: words::from_people(&caller.language),
            account_code: words::from_people(&caller.account_code),
            number: words::from_people(&caller.number),
            caller_name: words::from_people(&caller.name),
            dialed_number: words::from_people(&caller.dialed_number),
            redirecting_number: words::from_people(&caller.redirecting_number),
            context: words::from_people(&caller.context),
            extension: words::from_people(&extension),
            priority: caller.priority.into(),
            is_up: caller.answered || caller.dead,
            gone: caller.dead.then_some(Gone::Before),
            hangup_cause: if caller.dead { 16 } else { 0 },
            database: BTreeMap::new(),
            variables: BTreeMap::new(),
            epoch,
            now: Duration::ZERO,
        };
        for (name, value) in &caller.variables {
            channel.set(&words::from_people(name), &words::from_people(value));
        }
        for (key, value) in &caller.database {
            channel.database.insert(words::from_people(key), words::from_people(value));
        }
        channel
    }

    /// The channel's technology, as `Local`.
    pub(super) fn technology(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }

    /// Sets a plain variable. Inheritance marks are taken off: nothing inherits here, and reads never show them.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        let name = name.strip_prefix("__").or_else(|| name.strip_prefix('_')).unwrap_or(name);
        if value.is_empty() && name.is_empty() {
            return;
        }
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// A variable or one of the channel's own words; unset when there is none.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.built_in(name).or_else(|| self.variables.get(name).cloned())
    }

    /// A variable that says yes or no: unset when it says neither.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name)?.to_ascii_lowercase().as_str() {
            "yes" | "true" | "y" | "t" | "1" | "on" => Some(true),
            "no" | "false" | "n" | "f" | "0" | "off" => Some(false),
            _ => None,
        }
    }

    /// A database key as Asterisk joins it.
    pub(super) fn database_key(family: &str, key: &str) -> String {
        format!("{family}/{key}")
    }

    /// Deletes a family, or the tree below a key of it; says how many entries went.
    pub(super) fn delete_tree(&mut self, family: &str, tree: Option<&str>) -> usize {
        let root = tree.map_or_else(|| family.to_owned(), |tree| Self::database_key(family, tree));
        let below = format!("{root}/");
        let before = self.database.len();
        self.database.retain(|key, _| *key != root && !key.starts_with(&below));
        before - self.database.len()
    }

    /// The caller is gone, or the channel taken elsewhere; the first one counts.
    pub(super) fn hang_up(&mut self, gone: Gone) {
        if self.gone.is_none() {
            self.gone = Some(gone);
            if gone != Gone::Redirect && self.hangup_cause == 0 {
                self.hangup_cause = 16;
            }
        }
    }

    /// Goes to a priority as Goto() does: one less is kept, because one is added before the dialplan goes on.
    pub(super) fn go_to(&mut self, context: Option<&str>, extension: Option<&str>, priority: i64) {
        self.context = context.unwrap_or(&self.context).to_owned();
        self.extension = extension.unwrap_or(&self.extension).to_owned();
        self.priority = priority - 1;
    }

    pub(super) fn set_status(&mut self, status: AgiStatus) {
        self.set("AGISTATUS", status.as_str());
    }

    /// Every variable that was set, for the report.
    pub(super) fn variables(&self) -> BTreeMap<String, String> {
        let people =
            |(name, value): (&String, &String)| (words::to_people(name), words::to_people(value));
        self.variables.iter().map(people).collect()
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch + self.now.as_secs()
    }

    fn built_in(&self, name: &str) -> Option<String> {
        Some(match name {
            "EXTEN" => self.extension.clone(),
            "CONTEXT" => self.context.clone(),
            "PRIORITY" => self.priority.to_string(),
            "CHANNEL" => self.name.clone(),
            "UNIQUEID" => self.unique_id.clone(),
            "HANGUPCAUSE" => self.hangup_cause.to_string(),
            "EPOCH" => self.epoch().to_string(),
            "CALLINGPRES" => self.presentation().to_string(),
            "CALLINGANI2" | "CALLINGTON" | "CALLINGTNS" => "0".into(),
            _ => return None,
        })
    }

    /// 0 with a caller's number, else 67: unavailable.
    pub(super) fn presentation(&self) -> u8 {
        if self.number.is_empty() { 67 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_inheritance_never_show() {
        let mut channel = Channel::new(&Caller::default(), 0);
        channel.set("__X", "1");
        assert_eq!(channel.get("X"), Some("1".into()));
        channel.set("_X", "2");
        assert_eq!((channel.get("X"), channel.get("__X")), (Some("2".into()), None));
        channel.set("EXTEN", "9");
        assert_eq!(channel.get("EXTEN"), Some("s".into()), "built-in words cannot be overridden");
    }

    #[test]
    fn trees_are_deleted_by_whole_keys() {
        let mut channel = Channel::new(&Caller::default(), 0);
        for key in ["a/b", "a/b/c", "a/bc", "ab/c"] {
            channel.database.insert(key.into(), String::new());
        }
        assert_eq!(channel.delete_tree("a", Some("b")), 2);
        assert_eq!(channel.delete_tree("a", None), 1);
        assert_eq!(channel.delete_tree("a", None), 0);
    }
}
