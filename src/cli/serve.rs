//! `agi-bridge serve`: starts the parts in order, keeps the configuration in force, and stops them in order.

use super::complain;
use crate::{
    admin::{self, Readiness, ReloadReport, ReloadRequest},
    app::App,
    config::{self, Config, Faults, Loaded, LogConfig, LogFormat, Reloader, Watch},
    telemetry::logs,
    tls::Acceptor,
};
use anyhow::Context;
use std::{
    ffi::OsString,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    process::ExitCode,
    sync::Arc,
};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::{mpsc, oneshot},
};
use tracing::{error, info, warn};

/// Runs the bridge until it was told to stop and has.
pub(super) async fn serve(path: Option<&Path>, environment: Vec<(OsString, OsString)>) -> ExitCode {
    let loaded = match config::load(path, environment.clone().into_iter()) {
        Ok(loaded) => loaded,
        Err(faults) => return complain(&format!("the configuration is not in order\n{faults}")),
    };
    let logs = match logs::init(&log_settings(&loaded.config.log)) {
        Ok(logs) => logs,
        Err(error) => return complain(&error.to_string()),
    };
    let code = match run(&loaded, environment).await {
        Ok(code) => code,
        Err(error) => {
            error!("cannot start: {error:#}");
            ExitCode::FAILURE
        }
    };
    if logs.lost() > 0 {
        warn!(lines = logs.lost(), "lines of this log were dropped: its reader was too slow");
    }
    code
}

async fn run(loaded: &Loaded, environment: Vec<(OsString, OsString)>) -> anyhow::Result<ExitCode> {
    let config = &loaded.config;
    let admin_listener = TcpListener::bind(config.admin.listen)
        .await
        .with_context(|| format!("admin.listen: cannot listen on {}", config.admin.listen))?;
    let admin_address = admin_listener.local_addr()?;
    let tls = config.admin.tls.clone().map(|tls| Acceptor::new(tls, &admin::ALPN));
    let tls = tls.transpose().context("admin.tls")?;
    let mut signals = Signals::listen()?;
    let app = Arc::new(App::start(config)?);
    let readiness = Readiness::new(Arc::clone(app.registry()));
    readiness.set_configured();
    readiness.set_max_calls(config.agi.max_calls);
    readiness.set_listening();

    let (watch, reloader) = config::watch(loaded, environment);
    let watching = tokio::spawn(keep_in_force(watch, Arc::clone(&app), Arc::clone(&readiness)));
    let (reload, requests) = mpsc::channel(4);
    let reloading = tokio::spawn(answer_reloads(requests, reloader));
    let (stop_admin, stopped) = oneshot::channel::<()>();
    let parts = admin::Parts {
        settings: Arc::clone(app.admin()),
        tokens: Arc::clone(app.tokens()),
        tls,
        registry: Arc::clone(app.registry()),
        metrics: Arc::clone(app.metrics()),
        readiness: Arc::clone(&readiness),
        recorder: Arc::clone(app.recorder()),
        routes: app.routes(),
        phone: app.agi().first().copied().map(own),
        reload,
    };
    let admin = tokio::spawn(admin::serve(admin_listener, parts, async {
        let _ = stopped.await;
    }));

    let agi: Vec<String> = app.agi().iter().map(ToString::to_string).collect();
    let cores = config.agi.cores;
    let api = app.api().map(tracing::field::display);
    info!(agi = agi.join(","), admin = %admin_address, api, cores, version = env!("CARGO_PKG_VERSION"), "listening");

    let code = tokio::select! {
        () = signals.next() => ExitCode::SUCCESS,
        () = app.faulted() => {
            error!("a core ended by a fault of the bridge, and its calls with it: the others are drained, for a restart");
            ExitCode::FAILURE
        }
    };
    readiness.set_draining();
    watching.abort();
    reloading.abort();
    let _ = watching.await; // it held the app
    let (hurry, hurried) = mpsc::channel(2);
    let hurrying = tokio::spawn(async move {
        loop {
            signals.next().await;
            if hurry.send(()).await.is_err() {
                return;
            }
        }
    });
    match Arc::try_unwrap(app) {
        Ok(app) => app.drain(hurried).await,
        Err(_) => error!("a part of the bridge did not stop: calls are cut off"),
    }
    hurrying.abort();
    let _ = stop_admin.send(());
    let _ = admin.await;
    Ok(code)
}

/// Where this process reaches an address that it listens on.
fn own(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    address
}

/// SIGTERM, as Kubernetes and systemd send it, and ctrl-c.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// Held so that SIGHUP never ends the process: not before the configuration is watched, and not during the drain.
    _hangup: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let terminate = signal(SignalKind::terminate()).context("cannot listen to SIGTERM")?;
        let interrupt = signal(SignalKind::interrupt()).context("cannot listen to SIGINT")?;
        let hangup = signal(SignalKind::hangup()).context("cannot listen to SIGHUP")?;
        Ok(Self { terminate, interrupt, _hangup: hangup })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => info!("SIGTERM"),
            _ = self.interrupt.recv() => info!("SIGINT"),
        }
    }
}

async fn keep_in_force(watch: Watch, app: Arc<App>, readiness: Arc<Readiness>) {
    let apply = |reloaded: Result<Arc<Config>, Faults>| match reloaded {
        Ok(config) => {
            app.reload(&config);
            readiness.set_max_calls(config.agi.max_calls);
        }
        Err(_) => app.reload_failed(),
    };
    if let Err(error) = watch.run(apply).await {
        error!(%error, "the configuration is not watched: it needs a restart to change");
    }
}

async fn answer_reloads(mut requests: mpsc::Receiver<ReloadRequest>, reloader: Reloader) {
    while let Some(request) = requests.recv().await {
        let report = match reloader.reload().await {
            Ok(Ok(waiting)) => ReloadReport {
                in_force: true,
                warnings: waiting.iter().map(|key| format!("{key} needs a restart")).collect(),
                ..ReloadReport::default()
            },
            Ok(Err(faults)) => ReloadReport {
                faults: faults.iter().map(ToString::to_string).collect(),
                ..ReloadReport::default()
            },
            Err(stopped) => {
                ReloadReport { faults: vec![stopped.to_string()], ..ReloadReport::default() }
            }
        };
        let _ = request.answer.send(report);
    }
}

fn log_settings(log: &LogConfig) -> logs::Settings {
    let format = match log.format {
        LogFormat::Json => logs::Format::Json,
        LogFormat::Text => logs::Format::Text,
    };
    logs::Settings { format, filter: log.level.as_str().to_owned() }
}
