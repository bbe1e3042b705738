//! Hands events to whoever listens, without ever waiting for them.

use crate::lock::lock;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use pitstop_contract::event::Event;
use std::sync::Mutex;
use std::time::Duration;

/// How many events a listener that does not read keeps; the oldest go first.
const KEPT: usize = 256;

/// What happens in the session, from [`Pitstop::events`](crate::Pitstop::events). A listener that does not read loses the
/// oldest events and holds nothing up. Without a session there are only those of plugins and of followed libraries.
#[derive(Debug)]
pub struct Events(Receiver<Event>);

impl Events {
    /// The next event, if there is one already.
    pub fn try_next(&mut self) -> Option<Event> {
        self.0.try_recv().ok()
    }

    /// The next event, for which it waits up to `timeout`.
    pub fn next_within(&mut self, timeout: Duration) -> Option<Event> {
        self.0.recv_timeout(timeout).ok()
    }
}

impl Iterator for Events {
    type Item = Event;

    /// The next event, for which it waits; `None` once there can be none any more.
    fn next(&mut self) -> Option<Event> {
        self.0.recv().ok()
    }
}

/// All listeners.
#[derive(Default)]
pub(crate) struct Listeners(Mutex<Vec<(Sender<Event>, Receiver<Event>)>>);

/// Those of a program without a session.
pub(crate) static LOCAL: Listeners = Listeners(Mutex::new(Vec::new()));

/// Writes what a person should know to the program's log.
pub(crate) fn log_event(event: &Event) {
    match event {
        Event::Rejected { crate_name, generation, reasons } => {
            for reason in reasons {
                log::warn!("pitstop: {crate_name} generation {generation} refused: {reason}");
            }
        }
        Event::Live { crate_name, generation, edit_to_live_ms, .. } => {
            log::info!("pitstop: {crate_name} generation {generation} is live, {edit_to_live_ms:.0} ms after the edit");
        }
        _ => {}
    }
}

impl Listeners {
    pub(crate) fn subscribe(&self) -> Events {
        let (sender, receiver) = bounded(KEPT);
        let mut listeners = lock(&self.0);
        listeners.push((sender, receiver.clone()));
        Events(receiver)
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
