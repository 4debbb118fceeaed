//! YAML text as a tree that remembers places. It knows YAML and no key of ours.

use super::faults::{Fault, Place};
use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use std::{borrow::Cow, collections::HashMap};

/// Nodes of one document at most, aliases counted at their full size.
const NODES_MAX: usize = 50_000;
/// Levels at most.
const DEPTH_MAX: usize = 32;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) place: Place,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    Scalar { text: String, style: Style },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) place: Place,
    pub(super) node: Node,
}

/// What a scalar may be taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Text, a number, a truth value or nothing, as YAML's core schema reads it.
    Plain,
    /// Text only.
    Quoted,
    /// Whatever is wanted: an environment variable has no types.
    Environment,
}

/// What YAML's core schema takes a plain scalar for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Nothing,
    Truth,
    Number,
    Text,
}

impl Node {
    pub(super) fn empty_map(place: Place) -> Self {
        Self { value: Value::Map(Vec::new()), place }
    }

    pub(super) fn nothing(place: Place) -> Self {
        Self { value: Value::Scalar { text: String::new(), style: Style::Plain }, place }
    }

    /// Whether nothing was written, as after `agi:` alone.
    pub(super) fn is_nothing(&self) -> bool {
        match &self.value {
            Value::Scalar { text, style: Style::Plain } => kind(text) == Kind::Nothing,
            Value::Scalar { .. } | Value::List(_) | Value::Map(_) => false,
        }
    }

    fn size(&self) -> usize {
        1 + match &self.value {
            Value::Scalar { .. } => 0,
            Value::List(items) => items.iter().map(Self::size).sum(),
            Value::Map(entries) => entries.iter().map(|entry| entry.node.size()).sum(),
        }
    }
}

/// What a plain scalar is.
pub(super) fn kind(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Nothing,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Kind::Truth,
        _ if is_number(text) => Kind::Number,
        _ => Kind::Text,
    }
}

fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if let Some(digits) = text.strip_prefix("0x") {
        return !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return !digits.is_empty() && digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    }
    let special =
        [".inf", ".Inf", ".INF"].contains(&unsigned) || [".nan", ".NaN", ".NAN"].contains(&text);
    let numeric = unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && unsigned.bytes().any(|byte| byte.is_ascii_digit())
        && unsigned.parse::<f64>().is_ok();
    special || numeric
}

/// Reads the one document in `text`. Faults that leave a tree are added to `faults`; `None` when none could be made.
pub(super) fn parse(text: &str, faults: &mut Vec<Fault>) -> Option<Node> {
    let mut builder =
        Builder { open: Vec::new(), anchors: HashMap::new(), root: None, nodes: 0, faults };
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let stop = match event {
            Ok((Event::DocumentStart(_), span)) if documents > 0 => builder
                .fault(place(span), "a second document begins: the configuration is one".into()),
            Ok((Event::DocumentStart(_), _)) => {
                documents += 1;
                Ok(())
            }
            Ok((event, span)) => builder.take(event, place(span)),
            Err(error) => {
                let place =
                    Place::Line { line: error.marker().line(), column: error.marker().col() + 1 };
                builder.fault(place, format!("this is no YAML: {}", error.info()))
            }
        };
        if stop.is_err() {
            return None;
        }
    }
    builder.root.take()
}

fn place(span: Span) -> Place {
    Place::Line { line: span.start.line(), column: span.start.col() + 1 }
}

/// The document cannot be read on; the fault was noted.
struct Stop;

struct Builder<'f> {
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
    nodes: usize,
    faults: &'f mut Vec<Fault>,
}

struct Open {
    node: Node,
    anchor: usize,
    /// The key that waits for its value, in a map.
    key: Option<(String, Place)>,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, place: Place) -> Result<(), Stop> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let style = self.style(style, tag, &place)?;
                self.add(
                    Node { value: Value::Scalar { text: text.into_owned(), style }, place },
                    anchor,
                )
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(Value::List(Vec::new()), anchor, tag, place)
            }
            Event::MappingStart(anchor, tag) => {
                self.open(Value::Map(Vec::new()), anchor, tag, place)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let closed = self.open.pop().expect("the parser closes only what it opened");
                self.add(closed.node, closed.anchor)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(node) => {
                    let (node, size) = (node.clone(), node.size());
                    self.nodes += size;
                    self.add(Node { place, ..node }, 0)
                }
                None => self.fault(place, "this alias stands inside of its own anchor".into()),
            },
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn style(
        &mut self,
        style: ScalarStyle,
        tag: Option<Cow<'_, Tag>>,
        place: &Place,
    ) -> Result<Style, Stop> {
        match tag {
            Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => {
                return Ok(Style::Quoted);
            }
            Some(tag) => {
                self.fault(place.clone(), format!("tags such as `{tag}` are not used here"))?
            }
            None => {}
        }
        Ok(if style == ScalarStyle::Plain { Style::Plain } else { Style::Quoted })
    }

    fn open(
        &mut self,
        value: Value,
        anchor: usize,
        tag: Option<Cow<'_, Tag>>,
        place: Place,
    ) -> Result<(), Stop> {
        if let Some(tag) = tag {
            self.fault(place.clone(), format!("tags such as `{tag}` are not used here"))?;
        }
        if self.open.len() >= DEPTH_MAX {
            return self.fault(place, format!("nested deeper than {DEPTH_MAX} levels"));
        }
        self.open.push(Open { node: Node { value, place }, anchor, key: None });
        Ok(())
    }

    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Stop> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return self.fault(
                node.place,
                format!("more than {NODES_MAX} values, aliases counted in full"),
            );
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let path = self.path();
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut parent.node.value {
            Value::List(items) => items.push(node),
            Value::Map(entries) => match parent.key.take() {
                Some((key, place)) if entries.iter().any(|entry| entry.key == key) => {
                    self.faults.push(Fault {
                        path,
                        place,
                        what: "this key stands here twice".into(),
                    });
                }
                Some((key, place)) => entries.push(Entry { key, place, node }),
                None => match node.value {
                    Value::Scalar { text, .. } => parent.key = Some((text, node.place)),
                    Value::List(_) | Value::Map(_) => {
                        return self.fault(node.place, "a key is text, not a list or a map".into());
                    }
                },
            },
            Value::Scalar { .. } => {}
        }
        Ok(())
    }

    fn fault(&mut self, place: Place, what: String) -> Result<(), Stop> {
        let path = self.path();
        self.faults.push(Fault { path, place, what });
        Err(Stop)
    }

    /// The path of the value that comes next.
    fn path(&self) -> String {
        let mut path = String::new();
        for open in &self.open {
            match (&open.node.value, &open.key) {
                (Value::List(items), _) => path.push_str(&format!("[{}]", items.len())),
                (Value::Map(_), Some((key, _))) => path = join(&path, key),
                (Value::Map(_) | Value::Scalar { .. }, _) => {}
            }
        }
        path
    }
}

/// The path of `key` in the map at `path`.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
