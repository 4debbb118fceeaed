//! What the documentation shows to copy is what the repository has: programs word for word, and configurations in order.

use agi_bridge::config;
use std::{
    fs,
    iter::empty,
    path::{Path, PathBuf},
};

/// A page, the language of its block, and the file that it shows whole.
const WHOLE: [(&str, &str, &str); 3] = [
    ("README.md", "python", "examples/pin/service.py"),
    ("README.md", "yaml", "examples/pin/bridge.yaml"),
    ("docs/services.md", "python", "examples/resume/service.py"),
];
/// Files of which a page shows a part.
const PARTS: [(&str, &str, &str); 2] = [
    ("docs/services.md", "js", "tests/node/service.mjs"),
    ("docs/services.md", "py", "tests/python/worker.py"),
];
/// What a configuration may begin with.
const SECTIONS: [&str; 8] =
    ["agi", "admin", "api", "shutdown", "log", "defaults", "routes", "managers"];
const LEAST_ROUTE: &str =
    "routes: [{name: all, path: '/{*rest}', services: [{url: 'grpc://h:1'}]}]\n";
/// Where the documentation has AGI scripts, and where there are some.
const SCRIPTS: (&str, &str) = ("exec:///var/lib/asterisk/agi-bin/", "tests/scripts/");

#[test]
fn a_page_shows_an_example_as_it_is() {
    for (page, language, name) in WHOLE {
        let shown = blocks(&read(page), language);
        assert!(shown.contains(&read(name)), "{page} shows another {name}");
    }
}

#[test]
fn a_page_shows_a_part_of_a_program_as_it_is() {
    for (page, language, name) in PARTS {
        let (shown, program) = (blocks(&read(page), language), read(name));
        assert!(!shown.is_empty(), "{page} shows no {language}");
        for part in shown {
            assert!(program.contains(&part), "{page} shows what {name} does not have:\n{part}");
        }
    }
}

#[test]
fn the_configurations_to_copy_are_in_order() {
    for name in [
        "examples/pin/bridge.yaml",
        "examples/reminder/bridge.yaml",
        "examples/resume/bridge.yaml",
        "agi-bridge.example.yaml",
    ] {
        let file = root().join(name);
        check(name, &read(name), file.parent().expect("a file stands in a folder"));
    }
}

#[test]
fn every_configuration_that_the_documentation_shows_is_in_order() {
    // Certificates, keys and secrets, of the names that the documentation uses.
    let folder = root().join("tests/config/valid");
    let scripts = format!("exec:{}", root().join(SCRIPTS.1).display());
    let mut found = 0;
    for page in pages() {
        for block in blocks(&read(&page), "yaml") {
            let begins = block.split(':').next().unwrap_or_default();
            if !SECTIONS.contains(&begins) {
                continue; // a scenario
            }
            found += 1;
            let mut text = block.replace(SCRIPTS.0, &scripts);
            if !text.starts_with("routes:") && !text.contains("\nroutes:") {
                text.push_str(LEAST_ROUTE);
            }
            check(&page, &text, &folder);
        }
    }
    assert!(found > 5, "{found}");
}

#[track_caller]
fn check(name: &str, text: &str, folder: &Path) {
    if let Err(faults) = config::parse(Some(text), folder, empty()) {
        panic!("{name}:\n{text}\n{faults}");
    }
}

/// What stands in the fenced blocks of a language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let mut found = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find(&fence) {
        let block = &rest[at + fence.len()..];
        let end = block.find("```\n").expect("a block ends");
        found.push(block[..end].to_owned());
        rest = &block[end..];
    }
    found
}

fn pages() -> Vec<String> {
    let docs = fs::read_dir(root().join("docs")).expect("the documentation");
    let paths: Vec<PathBuf> = docs.map(|entry| entry.expect("an entry").path()).collect();
    let mut pages: Vec<String> = vec!["README.md".into()];
    for path in paths {
        if path.extension().is_some_and(|extension| extension == "md") {
            let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
            pages.push(format!("docs/{name}"));
        }
    }
    assert!(pages.len() > 5, "{pages:?}");
    pages
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).expect("a file of the repository")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
