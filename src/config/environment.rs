//! Lays the variables `AGIBRIDGE_…` over the tree: `__` parts the keys, a number counts in a list.

use super::{
    faults::{Fault, Place},
    tree::{self, Entry, Node, Style, Value},
};
use std::{ffi::OsString, sync::Arc};

const PREFIX: &str = "AGIBRIDGE_";
/// Read by the command line, not part of the file.
const OTHERS: [&str; 1] = ["AGIBRIDGE_CONFIG"];
/// Longest list that variables may grow.
const LIST_MAX: usize = 1000;

/// Overrides `root` by every variable that is ours.
pub(super) fn overlay(
    root: &mut Node,
    variables: impl Iterator<Item = (OsString, OsString)>,
    faults: &mut Vec<Fault>,
) {
    let mut ours: Vec<(Vec<String>, Arc<str>, String)> = Vec::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        if OTHERS.contains(&name) {
            continue;
        }
        let variable: Arc<str> = name.into();
        let Some(value) = value.to_str() else {
            faults.push(fault(&variable, "the value is no UTF-8".into()));
            continue;
        };
        let keys = name[PREFIX.len()..].split("__").map(str::to_lowercase).collect();
        ours.push((keys, variable, value.to_owned()));
    }
    // A whole section before its parts, and the entries of a list in their order.
    ours.sort_by_key(|(keys, _, _)| {
        keys.iter().map(|key| (key.parse().unwrap_or(0_usize), key.clone())).collect::<Vec<_>>()
    });
    for (keys, variable, value) in ours {
        if keys.iter().any(String::is_empty) {
            let what = "no such key: write AGIBRIDGE_SECTION__KEY, and a number to count in a list";
            faults.push(fault(&variable, what.into()));
        } else if let Err(what) = set(root, &keys, node(&variable, value, faults)) {
            faults.push(fault(&variable, what));
        }
    }
}

fn fault(variable: &Arc<str>, what: String) -> Fault {
    Fault { path: String::new(), place: Place::Variable(Arc::clone(variable)), what }
}

/// The value of a variable: YAML where it begins as a list or a map, else a scalar of no type.
fn node(variable: &Arc<str>, value: String, faults: &mut Vec<Fault>) -> Node {
    let place = Place::Variable(Arc::clone(variable));
    if value.starts_with(['[', '{']) {
        let mut inner = Vec::new();
        let parsed = tree::parse(&value, &mut inner);
        faults.extend(inner.into_iter().map(|fault| Fault { place: place.clone(), ..fault }));
        if let Some(mut node) = parsed {
            relocate(&mut node, &place);
            return node;
        }
    }
    Node { value: Value::Scalar { text: value, style: Style::Environment }, place }
}

fn relocate(node: &mut Node, place: &Place) {
    node.place = place.clone();
    match &mut node.value {
        Value::Scalar { .. } => {}
        Value::List(items) => items.iter_mut().for_each(|item| relocate(item, place)),
        Value::Map(entries) => {
            for entry in entries {
                entry.place = place.clone();
                relocate(&mut entry.node, place);
            }
        }
    }
}

fn set(target: &mut Node, keys: &[String], value: Node) -> Result<(), String> {
    let Some((key, rest)) = keys.split_first() else {
        *target = value;
        return Ok(());
    };
    let index = key.parse::<usize>().ok().filter(|_| !matches!(target.value, Value::Map(_)));
    if let Some(index) = index {
        return set(item(target, index, &value.place)?, rest, value);
    }
    if !matches!(target.value, Value::Map(_)) {
        *target = Node::empty_map(value.place.clone());
    }
    let Value::Map(entries) = &mut target.value else { return Ok(()) };
    let position =
        entries.iter().position(|entry| plain(&entry.key) == *key).unwrap_or(entries.len());
    if position == entries.len() {
        let place = value.place.clone();
        entries.push(Entry { key: key.clone(), node: Node::nothing(place.clone()), place });
    }
    set(&mut entries[position].node, rest, value)
}

/// The entry of a list, which may be the one after the last.
fn item<'n>(target: &'n mut Node, index: usize, place: &Place) -> Result<&'n mut Node, String> {
    if !matches!(target.value, Value::List(_)) {
        *target = Node { value: Value::List(Vec::new()), place: place.clone() };
    }
    let Value::List(items) = &mut target.value else { return Err("this is no list".into()) };
    let next = items.len();
    if index > next || index >= LIST_MAX {
        return Err(format!(
            "the list has {next} entries, so that the next one is {next}, not {index}"
        ));
    }
    if index == next {
        items.push(Node::nothing(place.clone()));
    }
    Ok(&mut items[index])
}

/// A key as it can stand in the name of a variable.
fn plain(key: &str) -> String {
    key.to_lowercase().replace('-', "_")
}
