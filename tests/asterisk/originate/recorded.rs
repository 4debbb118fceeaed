//! What Asterisk itself says of the calls that `tests/transcripts/originate-22.txt` tells of, without the bridge: its outcomes
//! are decided by this, and another Asterisk's other words are seen here first.

use super::{LIMIT, extend, sip};
use agi_bridge::ami::originate::{Fact, Ids};
use kit::{
    ami::Message,
    asterisk::{Asterisk, Dialplan},
};
use std::{collections::BTreeSet, env, fs, sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::timeout};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts/originate-22.txt");
/// Set to write the file anew.
const BLESS: &str = "AGIBRIDGE_BLESS";
/// When it is written anew, the last message of a call comes within this.
const BLESS_SETTLE: Duration = Duration::from_secs(2);
/// Calls at once.
const AT_ONCE_MAX: usize = 8;

/// Events that tell something of a call, and the headers that do.
const EVENTS: &[&str] = &[
    "Newchannel",
    "LocalBridge",
    "DialBegin",
    "Newstate",
    "DialEnd",
    "OriginateResponse",
    "HangupRequest",
    "Hangup",
];
const HEADERS: &[&str] = &[
    "Event",
    "Response",
    "ActionID",
    "Message",
    "Channel",
    "ChannelStateDesc",
    "Reason",
    "Uniqueid",
    "LocalOneUniqueid",
    "LocalTwoUniqueid",
    "DestChannel",
    "DestUniqueid",
    "DialStatus",
    "Cause",
    "Cause-txt",
];
/// Headers that name the call of an event.
const IDS: &[&str] = &[
    "Uniqueid",
    "Linkedid",
    "DestUniqueid",
    "DestLinkedid",
    "LocalOneUniqueid",
    "LocalOneLinkedid",
];

/// One call of the file.
#[derive(Debug, Clone)]
struct History {
    name: String,
    outcome: String,
    lines: Vec<String>,
}

pub(super) fn prepare(dialplan: &mut Dialplan) {
    let mut add =
        |extension, applications: &[&str]| extend(dialplan, sip::CONTEXT, extension, applications);
    add("progress", &["Progress()", "Wait(30)"]);
    add("destination", &["Wait(1)"]);
    add("dialanswer", &["Dial(PJSIP/answer@self,10)"]);
    add("dialbusy", &["Dial(PJSIP/busy@self,10)"]);
    add("dialring", &["Dial(PJSIP/ring@self,10)"]);
    add("diallocal", &[&format!("Dial(Local/answer@{},10)", sip::CONTEXT)]);
    add("dialnlocal", &[&format!("Dial(Local/answer@{}/n,10)", sip::CONTEXT)]);
}

pub(super) async fn is_so(asterisk: Arc<Asterisk>) {
    let text = fs::read_to_string(FILE).expect("the histories are there");
    let (head, histories) = read(&text);
    let blesses = env::var_os(BLESS).is_some();
    let mut waiting = histories.iter().cloned().enumerate();
    let (mut running, mut now) = (JoinSet::new(), Vec::new());
    loop {
        while running.len() < AT_ONCE_MAX
            && let Some((at, history)) = waiting.next()
        {
            let asterisk = Arc::clone(&asterisk);
            running.spawn(async move { (at, again(&asterisk, history, blesses).await) });
        }
        let Some(done) = running.join_next().await else { break };
        now.push(done.expect("the call goes well"));
    }
    now.sort_unstable_by_key(|(at, _)| *at);
    if blesses {
        let now = now.iter().map(|(_, history)| history.text());
        fs::write(FILE, head + &now.collect::<String>()).expect("the file can be written");
        return;
    }
    for (at, now) in now {
        let before = &histories[at];
        let (was, is) = (facts(before), facts(&now));
        assert!(
            was == is,
            "Asterisk says other things than tests/transcripts/originate-22.txt ({BLESS}=1 writes it anew):\n{}\n{}\n\
             no more: {:#?}\nnew: {:#?}",
            before.text(),
            now.text(),
            was.difference(&is).collect::<Vec<_>>(),
            is.difference(&was).collect::<Vec<_>>()
        );
    }
}

/// What stands before the first history, and the histories.
fn read(text: &str) -> (String, Vec<History>) {
    let mut parts = text.split("\n== ");
    let head = parts.next().unwrap_or_default().to_owned();
    let histories = parts.map(|part| {
        let mut lines = part.lines().filter(|line| !line.is_empty()).map(str::to_owned);
        let title = lines.next().unwrap_or_default();
        let (name, outcome) = title.split_once(' ').expect("a name and an outcome");
        History { name: name.to_owned(), outcome: outcome.to_owned(), lines: lines.collect() }
    });
    let histories: Vec<_> = histories.collect();
    (head, histories)
}

impl History {
    /// Notes an event, if it is of this call or of one that its other end made.
    fn note(&mut self, event: &Message) {
        let Self { name, lines, .. } = self;
        let ours = |id: &str| {
            id.strip_prefix("ab-").is_some_and(|it| it.strip_suffix("-2").unwrap_or(it) == name)
        };
        if EVENTS.iter().any(|it| event.is(it)) && IDS.iter().any(|header| ours(event.get(header)))
        {
            lines.push(line(name, event));
        }
    }

    /// Whether its channels are gone, and Asterisk has said what came of it.
    fn is_over(&self) -> bool {
        let count = |start: &str| self.lines.iter().filter(|line| line.starts_with(start)).count();
        count("Response: Error") > 0
            || count("Event: OriginateResponse") > 0
                && count("Event: Newchannel") == count("Event: Hangup\t")
    }

    fn text(&self) -> String {
        format!("\n== {} {}\n{}\n", self.name, self.outcome, self.lines.join("\n"))
    }
}

/// The same call, now.
async fn again(asterisk: &Asterisk, before: History, blesses: bool) -> History {
    let name = &before.name;
    let (id, other) = (format!("ab-{name}"), format!("ab-{name}-2"));
    let channel = channel(name);
    let mut headers = vec![
        ("Channel", channel.as_str()),
        ("ChannelId", id.as_str()),
        ("OtherChannelId", other.as_str()),
        ("Timeout", if before.outcome == "NO_ANSWER" { "2000" } else { "30000" }),
        ("Async", "true"),
    ];
    headers.extend(destination(name));
    // Asterisk refuses an id that another one begins with, so no name begins with another.
    // On the link that asks, an event with the id of the action could be taken for its answer.
    let mut events = asterisk.ami().events();
    let answer = asterisk.connect().await.try_action("Originate", &headers).await;
    let mut now = History { lines: vec![line(name, &answer)], ..before.clone() };
    let wanted = facts(&before);
    let all = async {
        while !(now.is_over() && (blesses || wanted.is_subset(&facts(&now)))) {
            now.note(events.next().await.as_ref());
        }
    };
    // What is missing is shown by the comparison.
    let _ = timeout(LIMIT, all).await;
    if blesses {
        let late = async {
            loop {
                now.note(events.next().await.as_ref());
            }
        };
        let _: Result<(), _> = timeout(BLESS_SETTLE, late).await;
    }
    now
}

/// Whom a history calls.
fn channel(name: &str) -> String {
    let local = |target: &str, options: &str| {
        let context = if target == "nocontext" { "nosuchcontext" } else { sip::CONTEXT };
        format!("Local/{target}@{context}{options}")
    };
    if let Some(target) = name.strip_prefix("local-n-") {
        return local(target, "/n");
    }
    if let Some(target) = name.strip_prefix("local-") {
        return local(target, "");
    }
    let target = match name {
        "no-tech" => return "nosuch/1".into(),
        "sip-no-endpoint" => return "PJSIP/nosuchendpoint".into(),
        "sip-unregistered" => return "PJSIP/nosuchcontact".into(),
        "sip-dead-contact" => return "PJSIP/dead".into(),
        "sip-busy" => "busy",
        "sip-no-answer" => "ring",
        "sip-silent" => "silent",
        "sip-congestion" => "congestion",
        "sip-reject" => "reject",
        "sip-unallocated" => "unalloc",
        "sip-404" => "nosuchext",
        "sip-bye" => "bye",
        "early-media" | "no-early-media" => "progress",
        _ => "answer",
    };
    format!("PJSIP/{target}@self")
}

/// What happens to it when it is answered.
fn destination(name: &str) -> Vec<(&'static str, &'static str)> {
    let (context, extension, priority) = match name {
        "app" => return vec![("Application", "Wait"), ("Data", "1")],
        "no-app" => return vec![("Application", "NoSuchApplication")],
        "no-context-target" => ("nosuch", "destination", "1"),
        "no-exten-target" => (sip::CONTEXT, "nosuch", "1"),
        "no-priority-target" => (sip::CONTEXT, "destination", "9"),
        _ => (sip::CONTEXT, "destination", "1"),
    };
    let early = if name == "early-media" { "true" } else { "false" };
    vec![("Context", context), ("Exten", extension), ("Priority", priority), ("EarlyMedia", early)]
}

/// A message, as the file has it.
fn line(name: &str, message: &Message) -> String {
    let headers = HEADERS.iter().filter_map(|header| {
        let value = message.get(header);
        match *header {
            _ if value.is_empty() => None,
            "ActionID" => Some(format!("ActionID: act-{name}")),
            _ => Some(format!("{header}: {value}")),
        }
    });
    headers.collect::<Vec<_>>().join("\t")
}

/// What follows from a history for the attempt, in no order: messages of a short call overtake each other.
fn facts(history: &History) -> BTreeSet<String> {
    let name = &history.name;
    let ids = Ids { channel: format!("ab-{name}"), action: Some(format!("act-{name}")) };
    let facts = history.lines.iter().flat_map(|line| {
        let header = |wanted: &str| {
            let mut headers = line.split('\t').filter_map(|header| header.split_once(": "));
            headers.find(|(name, _)| *name == wanted).map(|(_, value)| value)
        };
        match (header("Event"), header("Response")) {
            (Some(_), _) => Fact::of_event(&ids, header),
            (None, Some("Success")) => vec![Fact::Taken],
            (None, _) => vec![Fact::Refused(header("Message").unwrap_or_default().to_owned())],
        }
    });
    // Channels are numbered.
    let unnamed = |fact| if let Fact::Born(_) = fact { Fact::Born(String::new()) } else { fact };
    facts.map(|fact| format!("{:?}", unnamed(fact))).collect()
}
