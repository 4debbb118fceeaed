//! nginx's words for hops.

use super::{Carries, Hop, IDLE, Manner};
use kit::program::Program;
use std::{fmt::Write as _, fs, path::Path};

/// What a route of gRPC needs, as docs/operating.md has it.
pub(crate) const GRPC: &str =
    "grpc_read_timeout 12h; grpc_send_timeout 12h; client_body_timeout 12h;";
/// What a route of WebSockets needs.
pub(crate) const WEBSOCKET: &str = "proxy_read_timeout 12h; proxy_send_timeout 12h;";

/// In a process namespace of its own: whoever kills the first process there kills nginx's workers too.
pub(super) const ARGUMENTS: &[&str] = &["--pid", "--fork", "--kill-child=KILL"];

pub(super) fn text(hops: &[Hop], folder: &Path) -> String {
    let folder = folder.display();
    let mut text = format!(
        "daemon off; user root; worker_processes 1; pid {folder}/pid; error_log stderr notice;\n\
         events {{ worker_connections 512; }}\n\
         http {{\naccess_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n\
         fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n"
    );
    for hop in hops {
        server(&mut text, hop);
    }
    text.push_str("}\n");
    text
}

fn server(text: &mut String, hop: &Hop) {
    let (address, target) = (hop.address, hop.target);
    let (http2, how, patient) = match hop.carries {
        Carries::Grpc => (" http2", format!("grpc_pass grpc://{target};"), GRPC),
        Carries::WebSocket => (
            "",
            format!(
                "proxy_pass http://{target}; proxy_http_version 1.1; \
                 proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"
            ),
            WEBSOCKET,
        ),
    };
    let times = match hop.manner {
        Manner::Impatient => patient.replace("12h", IDLE),
        Manner::Patient => patient.to_owned(),
        Manner::ShortLived => format!("{patient} keepalive_requests 2;"),
    };
    let (ssl, files) = hop.tls.as_ref().map_or_else(Default::default, |tls| {
        let (cert, key) = (tls.cert.display(), tls.key.display());
        (" ssl", format!("ssl_certificate {cert}; ssl_certificate_key {key};"))
    });
    let _ = writeln!(
        text,
        "server {{ listen {address} reuseport{ssl}{http2}; {files} {times} location / {{ {how} }} }}"
    );
}

/// The process that takes signals, as this side of its namespace numbers it.
pub(super) fn master(program: &Program) -> u32 {
    let id = program.id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
    children.split_whitespace().next().unwrap().parse().unwrap()
}
