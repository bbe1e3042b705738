//! The thread that knows all images that are mapped, and tells of them after each swap.

use super::maps::Mapping;
use super::memory::memory;
use super::peek::Peek;
use super::place::Place;
use super::rest::rest;
use super::threads::{At, list, runs, sentence};
use super::unload;
use crate::attach::Host;
use crate::load::Loaded;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use pitstop_contract::Generation;
use pitstop_contract::event::{Event, RetainedImage};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// From a swap to the look: the new code has run by then, and what the old code left on stacks is written over.
const SETTLE: Duration = Duration::from_millis(50);
/// From one look to the next.
const PAUSE: Duration = Duration::from_millis(500);
/// From one look to the next, for each image that is mapped: with hundreds of them a look takes its time.
const PAUSE_EACH: Duration = Duration::from_millis(10);

/// The inbox's end of the thread, which begins with the first image.
pub(crate) struct Retained {
    host: &'static Host,
    keeper: Option<Sender<Told>>,
}

/// What the thread is told.
enum Told {
    /// An image is mapped.
    Loaded(Arc<Loaded>),
    /// A generation is live; of a crate.
    Live(String, Generation),
}

impl Retained {
    pub(crate) fn new(host: &'static Host) -> Self {
        Self { host, keeper: None }
    }

    /// An image was mapped, and may become live.
    pub(crate) fn loaded(&mut self, image: &Arc<Loaded>) {
        self.tell(Told::Loaded(Arc::clone(image)));
    }

    /// Takes note of images that become live, and looks what the others take up.
    pub(crate) fn note(&mut self, event: &Event) {
        if let Event::Live { crate_name, generation, .. } | Event::RolledBack { crate_name, generation, .. } = event {
            self.tell(Told::Live(crate_name.clone(), *generation));
        }
    }

    fn tell(&mut self, told: Told) {
        let keeper = self.keeper.get_or_insert_with(|| start(self.host));
        // A thread that could not be started hears nothing.
        let _ = keeper.send(told);
    }
}

fn start(host: &'static Host) -> Sender<Told> {
    let (sender, receiver) = unbounded();
    let work = move || {
        let bottom = 0_u8;
        let keeper = Keeper { host, images: Vec::new(), was_live: HashMap::new() };
        keeper.run(&receiver, std::ptr::from_ref(&bottom).addr() as u64);
    };
    if let Err(error) = std::thread::Builder::new().name("pitstop-retained".to_owned()).spawn(work) {
        log::warn!("pitstop: cannot start a thread: {error}; what old generations take up is not told");
    }
    sender
}

/// An image that is mapped.
pub(super) struct Known {
    pub(super) crate_name: String,
    pub(super) generation: Generation,
    pub(super) place: Place,
    image: Image,
    /// What holds it, as of the last look.
    held_by: Vec<String>,
}

/// Who has the image.
enum Image {
    /// Others of Pitstop's, and it stays.
    Kept,
    /// Others of Pitstop's too: it is live, or may become so.
    Shared(Arc<Loaded>),
    /// Nobody else, and it is on its way out.
    Own(Arc<Loaded>),
    /// It is unmapped.
    Gone,
}

struct Keeper {
    host: &'static Host,
    images: Vec<Known>,
    /// By crate, the generations that were live, the newest last.
    was_live: HashMap<String, Vec<Generation>>,
}

impl Keeper {
    fn run(mut self, told: &Receiver<Told>, own_stack: u64) {
        let mut due: Option<Instant> = None;
        let mut last: Option<Instant> = None;
        loop {
            let next = match due {
                Some(due) => told.recv_deadline(due),
                None => told.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match next {
                Ok(Told::Loaded(image)) => self.add(image),
                Ok(Told::Live(crate_name, generation)) => {
                    let lived = self.was_live.entry(crate_name).or_default();
                    lived.retain(|other| *other != generation);
                    lived.push(generation);
                    let settled = Instant::now() + SETTLE;
                    let pause =
                        PAUSE.max(PAUSE_EACH.saturating_mul(u32::try_from(self.images.len()).unwrap_or(u32::MAX)));
                    due.get_or_insert_with(|| last.map_or(settled, |last| settled.max(last + pause)));
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.look(own_stack);
                    (due, last) = (None, Some(Instant::now()));
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn add(&mut self, image: Arc<Loaded>) {
        self.images.push(Known {
            crate_name: image.image.crate_name.clone(),
            generation: image.image.generation,
            place: Place::of(&image),
            image: if self.host.config.unload { Image::Shared(image) } else { Image::Kept },
            held_by: Vec::new(),
        });
    }

    /// Lets go of what is free, if that is wanted, and tells what is left.
    fn look(&mut self, own_stack: u64) {
        let begun = Instant::now();
        // Nowhere but on Linux.
        let mappings = Peek::mappings("self", "smaps").unwrap_or_default();
        self.name_users(&mappings);
        let mut paused_ms = 0.0;
        if self.host.config.unload {
            self.retire();
            paused_ms = self.let_go(&mappings, own_stack);
        }
        let images = self.images.iter().map(|known| {
            let memory = memory(&known.place, &mappings);
            RetainedImage {
                crate_name: known.crate_name.clone(),
                generation: known.generation,
                live: self.is_live(known),
                mapped_bytes: memory.mapped,
                resident_bytes: memory.resident,
                held_by: known.held_by.clone(),
            }
        });
        let images = images.collect();
        // Each time: the code that made a value is used once more when that is migrated or dropped.
        self.images.iter().filter(|known| !self.is_live(known)).for_each(|known| rest(&known.place));
        log::debug!(
            "pitstop: {} images are mapped; the look took {:.1} ms, threads were stopped for {paused_ms:.1} ms of it",
            self.images.len(),
            begun.elapsed().as_secs_f64() * 1e3
        );
        self.host.report(Event::Retained { images });
    }

    fn is_live(&self, known: &Known) -> bool {
        let lived = self.was_live.get(&known.crate_name);
        lived.and_then(|lived| lived.last()) == Some(&known.generation)
    }

    /// What each image is used for, and the threads that run it.
    fn name_users(&mut self, mappings: &[Mapping]) {
        let uses: Vec<Vec<String>> = self.images.iter().map(|known| self.uses_of(known)).collect();
        self.images.iter_mut().zip(uses).for_each(|(known, uses)| known.held_by = uses);
        let Ok(memory) = Peek::of("self") else { return };
        for (thread, at) in list() {
            let places: Vec<&Place> = self.images.iter().map(|known| &known.place).collect();
            for image in runs(at, &memory, mappings, &places).unwrap_or_default() {
                self.images[image].held_by.push(sentence(&thread));
            }
            if at == At::Running {
                let what = format!("thread `{}` (tid {}) is running, and cannot be looked at", thread.name, thread.id);
                self.images
                    .iter_mut()
                    .filter(|known| !known.held_by.is_empty())
                    .for_each(|known| known.held_by.push(what.clone()));
            }
        }
    }

    fn uses_of(&self, known: &Known) -> Vec<String> {
        let was_live = self.was_live.get(&known.crate_name).is_some_and(|lived| lived.contains(&known.generation));
        let mut uses = match &known.image {
            Image::Shared(image) => self.host.states.made_by(image),
            _ => Vec::new(),
        };
        match known.image {
            _ if self.is_live(known) => uses.insert(0, "it is live".to_owned()),
            Image::Own(_) | Image::Gone => {}
            _ if !was_live => uses.push("it waits for a safe point".to_owned()),
            _ if uses.is_empty() => uses.push("it can be gone back to with undo".to_owned()),
            _ => {}
        }
        uses
    }

    /// Takes images over that nobody else of Pitstop's has any more, with all pointers into them wiped.
    fn retire(&mut self) {
        for known in &mut self.images {
            known.image = match std::mem::replace(&mut known.image, Image::Gone) {
                Image::Shared(mut image) => match Arc::get_mut(&mut image) {
                    Some(own) => {
                        own.forget_pointers();
                        Image::Own(image)
                    }
                    None => Image::Shared(image),
                },
                other => other,
            };
        }
    }

    /// Unmaps what is free, and notes what holds the rest; how long the program's threads were stopped, in ms.
    fn let_go(&mut self, mappings: &[Mapping], own_stack: u64) -> f64 {
        let mut candidates = Vec::new();
        for (index, known) in self.images.iter_mut().enumerate() {
            if matches!(known.image, Image::Own(_)) {
                known.held_by.clear();
                candidates.push(index);
            }
        }
        if candidates.is_empty() {
            return 0.0;
        }
        let images = candidates.iter().filter_map(|&index| match &self.images[index] {
            known @ Known { image: Image::Own(image), .. } => Some((known, &**image)),
            _ => None,
        });
        let images: Vec<_> = images.collect();
        let look = match unload::look(&images, mappings, own_stack) {
            Ok(look) => look,
            Err(why) => {
                let why = format!("whether it is free cannot be told: {why}");
                candidates.iter().for_each(|&index| self.images[index].held_by = vec![why.clone()]);
                return 0.0;
            }
        };
        for (index, holders) in candidates.into_iter().zip(look.holders) {
            self.images[index].held_by = holders;
            if self.images[index].held_by.is_empty() {
                self.unmap(index);
            }
        }
        self.images.retain(|known| !matches!(known.image, Image::Gone));
        look.paused_ms
    }

    fn unmap(&mut self, index: usize) {
        let known = &mut self.images[index];
        let Image::Own(image) = &mut known.image else { return };
        if Arc::get_mut(image).is_some_and(unload::unmap) {
            log::debug!("pitstop: {} generation {} is unmapped", known.crate_name, known.generation);
            known.image = Image::Gone;
        } else {
            known.held_by =
                vec!["the system's loader keeps it, such as for destructors that are still to run".to_owned()];
        }
    }
}
