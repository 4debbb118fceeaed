//! W3C trace context: what came with a call, what goes on to its service. Exports nothing, and reads no clock.

use std::{collections::HashMap, fmt};

/// What vendors must be able to pass on (Trace Context 3.3.1.5, Baggage 3.3.2); what is above is cut.
const TRACESTATE_MEMBERS_MAX: usize = 32;
const TRACESTATE_BYTES_MAX: usize = 512;
const BAGGAGE_MEMBERS_MAX: usize = 64;
const BAGGAGE_BYTES_MAX: usize = 8_192;

/// What may stand around an entry. No line end: it would end a header too.
const BLANK: [char; 2] = [' ', '\t'];

const SAMPLED: u8 = 1;

/// 16 bytes, never all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(u128);

/// 8 bytes, never all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(u64);

/// One span of ours, and what its children must be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// The whole call's.
    pub trace_id: TraceId,
    /// This span's own.
    pub span_id: SpanId,
    /// The span that asked for this one.
    pub parent: Option<SpanId>,
    /// Bit 0: sampled. The other bits have no meaning yet, and are zero.
    pub flags: u8,
    /// As it goes into the header `tracestate`.
    pub tracestate: Option<String>,
    /// As it goes into the header `baggage`.
    pub baggage: Option<String>,
}

/// What `traceparent` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Parent {
    trace_id: TraceId,
    span_id: SpanId,
    flags: u8,
}

impl TraceContext {
    /// A new trace, sampled.
    pub fn root() -> Self {
        Self {
            trace_id: TraceId(nonzero(rand::random)),
            span_id: SpanId(nonzero(rand::random)),
            parent: None,
            flags: SAMPLED,
            tracestate: None,
            baggage: None,
        }
    }

    /// A call's span: a child of the parent that the query parameters `traceparent`, `tracestate` and `baggage` name, or
    /// a new trace where they name none, or not as the standard has it. A repeated `traceparent` names none; repeats of
    /// the others are one list. `variable`: the parent where the query has no `traceparent` at all.
    pub fn from_query(query: &[(String, String)], variable: Option<&str>) -> Self {
        let values = |key: &str| -> Vec<&str> {
            query.iter().filter(|(name, _)| name == key).map(|(_, value)| value.as_str()).collect()
        };
        let traceparent = match values("traceparent")[..] {
            [only] => Some(only),
            [] => variable,
            _ => None,
        };
        Self::continued(traceparent, &values("tracestate").join(","), &values("baggage").join(","))
    }

    /// As [`from_query`](Self::from_query), from the values themselves; empty is absent.
    pub fn continued(traceparent: Option<&str>, tracestate: &str, baggage: &str) -> Self {
        let mut context = Self::root();
        if let Some(parent) = traceparent.and_then(Parent::parse) {
            context.trace_id = parent.trace_id;
            context.parent = Some(parent.span_id);
            context.flags = parent.flags;
            // Without its parent a state means nothing.
            context.tracestate = checked_tracestate(tracestate);
        }
        context.baggage = checked_baggage(baggage);
        context
    }

    /// A span below this one.
    pub fn child(&self) -> Self {
        let span_id = SpanId::random();
        Self { span_id, parent: Some(self.span_id), ..self.clone() }
    }

    /// As it goes into the header `traceparent`, with this span as the parent.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-{:02x}", self.trace_id, self.span_id, self.flags)
    }

    /// The span that a command came with, of the service that asked for it: `traceparent` and `tracestate` among `carrier`.
    pub fn remote(carrier: &HashMap<String, String>) -> Option<Self> {
        let Parent { trace_id, span_id, flags } = Parent::parse(carrier.get("traceparent")?)?;
        let tracestate = carrier.get("tracestate").and_then(|state| checked_tracestate(state));
        Some(Self { trace_id, span_id, parent: None, flags, tracestate, baggage: None })
    }

    /// The same, to be recorded by whoever asks, or not.
    pub const fn set_sampled(&mut self, sampled: bool) {
        self.flags = if sampled { SAMPLED } else { 0 };
    }

    /// Whether whoever began the trace wants it recorded.
    pub const fn sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }
}

impl Parent {
    fn parse(text: &str) -> Option<Self> {
        let bytes = text.trim_matches(BLANK).as_bytes();
        let (known, rest) = bytes.split_at_checked(55)?;
        let version = hex(&known[..2])?;
        // A later version may say more, behind a further dash.
        let whole = if version == 0 { rest.is_empty() } else { matches!(rest, [] | [b'-', ..]) };
        if version == 0xff || !whole || [known[2], known[35], known[52]] != *b"---" {
            return None;
        }
        let trace_id = hex(&known[3..35]).filter(|&id| id != 0)?;
        let span_id = hex(&known[36..52]).filter(|&id| id != 0)?;
        let flags = hex(&known[53..])?;
        Some(Self {
            trace_id: TraceId(trace_id),
            span_id: SpanId(u64::try_from(span_id).ok()?),
            flags: u8::try_from(flags).ok()? & SAMPLED,
        })
    }
}

impl TraceId {
    /// As OTLP has it.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The half that is random by the standard: samplers decide by it.
    pub const fn random_part(self) -> u64 {
        (self.0 as u64) >> 8
    }
}

impl SpanId {
    /// A new one.
    pub fn random() -> Self {
        Self(nonzero(rand::random))
    }

    /// As OTLP has it.
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn nonzero<T: Default + PartialEq>(random: fn() -> T) -> T {
    loop {
        let id = random();
        if id != T::default() {
            return id;
        }
    }
}

/// Lower-case digits only, as the standard wants them.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

/// The list as it is passed on; `None` when it is empty or not as the standard has it.
fn checked_tracestate(text: &str) -> Option<String> {
    let mut members: Vec<&str> = vec![];
    for member in list(text) {
        let (key, value) = member.split_once('=')?;
        let repeated = members.iter().any(|known| known.split('=').next() == Some(key));
        if !is_state_key(key) || !is_state_value(value) || repeated {
            return None;
        }
        members.push(member);
    }
    if members.len() > TRACESTATE_MEMBERS_MAX {
        return None;
    }
    // Long entries go first, then the oldest, which are the last ones.
    if length(&members) > TRACESTATE_BYTES_MAX {
        members.retain(|member| member.len() <= 128);
    }
    while length(&members) > TRACESTATE_BYTES_MAX {
        members.pop();
    }
    (!members.is_empty()).then(|| members.join(","))
}

fn is_state_key(key: &str) -> bool {
    let named = |name: &str, max: usize, digit_first: bool| {
        let first = name.bytes().next();
        first.is_some_and(|byte| byte.is_ascii_lowercase() || digit_first && byte.is_ascii_digit())
            && name.len() <= max
            && name.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/".contains(&byte)
            })
    };
    match key.split_once('@') {
        Some((tenant, system)) => named(tenant, 241, true) && named(system, 14, false),
        None => named(key, 256, false),
    }
}

fn is_state_value(value: &str) -> bool {
    let printable = |byte| (0x20..=0x7e).contains(&byte) && byte != b'=';
    !value.is_empty() && value.len() <= 256 && value.bytes().all(printable)
}

/// The members that are as the standard has them, as many as fit; `None` when there are none.
fn checked_baggage(text: &str) -> Option<String> {
    let mut members: Vec<&str> =
        list(text).filter(|member| is_baggage(member)).take(BAGGAGE_MEMBERS_MAX).collect();
    while length(&members) > BAGGAGE_BYTES_MAX {
        members.pop();
    }
    (!members.is_empty()).then(|| members.join(","))
}

fn is_baggage(member: &str) -> bool {
    let is_token = |name: &str| {
        !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    };
    let is_value =
        |value: &str| value.bytes().all(|b| b.is_ascii_graphic() && !b"\",;\\".contains(&b));
    let mut parts = member.split(';').map(|part| match part.split_once('=') {
        Some((key, value)) => (key.trim_matches(BLANK), Some(value.trim_matches(BLANK))),
        None => (part.trim_matches(BLANK), None),
    });
    let whole =
        parts.next().is_some_and(|(key, value)| is_token(key) && value.is_some_and(is_value));
    whole && parts.all(|(key, value)| is_token(key) && value.is_none_or(is_value))
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(|member| member.trim_matches(BLANK)).filter(|member| !member.is_empty())
}

/// Of the members joined by commas.
fn length(members: &[&str]) -> usize {
    members.iter().map(|member| member.len() + 1).sum::<usize>().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_call_continues_the_trace_that_its_query_names() {
        let context = TraceContext::from_query(
            &[
                pair("lang", "en"),
                pair("traceparent", PARENT),
                pair("tracestate", "congo=t61, rojo=00f"),
                pair("tracestate", "fw529a3039@dt=1"),
                pair("baggage", "user=alice;vip"),
            ],
            None,
        );
        assert_eq!(context.trace_id.to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(context.parent.unwrap().to_string(), "b7ad6b7169203331");
        assert_eq!(context.tracestate.as_deref(), Some("congo=t61,rojo=00f,fw529a3039@dt=1"));
        assert_eq!(context.baggage.as_deref(), Some("user=alice;vip"));
        assert!(context.sampled());

        let again = Parent::parse(&context.traceparent()).unwrap();
        assert_eq!((again.trace_id, again.span_id), (context.trace_id, context.span_id));
    }

    #[test]
    fn a_call_without_a_parent_begins_a_trace_of_its_own() {
        let (one, other) =
            (TraceContext::from_query(&[], None), TraceContext::from_query(&[], None));
        assert_ne!((one.trace_id, one.span_id), (other.trace_id, other.span_id));
        assert_eq!((one.parent, one.flags), (None, SAMPLED));
        assert!(Parent::parse(&one.traceparent()).is_some());
    }

    #[test]
    fn a_child_keeps_the_trace_and_names_its_parent() {
        let call = TraceContext::continued(Some(&PARENT.replace("-01", "-00")), "a=b", "c=d");
        let child = call.child();
        assert_eq!(child.parent, Some(call.span_id));
        assert_ne!(child.span_id, call.span_id);
        assert_eq!(child.traceparent(), format!("00-{}-{}-00", call.trace_id, child.span_id));
        assert_eq!((child.tracestate, child.baggage), (call.tracestate, call.baggage));
    }

    #[test]
    fn a_traceparent_is_taken_only_as_the_standard_has_it() {
        let id = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
        for good in
            [PARENT, &format!("cc-{id}-01-more"), &format!("01-{id}-01"), &format!(" {PARENT}")]
        {
            assert!(Parent::parse(good).is_some(), "{good}");
        }
        let bad = [
            String::new(),
            format!("ff-{id}-01"),
            format!("00-{id}-01-more"),
            format!("01-{id}-01more"),
            format!("00-{id}-0"),
            format!("00-{id}-0g"),
            format!("00_{id}_01"),
            PARENT.to_uppercase(),
            "00-00000000000000000000000000000000-b7ad6b7169203331-01".to_owned(),
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01".to_owned(),
            format!("{}é-01", &PARENT[..50]),
        ];
        for bad in bad {
            assert_eq!(Parent::parse(&bad), None, "{bad}");
        }
        assert_eq!(Parent::parse(&format!("00-{id}-ff")).map(|parent| parent.flags), Some(SAMPLED));
    }

    #[test]
    fn a_repeated_traceparent_names_none() {
        let query =
            [pair("traceparent", PARENT), pair("traceparent", PARENT), pair("tracestate", "a=b")];
        let context = TraceContext::from_query(&query, None);
        assert_eq!((context.parent, context.tracestate), (None, None));
    }

    #[test]
    fn a_tracestate_that_is_wrong_or_too_long_is_dropped_or_cut() {
        for bad in ["", ",", "a", "a=", "A=1", "a=b=c", "a=1,a=2", "a=é", "a=\n", "1a=x", "x@y@z=1"]
        {
            assert_eq!(checked_tracestate(bad), None, "{bad}");
        }
        let many: Vec<_> = (0..33).map(|n| format!("k{n}=v")).collect();
        assert_eq!(checked_tracestate(&many.join(",")), None);
        assert!(checked_tracestate(&many[1..].join(",")).is_some());
        let long = format!("a={},b={},c=1", "x".repeat(100), "y".repeat(256));
        assert_eq!(checked_tracestate(&long).as_deref(), Some(long.as_str()));
        let longer = format!("{long},d={},e={}", "z".repeat(100), "z".repeat(100));
        let kept = checked_tracestate(&longer).unwrap();
        assert!(kept.len() <= TRACESTATE_BYTES_MAX && !kept.contains('y') && kept.contains("e=z"));
    }

    #[test]
    fn baggage_is_passed_on_within_its_limits() {
        let odd = "a=1 , =2, b, c d=3, e=%20;p=1;q, f=\"x\", g=\r\nh=1, h=é, i=";
        assert_eq!(checked_baggage(odd).as_deref(), Some("a=1,e=%20;p=1;q,i="));
        let many: Vec<_> = (0..70).map(|n| format!("k{n}=v")).collect();
        assert_eq!(
            checked_baggage(&many.join(",")).unwrap().split(',').count(),
            BAGGAGE_MEMBERS_MAX
        );
        let long: Vec<_> = (0..10).map(|n| format!("k{n}={}", "v".repeat(1_000))).collect();
        assert_eq!(checked_baggage(&long.join(",")).unwrap().split(',').count(), 8);
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }
}
