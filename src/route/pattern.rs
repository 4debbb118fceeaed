//! One path of the table, in the syntax of `matchit`. It knows no conditions and no services.

use matchit::Router;
use percent_encoding::percent_decode_str;
use std::collections::HashSet;

/// A checked path: `/support/{queue}`, `/{*rest}`.
///
/// A catch-all also matches nothing at all: `/{*rest}` takes `/`, and `/a/{*rest}` takes `/a/`.
#[derive(Debug, Clone)]
pub struct Pattern {
    router: Router<()>,
    text: String,
    catch_all: Option<CatchAll>,
}

#[derive(Debug, Clone)]
struct CatchAll {
    before: String,
    name: String,
}

/// Why a path cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The path is relative.
    #[error("a path begins with `/`")]
    NoSlash,
    /// It can never match: the query of an AGI URL is no part of its path.
    #[error("a path holds no `?` and no `#`: ask for a query parameter with `when.query`")]
    Query,
    /// The syntax is wrong.
    #[error("no such path pattern ({0}): write `/fixed`, `/{{name}}` or, at the end, `/{{*rest}}`")]
    Syntax(String),
    /// A name stands for two parameters.
    #[error("the parameter `{0}` stands twice in the path")]
    Repeated(String),
}

impl Pattern {
    /// Checks `text`.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        if !text.starts_with('/') {
            return Err(PatternError::NoSlash);
        }
        if text.contains(['?', '#']) {
            return Err(PatternError::Query);
        }
        let mut router = Router::new();
        router
            .insert(text, ())
            .map_err(|error| PatternError::Syntax(error.to_string().to_lowercase()))?;
        let mut names = HashSet::new();
        if let Some(name) =
            parameter_names(text).into_iter().find(|name| !names.insert(name.clone()))
        {
            return Err(PatternError::Repeated(name));
        }
        Ok(Self { router, text: text.to_owned(), catch_all: catch_all(text) })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names of its parameters, from left to right.
    pub fn parameter_names(&self) -> Vec<String> {
        parameter_names(&self.text)
    }

    /// The parameters of `path`, percent-decoded (bytes that are no UTF-8 become U+FFFD); `None` when it does not match.
    pub fn matches(&self, path: &str) -> Option<Vec<(String, String)>> {
        if let Some(found) = &self.catch_all
            && found.before == path
        {
            return Some(vec![(found.name.clone(), String::new())]);
        }
        let found = self.router.at(path).ok()?;
        let decoded = |value| percent_decode_str(value).decode_utf8_lossy().into_owned();
        Some(found.params.iter().map(|(name, value)| (name.to_owned(), decoded(value))).collect())
    }

    /// Whether every path that `other` matches is matched by this one too. `false` where that is not plain to see.
    pub fn covers(&self, other: &Self) -> bool {
        let mut theirs = other.text.split('/');
        for ours in self.text.split('/') {
            let Some(their) = theirs.next() else { return false };
            if is_catch_all(ours) {
                return true;
            }
            let same = ours == their && !ours.contains('{');
            if !same && (!is_parameter(ours) || is_catch_all(their) || their.is_empty()) {
                return self.same_shape(other);
            }
        }
        theirs.next().is_none()
    }

    /// Whether both are the same path but for the names of parameters.
    fn same_shape(&self, other: &Self) -> bool {
        shape(&self.text) == shape(&other.text)
    }
}

fn is_parameter(segment: &str) -> bool {
    segment.starts_with('{')
        && !segment.starts_with("{{")
        && segment.find('}') == Some(segment.len() - 1)
}

fn is_catch_all(segment: &str) -> bool {
    segment.starts_with("{*") && is_parameter(segment)
}

fn catch_all(text: &str) -> Option<CatchAll> {
    let (before, last) = text.rsplit_once('/')?;
    let name = last.strip_prefix("{*")?.strip_suffix('}')?.to_owned();
    Some(CatchAll { before: format!("{before}/"), name })
}

/// The parts of `text`: fixed text, or the name of a parameter. `matchit` accepted it before.
fn parts(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut fixed = String::new();
    let mut rest = text.chars().peekable();
    while let Some(letter) = rest.next() {
        if matches!(letter, '{' | '}') && rest.peek() == Some(&letter) {
            rest.next();
            fixed.push(letter);
        } else if letter == '{' {
            let name: String = rest.by_ref().take_while(|&letter| letter != '}').collect();
            parts.push(Part::Fixed(std::mem::take(&mut fixed)));
            parts.push(Part::Parameter(name));
        } else {
            fixed.push(letter);
        }
    }
    parts.push(Part::Fixed(fixed));
    parts
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Fixed(String),
    Parameter(String),
}

fn parameter_names(text: &str) -> Vec<String> {
    parts(text)
        .into_iter()
        .filter_map(|part| match part {
            Part::Parameter(name) => Some(name.trim_start_matches('*').to_owned()),
            Part::Fixed(_) => None,
        })
        .collect()
}

fn shape(text: &str) -> Vec<Part> {
    parts(text)
        .into_iter()
        .map(|part| match part {
            Part::Parameter(name) if name.starts_with('*') => Part::Parameter("*".into()),
            Part::Parameter(_) => Part::Parameter(String::new()),
            Part::Fixed(text) => Part::Fixed(text),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::new(text).unwrap()
    }

    #[test]
    fn parameters_are_percent_decoded() {
        let found = pattern("/s/{queue}/{*rest}").matches("/s/a%20b/c%2Fd/e").unwrap();
        assert_eq!(found, [("queue".into(), "a b".into()), ("rest".into(), "c/d/e".into())]);
    }

    #[test]
    fn a_catch_all_takes_the_empty_rest() {
        assert_eq!(pattern("/{*rest}").matches("/").unwrap(), [("rest".into(), String::new())]);
        assert!(pattern("/a/{*rest}").matches("/a/").is_some());
        assert!(pattern("/a/{*rest}").matches("/a").is_none());
    }

    #[test]
    fn bad_paths_are_named() {
        for bad in ["", "support", "/a?b=1", "/{a}{b}", "/{*a}/b", "/{", "/{}", "/{a}/{a}", "/a}"] {
            assert!(Pattern::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn covering_is_seen_where_it_is_plain() {
        let covers = |a: &str, b: &str| pattern(a).covers(&pattern(b));
        assert!(covers("/{*rest}", "/a/b"));
        assert!(covers("/{*rest}", "/"));
        assert!(covers("/a/{x}", "/a/{y}"));
        assert!(covers("/a/{x}", "/a/b"));
        assert!(covers("/a/v{x}", "/a/v{y}"));
        assert!(covers("/{{a}}", "/{{a}}"));
        assert!(!covers("/a/{x}", "/a/"));
        assert!(!covers("/a/{x}", "/a/{*y}"));
        assert!(!covers("/a/{*x}", "/a"));
        assert!(!covers("/a/b", "/a/{x}"));
        assert!(!covers("/a", "/a/b"));
    }

    fn path() -> impl Strategy<Value = String> {
        let segment =
            prop_oneof!["[ab]", "[ab]?\\{x[0-9]\\}", "\\{x[0-9]\\}[ab]", "\\{\\{[ab]\\}\\}", ""];
        let last = prop_oneof![2 => "[ab]", 1 => "\\{x9\\}", 1 => "\\{\\*rest\\}", 1 => ""];
        (prop::collection::vec(segment, 0..3), last).prop_map(|(segments, last)| {
            segments.into_iter().chain([last]).map(|s| format!("/{s}")).collect()
        })
    }

    proptest! {
        #[test]
        fn what_is_covered_matches_no_more(one in path(), other in path(), tried in "(/(a|b|aa|ab|bb|\\{a\\}|)){1,4}") {
            let (Ok(one), Ok(other)) = (Pattern::new(&one), Pattern::new(&other)) else { return Ok(()) };
            if one.covers(&other) && other.matches(&tried).is_some() {
                prop_assert!(one.matches(&tried).is_some(), "{one:?} covers {other:?}, but not {tried}");
            }
        }

        #[test]
        fn no_text_panics(text in ".{0,30}", path in ".{0,30}") {
            if let Ok(pattern) = Pattern::new(&text) {
                let names = pattern.parameter_names();
                if let Some(found) = pattern.matches(&path) {
                    prop_assert_eq!(found.into_iter().map(|(name, _)| name).collect::<Vec<_>>(), names);
                }
            }
        }
    }
}
