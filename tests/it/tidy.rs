//! The shape of the source: what the pure modules never name, and how every file begins. Knows text, and no syntax.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Modules that know words and order only.
const PURE: [&str; 5] = ["agi", "ami/originate", "ami/packet", "call", "route"];

/// What needs a runtime, a socket, a clock, a file or chance; and our modules that do.
#[rustfmt::skip]
const FORBIDDEN: [&str; 25] = [
    "tokio", "tonic", "hyper", "h2", "axum", "rand", "uuid", "Instant", "SystemTime",
    "net::", "fs::", "env::", "thread::", "process::",
    "admin::", "ami::", "app::", "cli::", "config::", "listener::", "phone::", "registry::", "session::", "telemetry::", "upstream::",
];

#[test]
fn pure_modules_name_no_socket_no_clock_and_no_chance() {
    for module in PURE {
        let file = root().join("src").join(module).with_extension("rs");
        let folder = root().join("src").join(module);
        let mut files = vec![file];
        if folder.is_dir() {
            files.extend(rust_files(&folder));
        }
        for file in files {
            for (number, line) in read(&file).lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                for word in FORBIDDEN {
                    assert!(
                        !names(code, word),
                        "{}:{}: `{word}` in a pure module",
                        file.display(),
                        number + 1
                    );
                }
            }
        }
    }
}

#[test]
fn every_file_begins_with_its_reason_and_none_is_called_mod() {
    for file in ["src", "tests"].into_iter().flat_map(|folder| rust_files(&root().join(folder))) {
        assert!(read(&file).starts_with("//! "), "{}: no `//!` at the top", file.display());
        assert!(!file.ends_with("mod.rs"), "{}: write name.rs beside name/", file.display());
    }
}

/// Whether `word` stands in `code`, and not as a part of a longer name.
fn names(code: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let after = &code[at + word.len()..];
        !code[..at].ends_with(part_of_name)
            && (word.ends_with(':') || !after.starts_with(part_of_name))
    })
}

/// Every Rust file under `folder`, of which there must be one.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut folders = vec![folder.to_path_buf()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in
            fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        {
            let path = entry.expect("a listed entry can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    assert!(!files.is_empty(), "no Rust file in {}", folder.display());
    files
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
