//! A small AMI client for tests: actions by ActionID, lists, and events with a bounded wait. Knows Asterisk's manager
//! protocol and nothing of calls. Everything that goes wrong here is a failed test, so it panics and says why.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{broadcast, mpsc},
    task::JoinHandle,
    time::timeout,
};

/// Events kept for a subscriber that is behind; a test that reads later than that panics.
const EVENTS_MAX: usize = 65_536;
/// For the answer to any action.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// From a login to the end of Asterisk's start.
const BOOT_TIMEOUT: Duration = Duration::from_secs(60);

/// One response or event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message(Vec<(String, String)>);

/// A link to Asterisk's manager, logged in.
#[derive(Debug)]
pub struct Ami {
    writer: tokio::sync::Mutex<OwnedWriteHalf>,
    shared: Arc<Shared>,
    reader: JoinHandle<()>,
}

/// Events from the moment of the subscription on.
#[derive(Debug)]
pub struct Events(broadcast::Receiver<Arc<Message>>);

#[derive(Debug)]
struct Shared {
    answers: Mutex<HashMap<String, mpsc::Sender<Message>>>,
    events: broadcast::Sender<Arc<Message>>,
}

impl Message {
    /// The first value of `key`, in any case; empty when there is none.
    pub fn get(&self, key: &str) -> &str {
        let found = self.0.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
        found.map_or("", |(_, value)| value)
    }

    /// Every value of `key`, in order.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(name, _)| name.eq_ignore_ascii_case(key))
            .map(|(_, value)| value.as_str())
    }

    /// True for an event of this name.
    pub fn is(&self, event: &str) -> bool {
        self.get("Event").eq_ignore_ascii_case(event)
    }

    fn succeeded(&self) -> bool {
        self.get("Response").eq_ignore_ascii_case("Success")
    }
}

impl Ami {
    /// Connects, logs in, and waits until Asterisk is up; fails when nothing listens.
    ///
    /// # Errors
    /// What the socket says.
    ///
    /// # Panics
    /// When Asterisk refuses the login, or does not come up.
    pub async fn connect(address: SocketAddr, user: &str, secret: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        let (events, _) = broadcast::channel(EVENTS_MAX);
        let shared = Arc::new(Shared { answers: Mutex::default(), events });
        let task = tokio::spawn(read(reader, Arc::clone(&shared)));
        let ami = Self { writer: tokio::sync::Mutex::new(writer), shared, reader: task };
        let mut events = ami.events();
        ami.action("Login", &[("Username", user), ("Secret", secret)]).await;
        events.wait(BOOT_TIMEOUT, "Asterisk is up", |event| event.is("FullyBooted")).await;
        Ok(ami)
    }

    /// Does an action and gives its response.
    ///
    /// # Panics
    /// When it fails, or is not answered in time.
    pub async fn action(&self, action: &str, headers: &[(&str, &str)]) -> Message {
        let response = self.try_action(action, headers).await;
        assert!(response.succeeded(), "AMI action {action} {headers:?} failed: {response:?}");
        response
    }

    /// Does an action and gives its response, whatever it is.
    ///
    /// # Panics
    /// When it is not answered in time.
    pub async fn try_action(&self, action: &str, headers: &[(&str, &str)]) -> Message {
        let (id, mut answers) = self.send(action, headers).await;
        let answer = next(&mut answers, action).await;
        self.shared.forget(&id);
        answer
    }

    /// Does an action that is answered by a list, and gives the list's events, without its end.
    ///
    /// # Panics
    /// When it fails, or the list is not complete in time.
    pub async fn list(&self, action: &str, headers: &[(&str, &str)]) -> Vec<Message> {
        let (id, mut answers) = self.send(action, headers).await;
        let response = next(&mut answers, action).await;
        assert!(response.succeeded(), "AMI action {action} failed: {response:?}");
        let mut items = Vec::new();
        loop {
            let item = next(&mut answers, action).await;
            if item.get("EventList").eq_ignore_ascii_case("Complete") {
                break;
            }
            items.push(item);
        }
        self.shared.forget(&id);
        items
    }

    /// Subscribes to all events from now on.
    pub fn events(&self) -> Events {
        Events(self.shared.events.subscribe())
    }

    async fn send(
        &self,
        action: &str,
        headers: &[(&str, &str)],
    ) -> (String, mpsc::Receiver<Message>) {
        // Unlike any other link's: every link hears an OriginateResponse, whoever asked.
        static COUNT: AtomicU64 = AtomicU64::new(1);
        let id = format!("kit-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let (sender, receiver) = mpsc::channel(EVENTS_MAX);
        self.shared.lock().insert(id.clone(), sender);
        let mut text = format!("Action: {action}\r\nActionID: {id}\r\n");
        for (name, value) in headers {
            assert!(
                !value.contains(['\r', '\n']),
                "AMI cannot carry a line end: {name}: {value:?}"
            );
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        let mut writer = self.writer.lock().await;
        writer.write_all(text.as_bytes()).await.expect("Asterisk takes AMI actions");
        (id, receiver)
    }
}

impl Drop for Ami {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Events {
    /// The next event.
    ///
    /// # Panics
    /// When Asterisk closed the link, or this reader is too far behind.
    pub async fn next(&mut self) -> Arc<Message> {
        self.0.recv().await.expect("Asterisk keeps the AMI link, and the test reads its events")
    }

    /// The next event for which `wanted` is true; others are dropped.
    ///
    /// # Panics
    /// When none comes within `limit`.
    pub async fn wait(
        &mut self,
        limit: Duration,
        what: &str,
        wanted: impl Fn(&Message) -> bool,
    ) -> Arc<Message> {
        let found = async {
            loop {
                let event = self.next().await;
                if wanted(&event) {
                    return event;
                }
            }
        };
        timeout(limit, found)
            .await
            .unwrap_or_else(|_| panic!("no AMI event within {limit:?}: {what}"))
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, mpsc::Sender<Message>>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self, id: &str) {
        self.lock().remove(id);
    }

    fn deliver(&self, message: Message) {
        let waiting = self.lock().get(message.get("ActionID")).cloned();
        match waiting {
            Some(waiting) => drop(waiting.try_send(message)),
            // Nobody subscribed: nobody wants to know.
            None => drop(self.events.send(Arc::new(message))),
        }
    }
}

async fn next(answers: &mut mpsc::Receiver<Message>, action: &str) -> Message {
    timeout(ANSWER_TIMEOUT, answers.recv())
        .await
        .unwrap_or_else(|_| panic!("AMI action {action} was not answered"))
        .unwrap_or_else(|| panic!("Asterisk closed AMI during {action}"))
}

async fn read(reader: OwnedReadHalf, shared: Arc<Shared>) {
    let mut reader = BufReader::new(reader);
    let mut message = Message::default();
    let mut line = Vec::new();
    while matches!(reader.read_until(b'\n', &mut line).await, Ok(1..)) {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            shared.deliver(std::mem::take(&mut message));
        } else if let Some((name, value)) =
            text.split_once(": ").or_else(|| text.strip_suffix(':').map(|name| (name, "")))
        {
            message.0.push((name.to_owned(), value.to_owned()));
        }
        line.clear();
    }
    // Whoever waits for an answer hears now that none will come.
    shared.lock().clear();
}
