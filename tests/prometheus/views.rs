//! The views in `deploy/` as what they ask of Prometheus. Knows their files; nothing of calls.

use serde_json::Value;
use std::{fs, path::PathBuf};

/// The alert rules, as they stand.
pub(crate) fn rules() -> String {
    fs::read_to_string(deployed("prometheus/agi-bridge.rules.yaml")).unwrap()
}

/// Where a view stands.
pub(crate) fn deployed(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

/// Rules that fire as soon as they hold.
pub(crate) fn impatient(rules: &str) -> String {
    rules
        .lines()
        .filter(|line| !line.trim_start().starts_with("for:"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The dashboard's queries with the titles of their panels, as Grafana would send them with everything selected.
pub(crate) fn dashboard() -> Vec<(String, String)> {
    let text = fs::read_to_string(deployed("grafana/agi-bridge.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().into_iter().flatten() {
            queries.push((title.to_owned(), filled(target["expr"].as_str().unwrap())));
        }
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        let Some(query) = variable["definition"].as_str() else { continue };
        let inner =
            query.strip_prefix("label_values(").and_then(|it| it.strip_suffix(')')).unwrap();
        let (selector, label) = inner.rsplit_once(", ").unwrap();
        queries.push((
            query.to_owned(),
            filled(&format!("group by ({label}) ({selector}{{{label}!=\"\"}})").replace("}{", ",")),
        ));
    }
    queries
}

/// The series that an expression reads: every selector of a metric of the bridge, alone.
pub(crate) fn selectors(expression: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(at) = rest.find("agibridge_") {
        rest = &rest[at..];
        let name =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let end = if rest[name..].starts_with('{') { rest.find('}').unwrap() + 1 } else { name };
        found.push(rest[..end].to_owned());
        rest = &rest[end..];
    }
    found
}

/// The expressions of the rules, with their names.
pub(crate) fn expressions(rules: &str) -> Vec<(String, String)> {
    let mut expressions: Vec<(String, String)> = Vec::new();
    let mut open = false;
    for line in rules.lines() {
        let text = line.trim();
        if let Some(name) = text.strip_prefix("- alert: ") {
            expressions.push((name.to_owned(), String::new()));
        } else if let Some(expression) = text.strip_prefix("expr: ") {
            open = expression == "|";
            if !open {
                expressions.last_mut().unwrap().1.push_str(expression);
            }
        } else if open && line.starts_with("          ") {
            expressions.last_mut().unwrap().1.push_str(&format!("{text} "));
        } else {
            open = false;
        }
    }
    expressions
}

fn filled(expression: &str) -> String {
    let all = ["$job", "$instance", "$route"];
    let filled = expression.replace("$__rate_interval", "1m");
    let filled = all.iter().fold(filled, |text, name| text.replace(name, ".*"));
    assert!(!filled.contains('$'), "an unknown variable: {filled}");
    filled
}
