//! The prompt helpers, on the fake call.

#![cfg(test)]

use agibridge::{
    Call, Error, HandlerEnd,
    fake::{FakeCall, Reply},
};

async fn pin(call: Call) -> Result<(), Error> {
    let pin =
        call.ask("vm-password", 4).validate(|it| it == "1234").invalid("vm-incorrect").await?;
    call.set_variable("PIN", pin).await
}

#[tokio::test]
async fn ask_repeats_until_the_digits_will_do() {
    let run = FakeCall::new()
        .reply("GET DATA", Reply::digits_timed_out(""))
        .reply("GET DATA", Reply::digits("9999"))
        .reply("GET DATA", Reply::digits("1234"))
        .run(pin)
        .await;
    assert_eq!(run.names(), ["GET DATA", "GET DATA", "STREAM FILE", "GET DATA", "SET VARIABLE"]);
    assert_eq!(run.variables()["PIN"], "1234");
}

#[tokio::test]
async fn ask_gives_up_after_its_tries_and_that_ends_well() {
    let run = FakeCall::new().run(pin).await;
    assert_eq!((run.names(), run.handler), (vec!["GET DATA"; 3], HandlerEnd::Returned));
    assert!(run.end.is_some());
}

#[tokio::test]
async fn menu_gives_what_stands_at_the_digit() {
    let run = FakeCall::new()
        .reply("GET OPTION", Reply::stopped_by('9'))
        .reply("GET OPTION", Reply::stopped_by('2'))
        .run(|call: Call| async move {
            let choices = [('1', "sales"), ('2', "support")];
            let chosen = call.menu("choose", choices).invalid("pbx-invalid").await?;
            call.set_variable("CHOSEN", chosen).await
        })
        .await;
    assert_eq!(run.names(), ["GET OPTION", "STREAM FILE", "GET OPTION", "SET VARIABLE"]);
    assert_eq!(run.variables()["CHOSEN"], "support");
}

#[tokio::test]
async fn confirm_is_a_menu_of_two() {
    FakeCall::new()
        .reply("GET OPTION", Reply::stopped_by('2'))
        .reply("GET OPTION", Reply::stopped_by('#'))
        .run(|call: Call| async move {
            assert!(!call.confirm("sure").await?);
            assert!(call.confirm("sure").yes('#').no('*').await?);
            let given_up = call.confirm("sure").tries(1).await;
            assert_eq!(given_up, Err(Error::NoInput { tries: 1 }));
            Ok::<_, Error>(())
        })
        .await;
}

#[tokio::test]
async fn play_stops_at_the_digit() {
    let run = FakeCall::new()
        .reply("STREAM FILE", Reply::stopped_by('5'))
        .run(|call: Call| async move {
            assert_eq!(call.play(["a", "b"]).escape_digits("5").await?, Some('5'));
            assert_eq!(call.play(["c"]).await?, None);
            Ok::<_, Error>(())
        })
        .await;
    assert_eq!(run.names().len(), 2);
}

#[tokio::test]
async fn a_hangup_ends_a_prompt() {
    let run = FakeCall::new().hang_up_at("GET DATA").run(pin).await;
    assert_eq!((run.names(), run.handler), (vec!["GET DATA"], HandlerEnd::Returned));
}
