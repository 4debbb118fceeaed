//! How much a client does at the moment. Knows not what.

use super::client::Quotas;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tonic::Status;

#[derive(Debug)]
pub(super) struct Quota {
    limits: Quotas,
    bucket: Mutex<Bucket>,
    running: Arc<Semaphore>,
    watches: Arc<Semaphore>,
}

/// What is left of the rate.
#[derive(Debug)]
struct Bucket {
    left: f64,
    filled: Instant,
}

impl Quota {
    pub(super) fn new(limits: Quotas) -> Self {
        let semaphore = |limit: u32| {
            Arc::new(Semaphore::new(usize::try_from(limit).unwrap_or(Semaphore::MAX_PERMITS)))
        };
        Self {
            limits,
            bucket: Mutex::new(Bucket { left: limits.rate.into(), filled: Instant::now() }),
            running: semaphore(limits.running),
            watches: semaphore(limits.watches),
        }
    }

    pub(super) fn limits(&self) -> Quotas {
        self.limits
    }

    /// One more request.
    pub(super) fn request(&self) -> Result<(), Status> {
        let rate = f64::from(self.limits.rate);
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        bucket.left = (bucket.left + (now - bucket.filled).as_secs_f64() * rate).min(rate);
        bucket.filled = now;
        if bucket.left < 1.0 {
            let rate = self.limits.rate;
            return Err(Status::resource_exhausted(format!(
                "this client may ask {rate} times a second: slow down, or raise its `rate`"
            )));
        }
        bucket.left -= 1.0;
        Ok(())
    }

    /// A place for something that takes its time.
    pub(super) fn run(&self) -> Result<OwnedSemaphorePermit, Status> {
        Arc::clone(&self.running).try_acquire_owned().map_err(|_| {
            let limit = self.limits.running;
            Status::resource_exhausted(format!(
                "{limit} requests of this client run already: wait for one, or raise its `running`"
            ))
        })
    }

    /// A place for a stream of events.
    pub(super) fn watch(&self) -> Result<OwnedSemaphorePermit, Status> {
        Arc::clone(&self.watches).try_acquire_owned().map_err(|_| {
            let limit = self.limits.watches;
            Status::resource_exhausted(format!(
                "this client has {limit} streams of events already: share one, or raise its `watches`"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_client_may_ask_as_often_as_its_rate_and_no_oftener() {
        let quota = Quota::new(Quotas { rate: 2, running: 1, watches: 0 });
        let asked = (0..5).filter(|_| quota.request().is_ok()).count();
        tokio::time::advance(Duration::from_millis(500)).await;
        let later = (0..5).filter(|_| quota.request().is_ok()).count();
        tokio::time::advance(Duration::from_secs(60)).await;
        let much_later = (0..5).filter(|_| quota.request().is_ok()).count();
        assert_eq!((asked, later, much_later), (2, 1, 2));
    }

    #[test]
    fn a_place_is_free_again_when_its_holder_is_done() {
        let quota = Quota::new(Quotas { rate: 1, running: 1, watches: 0 });
        let place = quota.run().unwrap();
        assert_eq!(quota.run().unwrap_err().code(), tonic::Code::ResourceExhausted);
        drop(place);
        assert!(quota.run().is_ok());
        quota.watch().unwrap_err();
    }
}
