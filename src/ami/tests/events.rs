//! Events to subscribers, fast and slow.

use super::*;

fn burst(name: &str, numbers: std::ops::Range<u32>) -> String {
    numbers.map(|number| format!("Event: {name}\r\nNumber: {number}\r\n\r\n")).collect()
}

fn number(event: &Event) -> u32 {
    event.headers.get("Number").unwrap().parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_link_comes_and_goes_in_the_order_of_events() {
    let mut lab = Lab::start().await;
    let mut events = lab.links.subscribe(Filter::default());
    let mut asterisk = lab.manager.accept_user().await;
    asterisk.say(burst("A", 0..1)).await;
    drop(asterisk);
    let _asterisk = lab.manager.accept_user().await;
    let mut told = Vec::new();
    while told.len() < 5 {
        told.push(match next(&mut events).await {
            Item::State(state) if state.connected => "up".to_owned(),
            Item::State(_) => "down".to_owned(),
            Item::Event(event) => event.name().to_owned(),
            Item::Missed(count) => panic!("{count} missed"),
        });
    }
    assert_eq!(told, ["down", "up", "A", "down", "up"]);
}

#[tokio::test(start_paused = true)]
async fn filters_look_at_server_name_and_headers() {
    let (lab, _link, mut asterisk) = Lab::linked().await;
    let filter = |server: Option<&str>, names: &[&str], headers: &[(&str, &str)]| Filter {
        server: server.map(Into::into),
        names: names.iter().map(|&name| name.to_owned()).collect(),
        headers: headers.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect(),
    };
    let mut all = lab.links.subscribe(filter(Some("pbx1"), &["*"], &[]));
    let mut some =
        lab.links.subscribe(filter(None, &["hangup", "DTMFEnd"], &[("channel", "a"), ("X", "2")]));
    let mut none = lab.links.subscribe(filter(Some("pbx2"), &[], &[]));
    asterisk.say("Event: Hangup\r\nChannel: b\r\nX: 2\r\n\r\nEvent: Newstate\r\nChannel: a\r\nX: 2\r\n\r\n").await;
    asterisk.say("Event: Hangup\r\nChannel: a\r\nX: 1\r\nX: 2\r\n\r\n").await;
    assert!(matches!(next(&mut all).await, Item::State(_)));
    for name in ["Hangup", "Newstate", "Hangup"] {
        assert_eq!(next_event(&mut all).await.name(), name);
    }
    assert!(matches!(next(&mut some).await, Item::State(_)));
    assert_eq!(next_event(&mut some).await.headers.all("X").collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!((some.try_next(), none.try_next()), (None, None));
}

/// In real time, as there is much of it.
#[tokio::test]
async fn one_that_does_not_read_is_told_how_many_it_missed_and_slows_nobody_down() {
    let (lab, link, mut asterisk) = Lab::linked().await;
    let mut stuck = lab.links.subscribe(Filter::default());
    let mut readers: Vec<_> = (0..4).map(|_| lab.links.subscribe(Filter::default())).collect();
    for reader in &mut readers {
        next(reader).await;
    }
    let (many, step) = (20_000, 500);
    for first in (0..many).step_by(step as usize) {
        let (reply, ()) = tokio::join!(link.send(action("Ping"), PATIENCE, None), async {
            asterisk.say(burst("X", first..first + step)).await;
            let ping = asterisk.expect("Ping").await;
            asterisk.answer(&ping).await;
        });
        reply.unwrap();
        for reader in &mut readers {
            for wanted in first..first + step {
                assert_eq!(number(&*next_event(reader).await), wanted);
            }
        }
    }
    // The state came first and takes a place too.
    assert!(matches!(next(&mut stuck).await, Item::State(_)));
    let kept = 8_191;
    for wanted in 0..kept {
        assert_eq!(number(&*next_event(&mut stuck).await), wanted);
    }
    assert_eq!(next(&mut stuck).await, Item::Missed(u64::from(many - kept)));
    let dropped = lab.sample("agibridge_manager_event_dropped_total{server=\"pbx1\"}");
    assert_eq!(dropped, f64::from(many - kept));
    assert_eq!(lab.sample("agibridge_manager_event_total{server=\"pbx1\"}"), f64::from(many));
    asterisk.say(burst("X", 7..8)).await;
    assert_eq!(number(&*next_event(&mut stuck).await), 7);
}

#[tokio::test]
async fn what_waits_for_one_subscriber_is_bounded_in_bytes_too() {
    let (lab, _link, mut asterisk) = Lab::linked().await;
    let mut stuck = lab.links.subscribe(Filter::default());
    let mut reader = lab.links.subscribe(Filter::default());
    next(&mut reader).await;
    let value = "v".repeat(60_000);
    for _ in 0..400 {
        asterisk.say(format!("Event: Large\r\nValue: {value}\r\n\r\n")).await;
        next_event(&mut reader).await;
    }
    let mut kept = 0;
    next(&mut stuck).await;
    let missed = loop {
        match next(&mut stuck).await {
            Item::Event(_) => kept += 1,
            Item::Missed(count) => break count,
            Item::State(state) => panic!("{state:?}"),
        }
    };
    // Each counts with what it will be encoded as.
    assert!((80..100).contains(&kept), "{kept}");
    assert_eq!(kept + missed, 400);
}

#[tokio::test]
async fn a_link_that_flaps_takes_no_room_of_one_that_does_not_read() {
    let (mut lab, link, mut asterisk) = Lab::linked().await;
    let mut stuck = lab.links.subscribe(Filter::default());
    asterisk.say(burst("X", 0..9_000)).await;
    for _ in 0..3 {
        drop(asterisk);
        down(&link, "").await;
        asterisk = lab.manager.accept_user().await;
        until(&link, |state| state.connected).await;
    }
    let mut told = Vec::new();
    while let Some(item) = stuck.try_next() {
        match item {
            Item::Event(_) => {}
            Item::Missed(count) => told.push(count.to_string()),
            Item::State(state) => told.push(state.connected.to_string()),
        }
    }
    assert_eq!(told, ["true", "809", "true"]);
}

#[tokio::test(start_paused = true)]
async fn subscriptions_end_with_the_links() {
    let (lab, _link, _asterisk) = Lab::linked().await;
    let mut events = lab.links.subscribe(Filter::default());
    lab.links.stop();
    assert!(matches!(next(&mut events).await, Item::State(state) if state.connected));
    assert!(matches!(next(&mut events).await, Item::State(state) if !state.connected));
    assert_eq!(timeout(PATIENCE, events.next()).await, Ok(None));
}
