//! Reloads under load: no call is lost, and every reply is of one version.

use super::garage::{Ear, Garage, Mechanism, version};
use pitstop_host::Plugin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How often each mechanism is reloaded: `PITSTOP_RELOADS`, or a few times.
fn reloads() -> u32 {
    std::env::var("PITSTOP_RELOADS").ok().and_then(|count| count.parse().ok()).unwrap_or(12)
}

#[test]
fn eight_threads_that_call_without_pause_lose_nothing_in_reloads_of_each_mechanism() {
    for mechanism in Mechanism::ALL {
        let garage = Garage::with_echo(mechanism, mechanism.more());
        let plugins = garage.open();
        let mut ear = Ear::of(&plugins);
        let (stop, calls) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
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
            for reload in 2..reloads() + 2 {
                garage.put(mechanism, reload);
                ear.live("echo");
                counted += ear.retired("echo").1;
            }
            let echo = plugins.get("echo").expect("a plugin");
            let newest = version(reloads() + 1);
            assert_eq!(echo.process_text("x"), Ok(format!("{newest} x {newest}")));
            drop(stopped);
            threads.into_iter().for_each(|thread| drop(thread.join().expect("no call fails")));
            let live = plugins.versions("echo").expect("versions").iter().map(|version| version.calls).sum::<u64>();
            assert_eq!(counted + live, calls.load(Ordering::Relaxed) + 1, "each call is counted once");
        });
        println!("{mechanism:?}: {} calls through {} reloads", calls.load(Ordering::Relaxed), reloads());
    }
}
