//! Reads the file and the environment, and puts the steps together: tree, overrides, types, checks.

use super::{
    Config, check, environment,
    faults::{Fault, Faults, Place},
    file::File,
    read::{Read, Reader},
    tree::{self, Node},
};
use std::{
    ffi::OsString,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

/// Largest configuration file, in bytes.
const FILE_MAX: usize = 1024 * 1024;

/// A configuration without faults, and where it comes from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The file; `None` when there is only the environment.
    pub source: Option<PathBuf>,
}

/// Loads `path`, overridden by the `AGIBRIDGE_…` variables among `environment` (as from [`std::env::vars_os`]).
/// Without `path` the environment is all there is. Reports every fault at once.
pub fn load(
    path: Option<&Path>,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Loaded, Faults> {
    let text = match path {
        Some(path) => Some(file(path)?),
        None => None,
    };
    let directory = path.and_then(Path::parent).unwrap_or_else(|| Path::new(""));
    let config = parse(text.as_deref(), directory, environment)?;
    Ok(Loaded { config, source: path.map(Path::to_owned) })
}

/// As [`load`], from text; file names in it are relative to `directory`.
pub fn parse(
    text: Option<&str>,
    directory: &Path,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Config, Faults> {
    let mut faults = Vec::new();
    let (telemetry, environment): (Vec<_>, Vec<_>) =
        environment.partition(|(name, _)| name.to_string_lossy().starts_with("OTEL_"));
    let root = match text {
        Some(text) => tree(text, &mut faults),
        None => Some(Node::empty_map(Place::Nowhere)),
    };
    let Some(mut root) = root else {
        return Err(Faults::none_of(faults).err().unwrap_or_else(|| nothing_in("the file").into()));
    };
    environment::overlay(&mut root, environment.into_iter(), &mut faults);
    let mut reader = Reader { faults, directory: directory.to_owned() };
    let lossy = |text: OsString| text.to_string_lossy().into_owned();
    let telemetry =
        telemetry.into_iter().map(|(name, value)| (lossy(name), lossy(value))).collect();
    let config = File::read(&root, "", &mut reader)
        .and_then(|file| check::check(file, telemetry, &mut reader));
    Faults::none_of(reader.faults)?;
    // Without a fault there is a configuration; were it otherwise, that would be a fault of ours, and no reason to panic.
    config.ok_or_else(|| nothing_in("the configuration").into())
}

fn tree(text: &str, faults: &mut Vec<Fault>) -> Option<Node> {
    if text.len() > FILE_MAX {
        faults.push(whole(format!("the file is larger than {FILE_MAX} bytes")));
        return None;
    }
    let root = tree::parse(text.strip_prefix('\u{feff}').unwrap_or(text), faults)?;
    if root.is_nothing() {
        faults.push(nothing_in("the file"));
        return None;
    }
    Some(root)
}

fn nothing_in(what: &str) -> Fault {
    whole(format!("there is nothing in {what}: at least `routes` is wanted"))
}

fn whole(what: String) -> Fault {
    Fault { path: String::new(), place: Place::Nowhere, what }
}

fn file(path: &Path) -> Result<String, Faults> {
    let fault = |what: String| whole(format!("{}: {what}", path.display()));
    let mut bytes = Vec::new();
    let bound = u64::try_from(FILE_MAX + 1).unwrap_or(u64::MAX);
    fs::File::open(path)
        .and_then(|file| file.take(bound).read_to_end(&mut bytes))
        .map_err(|error| fault(format!("the configuration cannot be read: {error}")))?;
    if bytes.len() > FILE_MAX {
        return Err(fault(format!("the file is larger than {FILE_MAX} bytes")).into());
    }
    String::from_utf8(bytes).map_err(|error| {
        let read = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + read.iter().filter(|byte| **byte == b'\n').count();
        fault(format!("line {line}: this is no UTF-8")).into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str =
        "routes: [{name: all, path: '/{*rest}', services: [{url: 'grpc://h:1', token: 'file:t'}]}]";

    fn loaded(bytes: &[u8], secret: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.yaml");
        fs::write(&path, bytes).unwrap();
        fs::write(folder.path().join("t"), secret).unwrap();
        load(Some(&path), std::iter::empty())
            .map(|it| it.config)
            .map_err(|faults| faults.to_string())
    }

    #[test]
    fn one_line_end_of_a_secret_file_is_cut() {
        for (content, secret) in [
            ("s3cret", "s3cret"),
            ("s3cret\n", "s3cret"),
            ("s3cret\r\n", "s3cret"),
            (" s \n", " s "),
        ] {
            let config = loaded(LEAST.as_bytes(), content).unwrap();
            let route = config.routes.get("all").unwrap();
            assert_eq!(route.services[0].token.as_ref().unwrap().expose(), secret);
        }
        assert!(loaded(LEAST.as_bytes(), "\n").is_err());
    }

    #[test]
    fn secrets_are_in_no_output() {
        let text = LEAST.replace("token: 'file:t'", "token: 'file:t', headers: {x-key: s3cret}")
            + "\nadmin: {token: s3cret}";
        let config = loaded(text.as_bytes(), "s3cret").unwrap();
        let effective = config.effective_yaml();
        assert!(!format!("{config:?}{effective}").contains("s3cret"), "{effective}");
        assert_eq!(effective.matches("***").count(), 3);

        let number = LEAST.replace("'file:t'", "1234567");
        assert!(!loaded(number.as_bytes(), "").unwrap_err().contains("1234567"));
    }

    #[test]
    fn a_byte_order_mark_is_no_fault() {
        assert!(loaded(format!("\u{feff}{LEAST}").as_bytes(), "s").is_ok());
    }

    #[test]
    fn bytes_that_are_no_text_are_named_by_line() {
        let faults = loaded(b"# one\n# two\nlog: \xff\n", "s").unwrap_err();
        assert!(faults.ends_with("line 3: this is no UTF-8"), "{faults}");
    }

    #[test]
    fn a_huge_file_is_not_read() {
        let faults = loaded("# filler\n".repeat(200_000).as_bytes(), "s").unwrap_err();
        assert!(faults.contains("larger than 1048576 bytes"), "{faults}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let faults =
            load(Some(Path::new("/nowhere/c.yaml")), std::iter::empty()).unwrap_err().to_string();
        assert!(faults.starts_with("/nowhere/c.yaml: "), "{faults}");
    }

    #[test]
    fn the_environment_can_be_all_there_is() {
        let route = [
            ("AGIBRIDGE_ROUTES__0__NAME", "a"),
            ("AGIBRIDGE_ROUTES__0__PATH", "/a"),
            ("AGIBRIDGE_ROUTES__0__SERVICES__0__URL", "grpc://h:1"),
        ];
        let variables = || route.into_iter().map(|(name, value)| (name.into(), value.into()));
        let config = load(None, variables()).unwrap().config;
        assert_eq!(&**config.routes.names().next().unwrap(), "a");
        assert!(load(None, variables().skip(1)).is_err());
    }
}
