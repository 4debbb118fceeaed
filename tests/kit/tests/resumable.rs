//! The program that other tests kill. That this test exists also makes `cargo test` build the program.

use std::process::Command;

#[test]
fn it_tells_how_it_is_called() {
    let output = Command::new(env!("CARGO_BIN_EXE_resumable")).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("usage: resumable"), "{said}");
}
