//! Close codes, and the gRPC statuses that they stand for. Knows no connection.

use crate::upstream::error::Lost;
use tokio_tungstenite::tungstenite::{
    Error,
    error::ProtocolError,
    protocol::{CloseFrame, frame::coding::CloseCode},
};
use tonic::Code;

/// Codes from here on are gRPC statuses.
const STATUSES: u16 = 4000;
/// The reason of a close frame, in bytes.
const REASON_MAX: usize = 123;

/// The code for a status that has none of its own.
pub(super) fn of_status(code: Code) -> u16 {
    // A status is a small number.
    STATUSES + u16::try_from(i32::from(code)).unwrap_or_default()
}

/// A close frame; a long reason is cut.
pub(super) fn frame(code: u16, reason: &str) -> CloseFrame {
    let reason = &reason[..reason.floor_char_boundary(REASON_MAX)];
    CloseFrame { code: CloseCode::from(code), reason: reason.into() }
}

/// What the peer means by its close frame.
pub(super) fn verdict(frame: Option<&CloseFrame>) -> Result<(), Lost> {
    // Without a code: many libraries close so when told nothing else.
    let Some(CloseFrame { code, reason }) = frame else { return Ok(()) };
    let code = u16::from(*code);
    if code == u16::from(CloseCode::Normal) {
        return Ok(());
    }
    let message = match reason.as_str() {
        "" => format!("closed with {code}"),
        reason => format!("closed with {code}: {reason}"),
    };
    Err(Lost { code: status(code), message })
}

fn status(code: u16) -> Code {
    match code {
        1001 | 1012..=1014 => Code::Unavailable,
        1002 | 1007 | 1010 | 1011 => Code::Internal,
        1003 => Code::InvalidArgument,
        1008 => Code::PermissionDenied,
        1009 => Code::ResourceExhausted,
        // OK is said with 1000: a bare 4000 is some application's own "something failed".
        4001..=4016 => Code::from(i32::from(code - STATUSES)),
        _ => Code::Unknown,
    }
}

/// The peer's fault: the code it is told, and what it comes to here.
pub(super) fn fault(code: CloseCode, message: String) -> (u16, Lost) {
    let code = u16::from(code);
    (code, Lost { code: status(code), message })
}

/// How a connection broke. With a code where the peer is still there to be told.
pub(super) fn broken(error: &Error) -> (Option<u16>, Lost) {
    let code = match error {
        Error::Capacity(_) => CloseCode::Size,
        Error::Utf8(_) => CloseCode::Invalid,
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
        | Error::ConnectionClosed
        | Error::AlreadyClosed => {
            return (None, unavailable("the connection ended without a close".to_owned()));
        }
        Error::Io(error) => {
            let message = format!("connection lost: {}", crate::upstream::io::plain(error));
            return (None, unavailable(message));
        }
        Error::Protocol(_)
        | Error::AttackAttempt
        | Error::Tls(_)
        | Error::WriteBufferFull(_)
        | Error::Url(_)
        | Error::Http(_)
        | Error::HttpFormat(_) => CloseCode::Protocol,
    };
    let (code, lost) = fault(code, error.to_string());
    (Some(code), lost)
}

/// Gone, and nobody said why.
pub(super) fn unavailable(message: String) -> Lost {
    Lost { code: Code::Unavailable, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_means_what_its_code_says() {
        let told = |code: u16, reason: &str| verdict(Some(&frame(code, reason)));
        assert_eq!(verdict(None), Ok(()));
        assert_eq!(told(1000, "bye"), Ok(()));
        let codes = [
            (1001, Code::Unavailable),
            (1002, Code::Internal),
            (1003, Code::InvalidArgument),
            (1007, Code::Internal),
            (1008, Code::PermissionDenied),
            (1009, Code::ResourceExhausted),
            (1011, Code::Internal),
            (1012, Code::Unavailable),
            (1013, Code::Unavailable),
            (3000, Code::Unknown),
            (4000, Code::Unknown),
            (4001, Code::Cancelled),
            (4014, Code::Unavailable),
            (4016, Code::Unauthenticated),
            (4017, Code::Unknown),
        ];
        for (code, status) in codes {
            assert_eq!(told(code, "").expect_err("lost").code, status, "{code}");
        }
        assert_eq!(of_status(Code::Unavailable), 4014);
        let lost = told(1011, "the disk is gone").expect_err("lost");
        assert_eq!(lost.message, "closed with 1011: the disk is gone");
    }

    #[test]
    fn a_reason_is_cut_between_letters() {
        let frame = frame(4001, &"ж".repeat(100));
        assert_eq!(frame.reason.as_str(), "ж".repeat(61));
    }
}
