//! The README shows the files of its example word for word, and the configurations to copy are in order.

use agi_bridge::config;
use std::{fs, iter::empty, path::Path};

#[test]
fn the_readme_shows_the_example_as_it_is() {
    let readme = read("README.md");
    for (language, name) in
        [("python", "examples/pin/service.py"), ("yaml", "examples/pin/bridge.yaml")]
    {
        let block = format!("```{language}\n{}```\n", read(name));
        assert!(readme.contains(&block), "README.md shows another {name}");
    }
}

#[test]
fn the_configurations_to_copy_are_in_order() {
    for name in ["examples/pin/bridge.yaml", "agi-bridge.example.yaml"] {
        let folder = root().join(name);
        let folder = folder.parent().expect("a file stands in a folder");
        if let Err(faults) = config::parse(Some(&read(name)), folder, empty()) {
            panic!("{name}:\n{faults}");
        }
    }
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).expect("a file of the repository")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
