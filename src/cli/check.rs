//! `agi-bridge check`: every fault of a configuration, or the one in force.

use crate::config;
use std::{
    ffi::OsString,
    io::{self, Write},
    path::Path,
};

/// Writes the effective configuration as YAML and returns exit code 0, or one line a fault and 1.
/// The error is that of `out` alone.
pub fn check(
    path: Option<&Path>,
    environment: impl Iterator<Item = (OsString, OsString)>,
    out: &mut dyn Write,
) -> io::Result<u8> {
    match config::load(path, environment) {
        Ok(loaded) => out.write_all(loaded.config.effective_yaml().as_bytes()).map(|()| 0),
        Err(faults) => writeln!(out, "{faults}").map(|()| 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_file_gives_the_effective_configuration_and_a_bad_one_its_faults() {
        let run = |file: &str| {
            let mut out = Vec::new();
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config").join(file);
            let code = check(Some(&path), std::iter::empty(), &mut out).unwrap();
            (code, String::from_utf8(out).unwrap())
        };
        let (code, text) = run("valid/least.yaml");
        assert_eq!(code, 0);
        assert!(text.contains("hangup_grace: 10s"), "{text}");
        let (code, text) = run("invalid/urls.yaml");
        assert_eq!(code, 1);
        assert!(text.starts_with("routes[0].services[0].url: line 6: "), "{text}");
        assert_eq!(text.lines().count(), 9);
    }
}
