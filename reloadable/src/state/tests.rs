//! What a cell lets through, and what serde is asked for.

use super::{Access, Cell, Keeper, Migrate, Of, RestoreError, SEAT, Saved, Seat, State};
use super::{NoMigrate as _, NoRestore as _, NoSave as _};
use serde::{Deserialize, Serialize};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Lets in whom it is told to, and notes who asked.
#[derive(Default)]
struct Doorman {
    closed: AtomicUsize,
    asked: Mutex<Vec<(Access, u32)>>,
    released: AtomicUsize,
}

impl Keeper for Doorman {
    fn admit(&self, _: usize, _: &'static Seat, access: Access, at: &Location<'_>) -> Result<(), String> {
        self.asked.lock().expect("no panic").push((access, at.line()));
        if self.closed.load(Ordering::Relaxed) == 0 { Ok(()) } else { Err("closed".to_owned()) }
    }

    fn release(&self, number: usize) {
        self.released.fetch_add(number, Ordering::Relaxed);
    }
}

#[expect(unsafe_code, reason = "makes a handle as the host does")]
fn kept(keeper: &'static Doorman, value: &'static mut [u32; 2]) -> (State<[u32; 2]>, *const Cell) {
    let cell = Box::into_raw(Box::new(Cell::kept(std::ptr::from_mut(value).cast(), keeper, 7)));
    // SAFETY: the one handle; the value is of this type, and lives for good.
    (unsafe { State::of(cell) }, cell)
}

#[test]
fn who_was_not_let_in_asks_each_time_and_is_told_where_from() {
    let keeper: &Doorman = Box::leak(Box::default());
    let (mut state, cell) = kept(keeper, Box::leak(Box::new([1, 2])));
    assert_eq!(state[0], 1);
    let line = line!() - 1;
    state[1] = 5;
    assert_eq!(*keeper.asked.lock().expect("no panic"), [(Access::Read, line), (Access::Write, line + 2)]);
    keeper.closed.store(1, Ordering::Relaxed);
    let refused = catch_unwind(AssertUnwindSafe(|| state[0])).expect_err("closed");
    assert_eq!(refused.downcast_ref::<String>().map(String::as_str), Some("closed"));
    // The keeper opens one side for this seat: nobody asks there any more.
    #[expect(unsafe_code, reason = "looks at the cell as the host does")]
    // SAFETY: the handle is there.
    let cell = unsafe { &*cell };
    cell.open(SEAT.bit(), Access::Read);
    assert_eq!((state[0], state[1]), (1, 5));
    assert!(catch_unwind(AssertUnwindSafe(|| state[0] = 2)).is_err(), "looking is not changing");
    // Another value in its place: all ask anew, and what was handed out stays good.
    let before = &state[0];
    let value: &'static mut [u32; 2] = Box::leak(Box::new([8, 9]));
    cell.replace(std::ptr::from_mut(value).cast());
    assert!(catch_unwind(AssertUnwindSafe(|| state[0])).is_err(), "a new value, and nobody was let at it");
    keeper.closed.store(0, Ordering::Relaxed);
    assert_eq!((state[0], *before), (8, 1));
    drop(state);
    assert_eq!(keeper.released.load(Ordering::Relaxed), 7);
}

#[test]
fn a_value_that_nobody_keeps_is_dropped_once_with_its_handle() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    struct Counts(u8);
    impl Drop for Counts {
        fn drop(&mut self) {
            DROPS.fetch_add(1, Ordering::Relaxed);
        }
    }
    let mut state = State::new(Counts(1));
    state.0 += 1;
    assert_eq!((state.0, DROPS.load(Ordering::Relaxed)), (2, 0));
    drop(state);
    assert_eq!(DROPS.load(Ordering::Relaxed), 1);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct World {
    balls: Vec<(f32, Option<String>)>,
}

impl Migrate for World {
    const VERSION: u32 = 3;

    fn migrate(from: u32, value: Saved<'_>) -> Result<Self, RestoreError> {
        assert_ne!(from, 5, "five is not alive");
        let names: Vec<String> = value.read()?;
        Ok(Self { balls: names.into_iter().map(|name| (from as f32, Some(name))).collect() })
    }
}

#[expect(unsafe_code, reason = "takes a value back as the host does")]
fn restored<T>(value: *mut ()) -> T {
    // SAFETY: `restore` made it of a box of this type.
    *unsafe { Box::from_raw(value.cast::<T>()) }
}

#[test]
fn a_type_can_be_done_what_it_has_the_traits_for() {
    struct Plain;
    assert!(Of::<Plain>::SAVE.is_none() && Of::<Plain>::READ.is_none() && Of::<Plain>::MIGRATE.is_none());
    assert!(Of::<u8>::SAVE.is_some() && Of::<u8>::READ.is_some() && Of::<u8>::MIGRATE.is_none());
    let (version, restore) = Of::<World>::MIGRATE.expect("a version");
    assert_eq!(version, 3);
    let world = World { balls: vec![(f32::INFINITY, None), (0.5, Some("left".to_owned()))] };
    let save = Of::<World>::SAVE.expect("serde");
    #[expect(unsafe_code, reason = "saves a value as the host does")]
    // SAFETY: a value of the type.
    let saved = unsafe { save(std::ptr::from_ref(&world).cast()) }.expect("saved");
    assert_eq!(restored::<World>(restore(&saved, 3).expect("the same version")), world);
    let names = rmp_serde::to_vec_named(&["a", "b"]).expect("saved");
    let World { balls } = restored(restore(&names, 2).expect("an older version"));
    assert_eq!(balls, [(2.0, Some("a".to_owned())), (2.0, Some("b".to_owned()))]);
    assert!(restore(&names, 5).expect_err("a panic of the user's").to_string().contains("five is not alive"));
    assert_eq!(restore(&saved, 2).expect_err("no names").to_string(), "invalid type: map, expected a sequence");
}

#[test]
fn what_cannot_be_read_is_named_by_its_way() {
    #[derive(Serialize)]
    struct Before {
        balls: Vec<(String, u8)>,
    }
    #[derive(Debug, Deserialize)]
    struct After {
        #[expect(dead_code, reason = "never made")]
        balls: Vec<(f32, u8)>,
    }
    let saved = rmp_serde::to_vec_named(&Before { balls: vec![("x".to_owned(), 1)] }).expect("saved");
    let error = Saved(&saved).read::<After>().expect_err("a string is no number");
    assert_eq!(
        (error.field(), error.to_string().as_str()),
        ("balls[0][0]", "balls[0][0]: a string was saved, which the new type does not take")
    );
    for length in 0..saved.len() {
        assert!(Saved(&saved[..length]).read::<After>().is_err(), "cut at {length}");
    }
}
