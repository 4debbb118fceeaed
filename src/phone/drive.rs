//! The socket and the clock around a [`Session`]. Everything that a call means is decided there; nothing here.

use super::{
    Entry, Error, Observer, Options, Report,
    address::Address,
    session::{Ended, Fault, Output, Session, Setup},
    transcript::Speaker,
};
use crate::scenario::Act;
use std::{
    io,
    net::SocketAddr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, lookup_host},
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};

/// Asterisk's own patience with one address.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Asterisk drops bytes after 100 ms; a busy test machine may take longer than that to read.
const WRITE_TIMEOUT: Duration = Duration::from_secs(3);
/// Bytes of one transcript line; the rest is not shown.
const LINE_SHOWN_MAX: usize = 8192;
/// A wait so long that only input ends it.
const IDLE: Duration = Duration::from_secs(3600);

pub(super) async fn call(
    options: Options,
    url: &str,
    observer: Option<Observer>,
    mut acts: Option<mpsc::Receiver<Act>>,
) -> Result<Report, Error> {
    if !(options.speed.is_finite() && options.speed > 0.0) {
        return Err(Error::Options("the speed must be a number above 0".into()));
    }
    let address: Address = url.parse()?;
    let mut socket = connect(&address).await?;
    let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut session = Session::new(&Setup { options: &options, address: &address, epoch });
    let clock = Clock { began: Instant::now(), speed: options.speed };
    let mut log = Log { entries: Vec::new(), observer, partial: Vec::new() };
    let mut buffer = vec![0; 16 * 1024];
    let mut open = true;
    loop {
        perform(&mut session, &mut socket, &mut log, &clock).await;
        if session.ended().is_some() {
            break;
        }
        let wake =
            session.deadline().map_or_else(|| Instant::now() + IDLE, |due| clock.instant(due));
        tokio::select! {
            read = socket.read(&mut buffer), if open => match read {
                Ok(count) if count > 0 => {
                    log.received(&buffer[..count], clock.now());
                    session.handle_bytes(&buffer[..count], clock.now());
                }
                ended => {
                    open = false;
                    log.closed(ended.err(), clock.now());
                    session.handle_close(clock.now());
                }
            },
            act = next(&mut acts) => session.handle_act(act, clock.now()),
            () = sleep_until(wake) => session.handle_time(clock.now()),
        }
        if log.entries.len() > options.transcript_max {
            session.handle_fault(Fault::TooLong);
        }
    }
    Ok(Report {
        agistatus: session.agistatus(),
        ended: session.ended().cloned().unwrap_or(Ended::Server),
        gone: session.gone(),
        duration: clock.now(),
        position: session.position(),
        variables: session.variables(),
        database: session.database(),
        transcript: log.entries,
    })
}

/// Every address of the name, in the resolver's order.
pub(super) async fn connect(address: &Address) -> Result<TcpStream, Error> {
    let target = format!("{}:{}", address.host, address.port);
    let failed = |source| Error::Connect { target: target.clone(), source };
    let found = timeout(CONNECT_TIMEOUT, lookup_host((address.host.as_str(), address.port))).await;
    let found: Vec<SocketAddr> =
        found.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(&failed)?.collect();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for place in found {
        match timeout(CONNECT_TIMEOUT, TcpStream::connect(place)).await {
            Ok(Ok(socket)) => return Ok(socket),
            Ok(Err(err)) => last = err,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(failed(last))
}

async fn perform(session: &mut Session, socket: &mut TcpStream, log: &mut Log, clock: &Clock) {
    while let Some(output) = session.poll_output() {
        match output {
            Output::Note(text) => log.add(clock.now(), Speaker::Caller, text),
            Output::Close => drop(timeout(WRITE_TIMEOUT, socket.shutdown()).await),
            Output::Send(bytes) => {
                log.sent(&bytes, clock.now());
                // A broken connection shows when it is read.
                if timeout(WRITE_TIMEOUT, socket.write_all(&bytes)).await.is_err() {
                    session.handle_fault(Fault::NotReading);
                }
            }
        }
    }
}

/// The next act from outside; never, once there are no more.
async fn next(acts: &mut Option<mpsc::Receiver<Act>>) -> Act {
    if let Some(receiver) = acts {
        if let Some(act) = receiver.recv().await {
            return act;
        }
        *acts = None;
    }
    std::future::pending().await
}

/// The call's own time.
pub(super) struct Clock {
    pub(super) began: Instant,
    pub(super) speed: f64,
}

impl Clock {
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed().mul_f64(self.speed)
    }

    /// Rounded up, so that the time has really come by then.
    pub(super) fn instant(&self, at: Duration) -> Instant {
        self.began + at.div_f64(self.speed) + Duration::from_micros(1)
    }
}

/// The transcript as it grows.
pub(super) struct Log {
    pub(super) entries: Vec<Entry>,
    pub(super) observer: Option<Observer>,
    /// A line to Asterisk whose end has not come.
    pub(super) partial: Vec<u8>,
}

impl Log {
    pub(super) fn add(&mut self, at: Duration, speaker: Speaker, text: String) {
        let entry = Entry { at, speaker, text };
        if let Some(observer) = &mut self.observer {
            observer(&entry);
        }
        self.entries.push(entry);
    }

    pub(super) fn sent(&mut self, bytes: &[u8], at: Duration) {
        let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        for line in text.split(|&byte| byte == b'\n') {
            self.add(at, Speaker::FromAsterisk, String::from_utf8_lossy(line).into_owned());
        }
    }

    pub(super) fn received(&mut self, bytes: &[u8], at: Duration) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (text, ended) =
                piece.strip_suffix(b"\n").map_or((piece, false), |text| (text, true));
            let room = LINE_SHOWN_MAX.saturating_sub(self.partial.len());
            self.partial.extend_from_slice(&text[..text.len().min(room)]);
            if ended {
                self.flush(at);
            }
        }
    }

    fn flush(&mut self, at: Duration) {
        let line = std::mem::take(&mut self.partial);
        self.add(at, Speaker::ToAsterisk, String::from_utf8_lossy(&line).into_owned());
    }

    pub(super) fn closed(&mut self, err: Option<io::Error>, at: Duration) {
        if !self.partial.is_empty() {
            self.flush(at);
        }
        let how =
            err.map_or_else(|| "closes".to_owned(), |err| format!("breaks the connection ({err})"));
        self.add(at, Speaker::Caller, format!("the AGI server {how}"));
    }
}
