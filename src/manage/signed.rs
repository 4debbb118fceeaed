//! Requests to originate that stand in a URL, with an end and a signature: whoever has the URL may make this one request. Pure.
//!
//! The signature is over the query as it is written, up to the parameter `signature`, which is the last one.

use crate::{
    proto::{ApplicationTarget, DialplanTarget, OriginateRequest, originate_request::Destination},
    secret::Secret,
};
use form_urlencoded::{Serializer, parse};
use pbjson_types::Duration as Span;
use ring::hmac::{self, HMAC_SHA256, Key};
use std::time::Duration;
use tonic::Status;

/// How long before its end a URL counts: no longer than a request id is remembered, so that one URL makes one call.
pub(crate) const VALID_MAX: Duration = super::journal::KEPT;

const SIGNATURE: &str = "&signature=";
/// In front of the name of a variable.
const VARIABLE: &str = "variable.";

/// What stands in a URL.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Signed {
    /// By whose right.
    pub(crate) client: String,
    pub(crate) request: OriginateRequest,
    /// In seconds since 1970.
    pub(crate) expires: u64,
}

impl Signed {
    /// The client that a query names, which is not checked yet.
    pub(super) fn client(query: &str) -> Option<String> {
        parse(query.as_bytes()).find(|(name, _)| name == "client").map(|it| it.1.into_owned())
    }

    /// What was signed with `secret`; `None`: it was not, or not in this form.
    pub(super) fn verified<'a>(query: &'a str, secret: &Secret) -> Option<&'a str> {
        let (signed, signature) = query.rsplit_once(SIGNATURE)?;
        let signature = bytes(signature)?;
        hmac::verify(&key(secret), signed.as_bytes(), &signature).ok().map(|()| signed)
    }

    /// Reads the parameters. Each one counts, so one that is not known, or stands there twice, is refused.
    pub(super) fn read(signed: &str) -> Result<Self, Status> {
        let (mut client, mut expires) = (None, None);
        let mut request = OriginateRequest::default();
        let mut target = Target::default();
        for (name, value) in parse(signed.as_bytes()) {
            let (name, value) = (&*name, value.into_owned());
            if let Some(variable) = name.strip_prefix(VARIABLE) {
                if request.variables.insert(variable.to_owned(), value).is_some() {
                    return Err(invalid(name, "it stands there twice"));
                }
                continue;
            }
            let place = match name {
                "client" => client.get_or_insert_default(),
                "expires" => expires.get_or_insert_default(),
                "server" => &mut request.server,
                "request_id" => &mut request.request_id,
                "channel" => &mut request.channel,
                "context" => target.context.get_or_insert_default(),
                "extension" => &mut target.extension,
                "priority" => &mut target.priority,
                "application" => target.application.get_or_insert_default(),
                "data" => &mut target.data,
                "route" => target.route.get_or_insert_default(),
                "caller_id_name" => &mut request.caller_id_name,
                "caller_id_number" => &mut request.caller_id_number,
                "account_code" => &mut request.account_code,
                "ring_timeout" => &mut target.ring_timeout,
                "wait" => &mut target.wait,
                _ => {
                    let name: &str = &name.escape_default().to_string();
                    return Err(invalid(name, "there is no such parameter"));
                }
            };
            if !place.is_empty() {
                return Err(invalid(name, "it stands there twice"));
            }
            *place = value;
        }
        if request.request_id.is_empty() {
            return Err(invalid(
                "request_id",
                "it is wanted: a page that is loaded again must not dial again",
            ));
        }
        let expires = expires.as_deref().and_then(|text: &str| text.parse().ok());
        let expires = expires.ok_or_else(|| invalid("expires", "seconds since 1970 are wanted"))?;
        target.put_into(&mut request)?;
        Ok(Self { client: client.unwrap_or_default(), request, expires })
    }

    /// The query of a URL.
    pub(crate) fn query(&self, secret: &Secret) -> String {
        let Self { client, request, expires } = self;
        let mut query = Serializer::new(String::new());
        let mut add = |name: &str, value: &str| {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        };
        add("client", client);
        add("server", &request.server);
        add("request_id", &request.request_id);
        add("channel", &request.channel);
        match &request.destination {
            None => {}
            Some(Destination::Dialplan(target)) => {
                add("context", &target.context);
                add("extension", &target.extension);
                add("priority", &number(target.priority.into()));
            }
            Some(Destination::Application(target)) => {
                add("application", &target.application);
                add("data", &target.data);
            }
            Some(Destination::Route(path)) => add("route", path),
        }
        add("caller_id_name", &request.caller_id_name);
        add("caller_id_number", &request.caller_id_number);
        add("account_code", &request.account_code);
        add("ring_timeout", &number(request.ring_timeout.as_ref().map_or(0, |it| it.seconds)));
        add("wait", if request.wait_for_outcome { "true" } else { "" });
        let mut variables: Vec<_> = request.variables.iter().collect();
        variables.sort_unstable();
        for (name, value) in variables {
            query.append_pair(&format!("{VARIABLE}{name}"), value);
        }
        query.append_pair("expires", &expires.to_string());
        let query = query.finish();
        let signature = hmac::sign(&key(secret), query.as_bytes());
        let hex: String = signature.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{query}{SIGNATURE}{hex}")
    }
}

/// Parameters that are more than the text of one field.
#[derive(Default)]
struct Target {
    context: Option<String>,
    extension: String,
    priority: String,
    application: Option<String>,
    data: String,
    route: Option<String>,
    ring_timeout: String,
    wait: String,
}

impl Target {
    fn put_into(self, request: &mut OriginateRequest) -> Result<(), Status> {
        let Self { context, extension, priority, application, data, route, ring_timeout, wait } =
            self;
        let alone = |others: &[&str]| {
            let alone = others.iter().all(|text| text.is_empty());
            alone.then_some(()).ok_or_else(|| {
                invalid("context, application, route", "one of them, and what belongs to it")
            })
        };
        request.destination = Some(match (context, application, route) {
            (Some(context), None, None) => {
                alone(&[&data])?;
                let priority = whole("priority", &priority)?;
                Destination::Dialplan(DialplanTarget { context, extension, priority })
            }
            (None, Some(application), None) => {
                alone(&[&extension, &priority])?;
                Destination::Application(ApplicationTarget { application, data })
            }
            (None, None, Some(path)) => {
                alone(&[&extension, &priority, &data])?;
                Destination::Route(path)
            }
            (None, None, None)
            | (Some(_), Some(_), _)
            | (Some(_), _, Some(_))
            | (_, Some(_), Some(_)) => {
                return Err(invalid("context, application, route", "one of them is wanted"));
            }
        });
        if !ring_timeout.is_empty() {
            let seconds = whole("ring_timeout", &ring_timeout)?.into();
            request.ring_timeout = Some(Span { seconds, nanos: 0 });
        }
        request.wait_for_outcome = match &*wait {
            "" | "false" => false,
            "true" => true,
            _ => return Err(invalid("wait", "true or false")),
        };
        Ok(())
    }
}

fn whole(name: &str, text: &str) -> Result<i32, Status> {
    let text = if text.is_empty() { "0" } else { text };
    text.parse().map_err(|_| invalid(name, "a whole number is wanted"))
}

fn number(number: i64) -> String {
    if number == 0 { String::new() } else { number.to_string() }
}

fn key(secret: &Secret) -> Key {
    Key::new(HMAC_SHA256, secret.expose().as_bytes())
}

/// Of a hexadecimal signature.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    let whole = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let byte = |at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    whole.then(|| (0..64).step_by(2).map(byte).collect())?
}

fn invalid(name: &str, why: &str) -> Status {
    Status::invalid_argument(format!("{name}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Secret {
        Secret::new("a secret for tests only")
    }

    fn signed(destination: Destination) -> Signed {
        let request = OriginateRequest {
            server: "pbx1".into(),
            request_id: "7".into(),
            channel: "PJSIP/3200".into(),
            destination: Some(destination),
            caller_id_name: "Ünal & Sons".into(),
            caller_id_number: "+49 30".into(),
            ring_timeout: Some(Span { seconds: 20, nanos: 0 }),
            variables: [("a".into(), "1&2=3".into()), ("b".into(), String::new())].into(),
            account_code: "acc".into(),
            wait_for_outcome: true,
            ..OriginateRequest::default()
        };
        Signed { client: "crm".into(), request, expires: 1_800_000_000 }
    }

    #[test]
    fn what_was_signed_is_what_is_read() {
        let (context, extension) = ("internal".into(), "84951234567".into());
        for destination in [
            Destination::Dialplan(DialplanTarget { context, extension, priority: 2 }),
            Destination::Application(ApplicationTarget {
                application: "Playback".into(),
                data: "a&b".into(),
            }),
            Destination::Route("/reminder?lang=en".into()),
        ] {
            let signed = signed(destination);
            let query = signed.query(&secret());
            let text = Signed::verified(&query, &secret()).unwrap();
            assert_eq!(Signed::read(text).unwrap(), signed);
            assert_eq!(Signed::client(&query).unwrap(), "crm");
        }
    }

    #[test]
    fn a_signature_is_the_one_that_other_languages_make() {
        // Python: hmac.new(b"key", b"a=1", "sha256").hexdigest()
        let query =
            "a=1&signature=b17f9ae9ca05727a9af1d682e302eb7729bf55bf4bef5ba64cebbe8646401b99";
        assert_eq!(Signed::verified(query, &Secret::new("key")), Some("a=1"));
    }

    #[test]
    fn what_was_changed_does_not_fit_its_signature() {
        let query = signed(Destination::Route("/a".into())).query(&secret());
        let changed = [
            query.replace("3200", "3201"),
            query.replace("expires=18", "expires=19"),
            query.replacen("client=crm&", "", 1),
            query.replace("&signature", "&wait=true&signature"),
            format!("{query}&wait=true"),
            format!("{query}0"),
            query[..query.len() - 1].to_owned(),
            query.replace("&signature=", "&signature=é"),
            query.split(SIGNATURE).next().unwrap().to_owned(),
            String::new(),
        ];
        for query in changed {
            assert_eq!(Signed::verified(&query, &secret()), None, "{query}");
        }
        assert_eq!(Signed::verified(&query, &Secret::new("another")), None);
    }

    #[test]
    fn a_parameter_that_cannot_count_is_refused_by_its_name() {
        for (query, name) in [
            ("request_id=1&route=/a&expires=1&request_id=2", "request_id"),
            ("request_id=1&route=/a&expires=1&variable.a=&variable.a=", "variable.a"),
            ("request_id=1&route=/a&expires=1&requestId=2", "requestId"),
            ("route=/a&expires=1", "request_id"),
            ("request_id=1&route=/a", "expires"),
            ("request_id=1&route=/a&expires=-1", "expires"),
            ("request_id=1&expires=1", "context, application, route"),
            ("request_id=1&expires=1&route=/a&context=b", "context, application, route"),
            ("request_id=1&expires=1&route=/a&data=b", "context, application, route"),
            ("request_id=1&expires=1&context=a&extension=b&priority=x", "priority"),
            ("request_id=1&expires=1&route=/a&ring_timeout=1s", "ring_timeout"),
            ("request_id=1&expires=1&route=/a&wait=1", "wait"),
        ] {
            let status = Signed::read(query).unwrap_err();
            assert_eq!(status.message().split(": ").next(), Some(name), "{query}: {status}");
        }
    }
}
