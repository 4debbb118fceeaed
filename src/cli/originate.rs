//! `agi-bridge originate` and `agi-bridge events`: what clients of the manager do, over a running bridge's API port.

#[cfg(test)]
mod tests;

use super::{
    call::assignment,
    calls::secret,
    client::{Client, Error, TIMEOUT, Target, Words, cause},
};
use crate::{
    manage::{Signed, VALID_MAX},
    phone,
    proto::{
        ApplicationTarget, DialplanTarget, OriginateRequest, OriginateResponse,
        originate_request::Destination, originate_response::Outcome,
    },
    scenario::Span,
    secret::Secret,
};
use form_urlencoded::Serializer;
use http_body_util::BodyExt as _;
use std::{
    io::Write,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use uuid::Uuid;

/// How long a phone may ring where nothing is said, as the bridge has it.
const RING_TIMEOUT: Duration = Duration::from_secs(30);
/// For an answer, beyond the time that the phone may ring: Asterisk may be asked what became of the call.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(90);
/// Of one event, in bytes.
const LINE_MAX: usize = 8 * 1024 * 1024;

const WORDS: Words = Words {
    port: "an API port",
    address: "--url",
    variable: "AGIBRIDGE_API_URL",
    token: "--token or AGIBRIDGE_API_TOKEN",
};

/// Where the bridge is, and by what right it is asked.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Place {
    /// The bridge's API port
    #[arg(
        long,
        env = "AGIBRIDGE_API_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:4575"
    )]
    url: String,

    /// The token of a client of `api.clients`, or a JWT
    #[arg(long, env = "AGIBRIDGE_API_TOKEN", value_name = "TOKEN", hide_env_values = true, value_parser = secret)]
    token: Option<Secret>,

    /// PEM file with the authorities to trust where the bridge speaks https; default: the system's
    #[arg(long, env = "AGIBRIDGE_API_CA", value_name = "FILE")]
    ca: Option<PathBuf>,

    /// PEM file with a client certificate that the bridge knows
    #[arg(long, env = "AGIBRIDGE_API_CERT", value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,

    /// PEM file with its private key
    #[arg(long, env = "AGIBRIDGE_API_KEY", value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
}

/// Start a call by a running bridge: CHANNEL rings first, and once it is answered it goes on where you say.
///
/// agi-bridge originate PJSIP/3200 --dialplan internal,84951234567
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Exit code: 0 when the call was answered or, without --wait, taken by Asterisk; 3 busy, 4 no answer, 5 congestion, 6 refused, \
7 failed, 8 unknown: the link to Asterisk broke, ask again with the same --request-id; 1 when the bridge refuses or is not reached; 2 when the \
arguments are wrong. What the client may call is granted by its entry of `api.clients`."
)]
pub(super) struct OriginateArgs {
    /// Whom to call first, as PJSIP/3200
    channel: String,

    #[command(flatten)]
    destination: Where,

    /// Wait until it is known what became of the call
    #[arg(long)]
    wait: bool,

    /// Makes it safe to ask again: the same id dials once, for an hour
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,

    /// How long to let it ring, as 20s; default 30s
    #[arg(long, value_name = "TIME")]
    ring_timeout: Option<Span>,

    /// Who calls, as the phone shows it: 'Alice <3200>'
    #[arg(long, value_name = "NAME <NUMBER>")]
    caller_id: Option<String>,

    /// Set a channel variable; may be repeated
    #[arg(long = "set", value_name = "VAR=VALUE", value_parser = assignment)]
    variables: Vec<(String, String)>,

    /// The account code of the call
    #[arg(long, value_name = "CODE", default_value = "", hide_default_value = true)]
    account_code: String,

    /// The Asterisk, where the client may use more than one
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    server: String,

    /// Print what the bridge answers, as JSON
    #[arg(long)]
    json: bool,

    /// Start no call: print a URL that does, once, signed in the name of this client
    #[arg(long, value_name = "CLIENT", requires = "secret")]
    sign: Option<String>,

    /// The secret of its `signed_urls`
    #[arg(long, env = "AGIBRIDGE_SIGNING_SECRET", value_name = "TEXT", hide_env_values = true, value_parser = secret)]
    secret: Option<Secret>,

    /// How long the URL is good, 1h at most
    #[arg(long, value_name = "TIME", default_value = "10m", requires = "sign")]
    valid_for: Span,

    #[command(flatten)]
    place: Place,
}

/// Where the answered channel goes on.
#[derive(Debug, Clone, clap::Args)]
#[group(required = true, multiple = false)]
struct Where {
    /// Go on in the dialplan
    #[arg(long, value_name = "CONTEXT,EXTENSION[,PRIORITY]", value_parser = dialplan)]
    dialplan: Option<DialplanTarget>,

    /// Go on in a route of the bridge, as /reminder?lang=en
    #[arg(long, value_name = "PATH")]
    route: Option<String>,

    /// Go on in an application
    #[arg(long, value_name = "NAME[,DATA]")]
    application: Option<String>,
}

/// Print the events of Asterisk as they come, one JSON object on a line, until it is stopped.
///
/// agi-bridge events Newchannel Hangup --header Channel=PJSIP/3200-0000001a
#[derive(Debug, Clone, clap::Args)]
pub(super) struct EventsArgs {
    /// Names of events; none: all that are granted
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// Only events with this header; may be repeated
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = assignment)]
    headers: Vec<(String, String)>,

    /// Only of this Asterisk
    #[arg(long, value_name = "NAME")]
    server: Option<String>,

    #[command(flatten)]
    place: Place,
}

/// Starts a call, or prints a URL for one.
pub(super) async fn originate(
    args: &OriginateArgs,
    out: &mut impl Write,
) -> Result<ExitCode, Error> {
    let client = args.place.client()?;
    let request = args.request();
    if let (Some(name), Some(secret)) = (&args.sign, &args.secret) {
        writeln!(out, "{}", args.signed_url(client.address(), name, secret, request))?;
        return Ok(ExitCode::SUCCESS);
    }
    let rings = args.ring_timeout.map_or(RING_TIMEOUT, |it| it.0);
    let deadline = if args.wait { rings + SETTLE_TIMEOUT } else { TIMEOUT * 3 };
    let body = serde_json::to_vec(&request).map_err(std::io::Error::from)?;
    let answer = client.send("/v1/originate", body, deadline).await?;
    if args.json {
        writeln!(out, "{answer:#}")?;
    }
    let told: OriginateResponse = serde_json::from_value(answer).map_err(|_| client.no_bridge())?;
    if !args.json {
        writeln!(out, "{}", sentence(&told))?;
    }
    Ok(exit_code(told.outcome()))
}

/// Prints events until the bridge ends them.
pub(super) async fn events(args: &EventsArgs, out: &mut impl Write) -> Result<(), Error> {
    let client = args.place.client()?;
    let mut query = Serializer::new(String::new());
    query.extend_pairs(args.server.iter().map(|server| ("server", server)));
    query.extend_pairs(args.names.iter().map(|name| ("name", name)));
    query.extend_pairs(args.headers.iter().map(|(name, value)| (format!("header.{name}"), value)));
    let mut body = client.open(&format!("/v1/events?{}", query.finish())).await?;
    let mut waiting = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| client.no_answer(cause(&error)))?;
        let Ok(bytes) = frame.into_data() else { continue };
        for byte in bytes {
            if byte != b'\n' {
                waiting.push(byte);
                continue;
            }
            if let Some(data) = waiting.strip_prefix(b"data: ") {
                out.write_all(data)?;
                writeln!(out)?;
            }
            waiting.clear();
        }
        out.flush()?;
        if waiting.len() > LINE_MAX {
            return Err(client.no_bridge());
        }
    }
    Err(client.no_answer("the events have ended".to_owned()))
}

impl Place {
    fn client(&self) -> Result<Client, Error> {
        let Self { url, token, ca, cert, key } = self.clone();
        Client::new(&Target { address: url, token, ca, cert, key, words: &WORDS })
    }
}

impl OriginateArgs {
    fn request(&self) -> OriginateRequest {
        let (caller_id_name, caller_id_number) =
            self.caller_id.as_deref().map(phone::caller_id).unwrap_or_default();
        let ring_timeout = self.ring_timeout.map(|it| pbjson_types::Duration {
            seconds: i64::try_from(it.0.as_secs()).unwrap_or(i64::MAX),
            nanos: i32::try_from(it.0.subsec_nanos()).unwrap_or_default(),
        });
        OriginateRequest {
            server: self.server.clone(),
            request_id: self.request_id.clone().unwrap_or_default(),
            channel: self.channel.clone(),
            destination: self.destination.clone().into(),
            caller_id_name,
            caller_id_number,
            ring_timeout,
            variables: self.variables.iter().cloned().collect(),
            account_code: self.account_code.clone(),
            wait_for_outcome: self.wait,
            ..OriginateRequest::default()
        }
    }

    fn signed_url(
        &self,
        address: &str,
        client: &str,
        secret: &Secret,
        mut request: OriginateRequest,
    ) -> String {
        if request.request_id.is_empty() {
            request.request_id = Uuid::new_v4().to_string();
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let expires = (now + self.valid_for.0.min(VALID_MAX)).as_secs();
        let signed = Signed { client: client.to_owned(), request, expires };
        format!("{address}/v1/originate?{}", signed.query(secret))
    }
}

impl From<Where> for Option<Destination> {
    fn from(place: Where) -> Self {
        let Where { dialplan, route, application } = place;
        let application = application.map(|text| {
            let (name, data) = text.split_once(',').unwrap_or((&text, ""));
            ApplicationTarget { application: name.to_owned(), data: data.to_owned() }
        });
        dialplan
            .map(Destination::Dialplan)
            .or_else(|| route.map(Destination::Route))
            .or_else(|| application.map(Destination::Application))
    }
}

fn dialplan(text: &str) -> Result<DialplanTarget, String> {
    let bad = || "write CONTEXT,EXTENSION or CONTEXT,EXTENSION,PRIORITY".to_owned();
    let mut parts = text.split(',');
    let (context, extension) = parts.next().zip(parts.next()).ok_or_else(bad)?;
    let priority = parts.next().map_or(Ok(1), |text| text.parse().map_err(|_| bad()))?;
    let whole = parts.next().is_none() && !context.is_empty() && !extension.is_empty();
    let (context, extension) = (context.to_owned(), extension.to_owned());
    whole.then_some(DialplanTarget { context, extension, priority }).ok_or_else(bad)
}

/// As `busy PJSIP/3200-0000001a agibridge-5f…: User busy (cause 17)`.
fn sentence(told: &OriginateResponse) -> String {
    let outcome = told.outcome().as_str_name().trim_start_matches("OUTCOME_").to_ascii_lowercase();
    let words = [outcome.replace('_', " "), told.channel.clone(), told.unique_id.clone()];
    let mut text = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if !told.detail.is_empty() {
        text.push_str(": ");
        text.push_str(&told.detail);
    }
    text
}

/// The contract's number, where it is no success.
fn exit_code(outcome: Outcome) -> ExitCode {
    match outcome {
        Outcome::Accepted | Outcome::Answered => ExitCode::SUCCESS,
        Outcome::Unspecified => ExitCode::FAILURE,
        Outcome::Busy
        | Outcome::NoAnswer
        | Outcome::Congestion
        | Outcome::Refused
        | Outcome::Failed
        | Outcome::Unknown => u8::try_from(i32::from(outcome)).unwrap_or(1).into(),
    }
}
