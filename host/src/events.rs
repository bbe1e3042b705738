//! Hands events to whoever listens, without ever waiting for them.

use crate::lock::lock;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use pitstop_contract::event::Event;
use std::sync::Mutex;
use std::time::Duration;

/// How many events a listener that does not read keeps; the oldest go first.
const KEPT: usize = 256;

/// What happens in the session, from [`Pitstop::events`](crate::Pitstop::events). A listener that does not read loses the
/// oldest events and holds nothing up. Without a session there are none.
#[derive(Debug)]
pub struct Events(Option<Receiver<Event>>);

impl Events {
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// The next event, if there is one already.
    pub fn try_next(&mut self) -> Option<Event> {
        self.0.as_ref()?.try_recv().ok()
    }

    /// The next event, for which it waits up to `timeout`.
    pub fn next_within(&mut self, timeout: Duration) -> Option<Event> {
        self.0.as_ref()?.recv_timeout(timeout).ok()
    }
}

impl Iterator for Events {
    type Item = Event;

    /// The next event, for which it waits; `None` without a session.
    fn next(&mut self) -> Option<Event> {
        self.0.as_ref()?.recv().ok()
    }
}

/// All listeners.
#[derive(Default)]
pub(crate) struct Listeners(Mutex<Vec<(Sender<Event>, Receiver<Event>)>>);

impl Listeners {
    pub(crate) fn subscribe(&self) -> Events {
        let (sender, receiver) = bounded(KEPT);
        let mut listeners = lock(&self.0);
        listeners.push((sender, receiver.clone()));
        Events(Some(receiver))
    }

    pub(crate) fn tell(&self, event: &Event) {
        let listeners = lock(&self.0);
        for (sender, receiver) in listeners.iter() {
            if let Err(TrySendError::Full(event)) = sender.try_send(event.clone()) {
                let _ = receiver.try_recv();
                let _ = sender.try_send(event);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_that_never_reads_keeps_the_newest_events_and_blocks_nobody() {
        let listeners = Listeners::default();
        let mut events = listeners.subscribe();
        for pid in 0..1000 {
            listeners.tell(&Event::Attached { pid });
        }
        let kept: Vec<_> = std::iter::from_fn(|| events.try_next()).collect();
        assert_eq!(kept.len(), KEPT);
        assert_eq!(kept.last(), Some(&Event::Attached { pid: 999 }));
    }
}
