//! Links that are added, removed and changed while the bridge runs.

use super::*;

#[tokio::test(start_paused = true)]
async fn the_others_are_left_alone() {
    let (lab, link, mut asterisk) = Lab::linked().await;
    let mut other = Manager::start().await;
    assert_eq!(lab.links.server("pbx2").unwrap_err(), Pick::Unknown("pbx2".into()));
    lab.links.update(&[server("pbx1", &lab.manager), server("pbx2", &other)]);
    let _second = other.accept_user().await;
    until(&lab.links.server("pbx2").unwrap(), |state| state.connected).await;
    assert_eq!(lab.links.server("").unwrap_err(), Pick::Ambiguous);
    let names: Vec<_> = lab.links.states().into_iter().map(|state| state.server).collect();
    assert_eq!(names, ["pbx1".into(), "pbx2".into()]);
    tokio::select! {
        () = asterisk.serve() => panic!("the first link was cut"),
        reply = link.send(action("Ping"), PATIENCE, None) => assert!(reply.unwrap().is_success()),
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_removed_ends_and_says_so() {
    let (lab, link, mut asterisk) = Lab::linked().await;
    let mut events = lab.links.subscribe(Filter::default());
    let (lost, ()) = tokio::join!(link.send(action("One"), PATIENCE, None), async {
        asterisk.expect("One").await;
        lab.links.update(&[]);
    });
    assert_eq!(lost, Err(SendError::Lost { server: "pbx1".into() }));
    assert_eq!(asterisk.request().await, None);
    let error = link.send(action("Ping"), PATIENCE, None).await.unwrap_err().to_string();
    assert!(error.contains("no longer in the configuration"), "{error}");
    assert_eq!(lab.links.server("").unwrap_err(), Pick::Nothing);
    next(&mut events).await;
    assert!(matches!(next(&mut events).await, Item::State(state) if !state.connected));
    assert_eq!(lab.links.states(), []);
    assert!(!lab.metrics.page(Format::Text).contains("agibridge_manager"));
}

#[tokio::test(start_paused = true)]
async fn one_whose_settings_change_begins_anew() {
    let (mut lab, _link, mut asterisk) = Lab::linked().await;
    let changed = Server { plain_login: true, ..server("pbx1", &lab.manager) };
    lab.links.update(&[changed]);
    assert_eq!(asterisk.request().await, None);
    let _asterisk = lab.manager.accept_user().await;
    until(&lab.link(), |state| state.connected).await;
    assert_eq!(lab.sample("agibridge_manager_connected{server=\"pbx1\"}"), 1.0);
}
