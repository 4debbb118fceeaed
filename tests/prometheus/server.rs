//! A real Prometheus on a port of its own, with the bridge's rules. Knows its HTTP API; nothing of what is measured.

use kit::{http::get, program::Program};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::{collections::BTreeSet, fs, net::SocketAddr, time::Duration};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

/// No wait is longer; none is expected to come near.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);

/// A running Prometheus; it ends when this is dropped.
pub(crate) struct Prometheus {
    address: SocketAddr,
    _program: Program,
    _folder: TempDir,
}

impl Prometheus {
    /// Scrapes `target` four times a second, and evaluates `rules` as often.
    pub(crate) async fn start(target: SocketAddr, rules: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        fs::write(path("rules.yaml"), rules).unwrap();
        let configuration = format!(
            "global: {{scrape_interval: 250ms, scrape_timeout: 250ms, evaluation_interval: 250ms}}\n\
             rule_files: [rules.yaml]\n\
             scrape_configs:\n  - job_name: agi-bridge\n    static_configs: [{{targets: [\"{target}\"]}}]\n"
        );
        fs::write(path("prometheus.yml"), configuration).unwrap();
        let arguments = [
            format!("--config.file={}", path("prometheus.yml")),
            format!("--storage.tsdb.path={}", path("data")),
            "--web.listen-address=127.0.0.1:0".to_owned(),
            "--enable-feature=exemplar-storage".to_owned(),
        ];
        let program = Program::start("prometheus", &arguments);
        let address = program.wait_for(PATIENCE, "where it listens", listening).await;
        let prometheus = Self { address, _program: program, _folder: folder };
        until("Prometheus to be ready", async || prometheus.try_get("/-/ready").await.is_some())
            .await;
        prometheus
    }

    /// The series that an expression gives now; why it cannot be evaluated.
    pub(crate) async fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let query = utf8_percent_encode(expression, NON_ALPHANUMERIC);
        let answer = self.get(&format!("/api/v1/query?query={query}")).await;
        if answer["status"] != "success" {
            return Err(format!("{expression}: {}", answer["error"]));
        }
        let result = &answer["data"]["result"];
        result.as_array().cloned().ok_or_else(|| format!("{expression}: gives {result}"))
    }

    /// Waits until an expression gives a series.
    pub(crate) async fn seen(&self, expression: &str) {
        until(expression, async || !self.query(expression).await.unwrap().is_empty()).await;
    }

    /// The exemplars of all series of a name: the route of the series, if it has one, and the trace id.
    pub(crate) async fn exemplars(&self, expression: &str) -> Vec<(Option<String>, String)> {
        let query = utf8_percent_encode(expression, NON_ALPHANUMERIC);
        let path = format!("/api/v1/query_exemplars?query={query}&start=0&end=9999999999");
        let answer = self.get(&path).await;
        let series = answer["data"].as_array().into_iter().flatten();
        let exemplars = series.flat_map(|series| {
            let route = series["seriesLabels"]["route"].as_str().map(str::to_owned);
            let exemplars = series["exemplars"].as_array().into_iter().flatten();
            exemplars.map(move |it| {
                (route.clone(), it["labels"]["trace_id"].as_str().unwrap().to_owned())
            })
        });
        exemplars.collect()
    }

    /// The names of the alerts that fire.
    pub(crate) async fn firing(&self) -> BTreeSet<String> {
        let answer = self.get("/api/v1/alerts").await;
        let alerts = answer["data"]["alerts"].as_array().unwrap().iter();
        let firing = alerts.filter(|alert| alert["state"] == "firing");
        firing.map(|alert| alert["labels"]["alertname"].as_str().unwrap().to_owned()).collect()
    }

    /// What it thinks of its rules, by name: `ok`, or the error.
    pub(crate) async fn rules(&self) -> Vec<(String, String)> {
        let answer = self.get("/api/v1/rules").await;
        let groups = answer["data"]["groups"].as_array().unwrap().iter();
        let rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
        rules
            .map(|rule| {
                let error = rule["lastError"].as_str().unwrap_or_default();
                let health =
                    if error.is_empty() { rule["health"].as_str().unwrap() } else { error };
                (rule["name"].as_str().unwrap().to_owned(), health.to_owned())
            })
            .collect()
    }

    async fn get(&self, path: &str) -> Value {
        let body = self.try_get(path).await.unwrap_or_else(|| panic!("no answer to {path}"));
        serde_json::from_str(&body).unwrap_or_else(|err| panic!("{path}: {err}: {body}"))
    }

    async fn try_get(&self, path: &str) -> Option<String> {
        let (status, body) = get(self.address, path, "").await?;
        // What cannot be evaluated is answered too, by 4xx.
        (status < 500).then_some(body)
    }
}

/// Asks again until it is so.
pub(crate) async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let waited = timeout(PATIENCE, async {
        while !so().await {
            sleep(POLL).await;
        }
    });
    assert!(waited.await.is_ok(), "waited {PATIENCE:?} for {what}");
}

/// The address in the line of the log that tells it.
fn listening(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("msg=\"Listening on\" address=")?;
    rest.split_whitespace().next()?.parse().ok()
}
