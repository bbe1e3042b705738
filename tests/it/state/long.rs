//! Hundreds of reloads of one program: its state stays right, and it takes up no more than it has to.
//!
//! A few in every run; `PITSTOP_RELOADS=1000` asks for more.
#![cfg(target_os = "linux")]

use object::Endianness;
use object::elf::{PF_W, PT_LOAD};
use object::read::elf::{ElfFile64, ProgramHeader};
use pitstop_contract::event::Event;
use pitstop_tests::{Project, Session, TIMEOUT};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

const LOGIC: &str = "logic/src/lib.rs";
/// Reloads in an ordinary test run.
const RELOADS: u64 = 30;
/// A migration with each of these.
const MIGRATION: u64 = 10;
/// By then whatever is done once is done.
const WARM: u64 = 10;
/// What a generation may take up besides its own writable pages.
const BESIDES: u64 = 64 << 10;
const PAGE: u64 = 4096;

/// The two forms of a type that follow on each other.
const FORMS: [&str; 2] = [
    "    pub value: u64,\n    pub name: String,\n}",
    "    pub name: String,\n    #[serde(default)]\n    pub spare: [u16; 3],\n    pub value: u64,\n}",
];

#[test]
fn hundreds_of_reloads_keep_the_state_right_and_grow_by_their_own_pages_only() {
    let reloads = std::env::var("PITSTOP_RELOADS").ok().and_then(|value| value.parse().ok()).unwrap_or(RELOADS);
    let project = Project::new("long");
    let mut session = project.live(&[]);
    let mut world = World::default();
    world.finds(&mut session, 0);
    let (mut form, mut warm) = (0, None);
    for round in 1..=reloads {
        let mut source =
            project.replaced(LOGIC, &format!("ROUND: u64 = {};", round - 1), &format!("ROUND: u64 = {round};"));
        if round % MIGRATION == 0 {
            assert!(source.contains(FORMS[form]), "{source}");
            source = source.replace(FORMS[form], FORMS[1 - form]);
            form = 1 - form;
        }
        project.write(LOGIC, &source);
        world.finds(&mut session, round);
        if round % MIGRATION == 0 {
            let is_migration = |event: &Event| matches!(event, Event::Migrated { .. }).then_some(());
            session.event("migrated", is_migration);
        }
        if round == WARM {
            warm = Some(Usage::of(session.host()));
        }
        if let Some(warm) = warm.as_ref().filter(|_| round % 100 == 0) {
            println!("round {round}: {}", Usage::of(session.host()).since(warm));
        }
    }
    let migrations = session.count(|event| matches!(event, Event::Migrated { .. }));
    assert_eq!(migrations as u64, reloads / MIGRATION, "an edit of the body alone migrates nothing");
    let warm = warm.expect("more reloads than it takes to get warm");
    let end = Usage::at_rest(session.host(), &warm);
    let text = end.since(&warm);
    println!("{reloads} reloads, {migrations} migrations: {text}");
    assert!(
        end.files <= warm.files && end.threads <= warm.threads,
        "{text}; it had {} and {}",
        warm.files,
        warm.threads
    );
    assert_eq!(end.images, reloads, "{text}");
    assert!(end.grew_little(&warm), "{text}");
}

/// What the program's world has to be.
struct World {
    cells: Vec<(u64, String)>,
    seen: BTreeMap<u64, u64>,
}

impl Default for World {
    fn default() -> Self {
        Self { cells: vec![(0, String::new()); 500], seen: BTreeMap::new() }
    }
}

impl World {
    /// Awaits a generation, which finds the world as it has to be.
    fn finds(&mut self, session: &mut Session, round: u64) {
        let at = usize::try_from(round).expect("a round") % self.cells.len();
        let (value, name) = &mut self.cells[at];
        *value = value.wrapping_mul(31).wrapping_add(round + 1);
        *name = format!("of round {round}");
        self.seen.insert(round % 64, *value);
        let line = session.prints(&format!("round {round} "));
        assert_eq!(line, format!("round {round} checksum {:016x}.", self.checksum()));
    }

    fn checksum(&self) -> u64 {
        let cells = self.cells.iter().flat_map(|(value, name)| value.to_le_bytes().into_iter().chain(name.bytes()));
        let seen = self.seen.iter().flat_map(|(key, value)| key.to_le_bytes().into_iter().chain(value.to_le_bytes()));
        cells
            .chain(seen)
            .fold(0xcbf2_9ce4_8422_2325, |sum: u64, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }
}

/// What a process takes up; sizes in bytes.
#[derive(Clone, Debug, Default)]
struct Usage {
    files: usize,
    threads: usize,
    /// Images that are mapped.
    images: u64,
    /// Writable pages of the newest.
    writable: u64,
    resident: u64,
    /// Of that, memory that no file backs, or no longer does.
    anonymous: u64,
    /// Of the images' pages, those that are resident.
    of_images: u64,
    /// And those of them that were written.
    written: u64,
}

impl Usage {
    fn of(pid: u32) -> Self {
        let process = PathBuf::from(format!("/proc/{pid}"));
        let count = |folder: &str| std::fs::read_dir(process.join(folder)).expect("a process").count();
        let status = std::fs::read_to_string(process.join("status")).expect("a process");
        let mut usage = Self {
            files: count("fd"),
            threads: count("task"),
            resident: field(&status, "VmRSS:"),
            anonymous: field(&status, "RssAnon:"),
            ..Self::default()
        };
        let maps = std::fs::read_to_string(process.join("smaps")).expect("a process");
        let mut images = BTreeSet::new();
        let mut is_image = false;
        for line in maps.lines() {
            if line.split(' ').next().is_some_and(|head| !head.ends_with(':')) {
                let path = line.find('/').map(|at| line[at..].trim_end_matches(" (deleted)"));
                let image = path.filter(|path| path.contains("/images/"));
                is_image = image.is_some();
                images.extend(image);
            } else if is_image {
                usage.of_images += field(line, "Rss:");
                usage.written += field(line, "Anonymous:");
            }
        }
        usage.images = images.len() as u64;
        usage.writable = images.last().map_or(0, |path| writable(Path::new(path)));
        usage
    }

    /// Whether each generation since then takes up no more than it may, pages of its file included.
    fn grew_little(&self, since: &Self) -> bool {
        self.growth(since)[0] <= self.writable + BESIDES
    }

    /// Once the program has closed what it reads after a swap, and has given back what old images do not need.
    fn at_rest(pid: u32, before: &Self) -> Self {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let usage = Self::of(pid);
            if usage.files <= before.files && usage.grew_little(before) || Instant::now() > deadline {
                return usage;
            }
        }
    }

    /// Bytes for each generation since then.
    fn growth(&self, since: &Self) -> [u64; 4] {
        let generations = (self.images - since.images).max(1);
        let of = |take: fn(&Self) -> u64| take(self).saturating_sub(take(since)) / generations;
        [
            of(|usage| usage.resident),
            of(|usage| usage.anonymous),
            of(|usage| usage.of_images),
            of(|usage| usage.written),
        ]
    }

    fn since(&self, since: &Self) -> String {
        let [resident, anonymous, of_images, written] = self.growth(since).map(|bytes| bytes as f64 / 1024.0);
        format!(
            "{} files, {} threads, {:.1} MiB resident; for each generation {resident:.1} KiB, of which {of_images:.1} are \
             of its image and {written:.1} written there, {anonymous:.1} without a file; its writable pages are {:.1} KiB",
            self.files,
            self.threads,
            self.resident as f64 / f64::from(1 << 20),
            self.writable as f64 / 1024.0
        )
    }
}

/// A number of `/proc`, in bytes; 0 where the text has none of this name.
fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    number.unwrap_or_default() << 10
}

/// The writable pages of an image, with those that the loader makes read-only in the end.
fn writable(path: &Path) -> u64 {
    let bytes = std::fs::read(path).expect("the newest image");
    let file = ElfFile64::<Endianness>::parse(bytes.as_slice()).expect("an image");
    let endian = file.endian();
    let segments = file.elf_program_headers().iter();
    let segments = segments.filter(|it| it.p_type(endian) == PT_LOAD && it.p_flags(endian) & PF_W == PF_W);
    let pages = segments.map(|it| {
        let begin = it.p_vaddr(endian);
        (begin + it.p_memsz(endian)).next_multiple_of(PAGE) - begin / PAGE * PAGE
    });
    pages.sum()
}
