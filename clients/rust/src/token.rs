//! The token that a worker shows: always the same, or one that is asked for each time. It knows no bridge.

use crate::{
    dial,
    handler::{BoxError, chain},
};
use std::{path::PathBuf, pin::Pin, time::Duration};
use tokio::{task::spawn_blocking, time::timeout};
use tonic::metadata::AsciiMetadataValue;

/// How long the function of a token may take.
const GIVE: Duration = Duration::from_secs(10);

type Give =
    dyn Fn() -> Pin<Box<dyn Future<Output = Result<String, BoxError>> + Send>> + Send + Sync;

pub(crate) enum Token {
    None,
    Fixed(String),
    Given(Box<Give>),
}

impl Token {
    pub(crate) fn given<G, F, E>(give: G) -> Self
    where
        G: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        Self::Given(Box::new(move || {
            let giving = give();
            Box::pin(async move { giving.await.map_err(Into::into) })
        }))
    }

    /// What is in the file, without space around it.
    pub(crate) fn file(path: PathBuf) -> Self {
        Self::given(move || {
            let path = path.clone();
            async move {
                let name = path.display().to_string();
                let text = spawn_blocking(|| std::fs::read_to_string(path)).await?;
                let text = text.map_err(|error| format!("{name}: {error}"))?;
                Ok::<_, BoxError>(text.trim().to_owned())
            }
        })
    }

    /// Whether the next one may be another.
    pub(crate) fn is_given(&self) -> bool {
        matches!(self, Self::Given(_))
    }

    /// The header that shows it, or why there is none.
    pub(crate) async fn header(&self) -> Result<Option<AsciiMetadataValue>, String> {
        let token = match self {
            Self::None => return Ok(None),
            Self::Fixed(token) => return dial::bearer(token).map(Some),
            Self::Given(give) => timeout(GIVE, give()).await,
        };
        match token {
            Ok(Ok(token)) if token.is_empty() => Err("it is empty".to_owned()),
            Ok(Ok(token)) => dial::bearer(&token).map(Some),
            Ok(Err(error)) => Err(chain(&error)),
            Err(_) => Err(format!("its function has not answered for {} s", GIVE.as_secs())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_function_that_does_not_answer_is_given_up() {
        let token = Token::given(std::future::pending::<Result<String, BoxError>>);
        let why = token.header().await.unwrap_err();
        assert!(why.contains("has not answered for 10 s"), "{why}");
    }
}
