//! Names in a text that Asterisk may expand. Knows how Asterisk finds functions and variables, and not which are allowed.

/// Where the text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It is expanded once, and what comes of it names nothing.
    Expression,
    /// It is, or holds, the name of a variable. Application data too: most applications take one somewhere, and where
    /// AGIEXECFULL is set their data is expanded before they see it.
    Name,
    /// As `Name` in front of the equals sign, as `Expression` behind it.
    Assignment { equals: usize },
    /// As `Expression`; without an expression it is only text.
    Prose,
}

/// Whether anything is expanded in it.
pub(super) fn has_expression(text: &[u8]) -> bool {
    next_expression(text).is_some()
}

/// Whether what Asterisk looks up is known only once it has put it together: an expression within another, or in a name.
pub(super) fn is_hidden(text: &[u8], place: Place) -> bool {
    match place {
        Place::Name => has_expression(text) || has_expression(&bare(text)),
        Place::Expression | Place::Prose => is_nested(text),
        Place::Assignment { equals } => {
            let (name, value) = text.split_at(equals);
            is_hidden(name, Place::Name) || is_nested(value)
        }
    }
}

/// Tells each name in it, and whether a function is called by it, until `judge` refuses one. Asterisk, and the applications,
/// take away quotes and backslashes at various times, so it is read with them and without.
pub(super) fn names<E>(
    text: &[u8],
    mut judge: impl FnMut(&[u8], bool) -> Result<(), E>,
) -> Result<(), E> {
    names_of(text, &mut judge)?;
    if text.iter().any(|byte| is_quoting(*byte)) {
        names_of(&bare(text), &mut judge)?;
    }
    Ok(())
}

fn names_of<E>(text: &[u8], judge: &mut impl FnMut(&[u8], bool) -> Result<(), E>) -> Result<(), E> {
    // In `$[…]` blanks may stand before the bracket.
    let spaced = text.windows(2).any(|pair| pair == b"$[");
    let mut rest = text;
    while let Some(start) = rest.iter().position(|byte| is_name(*byte)) {
        rest = &rest[start..];
        let end = rest.iter().position(|byte| !is_name(*byte)).unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end);
        let next = if spaced { behind.trim_ascii_start() } else { behind };
        if next.first() == Some(&b'(') {
            judge(name, true)?;
        } else {
            // `_` and `__` in front of a name have it inherited.
            let underscores = name.iter().take_while(|byte| **byte == b'_').count();
            judge(&name[underscores..], false)?;
        }
        rest = behind;
    }
    Ok(())
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_quoting(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\')
}

fn bare(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|byte| !is_quoting(*byte)).collect()
}

/// Where the next `${` or `$[` begins.
fn next_expression(text: &[u8]) -> Option<usize> {
    text.windows(2).position(|pair| pair == b"${" || pair == b"$[")
}

/// An expression ends at the bracket that closes it; one that is not closed holds all the rest.
fn is_nested(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(start) = next_expression(rest) {
        let (open, close) = if rest[start + 1] == b'{' { (b'{', b'}') } else { (b'[', b']') };
        rest = &rest[start + 1..];
        let mut depth = 0_usize;
        let end = rest.iter().position(|byte| {
            depth += usize::from(*byte == open);
            depth -= usize::from(*byte == close);
            depth == 0
        });
        let end = end.unwrap_or(rest.len());
        if has_expression(&rest[..end]) {
            return true;
        }
        rest = &rest[end..];
    }
    false
}
