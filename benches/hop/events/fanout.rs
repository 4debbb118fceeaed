//! The floor of events: cuts what Asterisk says at blank lines, and writes each event as it is, with its length in front as gRPC has it,
//! to everybody who is connected. Whoever does not read loses what there is no room for, and is told nothing.

use crate::host;
use anyhow::Context;
use bytes::{BufMut as _, Bytes, BytesMut};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time,
};

/// As the bridge reads.
const CHUNK: usize = 64 * 1024;
/// What waits for one subscriber, each of a chunk at most.
const WAITING_MAX: usize = 1_024;
const RETRY: Duration = Duration::from_millis(20);
const END: &[u8] = b"\r\n\r\n";

/// Plays the role, until it is killed or Asterisk is gone.
pub(crate) async fn main(task: &[String]) -> anyhow::Result<()> {
    let asterisk: SocketAddr = task.first().context("this role needs an Asterisk")?.parse()?;
    let listener = host::listen()?;
    host::say_ready(&listener)?;
    let listener = TcpListener::from_std(listener)?;
    let mut stream = connect(asterisk).await;
    stream.write_all(b"Action: Events\r\nActionID: 1\r\nEventMask: on\r\n\r\n").await?;
    let mut subscribers = Vec::new();
    let mut bytes = BytesMut::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (socket, _) = accepted?;
                socket.set_nodelay(true)?;
                let (sender, batches) = mpsc::channel(WAITING_MAX);
                // An empty message: it is heard from now on.
                sender.try_send(Bytes::from_static(&[0; 5]))?;
                tokio::spawn(pass_on(socket, batches));
                subscribers.push(sender);
            }
            count = stream.read_buf(&mut bytes) => {
                anyhow::ensure!(count? > 0, "asterisk is gone");
                let batch = cut(&mut bytes);
                for subscriber in subscribers.iter().filter(|_| !batch.is_empty()) {
                    // It may have no room, or be gone.
                    let _ = subscriber.try_send(batch.clone());
                }
                bytes.reserve(CHUNK);
            }
        }
    }
}

async fn connect(asterisk: SocketAddr) -> TcpStream {
    loop {
        match TcpStream::connect(asterisk).await {
            Ok(stream) => return stream,
            Err(_) => time::sleep(RETRY).await,
        }
    }
}

async fn pass_on(mut socket: TcpStream, mut batches: mpsc::Receiver<Bytes>) {
    while let Some(batch) = batches.recv().await {
        if socket.write_all(&batch).await.is_err() {
            return;
        }
    }
}

/// All events that are whole.
fn cut(bytes: &mut BytesMut) -> Bytes {
    let mut batch = BytesMut::with_capacity(bytes.len() * 2);
    while let Some(end) = bytes.windows(END.len()).position(|window| window == END) {
        let message = bytes.split_to(end + END.len());
        if message.starts_with(b"Event: ") {
            batch.put_u8(0);
            batch.put_u32(u32::try_from(message.len()).unwrap_or_default());
            batch.put_slice(&message);
        }
    }
    batch.freeze()
}
