//! The routes in the order of the file, and the choice among them. It knows nothing of services being up or down.

use super::{Pattern, PatternError, Route, When};
use std::{collections::HashSet, sync::Arc};

/// All routes; the first one that fits a call gets it.
#[derive(Debug, Clone, Default)]
pub struct Table {
    entries: Vec<(Pattern, Arc<Route>)>,
}

/// What Asterisk said of a call, as far as routes ask for it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    /// The path of the AGI URL, with its leading `/`, not percent-decoded.
    pub path: &'a str,
    /// The query, percent-decoded.
    pub query: &'a [(String, String)],
    /// `agi_context`.
    pub context: &'a str,
    /// `agi_extension`.
    pub extension: &'a str,
    /// `agi_dnid`; empty when Asterisk does not know it.
    pub dialed_number: &'a str,
    /// `agi_accountcode`.
    pub account_code: &'a str,
}

/// The route of a call.
#[derive(Debug, Clone)]
pub struct Picked {
    /// The route.
    pub route: Arc<Route>,
    /// The path's parameters from left to right, percent-decoded.
    pub parameters: Vec<(String, String)>,
}

/// Why routes make no table. The configuration reports the same, with lines.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// Two routes have one name.
    #[error("two routes are named `{0}`")]
    Duplicate(Arc<str>),
    /// A path is wrong.
    #[error("route `{name}`: {error}")]
    Path {
        /// The route.
        name: Arc<str>,
        /// What is wrong with its path.
        error: PatternError,
    },
    /// There is nobody to send calls to.
    #[error("route `{0}` has no service")]
    NoService(Arc<str>),
}

/// The patterns follow from the routes.
impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        self.routes().eq(other.routes())
    }
}

impl Eq for Table {}

impl Table {
    /// Makes a table of `routes`; the first fault is the error.
    pub fn new(routes: Vec<Route>) -> Result<Self, TableError> {
        let mut names = HashSet::new();
        let mut entries = Vec::with_capacity(routes.len());
        for route in routes {
            if !names.insert(Arc::clone(&route.name)) {
                return Err(TableError::Duplicate(route.name));
            }
            if route.services.is_empty() {
                return Err(TableError::NoService(route.name));
            }
            let pattern = match Pattern::new(&route.path) {
                Ok(pattern) => pattern,
                Err(error) => return Err(TableError::Path { name: route.name, error }),
            };
            entries.push((pattern, Arc::new(route)));
        }
        Ok(Self { entries })
    }

    /// The first route whose path and conditions the call meets.
    pub fn pick(&self, request: &Request<'_>) -> Option<Picked> {
        self.entries.iter().filter(|(_, route)| route.when.is_met_by(request)).find_map(
            |(pattern, route)| {
                let parameters = pattern.matches(request.path)?;
                Some(Picked { route: Arc::clone(route), parameters })
            },
        )
    }

    /// What `path` gives for the parameters of a route that is chosen by its name; nothing when it has another form.
    pub fn parameters(&self, route: &Arc<Route>, path: &str) -> Vec<(String, String)> {
        let entry = self.entries.iter().find(|(_, known)| Arc::ptr_eq(known, route));
        entry.and_then(|(pattern, _)| pattern.matches(path)).unwrap_or_default()
    }

    /// The routes, in the order of the file.
    pub fn routes(&self) -> impl ExactSizeIterator<Item = &Arc<Route>> {
        self.entries.iter().map(|(_, route)| route)
    }

    /// The names, in the order of the file.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &Arc<str>> {
        self.routes().map(|route| &route.name)
    }

    /// The route of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Route>> {
        self.routes().find(|route| *route.name == *name)
    }
}

impl When {
    /// Whether the call meets every condition.
    pub fn is_met_by(&self, request: &Request<'_>) -> bool {
        let fits = |wanted: &Option<String>, given: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == given)
        };
        fits(&self.context, request.context)
            && fits(&self.extension, request.extension)
            && fits(&self.dialed_number, request.dialed_number)
            && fits(&self.account_code, request.account_code)
            && self.query.iter().all(|wanted| request.query.contains(wanted))
    }

    /// Whether every call that meets `other` meets this too.
    pub fn covers(&self, other: &Self) -> bool {
        let implied =
            |ours: &Option<String>, theirs: &Option<String>| ours.is_none() || ours == theirs;
        implied(&self.context, &other.context)
            && implied(&self.extension, &other.extension)
            && implied(&self.dialed_number, &other.dialed_number)
            && implied(&self.account_code, &other.account_code)
            && self.query.iter().all(|wanted| other.query.contains(wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::tests::route;
    use proptest::prelude::*;

    fn picked(table: &Table, request: Request<'_>) -> Option<String> {
        table.pick(&request).map(|picked| picked.route.name.to_string())
    }

    #[test]
    fn the_first_route_that_fits_gets_the_call() {
        let mut guarded = route("guarded", "/support/{queue}");
        guarded.when.context = Some("from-trunk".into());
        guarded.when.query = vec![("lang".into(), "en".into())];
        let table =
            Table::new(vec![guarded, route("fixed", "/support/a"), route("rest", "/{*rest}")])
                .unwrap();

        let query = [("lang".to_owned(), "de".to_owned()), ("lang".to_owned(), "en".to_owned())];
        let request = Request { path: "/support/a", ..Request::default() };
        assert_eq!(picked(&table, request).unwrap(), "fixed");
        assert_eq!(
            picked(&table, Request { context: "from-trunk", query: &query, ..request }).unwrap(),
            "guarded"
        );
        assert_eq!(
            picked(&table, Request { context: "from-trunk", query: &query[..1], ..request })
                .unwrap(),
            "fixed"
        );
        assert_eq!(picked(&table, Request { path: "/", ..request }).unwrap(), "rest");
        assert_eq!(
            table.names().map(|name| &**name).collect::<Vec<_>>(),
            ["guarded", "fixed", "rest"]
        );
    }

    #[test]
    fn no_route_is_no_pick() {
        let table = Table::new(vec![route("a", "/a")]).unwrap();
        assert_eq!(picked(&table, Request { path: "/b", ..Request::default() }), None);
        assert_eq!(picked(&Table::default(), Request::default()), None);
    }

    #[test]
    fn what_makes_no_table_is_named() {
        let two = Table::new(vec![route("a", "/a"), route("a", "/b")]).unwrap_err();
        assert_eq!(two, TableError::Duplicate("a".into()));
        assert!(matches!(Table::new(vec![route("a", "a")]), Err(TableError::Path { .. })));
        let mut empty = route("a", "/a");
        empty.services.clear();
        assert_eq!(Table::new(vec![empty]).unwrap_err(), TableError::NoService("a".into()));
    }

    fn when() -> impl Strategy<Value = When> {
        let text = || prop::option::of("[ab]");
        let query = prop::collection::vec(("[ab]", "[ab]"), 0..2);
        (text(), text(), text(), text(), query).prop_map(
            |(context, extension, dialed_number, account_code, query)| When {
                context,
                extension,
                dialed_number,
                account_code,
                query,
            },
        )
    }

    proptest! {
        #[test]
        fn a_pick_is_the_first_that_a_plain_search_finds(
            rules in prop::collection::vec((prop_oneof!["/[ab]", Just("/{x}".to_owned()), Just("/{*x}".to_owned())], when()), 0..5),
            path in "/[ab]{1,2}",
            words in prop::array::uniform4("[ab]"),
            query in prop::collection::vec(("[ab]", "[ab]"), 0..3),
        ) {
            let named = |(index, (path, when)): (usize, &(String, When))| {
                Route { when: when.clone(), ..route(&index.to_string(), path) }
            };
            let table = Table::new(rules.iter().enumerate().map(named).collect()).unwrap();
            let [context, extension, dialed_number, account_code] = &words;
            let request = Request { path: &path, query: &query, context, extension, dialed_number, account_code };
            let plain = rules.iter().position(|(pattern, when)| {
                (pattern.contains('{') || *pattern == path)
                    && when.context.iter().all(|it| it == context)
                    && when.extension.iter().all(|it| it == extension)
                    && when.dialed_number.iter().all(|it| it == dialed_number)
                    && when.account_code.iter().all(|it| it == account_code)
                    && when.query.iter().all(|it| query.contains(it))
            });
            prop_assert_eq!(picked(&table, request), plain.map(|index| index.to_string()));
        }

        #[test]
        fn conditions_that_cover_are_met_whenever_the_others_are(
            one in when(), other in when(), words in prop::array::uniform4("[ab]"), query in prop::collection::vec(("[ab]", "[ab]"), 0..3),
        ) {
            let [context, extension, dialed_number, account_code] = &words;
            let request = Request { path: "/", query: &query, context, extension, dialed_number, account_code };
            if one.covers(&other) && other.is_met_by(&request) {
                prop_assert!(one.is_met_by(&request));
            }
        }
    }
}
