//! Whether new calls are welcome, and if not, why not.

use crate::session::registry::Registry;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// What the parts of the bridge report as they start and stop. Not ready until each of them said so.
#[derive(Debug)]
pub struct Readiness {
    registry: Arc<Registry>,
    listening: AtomicBool,
    configured: AtomicBool,
    draining: AtomicBool,
    max_calls: AtomicUsize,
}

/// One thing that must be so for new calls to be welcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Every port is bound.
    Listening,
    /// A configuration is in force.
    Configured,
    /// The bridge is not shutting down.
    NotDraining,
    /// Fewer calls live than may.
    NotFull,
}

impl Condition {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::Listening, Self::Configured, Self::NotDraining, Self::NotFull];

    /// Its name on the page.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Listening => "listening",
            Self::Configured => "configured",
            Self::NotDraining => "not draining",
            Self::NotFull => "not full",
        }
    }
}

impl Readiness {
    /// Neither listening nor configured yet, and no limit of calls.
    pub fn new(registry: Arc<Registry>) -> Arc<Self> {
        Arc::new(Self {
            registry,
            listening: AtomicBool::new(false),
            configured: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            max_calls: AtomicUsize::new(usize::MAX),
        })
    }

    /// Every port is bound.
    pub fn set_listening(&self) {
        self.listening.store(true, Ordering::Relaxed);
    }

    /// A configuration is in force. A bad one later keeps the one before, and changes nothing here.
    pub fn set_configured(&self) {
        self.configured.store(true, Ordering::Relaxed);
    }

    /// The bridge is shutting down; there is no way back.
    pub fn set_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// How many calls may live at once from now on.
    pub fn set_max_calls(&self, count: usize) {
        self.max_calls.store(count, Ordering::Relaxed);
    }

    /// Whether one condition is met now.
    pub fn holds(&self, condition: Condition) -> bool {
        match condition {
            Condition::Listening => self.listening.load(Ordering::Relaxed),
            Condition::Configured => self.configured.load(Ordering::Relaxed),
            Condition::NotDraining => !self.draining.load(Ordering::Relaxed),
            Condition::NotFull => self.registry.active() < self.max_calls.load(Ordering::Relaxed),
        }
    }

    /// Whether all conditions are met now.
    pub fn is_ready(&self) -> bool {
        Condition::ALL.into_iter().all(|condition| self.holds(condition))
    }
}
