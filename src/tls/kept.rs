//! What is made of files, and made anew when they change. Files that are of no use leave what was made before in force, loudly.
//! Knows no TLS.

use super::TlsError;
use ring::digest::{Digest, SHA256, digest};
use std::{
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tracing::{error, info};

/// Changed files that were refused since the start of the process.
static REFUSED: AtomicU64 = AtomicU64::new(0);

/// How often changed files were refused, over all that is kept.
pub fn refused_files() -> u64 {
    REFUSED.load(Ordering::Relaxed)
}

/// The newest of what the files were good for.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    files: Vec<PathBuf>,
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    /// What the files held when they were last tried; `None`: one could not be read.
    seen: Option<Vec<Option<Content>>>,
    good: Option<T>,
}

/// No key is kept in memory for a comparison.
#[derive(Debug)]
struct Content(Digest);

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_ref() == other.0.as_ref()
    }
}

impl<T: Clone> Kept<T> {
    pub(crate) fn new(files: Vec<PathBuf>) -> Self {
        Self { files, state: Mutex::new(State { seen: None, good: None }) }
    }

    /// What `make` makes of the files as they are now, or what it made before they became useless. Blocks.
    ///
    /// # Errors
    /// When they have never been of use.
    pub(crate) fn get(&self, make: impl FnOnce() -> Result<T, TlsError>) -> Result<T, TlsError> {
        let now = self
            .files
            .iter()
            .map(|file| Some(Content(digest(&SHA256, &std::fs::read(file).ok()?))));
        let now = Some(now.collect());
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.seen == now
            && let Some(good) = &state.good
        {
            return Ok(good.clone());
        }
        state.seen = now;
        match (make(), &state.good) {
            (Ok(made), before) => {
                if before.is_some() {
                    info!(name: "agibridge.tls.changed", files = self.names(), "changed certificates are in force");
                }
                state.good = Some(made.clone());
                Ok(made)
            }
            (Err(why), Some(before)) => {
                REFUSED.fetch_add(1, Ordering::Relaxed);
                error!(
                    name: "agibridge.tls.refused", files = self.names(), %why,
                    "changed certificates are not in order: those before stay in force"
                );
                Ok(before.clone())
            }
            (Err(why), None) => Err(why),
        }
    }

    fn names(&self) -> String {
        let names: Vec<_> = self.files.iter().map(|file| file.to_string_lossy()).collect();
        names.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn useless_files_leave_what_was_made_before_and_are_tried_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let kept = Kept::new(vec![file.clone()]);
        let useless = || Err::<&str, _>(TlsError("useless".into()));
        let untried = || -> Result<&str, TlsError> { panic!("tried again") };
        assert_eq!(kept.get(useless), Err(TlsError("useless".into())), "nothing came before");

        fs::write(&file, "1").unwrap();
        assert_eq!(kept.get(|| Ok("one")), Ok("one"));
        assert_eq!(kept.get(untried), Ok("one"));
        fs::write(&file, "2").unwrap();
        let refused = refused_files();
        assert_eq!(kept.get(useless), Ok("one"));
        assert!(refused_files() > refused);
        assert_eq!(kept.get(untried), Ok("one"), "told once");
        fs::remove_file(&file).unwrap();
        assert_eq!(kept.get(useless), Ok("one"));
        fs::write(&file, "3").unwrap();
        assert_eq!(kept.get(|| Ok("three")), Ok("three"));
    }
}
