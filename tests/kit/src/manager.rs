//! A scripted manager of Asterisk: a test decides what it says and when, byte by byte, or lets it answer as Asterisk 22 does. The
//! lab compares those answers with a real one's. Knows nothing of the bridge.

use std::{
    collections::BTreeMap,
    mem,
    net::{Ipv4Addr, SocketAddr},
};
use tokio::{
    io::{
        AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader, Lines,
        ReadHalf, WriteHalf, split,
    },
    net::{TcpListener, TcpStream},
};

/// Whom it lets in, with the secret.
pub const USER: &str = "lab";
/// Of [`USER`].
pub const SECRET: &str = "lab";
/// Given at every login. An MD5 that a test computes once is then right each time.
pub const CHALLENGE: &str = "207205567";
/// MD5 of [`CHALLENGE`] and [`SECRET`].
pub const KEY: &str = "c0e3ccc1ae0dc4859b4fa7f6f98e5b66";
/// The greeting of Asterisk 22.
pub const GREETING: &str = "Asterisk Call Manager/11.0.0\r\n";

/// Listens on a loopback port of its own.
#[derive(Debug)]
pub struct Manager {
    listener: TcpListener,
}

/// One connection to it.
#[derive(Debug)]
pub struct Connection<S = TcpStream> {
    lines: Lines<BufReader<ReadHalf<S>>>,
    /// What of the next action has come.
    partial: Request,
    writer: WriteHalf<S>,
    variables: BTreeMap<String, String>,
}

/// An action that came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request(Vec<(String, String)>);

impl Manager {
    /// Begins to listen.
    ///
    /// # Panics
    /// When loopback has no port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        Self { listener: listener.expect("loopback has a free port") }
    }

    /// Where.
    ///
    /// # Panics
    /// Never: it is bound.
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("a bound socket has an address")
    }

    /// The next one that connects, to which nothing was said yet.
    ///
    /// # Panics
    /// When the socket fails.
    pub async fn accept(&mut self) -> Connection {
        Connection::over(self.accept_stream().await)
    }

    /// Its socket alone, for what stands between, as TLS.
    ///
    /// # Panics
    /// When the socket fails.
    pub async fn accept_stream(&mut self) -> TcpStream {
        self.listener.accept().await.expect("loopback accepts").0
    }

    /// The next one that connects, logged in.
    pub async fn accept_user(&mut self) -> Connection {
        let mut connection = self.accept().await;
        connection.log_in().await;
        connection
    }
}

impl<S: AsyncRead + AsyncWrite> Connection<S> {
    /// Over what is connected already.
    pub fn over(stream: S) -> Self {
        let (reader, writer) = split(stream);
        let lines = BufReader::new(reader).lines();
        Self { lines, partial: Request::default(), writer, variables: BTreeMap::new() }
    }

    /// Says just this.
    pub async fn say(&mut self, text: impl AsRef<[u8]>) {
        // The other side may be gone already, which it will tell.
        let _ = self.writer.write_all(text.as_ref()).await;
    }

    /// The next action; `None`: the other side has closed. Nothing is lost when this is dropped before.
    pub async fn request(&mut self) -> Option<Request> {
        loop {
            let text = self.lines.next_line().await.ok().flatten()?;
            if text.is_empty() {
                return Some(mem::take(&mut self.partial));
            }
            let (name, value) = text.split_once(':').unwrap_or((&text, ""));
            self.partial.0.push((name.to_owned(), value.trim_start().to_owned()));
        }
    }

    /// The next action of this name; those before it, as pings, are left unanswered.
    ///
    /// # Panics
    /// When the other side closes instead.
    pub async fn expect(&mut self, action: &str) -> Request {
        loop {
            let request = self.request().await;
            let request = request.unwrap_or_else(|| panic!("closed before {action} came"));
            if request.get("Action") == action {
                return request;
            }
        }
    }

    /// Greets, and answers until events are asked for.
    ///
    /// # Panics
    /// When the other side closes instead.
    pub async fn log_in(&mut self) {
        self.say(GREETING).await;
        loop {
            let request = self.request().await.expect("the login goes on");
            self.answer(&request).await;
            if request.get("Action") == "Events" {
                return;
            }
        }
    }

    /// Answers as Asterisk does until the other side closes.
    pub async fn serve(&mut self) {
        while let Some(request) = self.request().await {
            self.answer(&request).await;
        }
    }

    /// Answers one action as Asterisk does.
    pub async fn answer(&mut self, request: &Request) {
        let answer = self.answer_to(request);
        self.say(answer).await;
    }

    fn answer_to(&mut self, request: &Request) -> String {
        let success = |rest: &str| request.response("Success", rest);
        let error = |message: &str| request.response("Error", &format!("Message: {message}\r\n"));
        match request.get("Action").to_ascii_lowercase().as_str() {
            "challenge" => success(&format!("Challenge: {CHALLENGE}\r\n")),
            "login" => {
                let plain = request.get("Secret") == SECRET;
                if request.get("Username") == USER && (plain || request.get("Key") == KEY) {
                    success("Message: Authentication accepted\r\n")
                } else {
                    error("Authentication failed")
                }
            }
            "coresettings" => success("AMIversion: 11.0.0\r\nAsteriskVersion: 22.0.0\r\n"),
            "events" => success("Events: On\r\n"),
            "ping" => success("Ping: Pong\r\nTimestamp: 1764105600.000000\r\n"),
            "coreshowchannels" => {
                let list = success("EventList: start\r\nMessage: Channels will follow\r\n");
                list + &request
                    .event("CoreShowChannelsComplete", "EventList: Complete\r\nListItems: 0\r\n")
            }
            "setvar" => {
                let variable = request.get("Variable").to_owned();
                self.variables.insert(variable, request.get("Value").to_owned());
                success("Message: Variable Set\r\n")
            }
            "getvar" => {
                let name = request.get("Variable");
                let value = self.variables.get(name).map_or("", String::as_str);
                success(&format!("Variable: {name}\r\nValue: {value}\r\n"))
            }
            "command" => {
                let (word, output) = match request.get("Command") {
                    "core waitfullybooted" => ("Success", "Asterisk has fully booted.".to_owned()),
                    other => ("Error", no_such_command(other)),
                };
                let lines = format!("Message: Command output follows\r\nOutput: {output}\r\n");
                request.response(word, &lines)
            }
            "userevent" => {
                success("Message: Event Sent\r\n")
                    + &format!(
                        "Event: UserEvent\r\nPrivilege: user,all\r\nUserEvent: {}\r\nSaid: {}\r\n\r\n",
                        request.get("UserEvent"),
                        request.get("Said")
                    )
            }
            _ => error(&format!(
                "Invalid/unknown command: {}. Use Action: ListCommands to show available commands.",
                request.get("Action")
            )),
        }
    }
}

impl Request {
    /// The first value of `name`, in any case; empty when there is none.
    pub fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    /// A response to it, with these lines.
    pub fn response(&self, word: &str, lines: &str) -> String {
        format!("Response: {word}\r\nActionID: {}\r\n{lines}\r\n", self.get("ActionID"))
    }

    /// An event that belongs to it.
    pub fn event(&self, name: &str, lines: &str) -> String {
        format!("Event: {name}\r\nActionID: {}\r\n{lines}\r\n", self.get("ActionID"))
    }
}

fn no_such_command(command: &str) -> String {
    format!(
        "No such command '{command}' (type 'core show help {command}' for other possible commands)"
    )
}
