//! What people otherwise write again and again: ask for digits, choose from a menu, confirm, play a list. All of it is
//! made of commands, so hangup, dropping and errors are as for any command.

use crate::{call::Call, error::Error, time::secs};
use std::{fmt, pin::Pin, time::Duration};

/// All twelve: any of them stops a menu.
const ALL_DIGITS: &str = "0123456789*#";
const TIMEOUT: Duration = secs(5);
const TRIES: u32 = 3;

type Validate = Box<dyn Fn(&str) -> bool + Send>;
type Answer<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

/// Prompts.
impl Call {
    /// Plays files one after the other, until one of [`escape_digits`](Play::escape_digits) is pressed: gives that digit,
    /// or `None`.
    pub fn play(&self, files: impl IntoIterator<Item = impl Into<String>>) -> Play {
        let files = files.into_iter().map(Into::into).collect();
        Play { call: self.clone(), files, escape_digits: String::new() }
    }

    /// Asks for digits, with tries and a validator.
    ///
    /// ```no_run
    /// # async fn f(call: agibridge::Call) -> Result<(), agibridge::Error> {
    /// let pin = call.ask("vm-password", 4).validate(|pin| pin == "1234").invalid("vm-incorrect").await?;
    /// # Ok(()) }
    /// ```
    pub fn ask(&self, prompt: impl Into<String>, max_digits: u32) -> Ask {
        Ask {
            call: self.clone(),
            prompt: prompt.into(),
            max_digits,
            timeout: TIMEOUT,
            tries: TRIES,
            validate: None,
            invalid: None,
        }
    }

    /// Lets the caller choose: gives what stands at the digit that was pressed.
    ///
    /// ```no_run
    /// # async fn f(call: agibridge::Call) -> Result<(), agibridge::Error> {
    /// let department = call.menu("press-1-or-2", [('1', "sales"), ('2', "support")]).await?;
    /// # Ok(()) }
    /// ```
    pub fn menu<T>(
        &self,
        prompt: impl Into<String>,
        choices: impl IntoIterator<Item = (char, T)>,
    ) -> Menu<T> {
        Menu {
            call: self.clone(),
            prompt: prompt.into(),
            choices: choices.into_iter().collect(),
            timeout: TIMEOUT,
            tries: TRIES,
            invalid: None,
        }
    }

    /// A menu of two: true or false, for `1` and `2` unless set.
    pub fn confirm(&self, prompt: impl Into<String>) -> Confirm {
        Confirm { menu: self.menu(prompt, []), yes: '1', no: '2' }
    }
}

/// See [`Call::play`].
///
/// # Errors
///
/// As for [`Call::stream_file`].
#[derive(Debug)]
#[must_use = "nothing is played unless it is awaited"]
pub struct Play {
    call: Call,
    files: Vec<String>,
    escape_digits: String,
}

impl Play {
    /// The digits that stop it; none unless set.
    pub fn escape_digits(mut self, digits: impl Into<String>) -> Self {
        self.escape_digits = digits.into();
        self
    }
}

impl IntoFuture for Play {
    type Output = Result<Option<char>, Error>;
    type IntoFuture = Answer<Option<char>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            for file in self.files {
                let played = self.call.stream_file(file).escape_digits(&self.escape_digits).await?;
                if played.digit.is_some() {
                    return Ok(played.digit);
                }
            }
            Ok(None)
        })
    }
}

/// See [`Call::ask`].
///
/// # Errors
///
/// [`Error::NoInput`] after the last try, and otherwise as for [`Call::get_data`].
#[must_use = "nothing is asked unless it is awaited"]
pub struct Ask {
    call: Call,
    prompt: String,
    max_digits: u32,
    timeout: Duration,
    tries: u32,
    validate: Option<Validate>,
    invalid: Option<String>,
}

impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ask").field("prompt", &self.prompt).finish_non_exhaustive()
    }
}

impl Ask {
    /// Before the first digit and between digits, from the prompt's end; 5 s unless set.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// How often it is asked, 3 times unless set.
    pub fn tries(mut self, tries: u32) -> Self {
        self.tries = tries;
        self
    }

    /// Which digits will do; any, unless set.
    pub fn validate(mut self, accepts: impl Fn(&str) -> bool + Send + 'static) -> Self {
        self.validate = Some(Box::new(accepts));
        self
    }

    /// What is played after digits that will not do; nothing unless set.
    pub fn invalid(mut self, file: impl Into<String>) -> Self {
        self.invalid = Some(file.into());
        self
    }
}

impl IntoFuture for Ask {
    type Output = Result<String, Error>;
    type IntoFuture = Answer<String>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            for _ in 0..self.tries {
                let ask = self.call.get_data(&self.prompt).timeout(self.timeout);
                let digits = ask.max_digits(self.max_digits).await?.digits;
                if digits.is_empty() {
                    continue;
                }
                if self.validate.as_ref().is_none_or(|accepts| accepts(&digits)) {
                    return Ok(digits);
                }
                play_invalid(&self.call, self.invalid.as_deref()).await?;
            }
            Err(Error::NoInput { tries: self.tries })
        })
    }
}

/// See [`Call::menu`].
///
/// # Errors
///
/// [`Error::NoInput`] after the last try, and otherwise as for [`Call::get_option`].
#[derive(Debug)]
#[must_use = "nothing is asked unless it is awaited"]
pub struct Menu<T> {
    call: Call,
    prompt: String,
    choices: Vec<(char, T)>,
    timeout: Duration,
    tries: u32,
    invalid: Option<String>,
}

impl<T> Menu<T> {
    /// How long to wait for a digit, from the prompt's end; 5 s unless set.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// How often it is asked, 3 times unless set.
    pub fn tries(mut self, tries: u32) -> Self {
        self.tries = tries;
        self
    }

    /// What is played after a digit that stands for nothing; nothing unless set.
    pub fn invalid(mut self, file: impl Into<String>) -> Self {
        self.invalid = Some(file.into());
        self
    }
}

impl<T: Send + 'static> IntoFuture for Menu<T> {
    type Output = Result<T, Error>;
    type IntoFuture = Answer<T>;

    fn into_future(mut self) -> Self::IntoFuture {
        Box::pin(async move {
            for _ in 0..self.tries {
                let option = self.call.get_option(&self.prompt, ALL_DIGITS).timeout(self.timeout);
                let Some(digit) = option.await?.digit else { continue };
                if let Some(at) = self.choices.iter().position(|(key, _)| *key == digit) {
                    return Ok(self.choices.swap_remove(at).1);
                }
                play_invalid(&self.call, self.invalid.as_deref()).await?;
            }
            Err(Error::NoInput { tries: self.tries })
        })
    }
}

/// See [`Call::confirm`].
///
/// # Errors
///
/// As for a [`Menu`].
#[derive(Debug)]
#[must_use = "nothing is asked unless it is awaited"]
pub struct Confirm {
    menu: Menu<bool>,
    yes: char,
    no: char,
}

impl Confirm {
    /// The digit for true, `1` unless set.
    pub fn yes(mut self, digit: char) -> Self {
        self.yes = digit;
        self
    }

    /// The digit for false, `2` unless set.
    pub fn no(mut self, digit: char) -> Self {
        self.no = digit;
        self
    }

    /// How long to wait for a digit, from the prompt's end; 5 s unless set.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.menu = self.menu.timeout(limit);
        self
    }

    /// How often it is asked, 3 times unless set.
    pub fn tries(mut self, tries: u32) -> Self {
        self.menu = self.menu.tries(tries);
        self
    }

    /// What is played after another digit; nothing unless set.
    pub fn invalid(mut self, file: impl Into<String>) -> Self {
        self.menu = self.menu.invalid(file);
        self
    }
}

impl IntoFuture for Confirm {
    type Output = Result<bool, Error>;
    type IntoFuture = Answer<bool>;

    fn into_future(mut self) -> Self::IntoFuture {
        self.menu.choices = vec![(self.yes, true), (self.no, false)];
        self.menu.into_future()
    }
}

async fn play_invalid(call: &Call, file: Option<&str>) -> Result<(), Error> {
    if let Some(file) = file {
        call.stream_file(file).await?;
    }
    Ok(())
}
