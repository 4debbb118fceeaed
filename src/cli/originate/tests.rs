//! What the words on the command line become.

use super::*;
use clap::Parser;

#[derive(Debug, Parser)]
struct Command {
    #[command(flatten)]
    args: OriginateArgs,
}

fn parse(words: &[&str]) -> Result<OriginateArgs, String> {
    let words = ["originate", "PJSIP/3200"].into_iter().chain(words.iter().copied());
    Command::try_parse_from(words).map(|it| it.args).map_err(|error| error.to_string())
}

#[test]
fn words_become_a_request() {
    let words = [
        "--dialplan",
        "internal,100",
        "--set",
        "a=b=c",
        "--caller-id",
        "Alice <3200>",
        "--wait",
        "--ring-timeout",
        "1.5s",
        "--request-id",
        "7",
    ];
    let request = parse(&words).unwrap().request();
    let (context, extension) = ("internal".into(), "100".into());
    let target = DialplanTarget { context, extension, priority: 1 };
    assert_eq!(request.destination, Some(Destination::Dialplan(target)));
    assert_eq!(request.variables["a"], "b=c");
    assert_eq!((&*request.caller_id_name, &*request.caller_id_number), ("Alice", "3200"));
    assert_eq!(request.ring_timeout.unwrap().nanos, 500_000_000);
    assert!(request.wait_for_outcome && request.request_id == "7");

    let request = parse(&["--application", "Playback,a,b"]).unwrap().request();
    let Some(Destination::Application(target)) = request.destination else { panic!("{request:?}") };
    assert_eq!((&*target.application, &*target.data), ("Playback", "a,b"));
}

#[test]
fn a_call_goes_on_in_one_place() {
    assert!(parse(&[]).unwrap_err().contains("--dialplan"));
    assert!(parse(&["--route", "/a", "--application", "Echo"]).unwrap_err().contains("--route"));
    for odd in ["internal", "internal,", ",100", "a,b,c", "a,b,1,2"] {
        assert!(parse(&["--dialplan", odd]).unwrap_err().contains("CONTEXT,EXTENSION"), "{odd}");
    }
}

#[test]
fn an_outcome_is_one_line_and_an_exit_code() {
    let told = OriginateResponse {
        outcome: Outcome::NoAnswer.into(),
        channel: String::new(),
        unique_id: "agibridge-5f".into(),
        detail: "rang".into(),
    };
    assert_eq!(sentence(&told), "no answer agibridge-5f: rang");
    assert_eq!(exit_code(Outcome::Answered), ExitCode::SUCCESS);
    assert_eq!(exit_code(Outcome::Unknown), ExitCode::from(8));
}

#[test]
fn a_url_can_be_signed_with_a_secret_only() {
    assert!(parse(&["--route", "/a", "--sign", "crm"]).unwrap_err().contains("--secret"));
    let args = parse(&["--route", "/a", "--sign", "crm", "--secret", "s"]).unwrap();
    let url = args.signed_url("http://b", "crm", &Secret::new("s"), args.request());
    assert!(url.starts_with("http://b/v1/originate?client=crm&request_id="), "{url}");
}
