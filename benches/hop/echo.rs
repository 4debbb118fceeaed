//! The lowest floor: a line comes, the same line goes.

use crate::host;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Plays the role, until it is killed.
pub(crate) async fn main() -> anyhow::Result<()> {
    let listener = host::listen()?;
    host::say_ready(&listener)?;
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            // A connection that broke is the load's to count.
            let _ = echo(stream).await;
        });
    }
}

async fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut bytes = [0; 512];
    loop {
        let length = stream.read(&mut bytes).await?;
        if length == 0 {
            return stream.shutdown().await;
        }
        stream.write_all(bytes.get(..length).unwrap_or_default()).await?;
    }
}
