//! The folder of transcripts: one file each, the oldest of which go. Touches no file but its own, which are known by their
//! names: a time and a call's id. No other process may write there.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};
use uuid::Uuid;

const EXTENSION: &str = ".transcript";
/// Of a file that is not whole yet.
const UNFINISHED: &str = ".tmp";
/// As `20260131T120000Z`.
const STAMP_LENGTH: usize = 16;

/// The name of a transcript's file; names sort by time.
pub fn name(stamp: &str, call_id: Uuid) -> String {
    format!("{stamp}-{}{EXTENSION}", call_id.hyphenated())
}

#[derive(Debug)]
pub(super) struct Folder {
    directory: PathBuf,
    /// None: not looked up yet.
    files: Option<Files>,
}

#[derive(Debug, Default)]
struct Files {
    /// The oldest first.
    sizes: BTreeMap<String, usize>,
    bytes: usize,
}

impl Files {
    fn add(&mut self, name: String, size: usize) {
        self.bytes = self.bytes.saturating_add(size);
        self.sizes.insert(name, size);
    }
}

impl Folder {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory, files: None }
    }

    pub(super) fn is_at(&self, directory: &Path) -> bool {
        self.directory == directory
    }

    /// Writes a file, whole or not at all, once there is room for it.
    pub(super) fn keep(
        &mut self,
        name: &str,
        content: &[u8],
        (count_max, bytes_max): (usize, usize),
    ) -> io::Result<()> {
        if self.files.is_none() {
            self.files = Some(self.look_up()?);
        }
        let files = self.files.get_or_insert_default();
        while files.sizes.len() >= count_max
            || files.bytes.saturating_add(content.len()) > bytes_max
        {
            let Some((oldest, size)) = files.sizes.pop_first() else { break };
            files.bytes = files.bytes.saturating_sub(size);
            match fs::remove_file(self.directory.join(oldest)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        write(&self.directory, name, content)?;
        files.add(name.to_owned(), content.len());
        Ok(())
    }

    /// What is there from before; what was left unfinished goes.
    fn look_up(&self) -> io::Result<Files> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
        let mut files = Files::default();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name.strip_suffix(UNFINISHED).is_some_and(is_ours) {
                // Another one of that name could not be written.
                let _ = fs::remove_file(entry.path());
            } else if is_ours(&name) {
                let size = entry.metadata()?.len();
                files.add(name, usize::try_from(size).unwrap_or(usize::MAX));
            }
        }
        Ok(files)
    }
}

fn write(directory: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let unfinished = directory.join(format!("{name}{UNFINISHED}"));
    // Made anew, never opened: a link that lies there is not followed.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    let written =
        file.write_all(content).and_then(|()| fs::rename(&unfinished, directory.join(name)));
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    written
}

fn is_ours(name: &str) -> bool {
    let id = name.strip_suffix(EXTENSION).and_then(|name| name.split_at_checked(STAMP_LENGTH));
    id.is_some_and(|(stamp, id)| {
        let plain = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'T' | b'Z');
        let id = id.strip_prefix('-').unwrap_or_default();
        stamp.bytes().all(plain) && Uuid::try_parse(id).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn call(number: u128) -> String {
        name("20260131T120000Z", Uuid::from_u128(number))
    }

    fn names(directory: &Path) -> Vec<String> {
        let found = fs::read_dir(directory).expect("a folder");
        let mut names: Vec<String> = found
            .map(|entry| entry.expect("a file").file_name().into_string().expect("a name"))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_oldest_go_by_number_and_by_bytes_and_files_of_others_stay() {
        let directory = tempfile::tempdir().expect("a folder");
        let path = directory.path();
        fs::write(path.join("notes.transcript"), "mine").expect("written");
        for number in 1..=2 {
            let mut folder = Folder::new(path.to_owned());
            folder.keep(&call(number), b"0123456789", (3, 1000)).expect("kept");
        }
        // A folder that was filled before the bridge began is known.
        let mut folder = Folder::new(path.to_owned());
        for number in 3..=4 {
            folder.keep(&call(number), b"0123456789", (3, 1000)).expect("kept");
        }
        let of = |numbers: &[u128]| {
            let ours = numbers.iter().map(|&number| call(number));
            ours.chain(["notes.transcript".to_owned()]).collect::<Vec<_>>()
        };
        assert_eq!(names(path), of(&[2, 3, 4]));
        folder.keep(&call(5), b"0123456789", (3, 25)).expect("kept");
        assert_eq!(names(path), of(&[4, 5]));
    }

    #[test]
    fn a_file_is_for_its_owner_alone_and_its_folder_too() {
        let directory = tempfile::tempdir().expect("a folder");
        let path = directory.path().join("a/b");
        Folder::new(path.clone()).keep(&call(1), b"x", (1, 10)).expect("kept");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&path.join(call(1)))), (0o700, 0o600));
    }

    #[test]
    fn what_was_left_unfinished_goes_and_a_link_is_not_followed() {
        let directory = tempfile::tempdir().expect("a folder");
        let path = directory.path().join("kept");
        fs::create_dir(&path).expect("a folder");
        let victim = directory.path().join("victim");
        fs::write(&victim, "mine").expect("written");
        std::os::unix::fs::symlink(&victim, path.join(call(1) + UNFINISHED)).expect("a link");
        let mut folder = Folder::new(path.clone());
        folder.keep(&call(1), b"x", (10, 10)).expect("kept");
        assert_eq!(names(&path), [call(1)]);
        // It is there again, in a folder that is known: the one transcript is lost.
        std::os::unix::fs::symlink(&victim, path.join(call(2) + UNFINISHED)).expect("a link");
        folder.keep(&call(2), b"x", (10, 10)).expect_err("refused");
        assert_eq!(fs::read_to_string(&victim).expect("there"), "mine");
    }
}
