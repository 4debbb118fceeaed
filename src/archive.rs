//! Where transcripts go: a queue with a bound, and a thread that writes them to a folder. A call that ends leaves its
//! transcript and goes on; what there is no room for, or what cannot be written, is counted and lost. Knows no calls.

mod folder;

pub use folder::name;

use arc_swap::ArcSwapOption;
use folder::Folder;
use std::{
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tracing::{error, warn};

/// Transcripts that wait for the disk.
const QUEUE_MAX: usize = 128;
/// What waits at the end has so long to be written.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);
/// A disk that fails is told of no more often.
const REPORT_EVERY: Duration = Duration::from_secs(60);

/// What is kept, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// It is made when it is not there.
    pub directory: PathBuf,
    /// Transcripts there; the oldest one goes for a new one.
    pub calls: usize,
    /// What they may take in all, in bytes; the oldest ones go.
    pub bytes: usize,
    /// What one of them may take; what follows is not recorded.
    pub call_bytes: usize,
}

/// A hand on the thread that writes.
#[derive(Debug)]
pub struct Archive {
    settings: ArcSwapOption<Settings>,
    queue: SyncSender<Job>,
    counts: Arc<Counts>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What became of transcripts.
#[derive(Debug, Default)]
pub struct Counts {
    written: AtomicU64,
    queue_full: AtomicU64,
    write_failed: AtomicU64,
}

#[derive(Debug)]
enum Job {
    Keep { settings: Arc<Settings>, name: String, text: String },
    Stop,
}

impl Archive {
    /// Starts the thread; it waits until there is something to write.
    ///
    /// # Errors
    /// When there is no thread.
    pub fn start(settings: Option<Settings>) -> io::Result<Arc<Self>> {
        Self::with_writer(settings, |receiver, counts| write(&receiver, &counts))
    }

    fn with_writer(
        settings: Option<Settings>,
        writer: impl FnOnce(Receiver<Job>, Arc<Counts>) + Send + 'static,
    ) -> io::Result<Arc<Self>> {
        let (queue, receiver) = sync_channel(QUEUE_MAX);
        let counts = Arc::<Counts>::default();
        let theirs = Arc::clone(&counts);
        let thread = std::thread::Builder::new()
            .name("transcripts".to_owned())
            .spawn(move || writer(receiver, theirs))?;
        Ok(Arc::new(Self {
            settings: ArcSwapOption::from_pointee(settings),
            queue,
            counts,
            thread: Mutex::new(Some(thread)),
        }))
    }

    /// What is kept from now on.
    pub fn set(&self, settings: Option<Settings>) {
        self.settings.store(settings.map(Arc::new));
    }

    /// How large the transcript of a call that begins now may be; none: there is nowhere to keep it.
    pub fn call_bytes(&self) -> Option<usize> {
        self.settings.load().as_ref().map(|settings| settings.call_bytes)
    }

    /// Keeps a transcript by this name, or counts it as lost. Never waits.
    pub fn keep(&self, name: String, text: String) {
        let Some(settings) = self.settings.load_full() else { return };
        if self.queue.try_send(Job::Keep { settings, name, text }).is_err() {
            self.counts.queue_full.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What became of them so far.
    pub fn counts(&self) -> &Arc<Counts> {
        &self.counts
    }

    /// Writes what waits, within 5 s, and ends.
    pub async fn finish(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        let queue = self.queue.clone();
        let ending = tokio::task::spawn_blocking(move || {
            queue.send(Job::Stop).is_ok() && thread.join().is_ok()
        });
        if !matches!(tokio::time::timeout(FLUSH_TIMEOUT, ending).await, Ok(Ok(true))) {
            warn!("some transcripts were not written");
        }
    }
}

impl Counts {
    /// Written; lost as too many waited; lost as they could not be written.
    pub fn values(&self) -> [u64; 3] {
        [&self.written, &self.queue_full, &self.write_failed].map(|it| it.load(Ordering::Relaxed))
    }
}

fn write(jobs: &Receiver<Job>, counts: &Counts) {
    let mut folder: Option<Folder> = None;
    let mut told: Option<Instant> = None;
    while let Ok(Job::Keep { settings, name, text }) = jobs.recv() {
        let known = folder.take().filter(|folder| folder.is_at(&settings.directory));
        let mut here = known.unwrap_or_else(|| Folder::new(settings.directory.clone()));
        match here.keep(&name, text.as_bytes(), (settings.calls, settings.bytes)) {
            Ok(()) => {
                counts.written.fetch_add(1, Ordering::Relaxed);
                folder = Some(here);
            }
            // What is in the folder is looked up anew next time.
            Err(error) => {
                let lost = counts.write_failed.fetch_add(1, Ordering::Relaxed) + 1;
                if told.is_none_or(|at| at.elapsed() >= REPORT_EVERY) {
                    told = Some(Instant::now());
                    let directory = settings.directory.display();
                    error!(%directory, %error, lost, "a transcript cannot be written: see to the folder of `transcripts`");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, path::Path};
    use uuid::Uuid;

    fn settings(directory: &Path) -> Settings {
        Settings { directory: directory.to_owned(), calls: 10, bytes: 1000, call_bytes: 100 }
    }

    #[tokio::test]
    async fn what_waits_is_written_before_the_end() {
        let directory = tempfile::tempdir().expect("a folder");
        let archive = Archive::start(Some(settings(directory.path()))).expect("a thread");
        archive.keep(name("20260131T120000Z", Uuid::nil()), "text".into());
        archive.finish().await;
        assert_eq!(archive.counts().values(), [1, 0, 0]);
        assert_eq!(fs::read_dir(directory.path()).expect("a folder").count(), 1);
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_written_costs_transcripts_and_nothing_else() {
        let directory = tempfile::tempdir().expect("a folder");
        let file = directory.path().join("file");
        fs::write(&file, "no folder").expect("a file");
        let archive = Archive::start(Some(settings(&file))).expect("a thread");
        for _ in 0..3 {
            archive.keep(name("20260131T120000Z", Uuid::nil()), "text".into());
        }
        archive.set(Some(settings(directory.path())));
        archive.keep(name("20260131T120000Z", Uuid::nil()), "text".into());
        archive.finish().await;
        assert_eq!(archive.counts().values(), [1, 0, 3]);
    }

    #[test]
    fn a_disk_that_hangs_holds_up_nobody_who_leaves_a_transcript() {
        let (go_on, hung) = sync_channel::<()>(0);
        let directory = settings(Path::new("/nowhere"));
        let archive = Archive::with_writer(Some(directory), move |_jobs, _| {
            let _ = hung.recv();
        });
        let archive = archive.expect("a thread");
        for _ in 0..QUEUE_MAX + 5 {
            archive.keep("name".into(), "text".into());
        }
        assert_eq!(archive.counts().values(), [0, 5, 0]);
        drop(go_on);
    }

    #[test]
    fn without_a_folder_nothing_is_recorded() {
        let archive = Archive::start(None).expect("a thread");
        assert_eq!(archive.call_bytes(), None);
        archive.keep("name".into(), "text".into());
        assert_eq!(archive.counts().values(), [0, 0, 0]);
    }
}
