//! What must never be printed, looked for wherever the whole program prints: its log at its loudest, what it tells of its
//! configuration, its metrics, its answers and its errors.

use crate::harness::{Doors, Held, Serving, file, program, soon};
use kit::{
    http::ask,
    issuer::{ISSUER, Manner, Server, Signer, claims, jwks},
    manager::Manager,
};
use serde_json::json;
use std::process::Stdio;
use tokio::process::Command;
use tonic::Code;

/// In the configuration, each in one place; what follows the name tells which.
const CONFIGURED: [&str; 6] = [
    "s3cr3t-of-admin",
    "s3cr3t-of-metrics",
    "s3cr3t-of-workers",
    "s3cr3t-of-clients",
    "s3cr3t-of-service",
    "s3cr3t-of-manager",
];
/// Shown by strangers.
const STRANGE: [&str; 3] = ["s3cr3t-of-stranger", "s3cr3t-in-a-query", "s3cr3t-in-a-cookie"];

#[tokio::test]
async fn no_secret_is_printed_anywhere() {
    let (signer, held, manager) =
        (Signer::new("one"), Held::prepare().await, Manager::start().await);
    let server = Server::start(Manner::Serves(jwks(&[&signer])), None).await;
    let [admin, metrics, workers, clients, service, secret] = CONFIGURED;
    let sections = format!(
        "log: {{level: trace}}\n\
         jwt: {{issuer: '{ISSUER}', audience: bridge, jwks: 'http://{}/'}}\n\
         managers: [{{name: pbx, address: '{}', username: lab, secret: {secret}}}]\n\
         api:\n  listen: '127.0.0.1:0'\n  \
         workers: [{{groups: sales, token: {workers}}}, {{groups: sales, jwt: {{sub: ivr}}}}]\n  \
         clients: [{{name: crm, token: {clients}}}, {{name: jwt, jwt: {{sub: ivr}}}}]",
        server.address,
        manager.address(),
    );
    let routes = held.routes().replace("'}]", &format!("', token: {service}}}]"));
    let admin_keys = format!(
        "listen: '127.0.0.1:0', everybody: nothing, token: {admin}, \
         access: [{{may: metrics, token: {metrics}}}, {{may: change, jwt: {{sub: ivr}}}}]"
    );

    let mut printed = vec![checked(&Serving::config(&routes, &admin_keys, &sections)).await];
    let bridge = Serving::with(&routes, &admin_keys, &sections).await;
    let (bridge, log) = bridge.logging();
    let call = held.begin(&bridge).await;

    let good = signer.token(&claims(&json!({})));
    let early = signer.token(&claims(&json!({"nbf": 32_503_680_000_u64})));
    let thief = Signer::new("one").token(&claims(&json!({})));
    let doors = |token: &str| Doors::of(&bridge, Some(token));
    doors(&good).open().await;
    doors(&early).refuse(Code::Unauthenticated, 401, "not valid yet").await;
    doors(&thief).refuse(Code::Unauthenticated, 401, "signature").await;
    doors(STRANGE[0]).refuse(Code::Unauthenticated, 401, "not known").await;
    doors(workers).worker().await.unwrap();
    doors(clients).manager().await.unwrap();
    doors(clients).websocket().await.unwrap();
    for (token, status) in [
        (admin, 200),
        (metrics, 403),
        (workers, 401),
        (STRANGE[0], 401),
        (&*good, 200),
        (&*early, 401),
        (&*thief, 401),
    ] {
        let headers = format!(
            "Authorization: Bearer {token}\r\nCookie: token={}\r\nAgibridge-Client: it\r\n",
            STRANGE[2]
        );
        let ask = async |method, path: &str| {
            let path = format!("{path}token={}", STRANGE[1]);
            soon("an answer", ask(bridge.admin, method, &path, &headers)).await.unwrap()
        };
        let calls = ask("GET", "/calls?callers=true&").await;
        assert_eq!(calls.0, status, "{token}");
        printed.push(calls.1);
        for path in ["/routes?", "/metrics?", "/calls/ended?", "/calls?limit=x&", "/nothing?"] {
            printed.push(ask("GET", path).await.1);
        }
        printed.push(ask("POST", "/reload?").await.1);
        printed.push(ask("POST", "/calls/ff/hangup?").await.1);
        printed.push(command(&bridge, token).await);
    }
    held.finish(call).await;
    bridge.signal("-TERM");
    let log = soon("the end of the log", log).await.unwrap();
    assert!(log.contains("\"TRACE\"") && log.contains("call ended"), "{log}");
    printed.push(log);

    let tokens = [&good, &early, &thief].into_iter().flat_map(|token| token.split('.').skip(1));
    let secrets: Vec<_> = CONFIGURED.into_iter().chain(STRANGE).chain(tokens).collect();
    for line in printed.iter().flat_map(|text| text.lines()) {
        if let Some(secret) = secrets.iter().find(|secret| line.contains(**secret)) {
            panic!("{secret} is in {line}");
        }
    }
}

async fn checked(config: &str) -> String {
    let config = file(config);
    said(program().args(["check", "--config", config.path().to_str().unwrap()])).await
}

async fn command(bridge: &Serving, token: &str) -> String {
    let admin = format!("http://{}", bridge.admin);
    said(program().args(["calls", "--admin", &admin]).env("AGIBRIDGE_ADMIN_TOKEN", token)).await
}

/// Both outputs.
async fn said(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = soon("the program", output).await.unwrap();
    let [out, error] = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
    out + &error
}
