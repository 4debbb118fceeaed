//! How many processes of each program run, over all cores. Knows no process.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// The count of the whole bridge.
#[derive(Debug, Clone, Default)]
pub(in crate::upstream) struct Processes(Arc<Mutex<HashMap<PathBuf, u32>>>);

/// Counts one process for as long as it lives.
#[derive(Debug)]
pub(super) struct Slot {
    processes: Processes,
    program: PathBuf,
}

impl Processes {
    /// None while `max` of the program run.
    pub(super) fn take(&self, program: &Path, max: u32) -> Option<Slot> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.get(program).copied().unwrap_or(0);
        if count >= max {
            return None;
        }
        counts.insert(program.to_owned(), count + 1);
        Some(Slot { processes: self.clone(), program: program.to_owned() })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.processes.0.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(&self.program) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => drop(counts.remove(&self.program)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_has_a_count_of_its_own_and_gets_its_places_back() {
        let processes = Processes::default();
        let (one, two) = (Path::new("/one"), Path::new("/two"));
        let first = processes.take(one, 2).expect("room");
        let _second = processes.take(one, 2).expect("room");
        assert!(processes.take(one, 2).is_none());
        let other = processes.take(two, 1).expect("room");
        drop(first);
        let third = processes.take(one, 2).expect("room again");
        assert!(processes.take(one, 2).is_none());
        drop((third, other));
        assert_eq!(*processes.0.lock().expect("no panic"), HashMap::from([(one.to_owned(), 1)]));
    }
}
