//! Many calls at once, each a simulated Asterisk with the dialplan that docs/dialplan.md has: bridges are tried one after
//! another. Knows lines; not what is replaced meanwhile.

use serde_json::{Value, json};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinSet,
    time::timeout,
};

/// No wait is longer; none is expected to come near.
const PATIENCE: Duration = Duration::from_secs(50);

/// One `AGI()` on a channel.
pub(crate) struct Session {
    lines: Lines<BufReader<OwnedReadHalf>>,
    writer: OwnedWriteHalf,
}

/// A call that a service has, and whose first command is at Asterisk.
pub(crate) struct Held(Session);

/// Two commands; and one more once the caller is gone.
pub(crate) fn part() -> Value {
    let set = |name: &str, value: &str| json!({"setVariable": {"name": name, "value": value}});
    json!({
        "steps": [set("STEP", "1"), set("STEP", "2"), {"wait_for": "hangup"}],
        "hangup": [set("GONE", "yes"), {"end": {}}],
    })
}

/// So many calls at once; and how many sessions were turned away because of a drain before.
pub(crate) async fn calls(count: usize, bridges: &[SocketAddr]) -> (Vec<Held>, usize) {
    let mut calls = JoinSet::new();
    for number in 0..count {
        let bridges = bridges.to_vec();
        calls.spawn(async move { call(number, &bridges).await });
    }
    let mut held = Vec::new();
    let mut turned_away = 0;
    for (call, times) in calls.join_all().await {
        held.push(call);
        turned_away += times;
    }
    (held, turned_away)
}

/// Every call goes on to its end.
pub(crate) async fn end_well(held: Vec<Held>) {
    let mut calls = JoinSet::new();
    for call in held {
        calls.spawn(call.ends_well());
    }
    calls.join_all().await;
}

/// The first of these bridges that takes the call has it.
async fn call(number: usize, bridges: &[SocketAddr]) -> (Held, usize) {
    let mut turned_away = 0;
    for bridge in bridges {
        let Ok(mut session) = Session::begin(number, *bridge).await else { continue };
        match session.line().await.as_deref() {
            Some(r#"SET VARIABLE "STEP" "1""#) => return (Held(session), turned_away),
            Some(r#"SET VARIABLE "AGIBRIDGE_STATUS" "DRAINING""#) => {
                session.is_sent_back().await;
                turned_away += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    panic!("no bridge takes call {number}");
}

impl Session {
    async fn begin(number: usize, bridge: SocketAddr) -> std::io::Result<Self> {
        let (reader, mut writer) = TcpStream::connect(bridge).await?.into_split();
        let prelude = format!(
            "agi_network: yes\nagi_network_script: calls\nagi_request: agi://127.0.0.1/calls\n\
             agi_channel: Local/{number}@lab-00000001;1\nagi_uniqueid: {number}.0\n\n"
        );
        writer.write_all(prelude.as_bytes()).await?;
        Ok(Self { lines: BufReader::new(reader).lines(), writer })
    }

    async fn line(&mut self) -> Option<String> {
        timeout(PATIENCE, self.lines.next_line()).await.expect("a line in time").unwrap()
    }

    async fn answer(&mut self) {
        self.writer.write_all(b"200 result=1\n").await.unwrap();
    }

    async fn is_asked(&mut self, wanted: &str) {
        let line = self.line().await;
        if line.as_deref() != Some(wanted) {
            // What comes next may tell why.
            self.answer().await;
            panic!("{line:?}, then {:?}, in place of {wanted}", self.line().await);
        }
        self.answer().await;
    }

    /// The status is set; the reason and `failure` follow.
    async fn is_sent_back(&mut self) {
        self.answer().await;
        self.is_asked(r#"SET VARIABLE "AGIBRIDGE_REASON" "the bridge is shutting down""#).await;
        assert_eq!(self.line().await.as_deref(), Some("failure"));
    }
}

impl Held {
    /// The command is answered, and the session is over with it.
    pub(crate) async fn ends_there(mut self) {
        self.0.answer().await;
        assert_eq!(self.0.line().await, None);
    }

    async fn ends_well(mut self) {
        let session = &mut self.0;
        session.answer().await;
        session.is_asked(r#"SET VARIABLE "STEP" "2""#).await;
        session.writer.write_all(b"HANGUP\n").await.unwrap();
        session.is_asked(r#"SET VARIABLE "GONE" "yes""#).await;
        assert_eq!(session.line().await, None);
    }
}
