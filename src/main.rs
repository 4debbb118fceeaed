//! The program `agi-bridge`.

fn main() {}
