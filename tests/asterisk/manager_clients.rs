//! The manager client of every language, at a bridge with a real Asterisk: what calls come to, actions, events, and a bridge that is
//! killed under all of it. `clients/conformance/README.md` says what the programs do.

use crate::{originate::CONTEXT, runner::Runner};
use kit::{
    ami::Events,
    asterisk::{Asterisk, Dialplan, Place},
    bridge::Bridge,
    clients::{LANGUAGES, launcher},
    program::Program,
};
use serde_json::{Value, json};
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::{interval, timeout},
};

const LIMIT: Duration = Duration::from_secs(90);
const TOKEN: &str = "lab-secret";
/// How often something happens at Asterisk, for those who watch but do not say so.
const HAPPENS_EVERY: Duration = Duration::from_millis(200);

/// An extension that stays until it is hung up.
const STAYS: &str = "client-stays";

/// Puts that into the dialplan, and a phone for each language that is answered late.
pub(crate) fn prepare(dialplan: &mut Dialplan) {
    let stays = ["Answer()", "Wait(120)"].map(str::to_owned);
    dialplan.add_all(&Place::new(CONTEXT, STAYS, 1), &stays);
    let rings = ["Ringing()", "Wait(4)", "Answer()", "Wait(120)"].map(str::to_owned);
    for language in LANGUAGES {
        dialplan.add_all(&Place::new(CONTEXT, &late(language), 1), &rings);
    }
}

fn late(language: &str) -> String {
    format!("late-{language}")
}

/// Adds the tests.
pub(crate) fn add(runner: &mut Runner, asterisk: &Arc<Asterisk>) {
    for language in LANGUAGES {
        let shared = || Arc::clone(asterisk);
        let name = |what: &str| format!("manager client: {language}: {what}");
        runner.add(&name("calls, asks, and hears"), asks(shared(), language));
        runner.add(&name("outlives the bridge"), outlives(shared(), language));
        runner.add(&name("its samples do what they say"), samples(shared(), language));
    }
}

/// A bridge whose client may do nearly everything.
async fn bridge(asterisk: &Asterisk) -> Bridge {
    let binary = Path::new(env!("CARGO_BIN_EXE_agi-bridge"));
    let manager = asterisk.manager();
    let configuration = format!(
        r#"
api:
  listen: "127.0.0.1:0"
  clients:
    - {{name: lab, token: {TOKEN}, actions: ["*", Command], events: "*", rate: 10000, running: 1000,
       originate: {{channels: "*", contexts: "*"}}}}
managers:
  - {{name: lab, address: "{manager}", username: lab, secret: lab}}
routes:
  - {{name: none, path: /none, services: [{{url: "agi://127.0.0.1:9"}}]}}
"#
    );
    Bridge::start(binary, &configuration).await
}

fn api(bridge: &Bridge) -> SocketAddr {
    bridge.api().expect("the bridge has an API")
}

/// A language's program, and what it has written.
struct Client(Program);

impl Client {
    fn start(language: &str, api: SocketAddr, token: &str) -> Self {
        let program = launcher(language, "manager");
        Self(Program::converse(program, &[api.to_string(), token.to_owned()]))
    }

    fn say(&mut self, id: &str, method: &str, asked: &Value) {
        self.0.say(&json!({"id": id, method: asked}).to_string());
    }

    /// What it answers to the request `id`: the answer's own object, or `{"error": …}`.
    async fn answer(&self, id: &str, method: &str) -> Value {
        let answer = |lines: &[String]| {
            about(lines, id).find_map(|line| {
                let fails = line.get("error").is_some();
                line.get(method).cloned().or_else(|| fails.then(|| line.clone()))
            })
        };
        self.0.wait_until(LIMIT, &format!("an answer to {id}"), answer).await
    }

    async fn ask(&mut self, id: &str, method: &str, asked: &Value) -> Value {
        self.say(id, method, asked);
        self.answer(id, method).await
    }

    /// Subscribes, and waits until Asterisk is there.
    async fn watch(&mut self, id: &str, asked: &Value) {
        self.say(id, "watchEvents", asked);
        let told =
            |lines: &[String]| about(lines, id).any(|line| is_connected(&line)).then_some(());
        self.0.wait_until(LIMIT, "that Asterisk is there", told).await;
    }

    /// Waits for an event that has these headers.
    async fn event(&self, id: &str, name: &str, headers: &[(&str, &str)]) {
        let fits = |line: Value| {
            let event = line.get("event")?;
            let has = |(key, value): &(&str, &str)| header(event, key).as_deref() == Some(*value);
            (event.get("name")? == name && headers.iter().all(has)).then_some(())
        };
        let told = |lines: &[String]| about(lines, id).find_map(fits);
        self.0.wait_until(LIMIT, &format!("{name} {headers:?} of {id}"), told).await;
    }

    async fn ends_well(mut self) {
        self.0.say_no_more();
        let status = self.0.wait_until_ended(LIMIT).await;
        assert!(status.success(), "the program ends well: {status}");
    }
}

/// The lines about a request. Standard error is among all lines, and no JSON.
fn about<'a>(lines: &'a [String], id: &'a str) -> impl Iterator<Item = Value> + 'a {
    let lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(move |line| line.get("id").is_some_and(|of| of == id))
}

fn is_connected(line: &Value) -> bool {
    line.pointer("/serverState/connected") == Some(&Value::Bool(true))
}

fn header(of: &Value, key: &str) -> Option<String> {
    let headers = of.get("headers")?.as_array()?;
    let found = headers.iter().find(|header| header.get("key").is_some_and(|own| own == key));
    Some(found?.get("value").and_then(Value::as_str).unwrap_or_default().to_owned())
}

fn text<'a>(of: &'a Value, key: &str) -> &'a str {
    of.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn originate(extension: &str, destination: &str) -> Value {
    json!({
        "channel": format!("Local/{extension}@{CONTEXT}"),
        "dialplan": {"context": CONTEXT, "extension": destination},
        "ringTimeout": "10s",
        "waitForOutcome": true,
    })
}

fn with(mut of: Value, key: &str, value: &str) -> Value {
    of[key] = Value::from(value);
    of
}

async fn asks(asterisk: Arc<Asterisk>, language: &'static str) {
    let bridge = bridge(&asterisk).await;
    let mut client = Client::start(language, api(&bridge), TOKEN);
    let account = format!("client-{language}");
    client.watch("all", &json!({"names": ["*"]})).await;
    let match_account = json!({"names": ["Hangup"], "match": {"AccountCode": account}});
    client.watch("mine", &match_account).await;

    let call = with(originate(STAYS, STAYS), "accountCode", &account);
    let answered = client.ask("answered", "originate", &call).await;
    assert_eq!(text(&answered, "outcome"), "OUTCOME_ANSWERED", "{answered}");
    let id = text(&answered, "uniqueId");
    let again = with(call, "requestId", text(&answered, "requestId"));
    let again = client.ask("again", "originate", &again).await;
    assert_eq!(text(&again, "uniqueId"), id, "a repeated request is the first call: {again}");

    let listed = client.ask("list", "sendAction", &json!({"action": "CoreShowChannels"})).await;
    let events = listed.get("events").and_then(Value::as_array).expect("a list");
    let ours = events.iter().find(|it| header(it, "Uniqueid").as_deref() == Some(id));
    assert_eq!(ours.map(|it| text(it, "name")), Some("CoreShowChannel"), "{listed}");
    let command =
        json!({"action": "Command", "headers": [{"key": "Command", "value": "core show version"}]});
    let told = client.ask("command", "sendAction", &command).await;
    let line = told.pointer("/output/0").and_then(Value::as_str).unwrap_or_default();
    assert!(line.starts_with("Asterisk 22."), "{told}");
    let hangup = |channel: &str| json!({"action": "Hangup", "headers": [{"key": "Channel", "value": channel}]});
    let no = client.ask("nothing", "sendAction", &hangup("Local/none")).await;
    assert_ne!(no.get("success"), Some(&Value::Bool(true)), "{no}");
    assert_eq!(text(&no, "message"), "No such channel", "{no}");

    client.event("all", "Newchannel", &[("Uniqueid", id)]).await;
    client.ask("hang up", "sendAction", &hangup(id)).await;
    client.event("all", "Hangup", &[("Uniqueid", id)]).await;
    client.event("mine", "Hangup", &[("Uniqueid", id)]).await;

    for (extension, outcome) in [("busy", "OUTCOME_BUSY"), ("nosuch", "OUTCOME_REFUSED")] {
        let told = client.ask(extension, "originate", &originate(extension, "destination")).await;
        assert_eq!(text(&told, "outcome"), outcome, "{told}");
    }
    let servers = client.ask("servers", "listServers", &json!({})).await;
    let server = servers.pointer("/servers/0").expect("one server");
    assert_eq!(
        (text(server, "server"), server.get("connected")),
        ("lab", Some(&Value::Bool(true)))
    );
    assert!(text(server, "asteriskVersion").starts_with("22."), "{servers}");
    let denied = json!({"channel": "Local/answer@lab-originate", "application": {"application": "System", "data": "true"}});
    let denied = client.ask("denied", "originate", &denied).await;
    assert_eq!(denied.pointer("/error/code"), Some(&"PERMISSION_DENIED".into()), "{denied}");

    // A filter lets through what it names, until it is cancelled.
    client.say("mine", "cancel", &json!({}));
    client.answer("mine", "cancelled").await;
    let lines = client.0.lines();
    let of_account = |line: Value| {
        let event = line.get("event")?;
        Some(text(event, "name") == "Hangup" && header(event, "AccountCode")? == account)
    };
    assert!(about(&lines, "mine").filter_map(of_account).all(|it| it), "{lines:#?}");
    client.ends_well().await;

    let mut stranger = Client::start(language, api(&bridge), "wrong");
    let refused = stranger.ask("who", "watchEvents", &json!({})).await;
    assert_eq!(refused.pointer("/error/code"), Some(&"UNAUTHENTICATED".into()), "{refused}");
    stranger.ends_well().await;
    assert!(bridge.stop(LIMIT).await.success(), "the bridge ends well");
}

async fn outlives(asterisk: Arc<Asterisk>, language: &'static str) {
    let phone = late(language);
    let dialled = tokio::spawn(dials(asterisk.ami().events(), phone.clone()));
    let first = bridge(&asterisk).await;
    let door = Door::open(api(&first)).await;
    let mut client = Client::start(language, door.address, TOKEN);
    client.watch("events", &json!({"names": ["UserEvent", "Newchannel"]})).await;
    client.say("call", "originate", &originate(&phone, STAYS));
    // It rings; then the bridge is killed.
    let rings = [("Exten", phone.as_str()), ("Context", CONTEXT)];
    client.event("events", "Newchannel", &rings).await;
    let before = client.0.lines().len();
    drop(first);
    let since = |lines: &[String]| -> Vec<Value> {
        about(lines.get(before..).unwrap_or_default(), "events").collect()
    };
    let is_loss = |line: &Value| line.get("lost").is_some();
    let lost = |lines: &[String]| since(lines).iter().any(is_loss).then_some(());
    client.0.wait_until(LIMIT, "that the stream is lost", lost).await;

    let second = bridge(&asterisk).await;
    door.lead_to(api(&second));
    let back = |lines: &[String]| {
        since(lines).iter().skip_while(|line| !is_loss(line)).any(is_connected).then_some(())
    };
    client.0.wait_until(LIMIT, "that Asterisk is there again", back).await;
    let said = json!({"action": "UserEvent", "headers": [
        {"key": "UserEvent", "value": "Outlives"}, {"key": "Said", "value": language}]});
    client.ask("say", "sendAction", &said).await;
    client.event("events", "UserEvent", &[("UserEvent", "Outlives"), ("Said", language)]).await;
    let losses = since(&client.0.lines()).into_iter().filter(is_loss).count();
    assert_eq!(losses, 1, "a loss is told once");

    let told = client.answer("call", "originate").await;
    assert_eq!(text(&told, "outcome"), "OUTCOME_ANSWERED", "{told}");
    asterisk.ami().action("Hangup", &[("Channel", text(&told, "uniqueId"))]).await;
    let marker = [("UserEvent", "Dialled"), ("Marker", phone.as_str())];
    asterisk.connect().await.action("UserEvent", &marker).await;
    let dialled = timeout(LIMIT, dialled).await.expect("the marker comes").expect("it counts");
    assert_eq!(dialled, 1, "{told}");
    client.ends_well().await;
    assert!(second.stop(LIMIT).await.success(), "the bridge ends well");
}

/// How often a phone was dialled before the marker of its name came.
async fn dials(mut events: Events, phone: String) -> usize {
    let mut dialled = 0;
    loop {
        let event = events.next().await;
        if event.get("Marker") == phone {
            return dialled;
        }
        let name = event.get("Channel");
        let ours = name.starts_with(&format!("Local/{phone}@")) && name.ends_with(";1");
        dialled += usize::from(event.is("Newchannel") && ours);
    }
}

async fn samples(asterisk: Arc<Asterisk>, language: &'static str) {
    let bridge = bridge(&asterisk).await;
    let api = api(&bridge).to_string();
    let start = |name: &str, more: &[&str]| {
        Program::start(launcher(language, name), &[&[api.as_str(), TOKEN], more].concat())
    };
    let ping = start("manager-ping", &[]);
    let twice = |lines: &[String]| {
        (lines.iter().filter(|line| line.contains("Pong")).count() > 1).then_some(())
    };
    ping.wait_until(LIMIT, "two pongs", twice).await;

    let watching = start("manager-events", &[]);
    let wanted =
        |line: &str| (line.starts_with("UserEvent") && line.contains(language)).then_some(());
    let heard = watching.wait_for(LIMIT, "an event", wanted);
    let happens = async {
        let mut ticks = interval(HAPPENS_EVERY);
        loop {
            ticks.tick().await;
            asterisk
                .ami()
                .action("UserEvent", &[("UserEvent", "Sample"), ("Said", language)])
                .await;
        }
    };
    tokio::select! { () = heard => (), () = happens => () }

    let caller = format!("Local/answer@{CONTEXT}");
    let click = start("click-to-call", &[&caller, CONTEXT, "destination"]);
    let answered = |line: &str| line.starts_with("ANSWERED").then_some(());
    click.wait_for(LIMIT, "what became of the call", answered).await;
    assert!(click.wait_until_ended(LIMIT).await.success(), "click-to-call ends well");
    drop((ping, watching));
    assert!(bridge.stop(LIMIT).await.success(), "the bridge ends well");
}

/// An address that leads to one bridge, and later to another.
struct Door {
    address: SocketAddr,
    leads_to: watch::Sender<SocketAddr>,
    task: JoinHandle<()>,
}

impl Door {
    async fn open(to: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (leads_to, target) = watch::channel(to);
        let task = tokio::spawn(async move {
            loop {
                let (mut near, _) = listener.accept().await.expect("loopback accepts");
                let to = *target.borrow();
                tokio::spawn(async move {
                    // While nobody is there the connection just ends.
                    if let Ok(mut far) = TcpStream::connect(to).await {
                        let _ = copy_bidirectional(&mut near, &mut far).await;
                    }
                });
            }
        });
        Self { address, leads_to, task }
    }

    fn lead_to(&self, to: SocketAddr) {
        self.leads_to.send_replace(to);
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}
