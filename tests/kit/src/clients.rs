//! Where the programs of the client libraries are. Knows the folder that `make clients` fills; nothing of what they do.

use std::{
    env,
    path::{Path, PathBuf},
};

/// Every language that has a client library, by its folder below `clients/`.
pub const LANGUAGES: [&str; 5] = ["python", "typescript", "go", "java", "rust"];

/// The launcher of a language's program, as `conformance`.
///
/// # Panics
/// When it is not there.
pub fn launcher(language: &str, program: &str) -> PathBuf {
    find(language, program).unwrap_or_else(|| {
        panic!("there is no {program} in {}: run `make clients`", bin(language).display())
    })
}

/// The same; `None` when it is not there.
pub fn find(language: &str, program: &str) -> Option<PathBuf> {
    let launcher = bin(language).join(program);
    launcher.exists().then_some(launcher)
}

fn bin(language: &str) -> PathBuf {
    folder().join(language).join("bin")
}

fn folder() -> PathBuf {
    if let Some(folder) = env::var_os("AGIBRIDGE_CLIENTS") {
        return folder.into();
    }
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || Path::new(&env::var_os("HOME").expect("HOME is set")).join(".cache");
    cache.unwrap_or_else(home).join("agi-bridge-clients")
}
