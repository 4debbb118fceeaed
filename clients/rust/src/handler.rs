//! The handler, in a form that transports can keep.

use crate::{
    call::Call,
    error::{Error, NO_INPUT},
};
use std::pin::Pin;

/// Any error: what `?` makes of errors in a handler that uses more than one kind.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

type Run = dyn Fn(Call) -> Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>> + Send + Sync;

/// A handler of calls.
pub(crate) struct Handler(Box<Run>);

impl std::fmt::Debug for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handler")
    }
}

impl Handler {
    pub(crate) fn new<H, F, E>(handler: H) -> Self
    where
        H: Fn(Call) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError>,
    {
        Self(Box::new(move |call| {
            let handling = handler(call);
            Box::pin(async move { handling.await.map_err(Into::into) })
        }))
    }

    pub(crate) fn run(
        &self,
        call: Call,
    ) -> Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>> {
        (self.0)(call)
    }
}

/// What an error of a handler is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    HungUp,
    NoInput,
    Lost,
    /// A command's `CALL_ENDED`.
    CallEnded,
    Other,
}

impl Ending {
    pub(crate) fn of(error: &BoxError) -> Self {
        let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error.as_ref());
        while let Some(error) = next {
            if let Some(error) = error.downcast_ref::<Error>() {
                return match error {
                    Error::HungUp => Self::HungUp,
                    Error::NoInput { .. } => Self::NoInput,
                    Error::Lost(_) => Self::Lost,
                    Error::Command(it) if it.code == crate::Code::CallEnded => Self::CallEnded,
                    Error::Command(_) | Error::Manager(_) | Error::Misuse(_) => Self::Other,
                };
            }
            // Boxes such as anyhow's hide the type, but not the text.
            let text = error.to_string();
            if text == Error::HungUp.to_string() {
                return Self::HungUp;
            }
            if text.starts_with(NO_INPUT) {
                return Self::NoInput;
            }
            next = error.source();
        }
        Self::Other
    }
}

/// An error and what caused it, in a line.
pub(crate) fn chain(error: &BoxError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let cause = error.to_string();
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
        next = error.source();
    }
    text
}
