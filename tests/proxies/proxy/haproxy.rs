//! HAProxy's words for hops.

use super::{Carries, Hop, IDLE, Manner};
use std::{fmt::Write as _, fs};

/// What both kinds of routes need, as docs/operating.md has it.
pub(crate) const TIMES: &str = "timeout client 12h\ntimeout server 12h\ntimeout tunnel 12h\n";

pub(super) fn text(hops: &[Hop]) -> String {
    let mut text = "defaults\nmode http\ntimeout connect 5s\n".to_owned();
    for (number, hop) in hops.iter().enumerate() {
        proxy(&mut text, number, hop);
    }
    text
}

fn proxy(text: &mut String, number: usize, hop: &Hop) {
    let (address, target) = (hop.address, hop.target);
    let http2 = match hop.carries {
        Carries::Grpc => " proto h2",
        Carries::WebSocket => "",
    };
    let times = match hop.manner {
        Manner::Impatient => TIMES.replace("12h", IDLE),
        // There is no limit of this kind.
        Manner::Patient | Manner::ShortLived => TIMES.to_owned(),
    };
    let (client, others): (Vec<_>, Vec<_>) = times.lines().partition(|it| it.contains("client"));
    let bind = match (&hop.tls, hop.carries) {
        (None, _) => http2.to_owned(),
        (Some(tls), carries) => {
            // It wants both in one file.
            let both = tls.cert.with_extension("both");
            let text =
                fs::read_to_string(&tls.cert).unwrap() + &fs::read_to_string(&tls.key).unwrap();
            fs::write(&both, text).unwrap();
            let alpn = if carries == Carries::Grpc { "h2" } else { "http/1.1" };
            format!(" ssl crt {} alpn {alpn}", both.display())
        }
    };
    let _ = writeln!(
        text,
        "frontend f{number}\n{}\nbind {address}{bind}\ndefault_backend b{number}\n\
         backend b{number}\n{}\nserver s {target}{http2}",
        client.join("\n"),
        others.join("\n")
    );
}
