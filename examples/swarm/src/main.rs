//! Birds on worker threads. Each worker flies its part of the flock without pause; `enter()` keeps one generation for each
//! step of it, and the main thread swaps at its safe point.

use flock::Bird;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const WORKERS: usize = 3;
const BIRDS: u16 = 300;
const STEP: Duration = Duration::from_millis(5);
const FRAME: Duration = Duration::from_millis(50);

#[expect(clippy::disallowed_methods, reason = "frames are paced, nothing is awaited")]
fn main() {
    let pit = pitstop_host::attach();
    let frames = frames_wanted();
    let parts: Vec<Mutex<Vec<Bird>>> = (0..WORKERS).map(|_| Mutex::new(part())).collect();
    let over = AtomicBool::new(false);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for part in &parts {
            let over = &over;
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    // All that is called until the unit ends is of one generation.
                    let unit = pit.enter();
                    if let Ok(mut birds) = part.lock() {
                        flock::fly(&mut birds, started.elapsed().as_secs_f32(), STEP.as_secs_f32());
                    }
                    drop(unit);
                    std::thread::sleep(STEP);
                }
            });
        }
        let mut frame = 0;
        while frames.is_none_or(|frames| frame < frames) {
            pit.safe_point();
            let lines = parts.iter().filter_map(|part| part.lock().ok().map(|birds| flock::describe(&birds)));
            println!("frame {frame}: {}", lines.collect::<Vec<_>>().join("; "));
            frame += 1;
            std::thread::sleep(FRAME);
        }
        over.store(true, Ordering::Relaxed);
    });
}

fn part() -> Vec<Bird> {
    let place = |index: u16| f32::from(index) / f32::from(BIRDS);
    (0..BIRDS).map(|index| Bird { x: place(index), y: 1.0 - place(index), ..Bird::default() }).collect()
}

/// The number after `--frames`.
fn frames_wanted() -> Option<u64> {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--frames");
    arguments.nth(1)?.parse().ok()
}
