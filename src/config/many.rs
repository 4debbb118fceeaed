//! Lists, and maps with names of the file's own choosing.

use super::{
    read::{Field, Fields, Read, Reader, Spot},
    tree::{Entry, Node, Value, join},
};

/// A list of `T`, at least one.
#[derive(Debug)]
pub(super) struct List<T>(pub(super) Vec<Field<T>>);

/// A list of `T`, at least one; a single one may stand without brackets.
#[derive(Debug)]
pub(super) struct OneOrMany<T>(pub(super) Vec<Field<T>>);

fn items<T: Read>(nodes: &[Node], path: &str, reader: &mut Reader) -> Vec<Field<T>> {
    let read = |(index, node): (usize, &Node)| {
        let path = format!("{path}[{index}]");
        let value = T::read(node, &path, reader);
        Field { value, present: true, spot: Spot { path, place: node.place.clone() } }
    };
    nodes.iter().enumerate().map(read).collect()
}

impl<T: Read> Read for List<T> {
    fn read(node: &Node, path: &str, reader: &mut Reader) -> Option<Self> {
        match &node.value {
            Value::List(nodes) if nodes.is_empty() => {
                reader.unfit(node, path, "at least one entry is wanted in this list")
            }
            Value::List(nodes) => Some(Self(items(nodes, path, reader))),
            Value::Scalar { .. } | Value::Map(_) => {
                reader.unfit(node, path, "a list is wanted here")
            }
        }
    }

    #[cfg(test)]
    fn schema() -> serde_json::Value {
        serde_json::json!({"type": "array", "minItems": 1, "items": T::schema()})
    }
}

impl<T: Read> Read for OneOrMany<T> {
    fn read(node: &Node, path: &str, reader: &mut Reader) -> Option<Self> {
        if matches!(node.value, Value::List(_)) {
            return List::read(node, path, reader).map(|List(items)| Self(items));
        }
        let value = Some(T::read(node, path, reader)?);
        let spot = Spot { path: path.to_owned(), place: node.place.clone() };
        Some(Self(vec![Field { value, present: true, spot }]))
    }

    #[cfg(test)]
    fn schema() -> serde_json::Value {
        serde_json::json!({"anyOf": [T::schema(), List::<T>::schema()]})
    }
}

/// Names of the file's own choosing, each with a `T`.
#[derive(Debug)]
pub(super) struct Names<T>(pub(super) Vec<(String, Field<T>)>);

impl<T: Read> Read for Names<T> {
    fn read(node: &Node, path: &str, reader: &mut Reader) -> Option<Self> {
        let fields = Fields::new(node, path, reader);
        let read = |entry: &Entry| {
            let path = join(path, &entry.key);
            let value = T::read(&entry.node, &path, reader);
            let spot = Spot { path, place: entry.place.clone() };
            (entry.key.clone(), Field { value, present: true, spot })
        };
        Some(Self(fields.rest.into_iter().map(read).collect()))
    }

    #[cfg(test)]
    fn schema() -> serde_json::Value {
        serde_json::json!({"type": ["object", "null"], "additionalProperties": T::schema()})
    }
}
