//! The bridge stops: calls are told, get their time, and new ones go back to the dialplan.

use crate::harness::{Asterisk, Bridge, Service, end, soon};
use agi_bridge::proto::{call_ended::Reason, call_event::Event};

async fn patient() -> Service {
    Service::start(|mut caller| async move {
        caller.started().await;
        let Some(Event::Draining(draining)) = caller.event().await else { panic!("no Draining") };
        assert!(draining.deadline.is_some());
        caller.send(end()).await;
        assert_eq!(caller.ended().await.reason(), Reason::Service);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_drain_waits_for_calls_and_turns_new_ones_away() {
    let service = patient().await;
    let bridge = Bridge::with(&[&service], "", "shutdown: {linger: 2s}");
    let address = bridge.address();
    let mut asterisk = Asterisk::call(address).await;
    bridge.driven().await;
    let (drained, _hurry) = bridge.drain();
    assert_eq!(asterisk.finish().await, [""; 0]);
    let lines = Asterisk::call(address).await.finish().await;
    assert_eq!(lines[0], r#"SET VARIABLE "AGIBRIDGE_STATUS" "DRAINING""#);
    soon("the drain", drained).await.unwrap();
}

#[tokio::test]
async fn a_second_signal_ends_the_calls_now() {
    let service = Service::start(|mut caller| async move {
        while let Some(event) = caller.event().await {
            if let Event::Ended(ended) = event {
                assert_eq!(ended.reason(), Reason::Drained);
            }
        }
        Ok(())
    })
    .await;
    let bridge = Bridge::start(&[&service]);
    let mut asterisk = Asterisk::call(bridge.address()).await;
    bridge.driven().await;
    let (drained, hurry) = bridge.drain();
    hurry.send(()).await.unwrap();
    let lines = asterisk.finish().await;
    assert_eq!(lines[0], r#"SET VARIABLE "AGIBRIDGE_STATUS" "DRAINING""#);
    assert_eq!(lines.last().map(String::as_str), Some("failure"));
    soon("the drain", drained).await.unwrap();
}
