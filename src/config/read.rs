//! From the tree to the types of the file, with every fault on the way. One declaration gives a section its fields, its reader
//! and, for the tests and docs, its JSON Schema. It knows no key of ours.

use super::{
    faults::{Fault, Place},
    tree::{Entry, Node, Style, Value, join},
};
use std::path::PathBuf;

/// A type that the tree can be read as.
pub(super) trait Read: Sized {
    /// `None` when it is faulty; the fault was told.
    fn read(node: &Node, path: &str, reader: &mut Reader) -> Option<Self>;

    /// The same in JSON Schema.
    #[cfg(test)]
    fn schema() -> serde_json::Value;
}

/// Collects faults, and knows where relative file names begin.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) faults: Vec<Fault>,
    pub(super) directory: PathBuf,
}

/// A path and the place of what stands, or should stand, there.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    pub(super) path: String,
    pub(super) place: Place,
}

/// The value of a key, or its absence.
#[derive(Debug)]
pub(super) struct Field<T> {
    /// `None` when the key is absent, or its value faulty.
    pub(super) value: Option<T>,
    pub(super) present: bool,
    pub(super) spot: Spot,
}

impl Reader {
    pub(super) fn fault(&mut self, spot: &Spot, what: impl Into<String>) {
        self.faults.push(Fault {
            path: spot.path.clone(),
            place: spot.place.clone(),
            what: what.into(),
        });
    }

    /// Tells that something else was wanted. Always `None`.
    pub(super) fn unfit<T>(
        &mut self,
        node: &Node,
        path: &str,
        what: impl Into<String>,
    ) -> Option<T> {
        self.fault(&Spot { path: path.to_owned(), place: node.place.clone() }, what);
        None
    }
}

/// Keys read together from one map.
pub(super) trait Section: Sized {
    /// Its own keys, and those of the section it includes.
    fn keys() -> Vec<&'static str>;

    fn take(fields: &mut Fields<'_>, reader: &mut Reader) -> Self;

    /// Adds its properties, and the names of those that must be there.
    #[cfg(test)]
    fn describe(
        properties: &mut serde_json::Map<String, serde_json::Value>,
        required: &mut Vec<&str>,
    );
}

/// The entries of a map that were not read yet.
#[derive(Debug)]
pub(super) struct Fields<'n> {
    pub(super) rest: Vec<&'n Entry>,
    spot: Spot,
}

impl<'n> Fields<'n> {
    pub(super) fn new(node: &'n Node, path: &str, reader: &mut Reader) -> Self {
        let spot = Spot { path: path.to_owned(), place: node.place.clone() };
        let rest = match &node.value {
            Value::Map(entries) => entries.iter().collect(),
            Value::Scalar { .. } if node.is_nothing() => Vec::new(),
            Value::Scalar { .. } | Value::List(_) => {
                reader.fault(&spot, "a map of keys and values is wanted here");
                Vec::new()
            }
        };
        Self { rest, spot }
    }

    pub(super) fn take<T: Read>(
        &mut self,
        key: &str,
        required: bool,
        reader: &mut Reader,
    ) -> Field<T> {
        let path = join(&self.spot.path, key);
        let Some(index) = self.rest.iter().position(|entry| entry.key == key) else {
            let spot = Spot { path, place: self.spot.place.clone() };
            if required {
                reader.fault(&spot, "this key is missing");
            }
            return Field { value: None, present: false, spot };
        };
        let entry = self.rest.remove(index);
        let value = T::read(&entry.node, &path, reader);
        Field { value, present: true, spot: Spot { path, place: entry.node.place.clone() } }
    }

    /// What is left is unknown.
    fn finish(self, known: &[&str], reader: &mut Reader) {
        for entry in self.rest {
            let spot = Spot { path: join(&self.spot.path, &entry.key), place: entry.place.clone() };
            reader.fault(&spot, unknown("key", &entry.key, known));
        }
    }
}

/// Reads a whole section.
pub(super) fn read_section<T: Section>(node: &Node, path: &str, reader: &mut Reader) -> Option<T> {
    let mut fields = Fields::new(node, path, reader);
    let section = T::take(&mut fields, reader);
    fields.finish(&T::keys(), reader);
    Some(section)
}

/// Says that there is no such thing, and what was probably meant.
pub(super) fn unknown(thing: &str, given: &str, known: &[&str]) -> String {
    if given == "<<" {
        return "merge keys are not read: what several routes share stands in `defaults`".into();
    }
    let nearest = known
        .iter()
        .map(|known| (strsim::osa_distance(given, known), *known))
        .min()
        .filter(|(distance, known)| *distance <= known.len().max(3) / 3 + 1);
    match nearest {
        Some((_, nearest)) => format!("unknown {thing}; the nearest known one is `{nearest}`"),
        None => format!("unknown {thing}; known are {}", list(known)),
    }
}

fn list(known: &[&str]) -> String {
    known.iter().map(|known| format!("`{known}`")).collect::<Vec<_>>().join(", ")
}

/// Text, and not what YAML takes for something else.
pub(super) fn text<'n>(
    node: &'n Node,
    path: &str,
    wanted: &str,
    reader: &mut Reader,
) -> Option<&'n str> {
    use super::tree::{Kind, kind};
    let Value::Scalar { text, style } = &node.value else {
        return reader.unfit(node, path, format!("{wanted} is wanted here, not a list or a map"));
    };
    let found = if *style == Style::Plain { kind(text) } else { Kind::Text };
    match found {
        Kind::Text if text.is_empty() => {
            reader.unfit(node, path, format!("{wanted} is wanted here, and this is empty"))
        }
        Kind::Text if text.chars().any(char::is_control) => {
            reader.unfit(node, path, format!("{wanted} is wanted here, without control characters"))
        }
        Kind::Text => Some(text),
        Kind::Nothing => {
            reader.unfit(node, path, format!("{wanted} is wanted here, and there is nothing"))
        }
        // The text itself is not shown: it may be a secret.
        Kind::Truth | Kind::Number => {
            let what =
                "and YAML takes this for something else: put it in quotes if it is meant as text";
            reader.unfit(node, path, format!("{wanted} is wanted here, {what}"))
        }
    }
}

#[cfg(test)]
pub(super) fn section_schema<T: Section>(about: &str) -> serde_json::Value {
    let (mut properties, mut required) = (serde_json::Map::new(), Vec::new());
    T::describe(&mut properties, &mut required);
    let kind =
        if required.is_empty() { serde_json::json!(["object", "null"]) } else { "object".into() };
    let mut schema =
        serde_json::json!({"description": about.trim(), "type": kind, "properties": properties});
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema["additionalProperties"] = false.into();
    schema
}

/// Adds what a key is for to the schema of its type.
#[cfg(test)]
pub(super) fn described(mut schema: serde_json::Value, about: &str) -> serde_json::Value {
    let own = schema["description"].as_str().map(str::to_owned);
    schema["description"] = match own {
        Some(own) if !about.contains(own.trim_end_matches('.')) => {
            format!("{} {own}", about.trim())
        }
        Some(_) | None => about.trim().to_owned(),
    }
    .into();
    schema
}

/// Declares a section of the file. `required` after a type: the key must be there. `with name: Section`: the keys of that section
/// stand here too.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        struct $name:ident {
            $( $(#[doc = $doc:literal])+ $field:ident: $type:ty $(, $required:ident)?; )*
            $( with $flat:ident: $flat_type:ty; )?
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug)]
        pub(super) struct $name {
            $( $(#[doc = $doc])+ pub(super) $field: Field<$type>, )*
            $( pub(super) $flat: $flat_type, )?
        }

        impl Section for $name {
            fn keys() -> Vec<&'static str> {
                [$(stringify!($field)),*].into_iter()$(.chain(<$flat_type>::keys()))?.collect()
            }

            fn take(fields: &mut Fields<'_>, reader: &mut Reader) -> Self {
                Self {
                    $( $field: fields.take(stringify!($field), section!(@required $($required)?), reader), )*
                    $( $flat: <$flat_type>::take(fields, reader), )?
                }
            }

            #[cfg(test)]
            fn describe(
                properties: &mut serde_json::Map<String, serde_json::Value>,
                required: &mut Vec<&str>,
            ) {
                $(
                    let about = concat!($($doc),+);
                    properties.insert(stringify!($field).into(), described(<$type>::schema(), about));
                    if section!(@required $($required)?) {
                        required.push(stringify!($field));
                    }
                )*
                $( <$flat_type>::describe(properties, required); )?
            }
        }

        impl Read for $name {
            fn read(node: &Node, path: &str, reader: &mut Reader) -> Option<Self> {
                read_section(node, path, reader)
            }

            #[cfg(test)]
            fn schema() -> serde_json::Value {
                section_schema::<Self>(concat!($($about),+))
            }
        }
    };
    (@required required) => { true };
    (@required) => { false };
}
pub(super) use section;
