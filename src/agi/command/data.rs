//! Variables and Asterisk's database. Variables are read between two copies of a mark, whole and exact.

use super::Draft;
use crate::{
    agi::{
        outcome::Kind,
        reply::Mark,
        words::{InvalidArgument, Line},
    },
    proto::{
        DatabaseDel, DatabaseDelTree, DatabaseGet, DatabasePut, GetFullVariable, GetVariable,
        SetVariable,
    },
};

type Result<T = Draft> = std::result::Result<T, InvalidArgument>;

pub(super) fn database_del(command: &DatabaseDel) -> Result {
    let line = Line::new("DATABASE DEL")
        .text("database_del.family", &command.family)?
        .text("database_del.key", &command.key)?;
    Ok(Draft::new(Kind::Positive("the database refused to delete the key"), line))
}

/// Its reply tells whether anything was deleted, the wrong way round; either way the tree is gone.
pub(super) fn database_del_tree(command: &DatabaseDelTree) -> Result {
    let line = Line::new("DATABASE DELTREE")
        .text("database_del_tree.family", &command.family)?
        .optional("database_del_tree.key_tree", &command.key_tree)?;
    Ok(Draft::new(Kind::Plain, line))
}

pub(super) fn database_get(command: &DatabaseGet) -> Result {
    let line = Line::new("DATABASE GET")
        .text("database_get.family", &command.family)?
        .text("database_get.key", &command.key)?;
    Ok(Draft::new(Kind::DatabaseGet, line))
}

pub(super) fn database_put(command: &DatabasePut) -> Result {
    let line = Line::new("DATABASE PUT")
        .text("database_put.family", &command.family)?
        .text("database_put.key", &command.key)?
        .text("database_put.value", &command.value)?;
    Ok(Draft::new(Kind::Positive("the database refused to store the value"), line))
}

pub(super) fn set_variable(command: &SetVariable) -> Result {
    let line = Line::new("SET VARIABLE")
        .required("set_variable.name", &command.name)?
        .text("set_variable.value", &command.value)?;
    Ok(Draft::new(Kind::Plain, line))
}

pub(super) fn get_full_variable(command: &GetFullVariable, random: fn() -> u128) -> Result {
    let GetFullVariable { expression, channel } = command;
    let field = "get_full_variable.expression";
    if !is_closed(expression) {
        let problem = "opens ${ or $[ without its end";
        return Err(InvalidArgument::new(field, problem));
    }
    let mark = Mark::new(random());
    let pieces = [mark.as_bytes(), expression.as_bytes(), mark.as_bytes()];
    let line = Line::new("GET FULL VARIABLE")
        .pieces(field, &pieces)?
        .optional("get_full_variable.channel", channel)?;
    Ok(Draft { line, kind: Kind::FullVariable, mark: Some(mark) })
}

/// Asterisk ends an expression at the bracket that closes it; one that is not closed would swallow the mark.
fn is_closed(expression: &str) -> bool {
    let mut rest = expression.as_bytes();
    while let Some(dollar) = rest.iter().position(|&byte| byte == b'$') {
        rest = &rest[dollar + 1..];
        let (open, close) = match rest.first() {
            Some(b'{') => (b'{', b'}'),
            Some(b'[') => (b'[', b']'),
            Some(_) | None => continue,
        };
        let mut depth = 0_usize;
        let end = rest.iter().position(|&byte| {
            depth += usize::from(byte == open);
            depth -= usize::from(byte == close);
            depth == 0
        });
        match end {
            Some(end) => rest = &rest[end + 1..],
            None => return false,
        }
    }
    true
}

/// The reply tells unset from empty only together with a plain GET VARIABLE behind it.
pub(super) fn get_variable(command: &GetVariable, random: fn() -> u128) -> Result {
    let field = "get_variable.name";
    if let Err(problem) = check_name(&command.name) {
        return Err(InvalidArgument::new(field, problem));
    }
    let mark = Mark::new(random());
    let pieces = [mark.as_bytes(), b"${", command.name.as_bytes(), b"}", mark.as_bytes()];
    let line = Line::new("GET FULL VARIABLE").pieces(field, &pieces)?;
    Ok(Draft { line, kind: Kind::Variable, mark: Some(mark) })
}

/// A name must stay one name between `${` and `}`: a variable, or a function with its arguments.
fn check_name(name: &str) -> std::result::Result<(), &'static str> {
    if name.is_empty() {
        return Err("is empty");
    }
    if name.contains("${") || name.contains("$[") {
        return Err("is an expression; get_full_variable takes it");
    }
    let (mut round, mut curly) = (0_usize, 0_usize);
    for byte in name.bytes() {
        let unbalanced = "has unbalanced brackets; get_full_variable takes expressions";
        match byte {
            b'(' => round += 1,
            b')' => round = round.checked_sub(1).ok_or(unbalanced)?,
            b'{' => curly += 1,
            b'}' => curly = curly.checked_sub(1).ok_or(unbalanced)?,
            b':' if round == 0 => {
                return Err("takes a part of a variable; get_full_variable does that");
            }
            _ => {}
        }
    }
    if round != 0 || curly != 0 {
        return Err("has unbalanced brackets; get_full_variable takes expressions");
    }
    if name.contains('(') && !name.ends_with(')') {
        return Err("has text behind its arguments; get_full_variable takes expressions");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check_lines, check_refused};

    #[test]
    fn lines_for_variables_and_the_database() {
        check_lines(&[
            (r#"{"databaseDel":{"family":"f","key":"k"}}"#, r#"DATABASE DEL "f" "k""#),
            (r#"{"databaseDelTree":{"family":"f"}}"#, r#"DATABASE DELTREE "f""#),
            (r#"{"databaseDelTree":{"family":"f","keyTree":"k"}}"#, r#"DATABASE DELTREE "f" "k""#),
            (r#"{"databaseGet":{"family":"","key":"k"}}"#, r#"DATABASE GET "" "k""#),
            (
                r#"{"databasePut":{"family":"f","key":"k","value":"a b"}}"#,
                r#"DATABASE PUT "f" "k" "a b""#,
            ),
            (
                r#"{"setVariable":{"name":"CALLERID(name)","value":""}}"#,
                r#"SET VARIABLE "CALLERID(name)" """#,
            ),
            (r#"{"getVariable":{"name":"X"}}"#, r#"GET FULL VARIABLE "MARK${X}MARK""#),
            (
                r#"{"getVariable":{"name":"F(a\"b:c)"}}"#,
                r#"GET FULL VARIABLE "MARK${F(a\"b:c)}MARK""#,
            ),
            (r#"{"getVariable":{"name":"X{}[$"}}"#, r#"GET FULL VARIABLE "MARK${X{}[$}MARK""#),
            (
                r#"{"getFullVariable":{"expression":"${X}-$[1+${Y}]"}}"#,
                r#"GET FULL VARIABLE "MARK${X}-$[1+${Y}]MARK""#,
            ),
            (
                r#"{"getFullVariable":{"expression":"","channel":"SIP/1"}}"#,
                r#"GET FULL VARIABLE "MARKMARK" "SIP/1""#,
            ),
            (
                r#"{"getFullVariable":{"expression":"a}b]c$"}}"#,
                r#"GET FULL VARIABLE "MARKa}b]c$MARK""#,
            ),
        ]);
    }

    #[test]
    fn nothing_escapes_the_marks() {
        check_refused(&[
            (r#"{"getVariable":{}}"#, "get_variable.name: is empty"),
            (
                r#"{"getVariable":{"name":"${X}"}}"#,
                "get_variable.name: is an expression; get_full_variable",
            ),
            (r#"{"getVariable":{"name":"A$[1]"}}"#, "get_variable.name: is an expression"),
            (r#"{"getVariable":{"name":"A}B"}}"#, "get_variable.name: has unbalanced brackets"),
            (r#"{"getVariable":{"name":"A{B"}}"#, "get_variable.name: has unbalanced brackets"),
            (r#"{"getVariable":{"name":"F(x"}}"#, "get_variable.name: has unbalanced brackets"),
            (r#"{"getVariable":{"name":"F)x("}}"#, "get_variable.name: has unbalanced brackets"),
            (
                r#"{"getVariable":{"name":"F(x)y"}}"#,
                "get_variable.name: has text behind its arguments",
            ),
            (
                r#"{"getVariable":{"name":"X:1:2"}}"#,
                "get_variable.name: takes a part of a variable",
            ),
            (r#"{"getVariable":{"name":"X\n"}}"#, "get_variable.name: holds LF"),
            (
                r#"{"getFullVariable":{"expression":"${X"}}"#,
                "get_full_variable.expression: opens ${ or $[",
            ),
            (
                r#"{"getFullVariable":{"expression":"a${X{}"}}"#,
                "get_full_variable.expression: opens ${ or $[",
            ),
            (
                r#"{"getFullVariable":{"expression":"$[1+[2]"}}"#,
                "get_full_variable.expression: opens ${ or $[",
            ),
            (
                r#"{"getFullVariable":{"expression":"x","channel":"\n"}}"#,
                "get_full_variable.channel: holds LF",
            ),
            (r#"{"setVariable":{"value":"x"}}"#, "set_variable.name: is empty"),
            (r#"{"setVariable":{"name":"x","value":"\r"}}"#, "set_variable.value: holds CR"),
            (r#"{"databaseGet":{"key":"\n"}}"#, "database_get.key: holds LF"),
            (r#"{"databasePut":{"value":"\n"}}"#, "database_put.value: holds LF"),
        ]);
    }
}
