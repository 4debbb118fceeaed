//! The dashboard and the alerts in `deploy/`, asked of a real Prometheus that scrapes a bridge under calls.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod server;
mod traffic;
mod views;

use kit::{
    bridge::Bridge,
    collector::{Collector, Span, attributes},
    http::get,
    manager::{Manager, SECRET, USER},
    service::{Service, Transport},
};
use server::{Prometheus, until};
use std::{
    collections::BTreeSet,
    io::Write as _,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
};
use tokio::task::JoinHandle;
use traffic::{IDLE, LOSSY, SLOW, UNTIL_HANGUP, WELL, WRONG};

const OPENMETRICS: &str = "application/openmetrics-text;version=1.0.0";

/// What the bad calls of this test give an alert for.
const EXPECTED: [&str; 12] = [
    "AgiBridgeCallsLost",
    "AgiBridgeCallsResumed",
    "AgiBridgeCallsTurnedAway",
    "AgiBridgeCallsUnavailable",
    "AgiBridgeCommandsRefused",
    "AgiBridgeConfigReloadFailed",
    "AgiBridgeDeadAir",
    "AgiBridgeDesync",
    "AgiBridgeLastRung",
    "AgiBridgeManagerDown",
    "AgiBridgeServiceFailing",
    "AgiBridgeWorkersGone",
];
/// Metrics that are there only while the bridge drains.
const OF_A_DRAIN: &str = "agibridge_drain_";

/// A bridge, its services, and the Prometheus that watches it.
struct Stand {
    bridge: Bridge,
    service: Service,
    worker: Option<Service>,
    asterisk: JoinHandle<()>,
    prometheus: Prometheus,
    collector: Collector,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dashboard_and_alerts_say_what_happens_to_calls() {
    let mut stand = Stand::start().await;
    stand.good_calls().await;
    stand.pages_are_in_order().await;
    let firing = stand.prometheus.firing().await;
    assert_eq!(firing, BTreeSet::new(), "nothing is wrong yet");

    Box::pin(stand.bad_calls()).await;
    let expected = EXPECTED.map(str::to_owned).into();
    stand.fires_exactly(&expected).await;
    stand.every_query_gives_series().await;
    stand.exemplars_lead_to_the_trace().await;
    stand.drain(expected).await;
}

#[test]
fn promtool_finds_no_fault_in_the_rules() {
    let rules = views::deployed("prometheus/agi-bridge.rules.yaml");
    let output = Command::new("promtool").args(["check", "rules"]).arg(rules).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Those that no call of this test can bring about.
#[test]
fn alerts_of_files_fire() {
    let rules = views::deployed("prometheus/agi-bridge.rules.yaml");
    let folder = tempfile::TempDir::new().unwrap();
    let test = include_str!("files.test.yaml").replace("@RULES@", &rules.to_string_lossy());
    let path = folder.path().join("files.test.yaml");
    std::fs::write(&path, test).unwrap();
    let output = Command::new("promtool").args(["test", "rules"]).arg(path).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn every_alert_says_what_it_is_and_what_to_do() {
    let rules = views::rules();
    let alerts: Vec<_> = rules.split("- alert: ").skip(1).collect();
    assert_eq!(alerts.len(), views::expressions(&rules).len());
    for alert in alerts {
        for part in ["expr:", "severity:", "summary:", "description:", "action:"] {
            assert!(alert.contains(part), "{part} of {alert}");
        }
    }
}

impl Stand {
    async fn start() -> Self {
        let service = Service::start().await;
        let worker = Service::start_on(Transport::WorkerGrpc).await;
        let program = Path::new(env!("CARGO_BIN_EXE_agi-bridge"));
        let collector = Collector::start().await;
        let mut manager = Manager::start().await;
        let configuration = configuration(&service, &worker, &collector, manager.address());
        let asterisk = tokio::spawn(async move {
            manager.accept_user().await.serve().await;
        });
        let bridge = Bridge::start(program, &configuration).await;
        worker.dial(bridge.api().unwrap()).await;
        let rules = views::impatient(&views::rules());
        let connected = async || {
            let page = get(bridge.admin(), "/metrics", "").await.unwrap().1;
            page.contains("agibridge_manager_connected{server=\"pbx\"} 1")
        };
        until("the manager's link", connected).await;
        let prometheus = Prometheus::start(bridge.admin(), &rules).await;
        Self { bridge, service, worker: Some(worker), asterisk, prometheus, collector }
    }

    async fn good_calls(&self) {
        let agi = self.bridge.agi();
        let worker = self.worker.as_ref().unwrap();
        // A rate needs a series that is there before it grows.
        for round in 1..=2 {
            traffic::call(agi, "good", &self.service, WELL).await;
            traffic::call(agi, "good", &self.service, UNTIL_HANGUP).await;
            traffic::call(agi, "work", worker, WELL).await;
            let ended = format!("sum(agibridge_call_duration_seconds_count) >= {}", 3 * round);
            self.prometheus.seen(&ended).await;
        }
    }

    async fn bad_calls(&mut self) {
        let agi = self.bridge.agi();
        let service = &self.service;
        tokio::join!(
            traffic::call(agi, "slow", service, SLOW),
            traffic::call(agi, "lossy", service, LOSSY),
            traffic::call(agi, "good", service, WRONG),
            traffic::call_nobody(agi, "dead"),
            traffic::call_nobody(agi, "nowhere"),
            traffic::babble(agi, "good", service),
        );
        drop(self.worker.take());
        self.asterisk.abort();
        self.bridge.rewrite("routes: 5\n");
    }

    /// Both formats, each read by those who know it best.
    async fn pages_are_in_order(&self) {
        let (status, text) = get(self.bridge.admin(), "/metrics", "").await.unwrap();
        assert_eq!(status, 200);
        let mut promtool = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = promtool.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{said}\n{text}");

        let (_, open) = get(self.bridge.admin(), "/metrics", OPENMETRICS).await.unwrap();
        assert!(open.ends_with("# EOF\n") && open.contains("# {trace_id="), "{open}");
        // Prometheus asks for OpenMetrics, and takes none of a page that is not in order.
        self.prometheus.seen("up == 1").await;
    }

    async fn fires_exactly(&self, expected: &BTreeSet<String>) {
        let mut firing = BTreeSet::new();
        let what = format!("the alerts {expected:?}");
        until(&what, async || {
            firing = self.prometheus.firing().await;
            firing.is_superset(expected)
        })
        .await;
        assert_eq!(&firing, expected);
        for (name, health) in self.prometheus.rules().await {
            assert_eq!(health, "ok", "{name}");
        }
    }

    async fn every_query_gives_series(&self) {
        let rules = views::expressions(&views::rules());
        let selectors = rules.iter().flat_map(|(name, expression)| {
            assert!(!expression.is_empty(), "{name}");
            views::selectors(expression).into_iter().map(|it| (name.clone(), it))
        });
        let queries: Vec<_> = views::dashboard().into_iter().chain(selectors).collect();
        assert!(queries.len() > 50, "{} queries", queries.len());
        let mut faults = Vec::new();
        for (name, query) in queries.iter().filter(|(_, query)| !query.starts_with(OF_A_DRAIN)) {
            match self.prometheus.query(query).await {
                Ok(series) if series.is_empty() => faults.push(format!("{name}: {query}: nothing")),
                Ok(_) => {}
                Err(fault) => faults.push(format!("{name}: {fault}")),
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }

    /// From a bucket that Prometheus stored to the call at the collector, on the route that the bucket counts.
    async fn exemplars_lead_to_the_trace(&self) {
        for name in [
            "agibridge_call_duration_seconds_bucket",
            "agibridge_call_setup_duration_seconds_bucket",
            "agibridge_call_dead_air_seconds_bucket",
            "agibridge_command_duration_seconds_bucket",
            "agibridge_command_overhead_seconds_bucket",
        ] {
            let exemplars = self.prometheus.exemplars(name).await;
            assert!(!exemplars.is_empty(), "{name}");
            for (route, trace) in exemplars {
                let is_call = |span: &Span| {
                    let of_route = attributes(&span.json).remove("agibridge.route");
                    span.json["traceId"] == *trace
                        && span.json["name"].as_str().is_some_and(|name| name.starts_with("agi "))
                        && (route.is_none() || route == of_route)
                };
                let what = format!("call of {name} on {route:?} with the trace {trace}");
                self.collector.spans(&what, |spans| spans.iter().any(is_call)).await;
            }
        }
    }

    /// The bridge is shut down while a call goes on that does not end by itself.
    async fn drain(self, mut expected: BTreeSet<String>) {
        let Self { bridge, service, worker: _, asterisk: _, prometheus, collector: _collector } =
            self;
        let call = idle_call(bridge.agi(), service);
        prometheus.seen("agibridge_call_active{route=\"good\"} == 1").await;
        bridge.interrupt();
        for selector in ["begin", "deadline"] {
            prometheus.seen(&format!("{OF_A_DRAIN}{selector}_timestamp_seconds")).await;
        }
        expected.insert("AgiBridgeDrainingTooLong".to_owned());
        let lasts = "AgiBridgeDrainingTooLong";
        until(lasts, async || prometheus.firing().await.contains(lasts)).await;
        call.await.unwrap();
        let down = "AgiBridgeDown";
        until(down, async || prometheus.firing().await.contains(down)).await;
    }
}

fn idle_call(agi: SocketAddr, service: Service) -> JoinHandle<()> {
    tokio::spawn(async move { traffic::call(agi, "good", &service, IDLE).await })
}

fn configuration(
    service: &Service,
    worker: &Service,
    collector: &Collector,
    manager: SocketAddr,
) -> String {
    let (service, worker, collector) = (service.url(), worker.url(), collector.endpoint("grpc"));
    format!(
        "api: {{listen: \"127.0.0.1:0\", workers: [{{groups: [kit]}}]}}\n\
         shutdown: {{drain_timeout: 10s, linger: 1s}}\n\
         telemetry: {{otlp_endpoint: \"{collector}\"}}\n\
         managers: [{{name: pbx, address: \"{manager}\", username: {USER}, secret: {SECRET}}}]\n\
         routes:\n\
         \x20 - {{name: good, path: /good, services: [{{url: \"{service}\"}}]}}\n\
         \x20 - {{name: slow, path: /slow, services: [{{url: \"{service}\"}}]}}\n\
         \x20 - {{name: lossy, path: /lossy, resume_for: 2s, services: [{{url: \"{service}\"}}]}}\n\
         \x20 - {{name: work, path: /work, services: [{{url: \"{worker}\"}}]}}\n\
         \x20 - {{name: dead, path: /dead, retry_for: 2s, services: [{{url: \"grpc://127.0.0.1:1\"}}]}}\n"
    )
}
