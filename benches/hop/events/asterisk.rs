//! Asterisk's manager: logs the bridge in, answers its actions, and sends events as a PBX with many calls does, each with a number
//! of its own behind what Asterisk says.

use super::{
    Pace, Storm,
    tally::{Phase, Tally},
};
use kit::manager::Connection;
use std::{
    fmt::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream, tcp::OwnedWriteHalf},
    sync::mpsc,
    time::{self, MissedTickBehavior},
};

/// What a reader may be behind where Asterisk waits for it: half of what the bridge keeps for one.
const AHEAD_MAX: u64 = 4_096;
/// Events that are written at once.
const BATCH_MAX: u64 = 100;
const TICK: Duration = Duration::from_millis(1);
const ANSWERS_MAX: usize = 256;

/// The name of the header that has an event's number, the last one.
pub(super) const NUMBER: &str = "Sequence";

/// What an Asterisk 22 says of a channel, over and over.
const CHANNEL: &str = "Channel: PJSIP/3200-0000001a\r\nChannelState: 6\r\nChannelStateDesc: Up\r\nCallerIDNum: 84951234567\r\n\
    CallerIDName: Reception\r\nConnectedLineNum: 3200\r\nConnectedLineName: <unknown>\r\nLanguage: en\r\nAccountCode: \r\n\
    Context: internal\r\nExten: 84951234567\r\nPriority: 7\r\nUniqueid: 1764105600.26\r\nLinkedid: 1764105600.25\r\n";

/// Name, class, and what comes behind the channel.
const EVENTS: [(&str, &str, &str); 6] = [
    (
        "Newexten",
        "dialplan,all",
        "Extension: 84951234567\r\nApplication: Set\r\nAppData: CDR(userfield)=queue-7\r\n",
    ),
    ("VarSet", "dialplan,all", "Variable: QUEUEPOSITION\r\nValue: 3\r\n"),
    ("Newstate", "call,all", ""),
    (
        "Newexten",
        "dialplan,all",
        "Extension: 84951234567\r\nApplication: Dial\r\nAppData: PJSIP/84951234567@trunk,60,tT\r\n",
    ),
    ("DTMFEnd", "dtmf,all", "Digit: 5\r\nDurationMs: 180\r\nDirection: Received\r\n"),
    ("Hangup", "call,all", "Cause: 16\r\nCause-txt: Normal Clearing\r\n"),
];

/// Serves one bridge, or whatever is in its place.
pub(super) async fn run(storm: Arc<Storm>, tally: Arc<Tally>) -> anyhow::Result<()> {
    let listener = TcpListener::bind(storm.asterisk).await?;
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    // One half for the login and for actions, one for what is written from then on.
    let stream = stream.into_std()?;
    let mut connection = Connection::over(TcpStream::from_std(stream.try_clone()?)?);
    connection.log_in().await;
    let (_, write) = TcpStream::from_std(stream)?.into_split();
    let (sender, answers) = mpsc::channel(ANSWERS_MAX);
    tokio::select! {
        () = answer(connection, sender) => anyhow::bail!("the link was closed"),
        done = write_all(write, answers, storm.pace, &tally) => done,
    }
}

/// Answers as if all were well, but that nothing is in Asterisk's database.
async fn answer(mut connection: Connection, answers: mpsc::Sender<String>) {
    while let Some(request) = connection.request().await {
        let answer = match request.get("Action") {
            "DBGet" | "DBGetTree" => {
                request.response("Error", "Message: Database entry not found\r\n")
            }
            _ => request.response("Success", "Ping: Pong\r\nTimestamp: 1764105600.000000\r\n"),
        };
        if answers.send(answer).await.is_err() {
            return;
        }
    }
}

async fn write_all(
    mut write: OwnedWriteHalf,
    mut answers: mpsc::Receiver<String>,
    pace: Pace,
    tally: &Tally,
) -> anyhow::Result<()> {
    let mut ticks = time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut begun = None;
    let mut text = String::new();
    while !tally.is_past(Phase::Resumed) {
        tokio::select! {
            biased;
            Some(answer) = answers.recv() => write.write_all(answer.as_bytes()).await?,
            _ = ticks.tick() => {}
        }
        while tally.is_past(Phase::Connecting) && !tally.is_past(Phase::Sending) {
            let begun = *begun.get_or_insert_with(Instant::now);
            let sent = tally.sent();
            let due = match pace {
                Pace::None => 0,
                Pace::Rate(rate) => (begun.elapsed().as_secs_f64() * f64::from(rate)) as u64,
                Pace::Followed => tally.heard_by_all() + AHEAD_MAX,
            };
            let last = due.min(sent + BATCH_MAX);
            if last <= sent {
                break;
            }
            text.clear();
            for number in sent..last {
                add_event(&mut text, number);
                tally.send(number);
            }
            write.write_all(text.as_bytes()).await?;
            while let Ok(answer) = answers.try_recv() {
                write.write_all(answer.as_bytes()).await?;
            }
        }
    }
    Ok(())
}

fn add_event(text: &mut String, number: u64) {
    let index = usize::try_from(number).unwrap_or_default() % EVENTS.len();
    let Some((name, class, rest)) = EVENTS.get(index) else { return };
    // Nothing can go wrong with memory.
    let _ = write!(
        text,
        "Event: {name}\r\nPrivilege: {class}\r\n{CHANNEL}{rest}{NUMBER}: {number:010}\r\n\r\n"
    );
}
