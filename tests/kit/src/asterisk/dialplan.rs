//! The dialplan that a test needs beyond the kit's own, as text of extensions.conf. Knows extensions and sounds; nothing
//! of processes or sockets.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    time::Duration,
};

/// Tells the test where a call is and how AGI() ended; the call ends behind it.
const REPORT: &str =
    "UserEvent(LabEnd,Position: ${CONTEXT}\\,${EXTEN}\\,${PRIORITY},AgiStatus: ${AGISTATUS})";
/// Runs AGI() with the URL and arguments of the call.
const AGI: &str = "AGI(${LAB_AGI})";

/// A place in the dialplan.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Context.
    pub context: String,
    /// Extension in it.
    pub extension: String,
    /// Priority in it, from 1.
    pub priority: i32,
}

/// Extensions and sounds of a test.
#[derive(Debug, Clone, Default)]
pub struct Dialplan {
    lines: BTreeMap<Place, String>,
    sounds: BTreeMap<String, Duration>,
}

impl Place {
    /// A place.
    pub fn new(context: &str, extension: &str, priority: i32) -> Self {
        Self { context: context.into(), extension: extension.into(), priority }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{}", self.context, self.extension, self.priority)
    }
}

impl Dialplan {
    /// Puts AGI() here, a report behind it, and reports at the end of the call into the context's h extension; in a call
    /// that is to be dead, AGI() runs in that h extension instead.
    pub fn agi(&mut self, place: &Place) -> &mut Self {
        let behind = Place { priority: place.priority + 1, ..place.clone() };
        self.add(place, AGI);
        self.report(&behind);
        let h = Place::new(&place.context, "h", 1);
        self.add(&h, &format!("ExecIf($[\"${{LAB_DEAD}}\" = \"yes\"]?{AGI})"));
        self.report(&Place { priority: 2, ..h });
        self.add(&Place::new(&place.context, "lab-dead", 1), "Hangup()")
    }

    /// Reports a call that comes here, and ends it.
    pub fn report(&mut self, place: &Place) -> &mut Self {
        // AGI() may stand here for another call: this call then runs it, and its own report is missed.
        if self.lines.get(place).is_none_or(|line| line != AGI) {
            self.add(place, REPORT);
        }
        self
    }

    /// Puts an application here.
    ///
    /// # Panics
    /// When something else stands here already.
    pub fn add(&mut self, place: &Place, application: &str) -> &mut Self {
        match self.lines.entry(place.clone()) {
            Entry::Vacant(entry) => drop(entry.insert(application.to_owned())),
            Entry::Occupied(entry) if entry.get() == application => {}
            Entry::Occupied(entry) => {
                panic!("{place} has {} and cannot have {application} too", entry.get())
            }
        }
        self
    }

    /// Adds applications from a place on.
    pub fn add_all(&mut self, place: &Place, applications: &[String]) -> &mut Self {
        for (offset, application) in (0..).zip(applications) {
            self.add(&Place { priority: place.priority + offset, ..place.clone() }, application);
        }
        self
    }

    /// Adds a silent sound file of this length, unless Asterisk has one of that name.
    pub fn sound(&mut self, name: &str, length: Duration) -> &mut Self {
        self.sounds.insert(name.to_owned(), length);
        self
    }

    pub(super) fn sounds(&self) -> impl Iterator<Item = (&str, Duration)> {
        self.sounds.iter().map(|(name, length)| (name.as_str(), *length))
    }

    /// As extensions.conf has it.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut context = "";
        for (place, application) in &self.lines {
            if place.context != context {
                context = &place.context;
                text.push_str(&format!("\n[{context}]\n"));
            }
            // A semicolon would begin a comment.
            let application = application.replace(';', "\\;");
            let (extension, priority) = (&place.extension, place.priority);
            text.push_str(&format!("exten => {extension},{priority},{application}\n"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_sorted_into_contexts() {
        let mut dialplan = Dialplan::default();
        dialplan.agi(&Place::new("b", "7", 1)).add(&Place::new("a", "x", 2), "NoOp(a;b)");
        let text = dialplan.text();
        assert!(
            text.starts_with("\n[a]\nexten => x,2,NoOp(a\\;b)\n\n[b]\nexten => 7,1,AGI("),
            "{text}"
        );
        assert!(text.contains("exten => 7,2,UserEvent(LabEnd"), "{text}");
    }

    #[test]
    #[should_panic(expected = "cannot have")]
    fn two_things_at_one_place_are_refused() {
        let place = Place::new("a", "b", 1);
        Dialplan::default().add(&place, "NoOp()").add(&place, "Hangup()");
    }
}
