//! Patterns of names that a policy allows or denies.

use super::{
    read::{Read, Reader, text},
    tree::Node,
};
use crate::agi::{COMMANDS, Glob};
#[cfg(test)]
use serde_json::json;

/// Names of any kind.
#[derive(Debug)]
pub(super) struct Pattern(pub(super) Glob);

impl Read for Pattern {
    fn read(node: &Node, path: &str, reader: &mut Reader) -> Option<Self> {
        let given = text(node, path, "a name, in which `*` may stand for any text,", reader)?;
        if given.contains(['"', '\\', '(', ')', '[', ']', '{', '}', ',', '&']) {
            let what = format!("`{given}`: a name holds no quotes, brackets, commas or `&`");
            return reader.unfit(node, path, what);
        }
        Some(Self(Glob::new(given)))
    }

    #[cfg(test)]
    fn schema() -> serde_json::Value {
        json!({"type": "string", "pattern": "^[^\"\\\\(){}\\[\\],&]+$"})
    }
}

/// Commands of AGI, at least one.
#[derive(Debug)]
pub(super) struct AgiCommand(pub(super) Glob);

impl Read for AgiCommand {
    fn read(node: &Node, path: &str, reader: &mut Reader) -> Option<Self> {
        let Pattern(glob) = Pattern::read(node, path, reader)?;
        if COMMANDS.iter().chain(&["RAW"]).any(|command| glob.matches(command.as_bytes())) {
            return Some(Self(glob));
        }
        reader.unfit(node, path, format!("`{glob}`: AGI has no such command"))
    }

    #[cfg(test)]
    fn schema() -> serde_json::Value {
        Pattern::schema()
    }
}
