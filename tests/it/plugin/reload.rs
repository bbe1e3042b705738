//! Reloads under load: no call is lost, and every reply is of one version.

use super::garage::{Ear, Garage, Mechanism, version};
use pitstop_host::{Plugin, Plugins};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How often each mechanism is reloaded: `PITSTOP_RELOADS`, or a few times.
pub(super) fn reloads(usual: u32) -> u32 {
    std::env::var("PITSTOP_RELOADS").ok().and_then(|count| count.parse().ok()).unwrap_or(usual)
}

#[test]
fn eight_threads_that_call_without_pause_lose_nothing_in_reloads_of_each_mechanism() {
    for mechanism in Mechanism::ALL {
        let garage = Garage::with_echo(mechanism, mechanism.more());
        let calls = loses_nothing(&garage.open(), 8, reloads(12), &|number| garage.put(mechanism, number));
        println!("{mechanism:?}: {calls} calls through {} reloads", reloads(12));
    }
}

/// Calls `echo` from so many threads without pause, while `put` puts other versions in its place so many times. Returns how many
/// calls there were: none has failed, and each is counted once.
pub(super) fn loses_nothing(plugins: &Plugins, callers: u32, reloads: u32, put: &dyn Fn(u32)) -> u64 {
    let mut ear = Ear::of(plugins);
    let (stop, calls) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..callers)
            .map(|thread| {
                let echo = plugins.get("echo").expect("a plugin");
                let (stop, calls) = (&stop, &calls);
                scope.spawn(move || {
                    let (mut last, mut call) = (String::new(), 0_u64);
                    while !stop.load(Ordering::Relaxed) {
                        let input = format!("{thread}-{call}");
                        let reply = echo.process_text(&input).expect("no call fails");
                        let words: Vec<&str> = reply.split(' ').collect();
                        let [before, echoed, after] = words[..] else { panic!("{reply}") };
                        assert_eq!((before, echoed), (after, input.as_str()), "of one version, and mine");
                        assert!(before >= last.as_str(), "{before} after {last}");
                        last = before.to_owned();
                        call += 1;
                    }
                    calls.fetch_add(call, Ordering::Relaxed);
                    last
                })
            })
            .collect();
        // Ends the threads if this one fails.
        struct Stop<'a>(&'a AtomicBool);
        impl Drop for Stop<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let stopped = Stop(&stop);
        let mut counted = 0;
        for reload in 2..reloads + 2 {
            put(reload);
            ear.live("echo");
            counted += ear.retired("echo").1;
        }
        let echo = plugins.get("echo").expect("a plugin");
        let newest = version(reloads + 1);
        assert_eq!(echo.process_text("x"), Ok(format!("{newest} x {newest}")));
        drop(stopped);
        threads.into_iter().for_each(|thread| drop(thread.join().expect("no call fails")));
        let live = plugins.versions("echo").expect("versions").iter().map(|version| version.calls).sum::<u64>();
        assert_eq!(counted + live, calls.load(Ordering::Relaxed) + 1, "each call is counted once");
    });
    calls.into_inner()
}
