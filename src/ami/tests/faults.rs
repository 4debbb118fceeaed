//! A link that breaks, at every point.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_action_is_lost_only_when_it_was_written() {
    let (mut lab, link, mut asterisk) = Lab::linked().await;
    let (lost, ()) = tokio::join!(link.send(action("One"), PATIENCE, None), async {
        asterisk.expect("One").await;
        drop(asterisk);
    });
    assert_eq!(lost, Err(SendError::Lost { server: "pbx1".into() }));
    let state = down(&link, "closed").await;
    let unwritten = link.send(action("Two"), PATIENCE, None).await;
    assert_eq!(
        unwritten,
        Err(SendError::NotConnected { server: "pbx1".into(), detail: state.detail })
    );
    // It comes back, and nothing is sent a second time.
    let mut asterisk = lab.manager.accept_user().await;
    until(&link, |state| state.connected).await;
    let (reply, ()) = tokio::join!(link.send(action("Three"), PATIENCE, None), async {
        let request = asterisk.request().await.unwrap();
        assert_eq!(request.get("Action"), "Three");
        asterisk.answer(&request).await;
    });
    assert!(reply.unwrap().message().starts_with("Invalid/unknown command: Three"));
}

#[tokio::test(start_paused = true)]
async fn a_link_that_hears_nothing_is_dead_within_twenty_seconds() {
    let (mut lab, link, mut asterisk) = Lab::linked().await;
    let pinged = timeout(20 * SECOND, async {
        asterisk.expect("Ping").await;
        down(&link, "dead").await;
    });
    pinged.await.expect("found in time");
    let mut again = lab.manager.accept_user().await;
    until(&link, |state| state.connected).await;
    drop(asterisk);
    again.say("").await;
}

#[tokio::test(start_paused = true)]
async fn pings_keep_a_quiet_link() {
    let (lab, link, mut asterisk) = Lab::linked().await;
    assert!(timeout(PATIENCE, asterisk.serve()).await.is_err(), "the link is kept");
    assert!(link.state().connected);
    assert_eq!(lab.sample("agibridge_manager_stray_total{server=\"pbx1\"}"), 0.0);
}

#[tokio::test(start_paused = true)]
async fn bytes_that_never_end_a_message_keep_no_link() {
    let (_lab, link, mut asterisk) = Lab::linked().await;
    let endless = async {
        loop {
            asterisk.say("X: y\r\n".repeat(100)).await;
            tokio::time::sleep(SECOND).await;
        }
    };
    tokio::select! { () = endless => {}, _ = down(&link, "dead") => {} }
}

#[tokio::test(start_paused = true)]
async fn a_link_is_tried_again_for_ever() {
    let mut lab = Lab::start().await;
    for _ in 0..20 {
        drop(timeout(PATIENCE, lab.manager.accept()).await.expect("it is tried again"));
    }
    let _asterisk = lab.manager.accept_user().await;
    until(&lab.link(), |state| state.connected).await;
}

/// In real time: what a full socket holds back for a moment must not look like silence.
#[tokio::test]
async fn asterisk_that_reads_nothing_holds_up_no_event() {
    let (lab, link, mut asterisk) = Lab::linked().await;
    let mut events = lab.links.subscribe(Filter { names: vec!["X".into()], ..Filter::default() });
    next(&mut events).await;
    let large = || {
        let mut large = action("Large");
        for _ in 0..100 {
            large = large.header("Variable", &"v".repeat(1_000)).unwrap();
        }
        large
    };
    let unread =
        futures_util::future::join_all((0..200).map(|_| link.send(large(), PATIENCE, None)));
    let heard = async {
        for number in 0..1_000 {
            asterisk.say(format!("Event: X\r\nNumber: {number}\r\n\r\n")).await;
            let event = next_event(&mut events).await;
            assert_eq!(event.headers.get("Number"), Some(number.to_string().as_str()));
        }
    };
    tokio::select! { _ = unread => panic!("nobody answers"), () = heard => {} }
}
