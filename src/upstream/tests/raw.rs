//! Links to FastAGI servers, byte for byte.

use super::*;
use crate::agi::PreludeReader;
use futures_util::FutureExt as _;
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const PRELUDE: &[u8] =
    b"agi_network: yes\nagi_network_script: old?q=1\nagi_request: agi://h/old?q=1\n\
    agi_channel: PJSIP/1\nagi_calleridname: Eve\nagi_evil: \xff\nagi_arg_1: a b\nagi_arg_2: \n\n";

/// What Asterisk said is `prelude`.
pub(super) fn opening_with(prelude: &[u8]) -> Opening {
    let prelude = PreludeReader::new().push(prelude).expect("a prelude").expect("a whole one");
    Opening { prelude: Arc::new(prelude), ..opening("call-1") }
}

/// What came until the peer was done.
pub(super) async fn all(link: &mut RawLink) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(bytes) = next(link).await {
        all.extend(bytes);
    }
    all
}

/// What came next, while what waits is sent; none when the peer is done.
pub(super) async fn next(link: &mut RawLink) -> Option<Vec<u8>> {
    let take = |read: RawRead<'_>| match read {
        RawRead::Bytes(bytes) => Some(bytes.to_vec()),
        RawRead::Closed => None,
        RawRead::Broken(lost) => panic!("{lost}"),
    };
    poll_fn(|cx| {
        let _ = link.poll_flush(cx);
        link.poll_read(cx, take)
    })
    .await
}

/// A server at `address`, where a path may stand in for the call's.
fn fastagi(address: SocketAddr, path: Option<&str>) -> Service {
    let (host, port) = (address.ip().to_string(), address.port());
    let remote = Remote { host, port, tls: None };
    let target = Target::FastAgi { remote, path: path.map(str::to_owned) };
    Service { url: format!("agi://{address}").into(), target, ..service("unused", 1) }
}

/// A link, and the server's end of it after the prelude.
async fn linked() -> (RawLink, TcpStream) {
    let (listener, address) = listener().await;
    let services = [Arc::new(fastagi(address, None))];
    let core = Core::new(Resolver::system(), &services);
    let link = core.open_raw(&services, &opening_with(PRELUDE)).await.expect("taken");
    let (mut server, _) = listener.accept().await.expect("a connection");
    let mut prelude = vec![0; PRELUDE.len()];
    server.read_exact(&mut prelude).await.expect("the prelude");
    assert_eq!(prelude.escape_ascii().to_string(), PRELUDE.escape_ascii().to_string());
    (link, server)
}

#[tokio::test]
async fn a_server_gets_the_prelude_as_it_is_or_with_a_path_of_its_own() {
    let (listener, address) = listener().await;
    let moved = format!(
        "agi_network: yes\nagi_network_script: new/x?q=1\nagi_request: agi://{address}/new/x?q=1\n"
    );
    let moved = [moved.as_bytes(), &PRELUDE[PRELUDE.len() - 83..]].concat();
    for (path, wanted) in [(None, PRELUDE), (Some("/new/x"), &moved)] {
        let services = [Arc::new(fastagi(address, path))];
        let core = Core::new(Resolver::system(), &services);
        let link = core.open_raw(&services, &opening_with(PRELUDE)).await.expect("taken");
        let (mut server, _) = listener.accept().await.expect("a connection");
        assert_eq!((link.endpoint(), link.service()), (address.to_string(), &services[0]));
        assert_eq!((core.outcomes(), core.active()), (vec!["ok"], 1));
        drop(link);
        assert_eq!(core.active(), 0);
        let mut given = Vec::new();
        server.read_to_end(&mut given).await.expect("an end");
        assert_eq!(given.escape_ascii().to_string(), wanted.escape_ascii().to_string());
    }
}

#[tokio::test]
async fn lines_and_the_hangup_keep_their_order_and_after_the_end_the_server_is_still_read() {
    let (mut link, mut server) = linked().await;
    link.write(b"200 result=0\n");
    link.hang_up();
    link.write(b"511 Command Not Permitted on a dead channel or intercept routine\n");
    link.finish();
    link.write(b"never");
    let mut given = String::new();
    server.read_to_string(&mut given).await.expect("an end");
    assert_eq!(
        given,
        "200 result=0\nHANGUP\n511 Command Not Permitted on a dead channel or intercept routine\n"
    );
    server.write_all(b"NOOP\n").await.expect("sent");
    assert_eq!(next(&mut link).await.expect("bytes"), b"NOOP\n");
    server.write_all(b"\xff\0late, and without an end").await.expect("sent");
    drop(server);
    assert_eq!(all(&mut link).await, b"\xff\0late, and without an end");
    assert!(next(&mut link).now_or_never().is_none(), "after the end it is never ready");
}

#[tokio::test]
async fn a_client_that_closes_before_it_has_read_the_hangup_has_just_closed() {
    let (mut link, mut server) = linked().await;
    server.write_all(b"NOOP\n").await.expect("sent");
    link.hang_up();
    server.readable().await.expect("the line is there");
    drop(server);
    assert!(next(&mut link).await.is_none_or(|bytes| bytes == b"NOOP\n"));
}

#[tokio::test]
async fn a_reset_is_an_end_and_what_is_written_then_is_dropped() {
    let (mut link, server) = linked().await;
    SockRef::from(&server).set_linger(Some(Duration::ZERO)).expect("set");
    drop(server);
    assert_eq!(next(&mut link).await, None);
    link.write(&vec![b'x'; 1 << 20]);
    assert_eq!(link.unsent(), 0);
    poll_fn(|cx| link.poll_flush(cx)).await;
    link.write(b"x");
    assert_eq!(link.unsent(), 0);
    link.finish();
}

#[tokio::test]
async fn what_a_server_does_not_read_waits_and_is_flushed_in_order_before_the_end() {
    let (mut link, mut server) = linked().await;
    let mut written = Vec::new();
    for number in 0_u32.. {
        let line = format!("200 result={number:0>9000}\n");
        link.write(line.as_bytes());
        written.extend_from_slice(line.as_bytes());
        if link.unsent() > 0 {
            break;
        }
    }
    let before = link.unsent();
    link.hang_up();
    link.finish();
    written.extend_from_slice(b"HANGUP\n");
    assert_eq!(link.unsent(), before + 7);
    assert!(poll_fn(|cx| link.poll_flush(cx)).now_or_never().is_none());

    let reading = async {
        let mut given = Vec::new();
        server.read_to_end(&mut given).await.expect("an end");
        given
    };
    let (given, ()) = tokio::join!(reading, poll_fn(|cx| link.poll_flush(cx)));
    assert!(given == written, "{} of {} bytes", given.len(), written.len());
    assert_eq!(link.unsent(), 0);
}

#[tokio::test]
async fn a_server_that_is_not_there_leads_to_the_next_of_another_kind() {
    let server = serve(echo).await;
    let (listener, nowhere) = listener().await;
    drop(listener);
    let typed = service("127.0.0.1", server.address.port());
    let services = [Arc::new(fastagi(nowhere, None)), Arc::new(typed)];
    let core = Core::new(Resolver::system(), &services);
    core.open(&services).await.expect("taken by the second");
    assert_eq!(core.outcomes(), ["connect", "ok"]);
    let exhausted = core.open_raw(&services[..1], &opening("x")).await.expect_err("nobody");
    assert_eq!(exhausted.to_string(), format!("agi://{nowhere} {nowhere}: connection refused"));
}

#[tokio::test]
async fn a_connection_that_is_given_up_just_when_it_came_about_has_the_prelude() {
    let (listener, address) = listener().await;
    let services = [Arc::new(fastagi(address, None))];
    let core = Core::new(Resolver::system(), &services);
    let opening = opening_with(PRELUDE);
    // The kernel connects to a port of its own at once, and the runtime hears of it later.
    assert!(core.open_raw(&services, &opening).now_or_never().is_none());
    let (mut server, _) = listener.accept().await.expect("a connection");
    let mut given = Vec::new();
    server.read_to_end(&mut given).await.expect("an end");
    assert_eq!(given.escape_ascii().to_string(), PRELUDE.escape_ascii().to_string());
    assert_eq!(core.active(), 0);
}
