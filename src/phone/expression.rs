//! `$[…]`: comparison, arithmetic and logic of the dialplan. Text compares as text, numbers as numbers.

use std::iter::Peekable;

/// Deeper brackets make the expression worthless.
const DEPTH_MAX: usize = 32;

/// The value of an expression; empty when it is none, as Asterisk has it after its warning.
pub(super) fn evaluate(text: &str) -> String {
    let mut parser = Parser { tokens: tokens(text).into_iter().peekable(), depth: 0 };
    let value = parser.binary(0);
    value.filter(|_| parser.tokens.peek().is_none()).unwrap_or_default()
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Value(String),
    Operator(&'static str),
}

/// Longest first where one begins another; with its rank, higher binds tighter.
const OPERATORS: [(&str, usize); 16] = [
    ("||", 0),
    ("|", 0),
    ("&&", 1),
    ("&", 1),
    ("!=", 2),
    ("==", 2),
    (">=", 2),
    ("<=", 2),
    ("=", 2),
    (">", 2),
    ("<", 2),
    ("+", 3),
    ("-", 3),
    ("*", 4),
    ("/", 4),
    ("%", 4),
];
const RANK_MAX: usize = 5;

struct Parser {
    tokens: Peekable<std::vec::IntoIter<Token>>,
    depth: usize,
}

impl Parser {
    fn binary(&mut self, rank: usize) -> Option<String> {
        if rank >= RANK_MAX {
            return self.unary();
        }
        let mut left = self.binary(rank + 1)?;
        while let Some(Token::Operator(operator)) = self.tokens.peek().cloned() {
            if !OPERATORS.contains(&(operator, rank)) {
                break;
            }
            self.tokens.next();
            let right = self.binary(rank + 1)?;
            left = apply(operator, &left, &right)?;
        }
        Some(left)
    }

    fn unary(&mut self) -> Option<String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return None;
        }
        let value = match self.tokens.next()? {
            Token::Value(value) => value,
            Token::Operator("-") => (-number(&self.unary()?)?).to_string(),
            Token::Operator("!") => u8::from(!truth(&self.unary()?)).to_string(),
            Token::Operator("(") => {
                let value = self.binary(0)?;
                (self.tokens.next()? == Token::Operator(")")).then_some(value)?
            }
            Token::Operator(_) => return None,
        };
        self.depth -= 1;
        Some(value)
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let (mut tokens, mut rest) = (Vec::new(), text.trim_start());
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix('"') {
            let end = quoted.find('"').unwrap_or(quoted.len());
            tokens.push(Token::Value(quoted[..end].to_owned()));
            rest = quoted.get(end + 1..).unwrap_or_default().trim_start();
            continue;
        }
        let mut known = OPERATORS.iter().map(|(text, _)| *text).chain(["(", ")", "!"]);
        if let Some(operator) = known.find(|text| rest.starts_with(text)) {
            tokens.push(Token::Operator(operator));
            rest = rest[operator.len()..].trim_start();
            continue;
        }
        let end = rest.find(|c: char| " \t\"()=!<>|&+*/%".contains(c)).unwrap_or(rest.len());
        let end = end.max(rest.chars().next().map_or(1, char::len_utf8));
        tokens.push(Token::Value(rest[..end].to_owned()));
        rest = rest[end..].trim_start();
    }
    tokens
}

fn apply(operator: &str, left: &str, right: &str) -> Option<String> {
    let order = match (number(left), number(right)) {
        (Some(left), Some(right)) => left.partial_cmp(&right)?,
        _ => left.cmp(right),
    };
    let whether = |yes: bool| Some(u8::from(yes).to_string());
    match operator {
        "=" | "==" => whether(order.is_eq()),
        "!=" => whether(order.is_ne()),
        "<" => whether(order.is_lt()),
        ">" => whether(order.is_gt()),
        "<=" => whether(order.is_le()),
        ">=" => whether(order.is_ge()),
        "|" | "||" => Some(if truth(left) { left } else { right }.to_owned()),
        "&" | "&&" => Some(if truth(left) && truth(right) { left } else { "0" }.to_owned()),
        _ => {
            let (left, right) = (number(left)?, number(right)?);
            let value = match operator {
                "+" => left + right,
                "-" => left - right,
                "*" => left * right,
                "/" if right != 0.0 => left / right,
                "%" if right != 0.0 => left % right,
                _ => return None,
            };
            Some(value.to_string())
        }
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

fn truth(text: &str) -> bool {
    !text.is_empty() && number(text) != Some(0.0)
}

#[cfg(test)]
mod tests {
    use super::evaluate;

    #[test]
    fn expressions() {
        for (text, expected) in [
            ("1 + 2 * 3", "7"),
            ("(1 + 2) * 3", "9"),
            ("10 / 4", "2.5"),
            ("7 % 4", "3"),
            ("-3 + 1", "-2"),
            ("\"a\" = \"a\"", "1"),
            ("\"a b\" = \"a\"", "0"),
            ("10 > 9", "1"),
            ("\"x\" != \"\"", "1"),
            ("1 & 0 | 5", "5"),
            ("!0", "1"),
            ("1 / 0", ""),
            ("1 +", ""),
            ("", ""),
        ] {
            assert_eq!(evaluate(text), expected, "{text}");
        }
        assert_eq!(evaluate(&"(".repeat(100_000)), "");
    }
}
