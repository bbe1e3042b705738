//! Addresses that the other end has sent and nobody has asked for yet, and those who wait for one.

use super::PATIENCE;
use crate::proto::go_plugin::ConnInfo;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::Notify;

/// By number.
#[derive(Debug, Default)]
pub(super) struct Pending {
    arrived: Mutex<HashMap<u32, (Instant, ConnInfo)>>,
    more: Notify,
}

impl Pending {
    /// Keeps it for who asks in time. The first of a number counts.
    pub(super) fn put(&self, info: ConnInfo) {
        let now = Instant::now();
        let mut arrived = self.arrived();
        arrived.retain(|_, (at, _)| now.duration_since(*at) < PATIENCE);
        arrived.entry(info.service_id).or_insert((now, info));
        drop(arrived);
        self.more.notify_waiters();
    }

    /// The one of this number, as soon as it is there.
    pub(super) async fn take(&self, id: u32) -> ConnInfo {
        loop {
            let more = self.more.notified();
            tokio::pin!(more);
            // From here on no arrival is missed.
            more.as_mut().enable();
            if let Some((_, info)) = self.arrived().remove(&id).filter(|(at, _)| at.elapsed() < PATIENCE) {
                return info;
            }
            more.await;
        }
    }

    fn arrived(&self) -> MutexGuard<'_, HashMap<u32, (Instant, ConnInfo)>> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
