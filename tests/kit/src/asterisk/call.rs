//! One call on a real Asterisk: a near channel that runs AGI() and a far one that is the caller, either a pair of Local
//! channels or both ends of a call over SIP. Knows the kit's dialplan and what the manager tells of a call; nothing of
//! what the AGI server says.

use super::{Asterisk, Place};
use crate::ami::{Ami, Events, Message};
use agi_bridge::scenario::{Act, Audio, Step, When};
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use tokio::{sync::watch, task::JoinHandle, time::timeout};

/// From the originate to both channels being there.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(15);
/// A key is held so long; Asterisk takes no shorter one.
const KEY_MS: &str = "80";
/// Between two keys: Asterisk wants 45 ms.
const KEY_GAP: Duration = Duration::from_millis(60);
/// No step waits longer for its cue.
const CUE_TIMEOUT: Duration = Duration::from_secs(60);

/// What to call.
#[derive(Debug, Clone)]
pub struct CallSpec {
    /// What AGI() connects to.
    pub url: String,
    /// Arguments of AGI() after the URL.
    pub arguments: Vec<String>,
    /// Where AGI() stands; the dialplan must have it there.
    pub place: Place,
    /// The caller is gone before AGI() runs, which it does in the h extension.
    pub dead: bool,
    /// The channel is answered before AGI() runs.
    pub answered: bool,
    /// What is heard from the caller once the channel is answered.
    pub audio: Audio,
    /// Variables and functions to set before AGI() runs, in order.
    pub variables: Vec<(String, String)>,
    /// Asterisk calls itself by SIP, and the keys are telephone events in RTP.
    pub sip: bool,
}

/// A call that was begun.
#[derive(Debug)]
pub struct Call {
    id: String,
    near: String,
    far: String,
    ami: Ami,
    state: watch::Receiver<State>,
    watcher: JoinHandle<()>,
    /// Commands that steps have waited for.
    cued: usize,
}

/// What the manager told of a call so far.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// AGI() began.
    pub agi: bool,
    /// Every command that Asterisk began, as its line.
    pub commands: Vec<String>,
    /// A command runs now.
    pub running: bool,
    /// Variables that were set on the AGI channel, with their last value.
    pub variables: BTreeMap<String, String>,
    /// Where the dialplan went on, as `context,extension,priority`; in the h extension when the caller was gone.
    pub position: Option<String>,
    /// AGISTATUS at that place.
    pub agi_status: String,
    /// The AGI channel is gone.
    pub ended: bool,
    near_id: String,
    near: String,
    far: String,
}

impl CallSpec {
    /// A call to `url` from an answered channel that sends silence.
    pub fn new(url: &str, place: Place) -> Self {
        Self {
            url: url.into(),
            arguments: Vec::new(),
            place,
            dead: false,
            answered: true,
            audio: Audio::Silence,
            variables: Vec::new(),
            sip: false,
        }
    }

    fn parameters(&self) -> Vec<(String, String)> {
        let mut agi = self.url.clone();
        for argument in &self.arguments {
            agi.push(',');
            for c in argument.chars() {
                if matches!(c, ',' | '"' | '\\' | '(' | ')' | '[' | ']') {
                    agi.push('\\');
                }
                agi.push(c);
            }
        }
        let flag = |on: bool| if on { "yes" } else { "no" }.to_owned();
        let place = if self.dead {
            format!("{},lab-dead,1", self.place.context)
        } else {
            self.place.to_string()
        };
        let mut parameters = self.variables.clone();
        for (name, value) in [
            ("LAB_AGI", agi),
            ("LAB_DEAD", flag(self.dead)),
            ("LAB_ANSWERED", flag(self.answered)),
            ("LAB_PLACE", place),
        ] {
            parameters.push((name.to_owned(), value));
        }
        parameters
    }
}

impl Call {
    /// Calls: comes back once both channels are there.
    ///
    /// # Panics
    /// When Asterisk does not make them.
    pub async fn begin(asterisk: &Asterisk, spec: &CallSpec) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let id = COUNT.fetch_add(1, Ordering::Relaxed).to_string();
        let (near_id, far_id) = (format!("lab-{id}-near"), format!("lab-{id}-far"));
        let ami = asterisk.connect().await;
        for (index, (name, value)) in spec.parameters().iter().enumerate() {
            for (kind, text) in [("N", name), ("V", value)] {
                let variable = format!("LAB_{id}_{kind}{index}");
                ami.action("Setvar", &[("Variable", &variable), ("Value", text)]).await;
            }
        }

        let events = ami.events();
        let (sender, mut state) = watch::channel(State::default());
        // Asterisk chooses the id of a channel that comes by SIP itself: it is known by an extension of its own.
        let extension = spec.sip.then(|| format!("call{id}"));
        let channel = match &extension {
            Some(extension) => format!("PJSIP/{extension}@self"),
            None => "Local/s@lab-near/n".to_owned(),
        };
        let ids = (near_id.clone(), far_id.clone());
        let watcher = tokio::spawn(follow(events, ids, extension, sender));
        let audio = match spec.audio {
            Audio::None => "none",
            Audio::Silence => "silence",
            Audio::Speech => "speech",
        };
        ami.action(
            "Originate",
            &[
                ("Channel", &channel),
                ("Context", "lab-far"),
                ("Exten", audio),
                ("Priority", "1"),
                ("Timeout", "600000"),
                ("Async", "true"),
                ("ChannelId", &far_id),
                ("OtherChannelId", &near_id),
                ("Variable", &format!("__LAB_ID={id}")),
            ],
        )
        .await;
        let both = state.wait_for(|state| !state.near.is_empty() && !state.far.is_empty());
        let State { near_id: id, near, far, .. } = timeout(BEGIN_TIMEOUT, both)
            .await
            .unwrap_or_else(|_| panic!("Asterisk made no channels for call {id}"))
            .map(|state| state.clone())
            .expect("the watcher lives as long as the call");
        Self { id, near, far, ami, state, watcher, cued: 0 }
    }

    /// The name of the channel that runs AGI().
    pub fn channel(&self) -> &str {
        &self.near
    }

    /// The unique id of that channel.
    pub fn unique_id(&self) -> &str {
        &self.id
    }

    /// What is known now.
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Waits until `wanted` is true of the call.
    ///
    /// # Panics
    /// When it is not within `limit`.
    pub async fn until(
        &self,
        limit: Duration,
        what: &str,
        wanted: impl Fn(&State) -> bool,
    ) -> State {
        let mut states = self.state.clone();
        let found = match timeout(limit, states.wait_for(|state| wanted(state))).await {
            Ok(found) => found.ok().map(|state| state.clone()),
            Err(_) => None,
        };
        found.unwrap_or_else(|| {
            panic!("{}: {what}: not within {limit:?}: {:#?}", self.near, self.state())
        })
    }

    /// Waits until the AGI channel is gone.
    ///
    /// # Panics
    /// When it is still there after `limit`.
    pub async fn wait_until_gone(&self, limit: Duration) -> State {
        self.until(limit, "the channel is gone", |state| state.ended).await
    }

    /// Plays steps in order; stops when the channel is gone.
    ///
    /// # Panics
    /// When a step's cue does not come while the channel lives.
    pub async fn play(&mut self, steps: &[Step]) {
        for step in steps {
            if !self.cue(step).await {
                return;
            }
            match &step.act {
                Act::Press(keys) => self.press(keys).await,
                Act::HangUp => self.hang_up().await,
                Act::Text(text) => self.send_text(text).await,
                Act::Redirect(to) => {
                    self.redirect(&Place::new(&to.context, &to.extension, to.priority)).await;
                }
            }
        }
    }

    /// The caller presses keys.
    pub async fn press(&self, keys: &str) {
        for (index, key) in keys.chars().enumerate() {
            if index > 0 {
                tokio::time::sleep(KEY_GAP).await;
            }
            let key = key.to_string();
            let headers = [("Channel", self.far.as_str()), ("Digit", &key), ("Duration", KEY_MS)];
            self.ami.try_action("PlayDTMF", &headers).await;
        }
    }

    /// The caller hangs up.
    pub async fn hang_up(&self) {
        self.ami.try_action("Hangup", &[("Channel", &self.far), ("Cause", "16")]).await;
    }

    /// The caller sends a text message.
    pub async fn send_text(&self, text: &str) {
        self.ami.try_action("SendText", &[("Channel", &self.far), ("Message", text)]).await;
    }

    /// Somebody sends the AGI channel elsewhere.
    pub async fn redirect(&self, place: &Place) {
        let priority = place.priority.to_string();
        let headers = [
            ("Channel", self.near.as_str()),
            ("Context", &place.context),
            ("Exten", &place.extension),
            ("Priority", &priority),
        ];
        self.ami.try_action("Redirect", &headers).await;
    }

    /// Waits for a step's cue; false when the channel went first.
    async fn cue(&mut self, step: &Step) -> bool {
        let cued = self.cued;
        match &step.when {
            None => {}
            Some(When::Start) => {
                self.until(CUE_TIMEOUT, "AGI() begins", |state| state.agi || state.ended).await;
            }
            Some(When::Idle) => return self.idle_for(step.after).await,
            Some(When::Command(name)) => {
                let found = |state: &State| {
                    let later = state.commands.iter().enumerate().skip(cued);
                    later
                        .clone()
                        .find(|(_, line)| begins_with(line, name))
                        .map(|(index, _)| index + 1)
                };
                let state = self
                    .until(CUE_TIMEOUT, name, |state| state.ended || found(state).is_some())
                    .await;
                self.cued = found(&state).unwrap_or(cued);
            }
        }
        tokio::time::sleep(step.after).await;
        !self.state().ended
    }

    async fn idle_for(&mut self, span: Duration) -> bool {
        loop {
            let idle = |state: &State| state.ended || state.agi && !state.running;
            if self.until(CUE_TIMEOUT, "no command runs", idle).await.ended {
                return false;
            }
            let busy = self.state.wait_for(|state| state.running || state.ended);
            if timeout(span, busy).await.is_err() {
                return true;
            }
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

/// True when the line's first words are those of `name`, whatever their case and quotes.
fn begins_with(line: &str, name: &str) -> bool {
    let mut words = line.split_ascii_whitespace().map(|word| word.trim_matches('"'));
    name.split_ascii_whitespace()
        .all(|wanted| words.next().is_some_and(|word| word.eq_ignore_ascii_case(wanted)))
}

/// `extension`: what the near channel comes to, when its id is not known before.
async fn follow(
    mut events: Events,
    (mut near, far): (String, String),
    extension: Option<String>,
    state: watch::Sender<State>,
) {
    while !state.is_closed() {
        let event = events.next().await;
        let (id, is_new) = (event.get("Uniqueid"), event.is("Newchannel"));
        if is_new && extension.as_deref() == Some(event.get("Exten")) {
            id.clone_into(&mut near);
        }
        if id == near {
            state.send_if_modified(|state| note(state, &event));
        } else if id == far && is_new {
            state.send_modify(|state| state.far = event.get("Channel").to_owned());
        }
    }
}

/// Takes in an event of the AGI channel; true when it told something.
fn note(state: &mut State, event: &Message) -> bool {
    match event.get("Event") {
        "Newchannel" => {
            state.near_id = event.get("Uniqueid").to_owned();
            state.near = event.get("Channel").to_owned();
        }
        "Newexten" if event.get("AppData").starts_with("agi:") => state.agi = true,
        "AGIExecStart" => {
            state.agi = true;
            state.running = true;
            state.commands.push(event.get("Command").to_owned());
        }
        "AGIExecEnd" => state.running = false,
        "VarSet" => {
            // Marks of inheritance are no part of the name.
            let name = event.get("Variable").trim_start_matches('_').to_owned();
            state.variables.insert(name, unescape(event.get("Value")));
        }
        "UserEvent" if event.get("UserEvent") == "LabEnd" => {
            state.position.get_or_insert_with(|| event.get("Position").to_owned());
            event.get("AgiStatus").clone_into(&mut state.agi_status);
        }
        "Hangup" => state.ended = true,
        _ => return false,
    }
    true
}

/// Takes the escapes of VarSet off a value, which are those of C.
fn unescape(text: &str) -> String {
    let mut value = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        value.push(match c {
            '\\' => match chars.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some(other) => other,
                None => '\\',
            },
            _ => c,
        });
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cue_is_found_by_its_words() {
        assert!(begins_with("get data \"beep\" 1", "GET DATA"));
        assert!(begins_with("EXEC \"Dial\" \"Local/a@b\"", "EXEC Dial"));
        assert!(!begins_with("EXEC Wait 1", "EXEC Dial"));
    }

    #[test]
    fn a_value_loses_its_escapes() {
        assert_eq!(unescape(r#"a \"b\" \\c\n"#), "a \"b\" \\c\n");
    }

    #[test]
    fn arguments_keep_their_commas_quotes_and_brackets() {
        let mut spec = CallSpec::new("agi://h/x", Place::new("a", "b", 1));
        spec.arguments = vec![r#"a,"b"\(c"#.into(), String::new()];
        assert_eq!(spec.parameters()[0].1, r#"agi://h/x,a\,\"b\"\\\(c,"#);
    }
}
