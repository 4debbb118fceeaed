//! The bridge's link to the manager of a real Asterisk: logged in, asked, cut, restarted; and the scripted manager of the kit, which
//! must answer as the real one does.

use crate::runner::Runner;
use agi_bridge::{
    ami::{
        Action, ActionError, Event, Filter, Item, Link, Links, Reply, SendError, Server,
        ServerState, Subscription,
    },
    route::Remote,
    secret::Secret,
    telemetry::metrics::Metrics,
};
use kit::{
    asterisk::{Asterisk, Dialplan},
    manager::Manager,
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    runtime::Handle,
    sync::watch,
    task::JoinHandle,
    time::timeout,
};

const LIMIT: Duration = Duration::from_secs(60);

/// What both are asked, and must answer alike.
const SCRIPT: &[(&str, &[(&str, &str)])] = &[
    ("Ping", &[]),
    ("NoSuchAction", &[]),
    ("CoreShowChannels", &[]),
    ("Setvar", &[("Variable", "LINK"), ("Value", "a: b, \"c\"")]),
    ("Getvar", &[("Variable", "LINK")]),
    ("Getvar", &[("Variable", "LINK_UNSET")]),
    ("Command", &[("Command", "core waitfullybooted")]),
    ("Command", &[("Command", "nosuch")]),
    ("UserEvent", &[("UserEvent", "Link"), ("Said", "hello: there")]),
];

/// Adds the tests.
pub(crate) fn add(runner: &mut Runner, asterisk: &Arc<Asterisk>) {
    let shared = || Arc::clone(asterisk);
    runner.add("manager: the link asks, lists, and hears events", asks(shared()));
    runner.add("manager: what a user may not do is told", limited(shared()));
    runner.add("manager: the limits of an action are asterisk's", limits(shared()));
    runner.add("manager: a link that is cut comes back", cut(shared()));
    runner.add("manager: a link that goes silent is found", half_open(shared()));
    runner.add("manager: the scripted one agrees, and a restart is survived", agrees());
}

async fn asks(asterisk: Arc<Asterisk>) {
    let links = links(asterisk.manager(), "lab", "lab");
    let link = links.server("pbx").expect("it was named");
    let state = until(&link, |state| state.connected).await;
    assert!(state.version.starts_with("22."), "{state:?}");

    let reply = send(&link, "Ping", &[]).await;
    assert_eq!(reply.headers.get("Ping"), Some("Pong"), "{reply:?}");
    let reply = send(&link, "Command", &[("Command", "core show version")]).await;
    assert!(
        reply.output().next().is_some_and(|line| line.starts_with("Asterisk 22.")),
        "{reply:?}"
    );

    // A value with line breaks forges headers and messages; what stood before it counts, and others get their own answers.
    let forged =
        "URIDECODE(a%0D%0Ab%0D%0AResponse: Error%0D%0A%0D%0AResponse: Error%0D%0AActionID: x)";
    for _ in 0..10 {
        let getvar = [("Variable", forged)];
        let (forged, ping) = tokio::join!(send(&link, "Getvar", &getvar), send(&link, "Ping", &[]));
        assert!(forged.is_success() && ping.is_success(), "{forged:?} {ping:?}");
        assert_eq!(forged.headers.get("Value"), Some("a\nb"), "{forged:?}");
    }

    let id = Link::fresh_id();
    let channel = format!("link-{}", id.as_str());
    let mut events = links.subscribe(Filter {
        names: vec!["Newchannel".into(), "Hangup".into(), "OriginateResponse".into()],
        ..Filter::default()
    });
    let originate = action(
        "Originate",
        &[
            ("Channel", "Local/none@lab-far"),
            ("Application", "Wait"),
            ("Data", "60"),
            ("ChannelId", &channel),
            ("Async", "true"),
        ],
    );
    let reply = link.send(originate.with_id(id.clone()), LIMIT, None).await.expect("answered");
    assert_eq!(reply.message(), "Originate successfully queued", "{reply:?}");
    let of_channel = |event: &Event| event.headers.get("Uniqueid") == Some(&channel);
    wait(&mut events, "Newchannel", of_channel).await;
    let listed = send(&link, "CoreShowChannels", &[]).await;
    let ours = listed.events.iter().find(|event| of_channel(event));
    assert_eq!(ours.map(|event| event.name()), Some("CoreShowChannel"), "{listed:?}");
    let of_action = |event: &Event| event.headers.get("ActionID") == Some(id.as_str());
    // Nobody answers: the other end waits. The hangup ends the originate too.
    send(&link, "Hangup", &[("Channel", &channel)]).await;
    let answer = wait(&mut events, "OriginateResponse", of_action).await;
    assert_eq!(answer.headers.get("Response"), Some("Failure"), "{answer:?}");
    wait(&mut events, "Hangup", of_channel).await;
}

async fn limited(asterisk: Arc<Asterisk>) {
    let watcher = links(asterisk.manager(), "watcher", "lab");
    let link = watcher.server("").expect("there is one");
    let state = until(&link, |state| state.connected).await;
    assert_eq!(&*state.version, "", "its user may not ask");
    let reply = send(&link, "Command", &[("Command", "core show version")]).await;
    assert_eq!((reply.is_success(), reply.message()), (false, "Permission denied"), "{reply:?}");

    let stranger = links(asterisk.manager(), "lab", "wrong");
    let link = stranger.server("").expect("there is one");
    let state = until(&link, |state| state.detail.contains("refused")).await;
    assert!(state.detail.contains("Authentication failed"), "{state:?}");
    let error = link.send(action("Ping", &[]), LIMIT, None).await;
    assert!(matches!(error, Err(SendError::NotConnected { .. })), "{error:?}");
}

async fn limits(asterisk: Arc<Asterisk>) {
    let links = links(asterisk.manager(), "lab", "lab");
    let link = links.server("").expect("there is one");
    until(&link, |state| state.connected).await;
    // The longest line that we send is one that Asterisk reads, and one byte more is not.
    let longest = "v".repeat(1024 - "Value: \r\n".len());
    let reply = send(&link, "Setvar", &[("Variable", "LINK_LONG"), ("Value", &longest)]).await;
    assert!(reply.is_success(), "{reply:?}");
    let reply = send(&link, "Getvar", &[("Variable", "LINK_LONG")]).await;
    assert_eq!(reply.headers.get("Value"), Some(&*longest));
    let longer = longest.clone() + "v";
    let refused = action("Setvar", &[]).header("Value", &longer);
    assert!(matches!(refused, Err(ActionError::LineTooLong { .. })), "{refused:?}");
    let raw = asterisk.connect().await;
    let answer = raw.try_action("Setvar", &[("Variable", "LINK_LONG"), ("Value", &longer)]).await;
    assert_eq!(answer.get("Message"), "Failed to parse message: line too long", "{answer:?}");

    // As many headers as Asterisk keeps, the last of them included.
    let mut most = action("Setvar", &[("Variable", "LINK_LAST")]);
    for _ in 0..124 {
        most = most.header("Filler", "x").expect("there is room");
    }
    let most = most.header("Value", "last").expect("there is room");
    assert!(most.clone().header("Filler", "x").is_err());
    let reply = link.send(most, LIMIT, None).await.expect("answered");
    assert!(reply.is_success(), "{reply:?}");
    let reply = send(&link, "Getvar", &[("Variable", "LINK_LAST")]).await;
    assert_eq!(reply.headers.get("Value"), Some("last"), "{reply:?}");
}

async fn cut(asterisk: Arc<Asterisk>) {
    let mut relay = Relay::start(asterisk.manager()).await;
    let links = links(relay.address, "lab", "lab");
    let mut events =
        links.subscribe(Filter { names: vec!["UserEvent".into()], ..Filter::default() });
    let link = links.server("").expect("there is one");
    for round in 0..3 {
        until(&link, |state| state.connected).await;
        let name = format!("LinkCut{round}");
        send(&link, "UserEvent", &[("UserEvent", &name)]).await;
        wait(&mut events, "UserEvent", |event| event.headers.get("UserEvent") == Some(&name)).await;
        relay.cut();
        until(&link, |state| !state.connected).await;
    }
}

async fn half_open(asterisk: Arc<Asterisk>) {
    let relay = Relay::start(asterisk.manager()).await;
    let links = links(relay.address, "lab", "lab");
    let link = links.server("").expect("there is one");
    until(&link, |state| state.connected).await;
    relay.freeze(true);
    let lost = link.send(action("Ping", &[]), LIMIT, None).await;
    assert_eq!(lost, Err(SendError::Lost { server: "pbx".into() }));
    let state = until(&link, |state| !state.connected).await;
    assert!(state.detail.contains("dead"), "{state:?}");
    relay.freeze(false);
    until(&link, |state| state.connected).await;
}

async fn agrees() {
    let mut manager = Manager::start().await;
    let address = manager.address();
    let serving = tokio::spawn(async move { manager.accept_user().await.serve().await });
    let asterisk = Asterisk::start(&Dialplan::default()).await;
    let (real, scripted) = (links(asterisk.manager(), "lab", "lab"), links(address, "lab", "lab"));
    let (real_says, scripted_says) = tokio::join!(play(&real), play(&scripted));
    assert_eq!(real_says, scripted_says, "left: asterisk, right: the scripted one");
    serving.abort();

    let link = real.server("").expect("there is one");
    let mut events = real.subscribe(Filter { names: vec!["none".into()], ..Filter::default() });
    // It may restart before it answers.
    let restart = action("Command", &[("Command", "core restart now")]);
    let _ = link.send(restart, LIMIT, None).await;
    for connected in [true, false, true] {
        loop {
            match timeout(LIMIT, events.next()).await.expect("it comes to that") {
                Some(Item::State(state)) if state.connected == connected => break,
                Some(Item::State(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(send(&link, "Ping", &[]).await.is_success());
}

/// What is answered to the script, and the event that its last action makes.
async fn play(links: &Links) -> Vec<Vec<(String, String)>> {
    let link = links.server("").expect("there is one");
    until(&link, |state| state.connected).await;
    let mut events =
        links.subscribe(Filter { names: vec!["UserEvent".into()], ..Filter::default() });
    let mut said = Vec::new();
    for (name, headers) in SCRIPT {
        let reply = send(&link, name, headers).await;
        said.push(plain(reply.headers.iter()));
        said.extend(reply.events.iter().map(|event| plain(event.headers.iter())));
    }
    let event = wait(&mut events, "UserEvent", |_| true).await;
    said.push(plain(event.headers.iter()));
    said
}

/// Without what differs each time.
fn plain<'a>(headers: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(String, String)> {
    let steady = headers.filter(|(name, _)| *name != "ActionID" && *name != "Timestamp");
    steady.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn links(address: SocketAddr, user: &str, secret: &str) -> Links {
    let links = Links::new(Handle::current(), Metrics::new(), None);
    links.update(&[Server {
        name: "pbx".into(),
        remote: Remote { host: address.ip().to_string(), port: address.port(), tls: None },
        username: user.to_owned(),
        secret: Secret::new(secret),
        plain_login: false,
        async_agi: false,
    }]);
    links
}

fn action(name: &str, headers: &[(&str, &str)]) -> Action {
    let action = Action::new(name).expect("a name");
    let add = |action: Action, (name, value): &(&str, &str)| action.header(name, value);
    headers.iter().try_fold(action, add).expect("headers that fit")
}

async fn send(link: &Link, name: &str, headers: &[(&str, &str)]) -> Reply {
    let reply = link.send(action(name, headers), LIMIT, None).await;
    reply.unwrap_or_else(|error| panic!("{name}: {error}"))
}

async fn until(link: &Link, wanted: impl FnMut(&ServerState) -> bool) -> ServerState {
    let mut watch = link.watch();
    let state = timeout(LIMIT, watch.wait_for(wanted)).await;
    state.expect("it comes to that").expect("the link is kept").clone()
}

async fn wait(
    events: &mut Subscription,
    name: &str,
    wanted: impl Fn(&Event) -> bool,
) -> Arc<Event> {
    let found = async {
        loop {
            match events.next().await {
                Some(Item::Event(event)) if event.name() == name && wanted(&event) => return event,
                Some(Item::Event(_) | Item::State(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    timeout(LIMIT, found).await.unwrap_or_else(|_| panic!("no {name} came"))
}

/// Stands between, so that a link can be cut, or go silent with nobody closing it.
struct Relay {
    address: SocketAddr,
    cut: watch::Sender<u32>,
    frozen: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Relay {
    async fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (cut, cuts) = watch::channel(0);
        let (frozen, freezes) = watch::channel(false);
        let task = tokio::spawn(async move {
            loop {
                let (mut near, _) = listener.accept().await.expect("loopback accepts");
                let mut far = TcpStream::connect(to).await.expect("asterisk listens");
                let (mut cuts, mut freezes) = (cuts.clone(), freezes.clone());
                cuts.mark_unchanged();
                tokio::spawn(async move {
                    loop {
                        let frozen = *freezes.borrow_and_update();
                        tokio::select! {
                            _ = copy_bidirectional(&mut near, &mut far), if !frozen => return,
                            _ = cuts.changed() => return,
                            changed = freezes.changed() => if changed.is_err() { return },
                        }
                    }
                });
            }
        });
        Self { address, cut, frozen, task }
    }

    fn cut(&mut self) {
        self.cut.send_modify(|count| *count += 1);
    }

    fn freeze(&self, frozen: bool) {
        self.frozen.send_replace(frozen);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}
