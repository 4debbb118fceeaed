//! Actions and their answers.

use super::*;
use crate::telemetry::{otlp::Settings, span::What, trace::TraceContext, tracer::Tracing};
use futures_util::future::join_all;

#[tokio::test(start_paused = true)]
async fn answers_find_their_actions_in_any_order() {
    let (_lab, link, mut asterisk) = Lab::linked().await;
    let names = ["One", "Two", "Three"];
    let send = join_all(names.map(|name| link.send(action(name), PATIENCE, None)));
    let answer = async {
        let mut requests = Vec::new();
        for name in names {
            requests.push(asterisk.expect(name).await);
        }
        for request in requests.iter().rev() {
            asterisk.say("\r\n\r\nEvent: Between\r\n\r\n").await;
            let name = request.get("Action");
            asterisk.say(request.response("Success", &format!("Message: to {name}\r\n"))).await;
        }
    };
    let (replies, ()) = tokio::join!(send, answer);
    let said: Vec<_> = replies.iter().map(|reply| reply.as_ref().unwrap().message()).collect();
    assert_eq!(said, ["to One", "to Two", "to Three"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_asterisk_that_says_no_is_an_answer() {
    let (lab, link, mut asterisk) = Lab::linked().await;
    let send = link.send(action("Reload"), PATIENCE, None);
    let answer = async {
        let request = asterisk.expect("Reload").await;
        asterisk.say(request.response("Error", "Message: Permission denied\r\n")).await;
    };
    let (reply, ()) = tokio::join!(send, answer);
    let reply = reply.unwrap();
    assert_eq!((reply.is_success(), reply.message()), (false, "Permission denied"));
    let series =
        "agibridge_manager_action_duration_seconds_count{server=\"pbx1\",outcome=\"error\"}";
    assert_eq!(lab.sample(series), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_list_comes_with_its_answer_and_other_events_do_not() {
    let (lab, link, mut asterisk) = Lab::linked().await;
    let mut events = lab.links.subscribe(Filter::default());
    let send = link.send(action("CoreShowChannels"), PATIENCE, None);
    let answer = async {
        let request = asterisk.expect("CoreShowChannels").await;
        let begin = "EventList: start\r\nMessage: Channels will follow\r\n";
        asterisk.say(request.response("Success", begin)).await;
        for channel in ["A", "B"] {
            asterisk.say(format!("Event: Newchannel\r\nChannel: {channel}\r\n\r\n")).await;
            let line = format!("Channel: {channel}\r\n");
            asterisk.say(request.event("CoreShowChannel", &line)).await;
        }
        let end = "EventList: Complete\r\nListItems: 2\r\n";
        asterisk.say(request.event("CoreShowChannelsComplete", end)).await;
    };
    let (reply, ()) = tokio::join!(send, answer);
    let reply = reply.unwrap();
    let listed: Vec<_> =
        reply.events.iter().map(|event| event.headers.get("Channel").unwrap()).collect();
    assert_eq!(
        (listed, reply.message(), reply.is_cut),
        (vec!["A", "B"], "Channels will follow", false)
    );
    assert!(matches!(next(&mut events).await, Item::State(state) if state.connected));
    for channel in ["A", "B"] {
        let event = next_event(&mut events).await;
        assert_eq!((event.name(), event.headers.get("Channel")), ("Newchannel", Some(channel)));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_after_its_deadline_is_dropped_with_its_list() {
    let (lab, link, mut asterisk) = Lab::linked().await;
    let mut events = lab.links.subscribe(Filter { names: vec!["*".into()], ..Filter::default() });
    let error = link.send(action("Status"), SECOND, None).await.unwrap_err();
    assert_eq!(error, SendError::TimedOut { server: "pbx1".into() });
    let late = asterisk.expect("Status").await;
    asterisk.say(late.response("Success", "EventList: start\r\n")).await;
    asterisk.say(late.event("Status", "")).await;
    asterisk.say(late.event("StatusComplete", "EventList: Complete\r\n")).await;
    let error = link.send(action("Two"), SECOND, None).await.unwrap_err();
    assert_eq!(error, SendError::TimedOut { server: "pbx1".into() });
    let late = asterisk.expect("Two").await;
    asterisk.say(late.response("Success", "")).await;
    let (reply, ()) = tokio::join!(link.send(action("Three"), PATIENCE, None), async {
        let request = asterisk.expect("Three").await;
        asterisk.say(request.response("Success", "Message: three\r\n\r\nEvent: Next\r\n")).await;
    });
    assert_eq!(reply.unwrap().message(), "three");
    assert!(matches!(next(&mut events).await, Item::State(_)));
    assert_eq!(next_event(&mut events).await.name(), "Next");
    assert_eq!(lab.sample("agibridge_manager_stray_total{server=\"pbx1\"}"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn the_word_follows_and_lines_of_output_are_text() {
    let (_lab, link, mut asterisk) = Lab::linked().await;
    let command = action("Command").header("Command", "core show uptime").unwrap();
    let (reply, ()) = tokio::join!(link.send(command, PATIENCE, None), async {
        let request = asterisk.expect("Command").await;
        let lines = "Message: Command output follows\r\nOutput: one follows\r\nOutput: \r\nOutput: Response: Error\r\n";
        asterisk.say(request.response("Success", lines)).await;
    });
    let reply = reply.unwrap();
    assert_eq!(reply.output().collect::<Vec<_>>(), ["one follows", "", "Response: Error"]);
    assert!(reply.is_success());
}

#[tokio::test(start_paused = true)]
async fn a_value_with_line_breaks_cannot_answer_another_action() {
    let (lab, link, mut asterisk) = Lab::linked().await;
    let other = link.send(action("Other"), PATIENCE, None);
    let getvar = link.send(action("Getvar"), PATIENCE, None);
    let answer = async {
        let other = asterisk.expect("Other").await;
        let getvar = asterisk.expect("Getvar").await;
        let value =
            "Value: a\r\nb\r\n\r\nResponse: Error\r\nActionID: 1\r\n\r\nX: 1\r\nActionID: 2\r\n";
        asterisk.say(getvar.response("Success", value)).await;
        asterisk.say(other.response("Success", "")).await;
    };
    let (other, getvar, ()) = tokio::join!(other, getvar, answer);
    assert!(other.unwrap().is_success());
    assert_eq!(getvar.unwrap().headers.get("Value"), Some("a\nb"));
    assert_eq!(lab.sample("agibridge_manager_stray_total{server=\"pbx1\"}"), 2.0);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_written_yet_is_taken_back() {
    let (_lab, link, mut asterisk) = Lab::linked().await;
    let mut dropped = Box::pin(link.send(action("Dropped"), PATIENCE, None));
    assert!(futures_util::poll!(&mut dropped).is_pending());
    drop(dropped);
    let late = link.send(action("Late"), Duration::ZERO, None).await.unwrap_err();
    assert_eq!(late, SendError::Busy { server: "pbx1".into() });
    let (reply, ()) = tokio::join!(link.send(action("Kept"), PATIENCE, None), async {
        let request = asterisk.request().await.unwrap();
        assert_eq!(request.get("Action"), "Kept");
        asterisk.say(request.response("Success", "")).await;
    });
    reply.unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_more_than_asterisk_can_be_behind_with_is_refused_at_once() {
    let (_lab, link, mut asterisk) = Lab::linked().await;
    let most = join_all((0..256).map(|_| link.send(action("Slow"), PATIENCE, None)));
    let one_more = async {
        for _ in 0..256 {
            asterisk.expect("Slow").await;
        }
        link.send(action("More"), PATIENCE, None).await
    };
    tokio::select! {
        _ = most => panic!("nobody answers"),
        error = one_more => assert_eq!(error, Err(SendError::Busy { server: "pbx1".into() })),
    }
}

#[tokio::test(start_paused = true)]
async fn an_id_waits_for_one_answer_only() {
    let (_lab, link, mut asterisk) = Lab::linked().await;
    let id = ActionId::new("chosen").unwrap();
    let send = || link.send(action("One").with_id(id.clone()), PATIENCE, None);
    let (first, second, ()) = tokio::join!(send(), send(), async {
        let request = asterisk.expect("One").await;
        assert_eq!(request.get("ActionID"), "chosen");
        asterisk.say(request.response("Success", "")).await;
    });
    first.unwrap();
    assert_eq!(second, Err(SendError::Refused(ActionError::IdInUse)));
}

#[tokio::test(start_paused = true)]
async fn an_action_is_a_span_of_whoever_asked() {
    let tracing = Tracing::new(Settings::default().rules);
    let mut lab = Lab::start_with(|_| {}, Some(tracing.core(1))).await;
    let mut asterisk = lab.manager.accept_user().await;
    let link = lab.link();
    until(&link, |state| state.connected).await;
    let parent = TraceContext::root();
    let mut unsampled = TraceContext::root();
    unsampled.set_sampled(false);
    tokio::select! { () = asterisk.serve() => panic!("closed"), () = async {
        for parent in [&parent, &unsampled] {
            link.send(action("Ping"), PATIENCE, Some(parent)).await.unwrap();
        }
    } => {} }
    drop(asterisk);
    let lost = link.send(action("Ping"), PATIENCE, Some(&parent)).await.unwrap_err();
    assert!(matches!(lost, SendError::Lost { .. } | SendError::NotConnected { .. }), "{lost:?}");

    let spans = tracing.take();
    let span = &spans[0];
    assert_eq!((span.trace_id, span.parent.unwrap().span_id), (parent.trace_id, parent.span_id));
    let What::Action(found) = &span.what else { panic!("{span:?}") };
    assert_eq!((&*found.name, &*found.server, found.outcome), ("Ping", "pbx1", "success"));
    assert_eq!((span.error, span.call.is_none()), (None, true));
}
