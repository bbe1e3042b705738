//! What was written and the host has not taken yet.
//!
//! While somebody listens, a full buffer makes the writer wait, so that nothing is lost. While nobody does, the oldest is
//! dropped and the writer goes on: a plugin never stands still because of a host that does not care.

use crate::proto::go_plugin::StdioData;
use crate::proto::go_plugin::stdio_data::Channel;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tonic::codegen::Bytes;

/// So many bytes are kept.
const ROOM: usize = 1024 * 1024;

/// The buffer.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    state: Mutex<State>,
    filled: Notify,
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<StdioData>,
    bytes: usize,
    dropped: u64,
    listeners: usize,
    closed: bool,
}

impl Buffer {
    /// Adds what was written.
    pub(super) fn push(&self, channel: Channel, data: Bytes) {
        let mut state = self.state();
        while state.bytes >= ROOM && state.listeners > 0 && !state.closed {
            state = self.emptied.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.bytes += data.len();
        state.queue.push_back(StdioData { channel: channel.into(), data });
        while state.bytes > ROOM && state.listeners == 0 {
            let Some(oldest) = state.queue.pop_front() else { break };
            state.bytes -= oldest.data.len();
            state.dropped += oldest.data.len() as u64;
        }
        drop(state);
        self.filled.notify_one();
    }

    /// The oldest, as soon as there is one; none at the end.
    pub(super) async fn next(&self) -> Option<StdioData> {
        loop {
            {
                let mut state = self.state();
                if let Some(next) = state.take() {
                    drop(state);
                    self.emptied.notify_all();
                    return Some(next);
                }
                if state.closed {
                    // Another listener may wait as well.
                    self.filled.notify_one();
                    return None;
                }
            }
            self.filled.notified().await;
        }
    }

    /// Puts back what could not be given to the host.
    pub(super) fn put_back(&self, data: StdioData) {
        let mut state = self.state();
        state.bytes += data.data.len();
        state.queue.push_front(data);
        drop(state);
        self.filled.notify_one();
    }

    /// Somebody listens, as long as what is returned is kept.
    pub(super) fn listen(&self) -> Listening<'_> {
        self.state().listeners += 1;
        Listening(self)
    }

    /// Nothing more comes.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.filled.notify_one();
        self.emptied.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self) -> Option<StdioData> {
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            let note = format!("[{dropped} bytes of the plugin's output were dropped, as nobody listened]\n");
            return Some(StdioData { channel: Channel::Stderr.into(), data: note.into() });
        }
        let next = self.queue.pop_front()?;
        self.bytes -= next.data.len();
        Some(next)
    }
}

/// Somebody listens.
pub(super) struct Listening<'a>(&'a Buffer);

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        self.0.state().listeners -= 1;
        self.0.emptied.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn out(text: &str) -> StdioData {
        StdioData { channel: Channel::Stdout.into(), data: Bytes::copy_from_slice(text.as_bytes()) }
    }

    #[tokio::test]
    async fn while_nobody_listens_the_oldest_is_dropped_and_that_is_said() {
        let buffer = Buffer::default();
        buffer.push(Channel::Stdout, Bytes::from_static(b"first"));
        for _ in 0..16 {
            buffer.push(Channel::Stdout, Bytes::from(vec![b'x'; ROOM / 16]));
        }
        let note = buffer.next().await.unwrap();
        assert_eq!(note.data, "[5 bytes of the plugin's output were dropped, as nobody listened]\n");
        assert_eq!(note.channel(), Channel::Stderr);
        assert_eq!(buffer.next().await.unwrap().data.len(), ROOM / 16);
    }

    #[tokio::test]
    async fn while_somebody_listens_the_writer_waits_and_nothing_is_lost() {
        let buffer = Arc::new(Buffer::default());
        let writer = buffer.clone();
        let _listening = buffer.listen();
        let thread = std::thread::spawn(move || {
            for _ in 0..100 {
                writer.push(Channel::Stdout, Bytes::from(vec![b'x'; ROOM / 10]));
            }
            writer.close();
        });
        let mut bytes = 0;
        while let Some(data) = buffer.next().await {
            bytes += data.data.len();
        }
        thread.join().unwrap();
        assert_eq!(bytes, 100 * (ROOM / 10));
    }

    #[tokio::test]
    async fn what_a_host_did_not_get_goes_to_the_next() {
        let buffer = Buffer::default();
        for text in ["one", "two"] {
            buffer.push(Channel::Stdout, Bytes::copy_from_slice(text.as_bytes()));
        }
        let first = buffer.next().await.unwrap();
        buffer.put_back(first);
        buffer.close();
        assert_eq!(buffer.next().await, Some(out("one")));
        assert_eq!(buffer.next().await, Some(out("two")));
        assert_eq!(buffer.next().await, None);
        assert_eq!(buffer.next().await, None);
    }
}
