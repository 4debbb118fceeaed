//! What is asked of Asterisk. Whatever Asterisk would misread is refused here, before a byte is written.

/// The longest line that Asterisk reads, in bytes, its CR and LF included: a longer one spoils the action, unanswered.
const LINE_BYTES_MAX: usize = 1024;

/// Lines of an action that Asterisk keeps; with more it refuses the action.
const HEADERS_MAX: usize = 128;

/// The longest name of an action, a header or an id, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// Names that the link writes itself.
const OURS: [&str; 2] = ["Action", "ActionID"];

/// These change the session that all share, or hold it up: the link alone logs in and chooses its events.
const SESSION: [&str; 6] = ["Challenge", "Events", "Filter", "Login", "Logoff", "WaitEvent"];

/// One action, fit to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    name: String,
    headers: Vec<(String, String)>,
    id: Option<ActionId>,
}

/// What pairs an answer with its action. One that nobody can guess keeps a variable's value from forging the answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ActionId(String);

/// Asterisk would not read the action as it is meant. Values are not told: they may be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// No action of Asterisk is called so.
    #[error(
        "`{0}` cannot be the name of an action: letters, digits, `-` and `_`, at most {NAME_BYTES_MAX}"
    )]
    Name(String),
    /// It is the link's own business.
    #[error("`{0}` would change the session of the bridge, which all share: it cannot be sent")]
    Session(String),
    /// It would hold up every other action and all events until it is done.
    #[error(
        "an Originate must have `Async: true`: Asterisk does nothing else for this link until it is done"
    )]
    Synchronous,
    /// No header of Asterisk is called so.
    #[error(
        "`{0}` cannot be the name of a header: letters, digits, `-`, `_`, `.`, `(` and `)`, at most {NAME_BYTES_MAX}"
    )]
    Header(String),
    /// The link writes this one.
    #[error("the header `{0}` is set by the bridge itself: leave it out")]
    Ours(String),
    /// A line break would make another header, or another action.
    #[error("the value of `{0}` has a line break or a NUL in it: take it out")]
    LineBreak(String),
    /// Asterisk reads no line that long.
    #[error(
        "the line of `{name}` has {bytes} bytes, and Asterisk takes {LINE_BYTES_MAX}: shorten it, or spread it over several headers"
    )]
    LineTooLong {
        /// Of the header.
        name: String,
        /// With its name, CR and LF.
        bytes: usize,
    },
    /// Asterisk keeps no more.
    #[error("an action has {HEADERS_MAX} lines at most, `Action` and `ActionID` included")]
    TooManyHeaders,
    /// It could not come back as it is.
    #[error("an ActionID has 1 to {NAME_BYTES_MAX} visible ASCII characters")]
    Id,
    /// Its answer could not be told from the other's.
    #[error("an action with this ActionID waits for its answer already: choose another one")]
    IdInUse,
}

impl Action {
    /// An action without headers.
    ///
    /// # Errors
    /// When no action can be called so, or it is not for others than the link to send.
    pub fn new(name: &str) -> Result<Self, ActionError> {
        if let Some(session) = SESSION.iter().find(|it| it.eq_ignore_ascii_case(name)) {
            return Err(ActionError::Session((*session).to_owned()));
        }
        Self::of_session(name)
    }

    /// As [`Self::new`], for the link itself.
    pub(in crate::ami) fn of_session(name: &str) -> Result<Self, ActionError> {
        if !is_name(name, b"-_") {
            return Err(ActionError::Name(shown(name)));
        }
        Ok(Self { name: name.to_owned(), headers: Vec::new(), id: None })
    }

    /// One more header; a name may come more than once, as `Variable` does. Asterisk drops blanks at a value's begin.
    ///
    /// # Errors
    /// When Asterisk would not read it so.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, ActionError> {
        if !is_name(name, b"-_.()") {
            return Err(ActionError::Header(shown(name)));
        }
        if OURS.iter().any(|ours| ours.eq_ignore_ascii_case(name)) {
            return Err(ActionError::Ours(name.to_owned()));
        }
        if value.contains(['\r', '\n', '\0']) {
            return Err(ActionError::LineBreak(name.to_owned()));
        }
        let bytes = name.len() + ": ".len() + value.len() + "\r\n".len();
        if bytes > LINE_BYTES_MAX {
            return Err(ActionError::LineTooLong { name: name.to_owned(), bytes });
        }
        if self.headers.len() + OURS.len() >= HEADERS_MAX {
            return Err(ActionError::TooManyHeaders);
        }
        self.headers.push((name.to_owned(), value.to_owned()));
        Ok(self)
    }

    /// To be sent under this id, and not under one that the link makes up.
    #[must_use]
    pub fn with_id(mut self, id: ActionId) -> Self {
        self.id = Some(id);
        self
    }

    /// As `Originate`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The one that was chosen for it.
    pub fn id(&self) -> Option<&ActionId> {
        self.id.as_ref()
    }

    /// The first value of `name`, in any case.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// What is written to Asterisk, under `id`.
    ///
    /// # Errors
    /// When Asterisk would do nothing else for this link until the action is done.
    pub fn encode(&self, id: &ActionId) -> Result<Vec<u8>, ActionError> {
        if self.name.eq_ignore_ascii_case("Originate") && !self.get("Async").is_some_and(is_true) {
            return Err(ActionError::Synchronous);
        }
        let mut text = format!("Action: {}\r\nActionID: {}\r\n", self.name, id.0);
        for (name, value) in &self.headers {
            text.extend([name, ": ", value, "\r\n"]);
        }
        text.push_str("\r\n");
        Ok(text.into_bytes())
    }
}

impl ActionId {
    /// An id of one's own choosing.
    ///
    /// # Errors
    /// When Asterisk would not give it back as it is.
    pub fn new(text: impl Into<String>) -> Result<Self, ActionError> {
        let text = text.into();
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.is_empty() || text.len() > NAME_BYTES_MAX || !visible {
            return Err(ActionError::Id);
        }
        Ok(Self(text))
    }

    /// One that is made of a number.
    pub fn of(number: u128) -> Self {
        Self(format!("{number:032x}"))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// So that answers are found by what was read.
impl std::borrow::Borrow<str> for ActionId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

fn is_name(name: &str, others: &[u8]) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || others.contains(&byte);
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(fits)
}

/// What Asterisk takes for yes.
fn is_true(value: &str) -> bool {
    ["yes", "true", "y", "t", "1", "on"].iter().any(|yes| yes.eq_ignore_ascii_case(value))
}

/// Short and on one line, for a message.
fn shown(name: &str) -> String {
    name.chars().take(NAME_BYTES_MAX).flat_map(char::escape_default).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ping() -> Action {
        Action::new("Ping").unwrap()
    }

    #[test]
    fn an_action_is_its_lines_and_an_empty_one() {
        let action = Action::new("Originate").unwrap().header("Channel", "Local/1@a").unwrap();
        let action = action.header("Variable", "a=1").unwrap().header("Variable", "b=ü").unwrap();
        let action = action.header("Async", "true").unwrap();
        let id = ActionId::new("id-7").unwrap();
        let text = "Action: Originate\r\nActionID: id-7\r\nChannel: Local/1@a\r\n\
                    Variable: a=1\r\nVariable: b=ü\r\nAsync: true\r\n\r\n";
        assert_eq!(String::from_utf8(action.encode(&id).unwrap()).unwrap(), text);
    }

    #[test]
    fn nothing_can_become_another_line() {
        for bad in ["a\r\nAction: Logoff", "a\n", "\r", "\0"] {
            assert_eq!(ping().header("X", bad), Err(ActionError::LineBreak("X".into())), "{bad:?}");
            assert!(matches!(ping().header(bad, "x"), Err(ActionError::Header(_))), "{bad:?}");
            assert!(matches!(Action::new(bad), Err(ActionError::Name(_))), "{bad:?}");
            assert_eq!(ActionId::new(bad), Err(ActionError::Id), "{bad:?}");
        }
        for bad in ["", "a b", "a:", "ü", &"x".repeat(65)] {
            assert!(matches!(ping().header(bad, "x"), Err(ActionError::Header(_))), "{bad:?}");
        }
        assert_eq!(ping().header("actionid", "x"), Err(ActionError::Ours("actionid".into())));
    }

    #[test]
    fn what_asterisk_would_not_read_is_not_sent() {
        let line = |bytes: usize| "v".repeat(bytes - "Key: \r\n".len());
        assert!(ping().header("Key", &line(LINE_BYTES_MAX)).is_ok());
        let error = ping().header("Key", &line(LINE_BYTES_MAX + 1)).unwrap_err();
        assert_eq!(error, ActionError::LineTooLong { name: "Key".into(), bytes: 1025 });

        let many = (0..126).try_fold(ping(), |action, _| action.header("Variable", "a=1"));
        let many = many.unwrap();
        assert_eq!(many.encode(&ActionId::of(1)).unwrap().split(|&it| it == b'\n').count(), 130);
        assert_eq!(many.header("Variable", "a=1"), Err(ActionError::TooManyHeaders));
    }

    #[test]
    fn the_session_that_all_share_is_left_alone() {
        for name in ["login", "LOGOFF", "Events", "filter"] {
            assert!(matches!(Action::new(name), Err(ActionError::Session(_))), "{name}");
        }
        let originate = Action::new("originate").unwrap();
        assert_eq!(originate.encode(&ActionId::of(1)), Err(ActionError::Synchronous));
        let off = originate.header("Async", "false").unwrap();
        assert_eq!(off.encode(&ActionId::of(1)), Err(ActionError::Synchronous));
    }
}
