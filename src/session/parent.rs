//! The parent of a call's trace that the dialplan left in a channel variable: asked for as if it were one more line of the
//! prelude, before anybody has the call. Knows one command, and not what a trace is.

use super::socket::{Read, Socket};
use crate::{
    agi::{Exchange, Incoming, Limits, Reader, Step},
    proto::{GetFullVariable, command::Command, command_result::Outcome},
};
use std::{future::poll_fn, task::Poll};

/// Read between marks, as every variable: no value can be taken for a reply or a hangup. An expression, unlike a name, takes
/// one round trip also where there is no such variable.
const EXPRESSION: &str = "${TRACEPARENT}";

/// What Asterisk said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// What the variable holds, whatever it is.
    pub(super) value: Option<String>,
    /// What else came, for whoever reads on: a hangup, or nothing.
    pub(super) rest: Vec<u8>,
}

/// Why the connection is of no use any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("it closed when it was asked for the parent of its trace")]
    Closed,
    #[error("it did not say the parent of its trace in time")]
    Late,
    #[error("its answer to the question for the parent of its trace is none")]
    NoAnswer,
}

/// Asks for the variable, and waits. Whoever gives up waiting cannot use the connection any more.
pub(super) async fn ask(
    socket: &mut Socket,
    limits: Limits,
    reply_bytes_max: usize,
) -> Result<Told, Fault> {
    let asked = GetFullVariable { expression: EXPRESSION.to_owned(), ..Default::default() };
    let asked = Exchange::new(&Command::GetFullVariable(asked), &limits, rand::random::<u128>);
    // Where lines may be no longer than this one, there is nothing to ask.
    let Ok(mut exchange) = asked else { return Ok(Told::default()) };
    socket.write(&exchange.first_line());
    let mut reader = Reader::new(reply_bytes_max);
    let mut rest = Vec::new();
    loop {
        read(socket, &mut reader).await?;
        while let Some(incoming) = reader.next(exchange.expect()).map_err(|_| Fault::NoAnswer)? {
            if incoming == Incoming::Hangup {
                rest.extend_from_slice(b"HANGUP\n");
                continue;
            }
            match exchange.on_incoming(incoming, !rest.is_empty()) {
                Step::Wait | Step::Progress(_) => {}
                Step::Write(line) => socket.write(&line),
                Step::Desync(_) => return Err(Fault::NoAnswer),
                Step::Done(finished) => {
                    rest.extend_from_slice(&reader.into_rest());
                    return Ok(Told { value: value(finished.outcome), rest });
                }
            }
        }
    }
}

async fn read(socket: &mut Socket, reader: &mut Reader) -> Result<(), Fault> {
    poll_fn(|cx| {
        if socket.has_unsent() && socket.poll_flush(cx).is_pending() {
            return Poll::Pending;
        }
        socket.poll_read(cx, |read| match read {
            Read::Bytes(bytes) => {
                reader.push(bytes);
                Ok(())
            }
            Read::Closed => Err(Fault::Closed),
        })
    })
    .await
}

fn value(outcome: Outcome) -> Option<String> {
    if let Outcome::Value(value) = outcome { value.value } else { None }
}
