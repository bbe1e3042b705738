//! What old generations take up and who runs them; letting go of those that nothing leads into.

use pitstop_contract::event::{Event, RetainedImage};
use pitstop_tests::{Project, Session};

const LOGIC: &str = "logic/src/lib.rs";

/// A session with the fixture, whose program does one thing after the other.
struct Play {
    project: Project,
    session: Session,
    turn: u32,
    wish: String,
}

impl Play {
    fn new(arguments: &[&str]) -> Self {
        let project = Project::new("retained");
        let mut session = project.live(arguments);
        session.prints("host: 1 nothing");
        Self { project, session, turn: 1, wish: "nothing".to_owned() }
    }

    /// Makes a generation with another wish; its number, and what is mapped then.
    fn next(&mut self, wish: &str) -> (u32, Vec<RetainedImage>) {
        self.edit(wish);
        let generation = self.session.goes_live("logic");
        self.session.prints(&format!("host: {} {wish}:", self.turn));
        let images = self.session.event("retained", |event| match event {
            Event::Retained { images } => {
                let is_live = |image: &RetainedImage| image.live && image.generation.0 == generation;
                images.iter().any(is_live).then(|| images.clone())
            }
            _ => None,
        });
        (generation, images)
    }

    /// The program ends by itself.
    fn ends(mut self) {
        self.edit("end");
        self.session.prints("end:");
        assert!(self.session.ends().success());
    }

    fn edit(&mut self, wish: &str) {
        let text = self.project.replaced(LOGIC, &format!("u32 = {};", self.turn), &format!("u32 = {};", self.turn + 1));
        let text = text.replace(&format!("&str = \"{}\"", self.wish), &format!("&str = \"{wish}\""));
        self.project.write(LOGIC, &text);
        (self.turn, self.wish) = (self.turn + 1, wish.to_owned());
    }
}

fn image(images: &[RetainedImage], generation: u32) -> &RetainedImage {
    images
        .iter()
        .find(|image| image.generation.0 == generation)
        .unwrap_or_else(|| panic!("no {generation}: {images:?}"))
}

fn is_mapped(images: &[RetainedImage], generation: u32) -> bool {
    images.iter().any(|image| image.generation.0 == generation)
}

#[test]
fn each_generation_is_listed_with_its_size_and_its_threads() {
    let mut play = Play::new(&[]);
    let (worker, images) = play.next("worker");
    assert_eq!(images.len(), 1, "{images:?}");
    let first = image(&images, worker);
    assert_eq!((first.crate_name.as_str(), first.live), ("logic", true));
    // A dynamic library of Rust's has some pages of code and at least one that was relocated.
    assert!(first.mapped_bytes >= 16 << 10, "{first:?}");
    let resident = first.resident_bytes.expect("Linux tells");
    assert!(resident >= 4 << 10 && resident <= first.mapped_bytes, "{first:?}");
    assert!(first.held_by.contains(&"it is live".to_owned()), "{first:?}");
    let (_, two) = play.next("keep");
    let (_, three) = play.next("keep");
    let sum = |images: &[RetainedImage]| images.iter().map(|image| image.resident_bytes.unwrap_or(0)).sum::<u64>();
    assert!(sum(&images) < sum(&two) && sum(&two) < sum(&three), "{images:?} {two:?} {three:?}");
    let old = image(&three, worker);
    assert!(!old.live && three.len() == 3, "{three:?}");
    assert!(old.held_by.iter().any(|why| why.starts_with("thread `worker` (tid ")), "{old:?}");
    assert!(old.held_by.iter().any(|why| why.contains("undo")), "{old:?}");
    let elsewhere = three.iter().filter(|image| image.generation.0 != worker).flat_map(|image| &image.held_by);
    assert!(elsewhere.clone().all(|why| !why.contains("`worker`")), "{three:?}");
    let (_, images) = play.next("let go");
    assert!(image(&images, worker).held_by.iter().all(|why| !why.contains("`worker`")), "{images:?}");
    play.ends();
}

#[test]
fn a_generation_is_unmapped_when_nothing_leads_into_it_and_else_it_is_said_what_does() {
    let mut play = Play::new(&["--linkage", "shared", "--", "unload"]);
    let wishes = ["shape", "text", "function", "worker", "note"];
    let held: Vec<u32> = wishes.iter().map(|wish| play.next(wish).0).collect();
    let (free, _) = play.next("keep");
    for _ in 0..2 {
        let (_, images) = play.next("keep");
        assert!(is_mapped(&images, free), "undo can go back to it");
    }
    let (_, mut images) = play.next("keep");
    while is_mapped(&images, free) {
        // What is left of it in freed memory may look like a pointer, for as long as nobody uses that memory.
        let why = &image(&images, free).held_by;
        assert!(why.iter().all(|why| why.contains("word") || why.contains("register")), "{images:?}");
        assert!(play.turn < 20, "{images:?}");
        images = play.next("keep").1;
    }
    let said = ["::area`", "data, such as a text", "times`", "thread `worker` (tid ", "destructor"];
    for (generation, said) in held.iter().zip(said) {
        let image = image(&images, *generation);
        assert!(image.held_by.iter().any(|why| why.contains(said)), "{said}: {image:?}");
    }
    // All that was held still works: none of it was unmapped.
    play.next("let go");
    let mut left = held.clone();
    let mut images = Vec::new();
    while play.turn < 22 || !left.is_empty() {
        if play.turn == 40 {
            // What is left of one in freed memory, which nobody has used since. Of the others nothing is.
            let is_leftover = |why: &String| why.contains("in the heap");
            assert!(left.len() == 1 && image(&images, left[0]).held_by.iter().all(is_leftover), "{left:?}: {images:?}");
            break;
        }
        images = play.next("keep").1;
        left.retain(|generation| is_mapped(&images, *generation));
        // The live one, two for undo, and room for leftovers.
        assert!(images.len() <= 3 + left.len() + 3, "{images:?}");
    }
    play.ends();
}

#[test]
fn an_image_with_a_std_of_its_own_is_held_by_what_it_does_at_the_programs_end() {
    let mut play = Play::new(&["--linkage", "self-contained", "--", "unload"]);
    let (first, _) = play.next("shape");
    play.next("let go");
    play.next("keep");
    let (_, images) = play.next("keep");
    let said = |why: &String| why.contains("is to be called at the end of a thread or of the program");
    assert!(image(&images, first).held_by.iter().any(said), "{images:?}");
    play.ends();
}
