//! What a token says of its bearer, and what must stand in it. Pure.

use serde_json::{Map, Value};

/// Claims whose text is a list of words.
const WORD_LISTS: [&str; 2] = ["scope", "scp"];

/// The claims of a token that was checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims(Map<String, Value>);

/// Claims that must hold, all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Demands(Vec<Demand>);

/// A claim, and the values of which it must have one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// Its name; with a `/` in front a JSON pointer into the claims.
    pub claim: String,
    /// At least one.
    pub values: Vec<String>,
}

impl Claims {
    pub(super) fn new(claims: Map<String, Value>) -> Self {
        Self(claims)
    }

    fn at(&self, claim: &str) -> Option<&Value> {
        let Some(path) = claim.strip_prefix('/') else { return self.0.get(claim) };
        let (first, rest) = path.find('/').map_or((path, ""), |at| path.split_at(at));
        self.0.get(&first.replace("~1", "/").replace("~0", "~"))?.pointer(rest)
    }
}

impl Demands {
    /// All of `demands`.
    pub fn new(demands: Vec<Demand>) -> Self {
        Self(demands)
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = &Demand> {
        self.0.iter()
    }

    pub(super) fn are_met_by(&self, claims: &Claims) -> bool {
        self.0.iter().all(|demand| demand.is_met_by(claims))
    }
}

impl Demand {
    fn is_met_by(&self, claims: &Claims) -> bool {
        match claims.at(&self.claim) {
            Some(Value::String(text)) if WORD_LISTS.contains(&self.claim.as_str()) => {
                text.split(' ').any(|word| self.names(word))
            }
            Some(Value::Array(items)) => items.iter().any(|item| self.is(item)),
            Some(value) => self.is(value),
            None => false,
        }
    }

    fn is(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.names(text),
            Value::Bool(_) | Value::Number(_) => self.names(&value.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        }
    }

    fn names(&self, text: &str) -> bool {
        self.values.iter().any(|value| value == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn holds(claims: Value, claim: &str, values: &[&str]) -> bool {
        let Value::Object(claims) = claims else { panic!("an object") };
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        Demands::new(vec![Demand { claim: claim.to_owned(), values }])
            .are_met_by(&Claims::new(claims))
    }

    #[test]
    fn a_claim_holds_by_one_of_its_values() {
        assert!(holds(json!({"sub": "ivr"}), "sub", &["other", "ivr"]));
        assert!(holds(json!({"groups": ["a", "b"]}), "groups", &["b"]));
        assert!(holds(json!({"admin": true}), "admin", &["true"]));
        assert!(holds(json!({"scope": "calls:see calls:take"}), "scope", &["calls:take"]));
        for (claims, claim) in [
            (json!({"sub": "ivr2"}), "sub"),
            (json!({"sub": "x ivr"}), "sub"),
            (json!({"groups": [["ivr"]]}), "groups"),
            (json!({"ivr": null}), "ivr"),
            (json!({}), "sub"),
        ] {
            assert!(!holds(claims.clone(), claim, &["ivr"]), "{claims}");
        }
    }

    #[test]
    fn a_claim_within_others_is_pointed_to() {
        let claims =
            json!({"realm_access": {"roles": ["ivr"]}, "https://x/y": "ivr", "a/b": "ivr"});
        assert!(holds(claims.clone(), "/realm_access/roles", &["ivr"]));
        assert!(holds(claims.clone(), "https://x/y", &["ivr"]));
        assert!(holds(claims.clone(), "/a~1b", &["ivr"]));
        assert!(!holds(claims, "/realm_access/none", &["ivr"]));
    }
}
