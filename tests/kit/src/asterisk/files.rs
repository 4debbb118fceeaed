//! The folders of the lab: the tree that `make lab` made, and one folder for each run. Knows where files are and what
//! stands in them; starts nothing.

use super::dialplan::Dialplan;
use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../asterisk/config");
/// Where the tree has Asterisk's own data.
const DATA: &str = "usr/share/asterisk";
/// Bytes of the `sln` format for a millisecond: 8,000 samples of two bytes a second.
const SLN_BYTES_PER_MS: usize = 16;

/// Where it listens, on loopback.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    pub(super) manager: u16,
    /// UDP.
    pub(super) sip: u16,
}

/// The tree with Asterisk in it.
///
/// # Panics
/// When there is none.
pub(super) fn tree() -> PathBuf {
    let root = lab().join("root");
    assert!(
        root.join(".agi-bridge-lab").is_file(),
        "there is no Asterisk for tests in {}: run `make lab` (as root, on Debian)",
        root.display()
    );
    root
}

/// Makes a folder for one run: configuration, sounds, logs. Removes those of processes that are gone.
pub(super) fn run_folder(root: &Path, ports: Ports, dialplan: &Dialplan) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let runs = lab().join("runs");
    remove_old(&runs);
    let name = format!("{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let folder = runs.join(name);
    for part in ["etc", "var", "log", "spool", "tmp", "data/sounds/en"] {
        make(&folder.join(part));
    }
    configure(root, &folder, ports, dialplan);
    link_data(root, &folder);
    for (sound, length) in dialplan.sounds() {
        let file = folder.join("data/sounds/en").join(format!("{sound}.sln"));
        let samples = vec![0; usize::try_from(length.as_millis()).unwrap_or(0) * SLN_BYTES_PER_MS];
        if !has_sound(&folder, sound) {
            make(file.parent().expect("it has a folder"));
            fs::write(&file, samples)
                .unwrap_or_else(|err| panic!("cannot write {}: {err}", file.display()));
        }
    }
    folder
}

/// A file's text, or nothing when there is none.
pub(super) fn text(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// What `make lab` made: `AGIBRIDGE_LAB`, or a folder in the home's cache.
///
/// # Panics
/// When neither `AGIBRIDGE_LAB` nor `HOME` is set.
pub fn lab() -> PathBuf {
    env::var_os("AGIBRIDGE_LAB").map(PathBuf::from).unwrap_or_else(|| {
        let home = env::var_os("HOME").expect("HOME or AGIBRIDGE_LAB is set");
        PathBuf::from(home).join(".cache/agi-bridge-lab")
    })
}

fn remove_old(runs: &Path) {
    for entry in fs::read_dir(runs).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_string_lossy().split('-').next().unwrap_or_default().to_owned();
        if !Path::new("/proc").join(pid).exists() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn configure(root: &Path, folder: &Path, ports: Ports, dialplan: &Dialplan) {
    let modules = fs::read_dir(root.join("usr/lib"))
        .expect("the tree has libraries")
        .flatten()
        .map(|entry| entry.path().join("asterisk/modules"))
        .find(|path| path.is_dir())
        .expect("the tree has Asterisk's modules");
    let modules = Path::new("/").join(modules.strip_prefix(root).expect("it is in the tree"));
    for entry in fs::read_dir(CONFIG).expect("tests/asterisk/config exists").flatten() {
        let mut text = fs::read_to_string(entry.path())
            .expect("configuration is text")
            .replace("@MODULES@", &modules.to_string_lossy())
            .replace("@AMI_PORT@", &ports.manager.to_string())
            .replace("@SIP_PORT@", &ports.sip.to_string());
        if entry.file_name() == "extensions.conf" {
            text.push_str(&dialplan.text());
        }
        fs::write(folder.join("etc").join(entry.file_name()), text)
            .expect("the run's folder is ours");
    }
}

/// Asterisk's data, with a folder of sounds that a test may write to.
fn link_data(root: &Path, folder: &Path) {
    let inside = Path::new("/").join(DATA);
    for name in names(&root.join(DATA)).filter(|name| name != "sounds") {
        link(&inside.join(&name), &folder.join("data").join(name));
    }
    let voice = fs::read_dir(root.join(DATA).join("sounds"))
        .expect("the tree has sounds")
        .flatten()
        .find(|entry| entry.file_name().to_string_lossy().starts_with("en_US_"))
        .expect("the tree has English sounds");
    for name in names(&voice.path()) {
        let target = inside.join("sounds").join(voice.file_name()).join(&name);
        link(&target, &folder.join("data/sounds/en").join(name));
    }
}

fn has_sound(folder: &Path, sound: &str) -> bool {
    folder.join("data/sounds/en").join(format!("{sound}.gsm")).symlink_metadata().is_ok()
}

fn names(folder: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder)
        .unwrap_or_else(|err| panic!("cannot read {}: {err}", folder.display()));
    entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned())
}

fn link(target: &Path, path: &Path) {
    symlink(target, path).unwrap_or_else(|err| panic!("cannot link {}: {err}", path.display()));
}

fn make(folder: &Path) {
    fs::create_dir_all(folder)
        .unwrap_or_else(|err| panic!("cannot make {}: {err}", folder.display()));
}
