//! Tells that something has changed in a directory. It reads nothing.

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};
use std::{future::pending, path::Path, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

/// A directory is quiet for so long before the file is read: it may be half written.
const SETTLE: Duration = Duration::from_millis(250);
/// The file is read after so long, quiet or not.
const SETTLE_MAX: Duration = Duration::from_secs(2);

/// What changes in the directory of the file. The directory, since a file may be replaced: a ConfigMap changes by a swap of the
/// symlink `..data` beside it.
pub(super) struct Changes {
    /// Held for its drop. `None`: there is nothing to watch, or no way to.
    _watcher: Option<RecommendedWatcher>,
    told: mpsc::Receiver<()>,
}

impl Changes {
    pub(super) fn of(source: Option<&Path>) -> Self {
        // One slot: the second change before the first was seen adds nothing.
        let (tell, told) = mpsc::channel(1);
        let watcher = source.and_then(|source| match watcher(source, tell) {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                tracing::warn!(%error, "the configuration's directory cannot be watched: changes are seen by the poll alone");
                None
            }
        });
        Self { _watcher: watcher, told }
    }

    /// Returns when something has changed and the directory is quiet again. Loses nothing when dropped before the first change.
    pub(super) async fn settled(&mut self) {
        if self.told.recv().await.is_none() {
            return pending().await;
        }
        let latest = Instant::now() + SETTLE_MAX;
        while Instant::now() < latest {
            let quiet = latest.min(Instant::now() + SETTLE);
            if !matches!(timeout_at(quiet, self.told.recv()).await, Ok(Some(()))) {
                break;
            }
        }
    }
}

fn watcher(source: &Path, tell: mpsc::Sender<()>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        if event.is_ok_and(|event| !changes_something(event.kind)) {
            return;
        }
        // Full: a change is told already.
        let _ = tell.try_send(());
    })?;
    let directory = source.parent().filter(|parent| !parent.as_os_str().is_empty());
    watcher.watch(directory.unwrap_or_else(|| Path::new(".")), RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

/// Reading is told too, our own as well.
fn changes_something(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => true,
    }
}
