//! The link to Asterisk is cut at every point of an originate, by a relay between the two.

use super::{Desk, Dials, target, to};
use agi_bridge::proto::{OriginateRequest, OriginateResponse, originate_response::Outcome};
use kit::asterisk::Asterisk;
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
};
use tonic::{Code, Status};

/// Messages of one call that Asterisk sends, and some more.
const MESSAGES: usize = 10;
/// Bridges whose links are cut at once.
const AT_ONCE_MAX: usize = 4;

/// Where the link is cut, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Point {
    /// Before an action with this name comes to Asterisk.
    Before(&'static str),
    /// Once it has.
    After(&'static str),
    /// Once so many messages of the call came back.
    Messages(usize),
}

/// How it is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Closed,
    /// Nothing passes any more, in either direction, and nobody is told.
    Silent,
}

/// Between the bridge and Asterisk.
struct Relay {
    address: SocketAddr,
    next: Next,
}

/// The point, and how many messages of calls came since it was set.
type Next = Arc<Mutex<Option<(Point, usize)>>>;

impl Relay {
    async fn start(asterisk: SocketAddr, how: How) -> Self {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("loopback is there");
        let address = listener.local_addr().expect("it is bound");
        let next = Next::default();
        let points = Arc::clone(&next);
        tokio::spawn(async move {
            while let Ok((bridge, _)) = listener.accept().await {
                let Ok(asterisk) = TcpStream::connect(asterisk).await else { return };
                let (cut, is_cut) = watch::channel(false);
                let cut = Arc::new(cut);
                let (from_bridge, to_bridge) = bridge.into_split();
                let (from_asterisk, to_asterisk) = asterisk.into_split();
                let way = Way { points: Arc::clone(&points), cut, is_cut, how };
                tokio::spawn(way.clone().pass(from_bridge, to_asterisk, true));
                tokio::spawn(way.pass(from_asterisk, to_bridge, false));
            }
        });
        Self { address, next }
    }

    fn cut_at(&self, point: Option<Point>) {
        *self.next.lock().expect("nobody panics here") = point.map(|point| (point, 0));
    }
}

#[derive(Clone)]
struct Way {
    points: Next,
    cut: Arc<watch::Sender<bool>>,
    is_cut: watch::Receiver<bool>,
    how: How,
}

impl Way {
    /// Passes whole messages on, until it is cut.
    async fn pass(mut self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, is_action: bool) {
        let (mut waiting, mut chunk) = (Vec::new(), vec![0; 16 * 1024]);
        loop {
            let count = tokio::select! {
                count = from.read(&mut chunk) => Some(count.unwrap_or(0)),
                _ = self.is_cut.wait_for(|cut| *cut) => None,
            };
            let Some(count) = count else { return self.end(from, to).await };
            if count == 0 {
                return;
            }
            waiting.extend_from_slice(&chunk[..count]);
            // The banner is a line of its own.
            if !is_action && waiting.starts_with(b"Asterisk") {
                let end = waiting.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                let banner: Vec<u8> = waiting.drain(..end).collect();
                let _ = to.write_all(&banner).await;
            }
            while let Some(end) = waiting.windows(4).position(|it| it == b"\r\n\r\n") {
                let message: Vec<u8> = waiting.drain(..end + 4).collect();
                let text = String::from_utf8_lossy(&message);
                let is_of_call =
                    !is_action && text.contains("agibridge-") && !text.contains("DBGet");
                let (before, after) = self.cuts(&text, is_action, is_of_call);
                if !before && to.write_all(&message).await.is_err() {
                    return;
                }
                if before || after {
                    *self.points.lock().expect("nobody panics here") = None;
                    self.cut.send_replace(true);
                    return self.end(from, to).await;
                }
            }
        }
    }

    /// Whether the link is cut before this message, or behind it.
    fn cuts(&self, text: &str, is_action: bool, is_of_call: bool) -> (bool, bool) {
        let names = |action: &str| is_action && text.starts_with(&format!("Action: {action}\r\n"));
        let mut points = self.points.lock().expect("nobody panics here");
        let Some((point, seen)) = points.as_mut() else { return (false, false) };
        *seen += usize::from(is_of_call);
        match *point {
            Point::Before(action) => (names(action), false),
            Point::After(action) => (false, names(action)),
            Point::Messages(count) => (false, *seen >= count),
        }
    }

    async fn end(self, from: OwnedReadHalf, to: OwnedWriteHalf) {
        if self.how == How::Silent {
            // Held open until the bridge or Asterisk gives it up, or the test ends.
            std::future::pending::<()>().await;
        }
        drop((from, to));
    }
}

/// The answer is true, or says that it is not known, or that nothing was sent.
fn assert_true(point: Point, expected: Outcome, told: &Result<OriginateResponse, Status>) {
    match told {
        Ok(told) => assert!(
            [expected, Outcome::Unknown].contains(&told.outcome()),
            "{point:?}: {told:?}, and it was {expected:?}"
        ),
        Err(status) => assert_eq!(status.code(), Code::Unavailable, "{point:?}: {status:?}"),
    }
}

/// Cuts the link of a bridge of its own. Whether the outcome is known in the end.
async fn cut(asterisk: Arc<Asterisk>, how: How, point: Point, expected: Outcome) -> bool {
    let dials = Dials::count(&asterisk);
    let relay = Relay::start(asterisk.manager(), how).await;
    let mut desk = Desk::start(relay.address).await;
    let (extension, stay) = match (expected, how) {
        (Outcome::Answered, How::Closed) => ("answer", "stay"),
        (Outcome::Answered, How::Silent) => ("held", "held"),
        _ => ("busy", "destination"),
    };
    let request_id = format!("cut-{how:?}-{point:?}-{extension}");
    let asked = OriginateRequest { request_id, destination: target(stay), ..to(extension, "/n") };
    relay.cut_at(Some(point));
    let told = desk.originate(asked.clone()).await;
    relay.cut_at(None);
    assert_true(point, expected, &told);
    // Before the link is back it cannot be asked again.
    desk.connected().await;
    let again = loop {
        match desk.originate(asked.clone()).await {
            Ok(again) => break again,
            // A link that is dead is not known for it at once. Nothing was sent, so it may be asked again.
            Err(status) => assert_true(point, expected, &Err(status)),
        }
    };
    assert_true(point, expected, &Ok(again.clone()));
    let is_known = again.outcome() == expected;
    let count = dials.of(&asterisk, &again.unique_id, usize::from(is_known)).await;
    assert!(count <= 1, "{point:?}: dialled {count} times");
    is_known
}

/// How many outcomes are known in the end.
async fn dials_once(asterisk: &Arc<Asterisk>, how: How, points: &[Point]) -> usize {
    let outcomes = [Outcome::Busy, Outcome::Answered];
    let mut waiting = points.iter().flat_map(|point| outcomes.map(|outcome| (*point, outcome)));
    let (mut running, mut known) = (JoinSet::new(), 0);
    loop {
        while running.len() < AT_ONCE_MAX
            && let Some((point, outcome)) = waiting.next()
        {
            running.spawn(cut(Arc::clone(asterisk), how, point, outcome));
        }
        match running.join_next().await {
            Some(done) => known += usize::from(done.expect("it holds")),
            None => return known,
        }
    }
}

/// Cut and closed, at every point.
pub(super) async fn closed(asterisk: Arc<Asterisk>) {
    let mut points = vec![
        Point::Before("DBGet"),
        Point::After("DBGet"),
        Point::Before("DBPut"),
        Point::After("DBPut"),
        Point::Before("Originate"),
        Point::After("Originate"),
    ];
    points.extend((1..=MESSAGES).map(Point::Messages));
    let known = dials_once(&asterisk, How::Closed, &points).await;
    assert!(known > points.len(), "{known} of {} outcomes are known", 2 * points.len());
}

/// The bridge finds out by itself.
pub(super) async fn half_open(asterisk: Arc<Asterisk>) {
    let points = [Point::After("Originate"), Point::Messages(3)];
    let known = dials_once(&asterisk, How::Silent, &points).await;
    assert!(known >= points.len(), "what is still there is found: {known}");
}
