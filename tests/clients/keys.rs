//! Asterisk's manager beside the simulated phone of one call: it tells the bridge of each key that is pressed there, and presses
//! those that the bridge asks for. Knows nothing of languages.

use agi_bridge::{
    phone::{Entry, Phone, Speaker},
    scenario::Act,
};
use kit::{
    bridge::Bridge,
    manager::{Connection, Manager, SECRET, USER},
};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};

/// How long a bridge may take to log in, on a machine that has all languages to run.
const LINK_LIMIT: Duration = Duration::from_secs(60);
/// More keys than a scene has.
const KEYS_MAX: usize = 256;
/// How long each is held.
const HELD_MS: u32 = 120;

/// The manager of one Asterisk with one call.
#[derive(Debug)]
pub(crate) struct Keys {
    address: SocketAddr,
    /// Whether the bridge is logged in.
    linked: watch::Receiver<bool>,
    events: mpsc::Sender<String>,
    phone: watch::Sender<Option<mpsc::Sender<Act>>>,
}

impl Keys {
    /// Begins to listen.
    pub(crate) async fn start() -> Self {
        let manager = Manager::start().await;
        let address = manager.address();
        let (link, linked) = watch::channel(false);
        let (events, news) = mpsc::channel(KEYS_MAX);
        let (phone, phones) = watch::channel(None);
        tokio::spawn(serve(manager, link, news, phones));
        Self { address, linked, events, phone }
    }

    /// What the bridge must have for it. The program may be slow to take its first call, on a machine that has all to run.
    pub(crate) fn configuration(&self) -> String {
        format!(
            "managers: [{{name: kit, address: \"{}\", username: {USER}, secret: {SECRET}}}]\n\
             defaults: {{digits: true, connect_timeout: 10s, retry_for: 30s}}\n",
            self.address
        )
    }

    /// Waits until this bridge can be told of keys.
    ///
    /// # Panics
    /// When it does not log in.
    pub(crate) async fn wait_for(&self, bridge: &Bridge) {
        let mut linked = self.linked.clone();
        let waited = timeout(LINK_LIMIT, linked.wait_for(|linked| *linked)).await;
        assert!(matches!(waited, Ok(Ok(_))), "no login at the manager: {:#?}", bridge.log());
    }

    /// Tells of the keys of this phone, and presses those that the bridge asks for by `acts`.
    pub(crate) fn beside(self, phone: Phone, acts: mpsc::Sender<Act>) -> Phone {
        self.phone.send_replace(Some(acts));
        let mut channel = String::new();
        phone.with_observer(move |entry: &Entry| {
            if let Some(id) = entry.text.strip_prefix("agi_uniqueid: ") {
                id.clone_into(&mut channel);
            }
            let key = entry.text.strip_prefix("presses ").and_then(|text| text.chars().next());
            if let (Speaker::Caller, Some(key)) = (entry.speaker, key) {
                let event = format!(
                    "Event: DTMFEnd\r\nUniqueid: {channel}\r\nDigit: {key}\r\n\
                     DurationMs: {HELD_MS}\r\nDirection: Received\r\n\r\n"
                );
                self.events.try_send(event).expect("there is room for all keys of a scene");
            }
            // The phone is pressed for as long as it has this.
            let _ = &self.phone;
        })
    }
}

async fn serve(
    mut manager: Manager,
    link: watch::Sender<bool>,
    mut news: mpsc::Receiver<String>,
    phones: watch::Receiver<Option<mpsc::Sender<Act>>>,
) {
    let mut connection: Connection = manager.accept().await;
    connection.say(kit::manager::GREETING).await;
    loop {
        tokio::select! {
            Some(event) = news.recv() => connection.say(event).await,
            request = connection.request() => {
                let Some(request) = request else { return };
                if request.get("Action") != "PlayDTMF" {
                    connection.answer(&request).await;
                    // The last step of its login: what comes from now on is an event to it.
                    if request.get("Action") == "Events" {
                        link.send_replace(true);
                    }
                    continue;
                }
                let phone = phones.borrow().clone();
                let key = Act::Press(request.get("Digit").to_owned());
                let pressed = match phone {
                    Some(phone) => phone.send(key).await.is_ok(),
                    None => false,
                };
                let word = if pressed { "Success" } else { "Error" };
                connection.say(request.response(word, "Message: DTMF\r\n")).await;
            }
        }
    }
}
