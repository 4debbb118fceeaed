//! Reload: on SIGHUP, on a change in the file's directory, on request, and by a slow poll behind these. A faulty new file keeps the old
//! configuration. It does not know what a new configuration does to the parts.

mod changes;

use self::changes::Changes;
use super::{Config, Faults, Loaded, load};
use std::{ffi::OsString, io, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{mpsc, oneshot},
    time::{Instant, Interval, MissedTickBehavior, interval_at},
};

/// Secrets in other directories, and file systems that tell nothing, are seen by this.
const POLL: Duration = Duration::from_secs(30);

/// Watches the configuration; made by [`watch`].
#[derive(Debug)]
pub struct Watch {
    source: Option<PathBuf>,
    environment: Vec<(OsString, OsString)>,
    /// What needs a restart stays as it was at the start.
    started: Arc<Config>,
    in_force: Arc<Config>,
    /// What was told last, so that the poll does not tell it again and again.
    told: Option<Faults>,
    requests: mpsc::Receiver<Request>,
    poll: Duration,
}

/// Asks for a reload, as the admin port does.
#[derive(Debug, Clone)]
pub struct Reloader {
    requests: mpsc::Sender<Request>,
}

type Request = oneshot::Sender<Result<Vec<&'static str>, Faults>>;

/// The watch has ended, as the program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bridge is stopping and reloads nothing any more")]
pub struct Stopped;

impl Reloader {
    /// Reloads now; the keys that need a restart to come into force. The inner error holds the faults; the old
    /// configuration stays in force then.
    pub async fn reload(&self) -> Result<Result<Vec<&'static str>, Faults>, Stopped> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(answer).await.map_err(|_| Stopped)?;
        answered.await.map_err(|_| Stopped)
    }
}

/// A watch over what was `loaded` with this `environment`. Nothing happens before [`Watch::run`].
pub fn watch(loaded: &Loaded, environment: Vec<(OsString, OsString)>) -> (Watch, Reloader) {
    // A reload is short and whoever asks waits for it: there is no use in more than one in line.
    let (sender, requests) = mpsc::channel(1);
    let started = Arc::new(loaded.config.clone());
    let in_force = Arc::clone(&started);
    let source = loaded.source.clone();
    (
        Watch { source, environment, started, in_force, told: None, requests, poll: POLL },
        Reloader { requests: sender },
    )
}

/// Why a reload is tried.
#[derive(Debug)]
enum Trigger {
    Signal,
    Change,
    Poll,
    Request(Request),
}

impl Trigger {
    const fn text(&self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::Change => "change",
            Self::Poll => "poll",
            Self::Request(_) => "request",
        }
    }
}

/// What wakes the watch.
struct Triggers {
    hangup: Signal,
    changes: Changes,
    poll: Interval,
}

impl Watch {
    /// Runs until it is dropped. `apply` gets each new configuration, or the faults that keep the old one in force.
    /// Must be called inside of a tokio runtime with I/O and time; fails when SIGHUP cannot be listened to.
    pub async fn run(
        mut self,
        mut apply: impl FnMut(Result<Arc<Config>, Faults>),
    ) -> io::Result<()> {
        let mut poll = interval_at(Instant::now() + self.poll, self.poll);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let changes = Changes::of(self.source.as_deref());
        let mut triggers = Triggers { hangup: signal(SignalKind::hangup())?, changes, poll };
        // What changed between the first load and the watch is seen at once.
        self.reload(Trigger::Poll, &mut apply).await;
        loop {
            let trigger = self.next(&mut triggers).await;
            self.reload(trigger, &mut apply).await;
        }
    }

    async fn next(&mut self, triggers: &mut Triggers) -> Trigger {
        tokio::select! {
            Some(()) = triggers.hangup.recv() => Trigger::Signal,
            () = triggers.changes.settled() => Trigger::Change,
            Some(request) = self.requests.recv() => Trigger::Request(request),
            _ = triggers.poll.tick() => Trigger::Poll,
        }
    }

    async fn reload(
        &mut self,
        trigger: Trigger,
        apply: &mut impl FnMut(Result<Arc<Config>, Faults>),
    ) {
        let (source, environment) = (self.source.clone(), self.environment.clone());
        // Files may lie on slow or dead file systems.
        let loading =
            tokio::task::spawn_blocking(move || load(source.as_deref(), environment.into_iter()));
        let Ok(loaded) = loading.await else {
            tracing::error!("reading the configuration panicked; the old one stays in force");
            return;
        };
        let outcome = match loaded {
            Ok(loaded) => Ok(self.replace(loaded.config, &trigger, apply)),
            Err(faults) => {
                self.refuse(&faults, &trigger, apply);
                Err(faults)
            }
        };
        if let Trigger::Request(answer) = trigger {
            // Whoever asked may have gone.
            let _ = answer.send(outcome);
        }
    }

    fn replace(
        &mut self,
        config: Config,
        trigger: &Trigger,
        apply: &mut impl FnMut(Result<Arc<Config>, Faults>),
    ) -> Vec<&'static str> {
        let waiting = self.started.restart_needed(&config);
        let mended = self.told.take().is_some();
        let changed = config != *self.in_force;
        if !changed && !mended && matches!(trigger, Trigger::Change | Trigger::Poll) {
            return waiting;
        }
        if changed {
            for key in &waiting {
                tracing::warn!(
                    key,
                    "this setting has changed, and needs a restart to come into force"
                );
            }
        }
        tracing::info!(
            trigger = trigger.text(),
            changed,
            routes = config.routes.names().len(),
            "configuration reloaded"
        );
        self.in_force = Arc::new(config);
        apply(Ok(Arc::clone(&self.in_force)));
        waiting
    }

    fn refuse(
        &mut self,
        faults: &Faults,
        trigger: &Trigger,
        apply: &mut impl FnMut(Result<Arc<Config>, Faults>),
    ) {
        let known = self.told.as_ref() == Some(faults);
        if known && matches!(trigger, Trigger::Change | Trigger::Poll) {
            return;
        }
        for fault in faults.iter() {
            tracing::error!(%fault, "the new configuration is refused, the old one stays in force");
        }
        self.told = Some(faults.clone());
        apply(Err(faults.clone()));
    }
}

impl Config {
    /// The keys that differ in `new`, and come into force only after a restart.
    pub fn restart_needed(&self, new: &Self) -> Vec<&'static str> {
        let keys = [
            ("agi.listen", self.agi.listen != new.agi.listen),
            ("agi.cores", self.agi.cores != new.agi.cores),
            ("admin.listen", self.admin.listen != new.admin.listen),
            ("admin.tls", self.admin.tls != new.admin.tls),
            ("api.listen", self.api.listen != new.api.listen),
            ("api.tls", self.api.tls != new.api.tls),
            ("api.heartbeat", self.api.heartbeat != new.api.heartbeat),
            ("telemetry", self.telemetry != new.telemetry),
            ("log", self.log != new.log),
            ("shutdown", self.shutdown != new.shutdown),
        ];
        keys.into_iter().filter_map(|(key, differs)| differs.then_some(key)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink, path::Path};
    use tokio::{task::JoinHandle, time::timeout};

    const PATIENCE: Duration = Duration::from_secs(20);

    struct Running {
        folder: tempfile::TempDir,
        reloader: Reloader,
        applied: mpsc::Receiver<Result<Arc<Config>, Faults>>,
        task: JoinHandle<io::Result<()>>,
    }

    impl Drop for Running {
        fn drop(&mut self) {
            self.task.abort();
        }
    }

    fn yaml(name: &str) -> String {
        format!("routes: [{{name: {name}, path: /a, services: [{{url: 'grpc://h:1'}}]}}]\n")
    }

    /// A watch over `config.yaml` in a folder that `prepare` fills. Its poll comes too late for a test.
    async fn start(prepare: impl FnOnce(&Path)) -> Running {
        start_polled(prepare, PATIENCE * 10).await
    }

    async fn start_polled(prepare: impl FnOnce(&Path), poll: Duration) -> Running {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let loaded = load(Some(&folder.path().join("config.yaml")), std::iter::empty()).unwrap();
        let (mut watch, reloader) = watch(&loaded, Vec::new());
        watch.poll = poll;
        let (sender, mut applied) = mpsc::channel(16);
        let task = tokio::spawn(watch.run(move |outcome| sender.try_send(outcome).expect("room")));
        // Answered, it watches.
        reloader.reload().await.unwrap().unwrap();
        applied.recv().await.unwrap().unwrap();
        Running { folder, reloader, applied, task }
    }

    fn plain(folder: &Path) {
        fs::write(folder.join("config.yaml"), yaml("one")).unwrap();
    }

    async fn next(running: &mut Running) -> Result<Arc<Config>, Faults> {
        timeout(PATIENCE, running.applied.recv()).await.expect("seen in time").unwrap()
    }

    /// The next one without faults: between them a file may be seen half written.
    async fn next_good(running: &mut Running) -> Arc<Config> {
        loop {
            if let Ok(config) = next(running).await {
                return config;
            }
        }
    }

    async fn next_route(running: &mut Running) -> String {
        next_good(running).await.routes.names().next().unwrap().to_string()
    }

    #[tokio::test]
    async fn a_written_file_is_loaded_and_a_faulty_one_refused() {
        let mut running = start(plain).await;
        let path = running.folder.path().join("config.yaml");
        fs::write(&path, "routes: []").unwrap();
        assert!(next(&mut running).await.is_err());
        fs::write(&path, yaml("two")).unwrap();
        assert_eq!(next_route(&mut running).await, "two");
    }

    #[tokio::test]
    async fn a_swap_of_the_symlink_beside_the_file_is_seen() {
        let mut running = start(|folder| {
            let fault = "routes: []".to_owned();
            let versions = [
                ("..v1", yaml("one")),
                ("..v2", yaml("two")),
                ("..v3", fault),
                ("..v4", yaml("four")),
            ];
            for (version, text) in versions {
                fs::create_dir(folder.join(version)).unwrap();
                fs::write(folder.join(version).join("config.yaml"), text).unwrap();
            }
            symlink("..v1", folder.join("..data")).unwrap();
            symlink("..data/config.yaml", folder.join("config.yaml")).unwrap();
        })
        .await;
        let folder = running.folder.path().to_owned();
        let swap = |version: &str| {
            symlink(version, folder.join("..data_tmp")).unwrap();
            fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
        };
        swap("..v2");
        assert_eq!(next_route(&mut running).await, "two");
        swap("..v3");
        assert!(next(&mut running).await.is_err());
        swap("..v4");
        assert_eq!(next_route(&mut running).await, "four");
    }

    /// In a process of its own: the signal would wake the watches of all tests.
    #[test]
    fn a_hangup_signal_reloads() {
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "config::watch::tests::hangup_in_a_process_of_its_own", "--ignored"])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success() && told.contains("1 passed"), "{told}");
    }

    #[tokio::test]
    #[ignore = "run by a_hangup_signal_reloads"]
    async fn hangup_in_a_process_of_its_own() {
        let mut running = start(plain).await;
        let kill = format!("kill -HUP {}", std::process::id());
        assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        // Told although nothing has changed: whoever sends the signal wants an answer.
        assert_eq!(next_route(&mut running).await, "one");
    }

    #[tokio::test]
    async fn a_request_is_answered_with_the_faults() {
        let running = start(plain).await;
        fs::write(running.folder.path().join("config.yaml"), "routes: []").unwrap();
        let faults = running.reloader.reload().await.unwrap().unwrap_err();
        assert!(faults.to_string().starts_with("routes: line 1: "), "{faults}");
    }

    #[tokio::test]
    async fn the_poll_sees_a_secret_in_another_directory() {
        let secrets = tempfile::tempdir().unwrap();
        let secret = secrets.path().join("token");
        fs::write(&secret, "one").unwrap();
        let prepare = |folder: &Path| {
            let text = yaml("one") + &format!("admin: {{token: 'file:{}'}}\n", secret.display());
            fs::write(folder.join("config.yaml"), text).unwrap();
        };
        let mut running = start_polled(prepare, Duration::from_millis(10)).await;
        fs::write(&secret, "two").unwrap();
        let config = next_good(&mut running).await;
        assert_eq!(config.admin.token.as_ref().unwrap().expose(), "two");
    }

    #[tokio::test]
    async fn settings_that_need_a_restart_are_named() {
        let config = |text: &str| {
            super::super::parse(Some(&(yaml("a") + text)), Path::new(""), std::iter::empty())
                .unwrap()
        };
        let changed =
            config("agi: {listen: '127.0.0.1:1', cores: 77, max_calls: 5}\nadmin: {token: x}\n");
        assert_eq!(config("").restart_needed(&changed), ["agi.listen", "agi.cores"]);
    }
}
