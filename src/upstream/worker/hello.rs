//! What a worker says of itself, checked: every text is a stranger's. Knows no other worker.

use crate::proto::{WorkerHello, WorkerStatus};
use std::sync::Arc;

/// Bytes of a worker's name.
pub const WORKER_ID_MAX: usize = 256;
/// Groups that one worker serves.
pub const GROUPS_MAX: usize = 64;
/// Labels that one worker bears.
const LABELS_MAX: usize = 64;
/// Bytes of a label's name, and of its value.
const LABEL_BYTES_MAX: usize = 256;
/// Bytes of a group's name, as routes have it.
const GROUP_BYTES_MAX: usize = 64;
/// Bytes of a refusal's reason that are kept.
const REASON_MAX: usize = 200;

/// A hello in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) worker_id: Arc<str>,
    /// No two are alike.
    pub(super) groups: Vec<Arc<str>>,
    /// None: no limit.
    pub(super) max_calls: Option<u32>,
}

/// What is wrong with a hello. Each names the contract's field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HelloError {
    /// The name is missing or too long.
    #[error("worker_id has 1 to {WORKER_ID_MAX} bytes, without control characters")]
    WorkerId,
    /// No group, or too many.
    #[error("groups has 1 to {GROUPS_MAX} entries")]
    Groups,
    /// A name that no route can have.
    #[error("groups: `{0}` is no group: 1 to {GROUP_BYTES_MAX} letters, digits, `-`, `_` and `.`")]
    Group(String),
    /// Too many labels, or too long ones.
    #[error("labels has up to {LABELS_MAX} entries of up to {LABEL_BYTES_MAX} bytes each")]
    Labels,
}

impl Hello {
    pub(super) fn check(hello: WorkerHello) -> Result<Self, HelloError> {
        let id = hello.worker_id;
        if id.is_empty() || id.len() > WORKER_ID_MAX || id.chars().any(char::is_control) {
            return Err(HelloError::WorkerId);
        }
        if hello.groups.is_empty() || hello.groups.len() > GROUPS_MAX {
            return Err(HelloError::Groups);
        }
        let mut groups: Vec<Arc<str>> = Vec::with_capacity(hello.groups.len());
        for group in &hello.groups {
            if !is_group(group) {
                return Err(HelloError::Group(printable(group)));
            }
            if !groups.iter().any(|known| **known == **group) {
                groups.push(group.as_str().into());
            }
        }
        let too_long =
            |(name, value): (&String, &String)| name.len().max(value.len()) > LABEL_BYTES_MAX;
        if hello.labels.len() > LABELS_MAX || hello.labels.iter().any(too_long) {
            return Err(HelloError::Labels);
        }
        let max_calls = (hello.max_calls > 0).then_some(hello.max_calls);
        Ok(Self { worker_id: id.into(), groups, max_calls })
    }
}

/// The load between 0 and 1. A worker that cannot say how loaded it is, is taken for fully loaded.
pub(super) fn load(status: &WorkerStatus) -> f64 {
    if status.load.is_nan() { 1.0 } else { status.load.clamp(0.0, 1.0) }
}

/// The beginning of a stranger's text, fit for a line of the log.
pub(super) fn printable(text: &str) -> String {
    let cut = text.floor_char_boundary(REASON_MAX);
    text[..cut].chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn is_group(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=GROUP_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello() -> WorkerHello {
        WorkerHello {
            worker_id: "w".into(),
            groups: vec!["sales".into()],
            ..WorkerHello::default()
        }
    }

    #[test]
    fn a_hello_is_kept_without_repeated_groups() {
        let groups = vec!["sales".to_owned(), "lab.1".to_owned(), "sales".to_owned()];
        let checked = Hello::check(WorkerHello { groups, max_calls: 3, ..hello() }).unwrap();
        assert_eq!(checked.groups, [Arc::from("sales"), Arc::from("lab.1")]);
        assert_eq!(checked.max_calls, Some(3));
        assert_eq!(Hello::check(hello()).unwrap().max_calls, None);
    }

    #[test]
    fn names_and_numbers_out_of_bounds_are_refused() {
        for worker_id in [String::new(), "a\nb".into(), "a".repeat(WORKER_ID_MAX + 1)] {
            let refused = Hello::check(WorkerHello { worker_id, ..hello() });
            assert_eq!(refused, Err(HelloError::WorkerId));
        }
        for groups in [vec![], vec!["a".to_owned(); GROUPS_MAX + 1]] {
            let refused = Hello::check(WorkerHello { groups, ..hello() });
            assert_eq!(refused, Err(HelloError::Groups));
        }
        for group in ["", "*", "a b", "a/b", &"a".repeat(65)] {
            let refused = Hello::check(WorkerHello { groups: vec![group.into()], ..hello() });
            assert_eq!(refused, Err(HelloError::Group(group.to_owned())));
        }
        let labels = [("a".to_owned(), "b".repeat(LABEL_BYTES_MAX + 1))].into();
        assert_eq!(Hello::check(WorkerHello { labels, ..hello() }), Err(HelloError::Labels));
        let labels = (0..=LABELS_MAX).map(|n| (n.to_string(), String::new())).collect();
        assert_eq!(Hello::check(WorkerHello { labels, ..hello() }), Err(HelloError::Labels));
    }

    #[test]
    fn a_load_that_is_no_share_is_brought_into_range() {
        let of = |load| super::load(&WorkerStatus { load, ..WorkerStatus::default() });
        assert_eq!([of(0.25), of(-1.0), of(7.0), of(f64::NAN)], [0.25, 0.0, 1.0, 1.0]);
    }

    #[test]
    fn a_strangers_text_is_cut_between_characters_and_shows_no_controls() {
        assert_eq!(printable("a\nb"), "a b");
        assert_eq!(printable(&"я".repeat(REASON_MAX)).len(), REASON_MAX);
    }
}
