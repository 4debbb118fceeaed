//! What the console is made of: its files, its streams, calls with what happened in them, and its phone.

use super::*;
use crate::{
    agi::Request,
    call::{AtAsterisk, Outcome},
    proto::{Channel, call_ended::Reason},
    redact::Redact,
    route::{Policy, Route, When},
    session::recorder::{Begun, Record},
    telemetry::trace::TraceContext,
};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};

const TOKEN: &str = "authorization: Bearer s3cret\r\n";

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere_and_runs_no_foreign_script() {
    let admin = Admin::start(None).await;
    let page = admin.get("/").await;
    assert_eq!(page.status, 200);
    assert!(
        page.head.contains("content-security-policy: default-src 'none'; script-src 'self';"),
        "{}",
        page.head
    );
    assert!(page.head.contains("x-frame-options: DENY\r\n"));
    assert!(
        !page.text.contains("://")
            && !page.text.contains(" style=")
            && !page.text.contains(" onclick=")
    );
    let mut seen = vec!["style.css".to_owned()];
    let mut wanted = vec!["main.js".to_owned()];
    while let Some(name) = wanted.pop() {
        let file = admin.get(&format!("/console/{name}")).await;
        assert_eq!(file.status, 200, "{name}");
        assert!(file.head.contains("content-type: text/javascript; charset=utf-8\r\n"));
        for way in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "://",
            "localStorage",
            "cookie",
        ] {
            assert!(!file.text.contains(way), "{name} has {way}");
        }
        let imports = file.text.lines().filter_map(|line| line.split_once(" from \"./"));
        for (_, import) in imports {
            let import = import.trim_end_matches(['"', ';']).to_owned();
            if !seen.contains(&import) && !wanted.contains(&import) {
                wanted.push(import);
            }
        }
        seen.push(name);
    }
    assert_eq!(seen.len(), console::FILES.len(), "{seen:?}");
    assert_eq!(admin.get("/console/nothing.js").await.status, 404);
    assert_eq!(admin.get("/console/..%2Fadmin.rs").await.status, 404);
}

#[tokio::test]
async fn a_call_is_told_with_what_happened_in_it_and_more_to_those_who_may() {
    let admin = Admin::start(Some("s3cret")).await;
    let (handle, record) = admin.noted(0xab << 120, Redact::NOTHING);
    record.written(
        AtAsterisk::Program("SET VARIABLE"),
        b"SET VARIABLE PIN 4711\n",
        Duration::from_millis(7),
    );
    let live = admin.get("/calls/ab").await.json();
    assert_eq!(live["live"]["channel"], "PJSIP/100-1");
    assert_eq!(live["record"]["entries"][0]["command"], "SET VARIABLE");
    assert_eq!(live["record"]["entries"][0]["written"], 0.007);
    assert_eq!(live["record"]["hidden"], true);
    assert!(!live.to_string().contains("4711") && !live.to_string().contains("3200"), "{live}");

    assert_eq!(admin.get("/calls/ab?callers=true").await.status, 401);
    let all = admin.request("GET", "/calls/ab?callers=true", TOKEN).await.json();
    assert_eq!(all["record"]["entries"][0]["text"], "SET VARIABLE PIN 4711");
    assert_eq!(all["record"]["numbers"]["caller"], "3200");

    drop(handle);
    assert_eq!(admin.get("/calls/ab").await.status, 404, "it is neither live nor kept");
    admin.recorder.end(&record, &hangup(), Duration::from_secs(3));
    let over = admin.get("/calls/ab").await.json();
    assert_eq!((&over["record"]["end"]["blame"], over.get("live")), (&json!("caller"), None));
    let ended = admin.get("/calls/ended?limit=1").await.json();
    assert_eq!((&ended["total"], &ended["calls"][0]["duration_seconds"]), (&json!(1), &json!(3.0)));
    assert_eq!(ended["calls"][0].get("caller_number"), None);
    let ended = admin.request("GET", "/calls/ended?callers=true", TOKEN).await.json();
    assert_eq!(ended["calls"][0]["caller_number"], "3200");
    assert_eq!(admin.get("/calls/ended?route=other").await.json()["calls"], json!([]));
    assert_eq!(admin.get("/calls/ended?limit=x").await.status, 400);
}

#[tokio::test]
async fn a_view_is_sent_at_first_and_when_it_changes() {
    let admin = Admin::start(None).await;
    let mut events = admin.follow("of=calls", "").await;
    let (name, bridge) = events.next().await.unwrap();
    assert_eq!(
        (name.as_str(), &bridge["active"], &bridge["token"]),
        ("bridge", &json!(0), &json!(false))
    );
    assert_eq!(events.state().await, json!({"count": 0, "offset": 0, "calls": []}));
    let call = admin.call(1);
    assert_eq!(events.state().await["calls"][0]["call_id"], Uuid::from_u128(1).to_string());
    drop(call);
    assert_eq!(events.state().await["count"], 0);
}

#[tokio::test]
async fn a_calls_stream_tells_what_is_new_until_the_call_is_over() {
    let admin = Admin::start(None).await;
    let (handle, record) = admin.noted(0xab << 120, Redact::default());
    record.taken(&"h:1".into(), Duration::ZERO);
    let mut events = admin.follow("of=call&id=ab", "").await;
    assert_eq!(events.state().await["record"]["entries"][0]["kind"], "taken");
    record.lost("it broke", Duration::from_secs(1));
    let news = events.state().await;
    assert_eq!(news["record"]["entries"].as_array().map(Vec::len), Some(1));
    assert_eq!(news["record"]["entries"][0]["text"], "it broke");
    admin.recorder.end(&record, &hangup(), Duration::from_secs(3));
    drop(handle);
    loop {
        let state = events.state().await;
        if state.get("live").is_none() {
            assert_eq!(state["record"]["end"]["reason"], "hangup");
            break;
        }
    }
    assert_eq!(events.next().await.unwrap().0, "gone");
    assert_eq!(events.next().await, None);
    let mut nobody = admin.follow("of=call&id=ff", "").await;
    nobody.next().await;
    assert_eq!(nobody.next().await.unwrap().1["error"], "no live call has this id");
}

#[tokio::test]
async fn of_thousands_of_calls_only_a_page_is_looked_at() {
    let admin = Admin::start(None).await;
    let _calls: Vec<_> = (0..5_000).map(|id| admin.call(id)).collect();
    let mut events = admin.follow("of=calls&limit=100000&offset=4700", "").await;
    let state = events.state().await;
    let shown = state["calls"].as_array().unwrap();
    assert_eq!((&state["count"], shown.len()), (&json!(5_000), 200));
    assert_eq!(shown[0]["call_id"], Uuid::from_u128(4_700).to_string());
    let listed = admin.get("/calls?limit=2&offset=4999").await.json();
    assert_eq!(
        (&listed["truncated"], listed["calls"].as_array().unwrap().len()),
        (&json!(false), 1)
    );
}

#[tokio::test]
async fn a_reader_that_never_reads_is_cut_off() {
    let stall = Duration::from_millis(20);
    let limits = server::Limits { connections: 1, stall, ..server::Limits::default() };
    let admin = Admin::start_with(None, limits).await;
    let calls: Vec<_> = (0..1_000).map(|id| admin.call(id)).collect();
    // It asks for a view of some 60 KB that changes all the time, and reads nothing of it.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut deaf = socket.connect(admin.address).await.unwrap();
    deaf.write_all(b"GET /events?of=calls&limit=200 HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        .await
        .unwrap();
    let changing = tokio::spawn(async move {
        for count in 0.. {
            calls[0].set_commands(count);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    // There is one place only: who is served has got it from the one that was cut off.
    assert_eq!(soon(admin.get("/livez")).await.status, 200);
    changing.abort();
}

#[tokio::test]
async fn readers_are_few_and_end_when_the_port_closes() {
    let admin = Admin::start(None).await;
    let mut readers = Vec::new();
    for _ in 0..32 {
        let mut reader = admin.follow("of=routes", "").await;
        assert_eq!(reader.next().await.unwrap().0, "bridge");
        readers.push(reader);
    }
    assert_eq!(admin.get("/events?of=routes").await.status, 503);
    admin.stop.send(()).unwrap();
    admin.served.await.unwrap();
    for mut reader in readers {
        while soon(reader.next()).await.is_some() {}
    }
}

#[tokio::test]
async fn the_phone_is_for_those_who_may_change_things_and_takes_only_what_is_a_call() {
    let agi = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let admin = Admin::with(Some("s3cret"), server::Limits::default(), agi.local_addr().ok()).await;
    let body = r#"{"path": "/ivr?lang=en", "caller_id": "Alice <3200>"}"#;
    assert_eq!(admin.post("/phone", "", body).await.status, 401);
    let odd = [
        "{}",
        r#"{"path": "ivr"}"#,
        r#"{"path": "/a\nagi_x: y"}"#,
        r#"{"path": "/", "caller_id": "a\nb"}"#,
        r#"{"path": "/", "host": "elsewhere"}"#,
    ];
    for odd in odd {
        assert_eq!(admin.post("/phone", TOKEN, odd).await.status, 400, "{odd}");
    }
    let made = admin.post("/phone", TOKEN, body).await;
    assert_eq!(made.status, 201);
    let made = made.json();
    let (mut server, _) = agi.accept().await.unwrap();
    let mut prelude = vec![0; 4096];
    let count = server.read(&mut prelude).await.unwrap();
    let prelude = String::from_utf8_lossy(&prelude[..count]).into_owned();
    assert!(prelude.contains("agi_network_script: ivr?lang=en\n"), "{prelude}");
    assert!(prelude.contains("agi_callerid: 3200\n"), "{prelude}");
    assert!(prelude.contains(&format!("agi_channel: {}\n", made["channel"].as_str().unwrap())));

    let id = made["id"].as_str().unwrap();
    assert_eq!(admin.get(&format!("/events?of=phone&id={id}")).await.status, 401);
    let mut events = admin.follow(&format!("of=phone&id={id}"), TOKEN).await;
    server.write_all(b"WAIT FOR DIGIT 60000\n").await.unwrap();
    let heard = |state: &Value, text: &str| state["entries"].to_string().contains(text);
    while !heard(&events.state().await, "WAIT FOR DIGIT") {}
    for odd in [r#"{"keys": ""}"#, r#"{"keys": "x"}"#, r#"{"digits": "1"}"#] {
        assert_eq!(
            admin.post(&format!("/phone/{id}/press"), TOKEN, odd).await.status,
            400,
            "{odd}"
        );
    }
    assert_eq!(admin.post(&format!("/phone/{id}/press"), "", r#"{"keys": "5"}"#).await.status, 401);
    assert_eq!(
        admin.post(&format!("/phone/{id}/press"), TOKEN, r#"{"keys": "5"}"#).await.status,
        202
    );
    while !heard(&events.state().await, "200 result=53") {}
    assert_eq!(admin.post(&format!("/phone/{id}/hangup"), TOKEN, "").await.status, 202);
    while !heard(&events.state().await, "hangs up") {}
    drop(server);
    loop {
        let state = events.state().await;
        if let Some(end) = state.get("end") {
            assert_eq!(end["agistatus"], "HANGUP");
            break;
        }
    }
    assert_eq!(
        admin.post(&format!("/phone/{id}/press"), TOKEN, r#"{"keys": "5"}"#).await.status,
        404
    );
}

#[tokio::test]
async fn simulated_calls_are_few() {
    let agi = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let admin = Admin::with(None, server::Limits::default(), agi.local_addr().ok()).await;
    for _ in 0..8 {
        assert_eq!(admin.post("/phone", CLIENT, r#"{"path": "/"}"#).await.status, 201);
    }
    assert_eq!(admin.post("/phone", CLIENT, r#"{"path": "/"}"#).await.status, 429);
    let none = Admin::start(None).await;
    assert_eq!(none.post("/phone", CLIENT, r#"{"path": "/"}"#).await.status, 404);
}

impl Admin {
    /// A live call that notes what happens in it.
    fn noted(&self, id: u128, redact: Redact) -> (Handle, Arc<Record>) {
        let route = Route {
            name: "support".into(),
            path: "/{*rest}".into(),
            when: When::default(),
            services: Vec::new(),
            policy: Policy { redact, ..Policy::default() },
        };
        let channel = Channel {
            name: "PJSIP/100-1".into(),
            caller_id_number: "3200".into(),
            ..Channel::default()
        };
        let request = Request::default();
        let begun = || Begun {
            call_id: Uuid::from_u128(id),
            trace_id: TraceContext::root().trace_id,
            accepted_at: SystemTime::UNIX_EPOCH,
            route: &route,
            request: &request,
            channel: &channel,
            arguments: Vec::new(),
        };
        let record = self.recorder.begin(begun).unwrap();
        let handle = self.call(id);
        handle.set_record(Arc::clone(&record));
        (handle, record)
    }

    async fn post(&self, path: &str, headers: &str, body: &str) -> Answer {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        let (host, length) = (self.address, body.len());
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        socket.read_to_end(&mut bytes).await.unwrap();
        Answer::read(bytes)
    }

    async fn follow(&self, query: &str, headers: &str) -> Events {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        let host = self.address;
        let request = format!("GET /events?{query} HTTP/1.0\r\nhost: {host}\r\n{headers}\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut lines = BufReader::new(socket).lines();
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "HTTP/1.0 200 OK");
        while !lines.next_line().await.unwrap().unwrap().is_empty() {}
        Events(lines)
    }
}

/// A stream of events, as a client without chunks gets it.
struct Events(Lines<BufReader<TcpStream>>);

impl Events {
    async fn next(&mut self) -> Option<(String, Value)> {
        let mut name = String::new();
        while let Ok(Some(line)) = self.0.next_line().await {
            if let Some(event) = line.strip_prefix("event: ") {
                event.clone_into(&mut name);
            }
            if let Some(data) = line.strip_prefix("data: ") {
                return Some((name, serde_json::from_str(data).unwrap()));
            }
        }
        None
    }

    /// The next state; how the bridge is, is passed over.
    async fn state(&mut self) -> Value {
        loop {
            let (name, data) = self.next().await.expect("the stream goes on");
            if name == "state" {
                return data;
            }
        }
    }
}

/// No wait of a test is longer; none is expected to come near.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("it comes in time")
}

fn hangup() -> Outcome {
    Outcome {
        reason: Reason::Hangup,
        status: None,
        detail: "the caller hung up".into(),
        commands: 1,
        dead_air: Duration::ZERO,
    }
}
