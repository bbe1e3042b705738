//! The program that the evolutions are compiled into: makes random values of the one type, has Pitstop save them and
//! restore the other type of it, and compares that with what serde makes of it.
#![allow(dead_code, unused_imports, clippy::all)]

mod dice;
mod evolutions;

pub mod prelude {
    pub use crate::{Alone, F32, F64, Form, Kind, Place, Random, Values};
    pub use pitstop_reloadable::{Migrate, RestoreError, Saved, State, reloadable};
    pub use serde::{Deserialize, Serialize};
    pub use std::collections::{BTreeMap, HashMap, VecDeque};
}

use dice::Dice;
use pitstop_reloadable::__private::{Carried, STATES};
use prelude::*;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::hash::Hash;

/// Values of each type.
const VALUES: u64 = 12;

fn main() {
    evolutions::judge_all();
}

/// What serde alone makes of a saved value.
pub trait Alone: Sized {
    /// As Pitstop should know it.
    const VERSION: u32;
    /// Whether serde reads parts by way of a buffer, which knows no more of the types than the format does.
    const BUFFERS: bool;
    fn alone(saved: &Form<'_>, from: u32) -> Option<Self>;
}

/// A saved value: as Pitstop does it, and in a format that has nothing to do with it.
pub enum Form<'a> {
    Packed(&'a [u8]),
    Json(&'a serde_json::Value),
}

impl Form<'_> {
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        match self {
            Self::Packed(bytes) => rmp_serde::from_slice(bytes).ok(),
            Self::Json(value) => T::deserialize(*value).ok(),
        }
    }
}

/// Counts: restored, refused, compared with JSON, not to be said in JSON.
type Counts = [usize; 4];

pub fn judge<B, A>(number: usize, seed: u64)
where
    B: Alone + Random + Serialize + DeserializeOwned + PartialEq + Debug,
    A: Alone + Random + Serialize + DeserializeOwned + PartialEq + Debug,
{
    let mut values = Values { dice: Dice::new(seed), budget: 0, finite: true };
    let (mut on, mut back) = ([0; 4], [0; 4]);
    for _ in 0..VALUES {
        let outcomes = [pass::<B, A>(&values.whole(), &mut on), pass::<A, B>(&values.whole(), &mut back)];
        for (way, outcome) in ["on", "back"].iter().zip(outcomes) {
            if let Err(what) = outcome {
                println!("wrong {number} {way}: {}", what.replace('\n', " "));
            }
        }
    }
    let texts = [on, back].map(|counts| counts.map(|count| count.to_string()).join(" "));
    println!("done {number} {} {}", texts[0], texts[1]);
}

/// One value, from one type to another.
fn pass<B, A>(value: &B, counts: &mut Counts) -> Result<(), String>
where
    B: Alone + Serialize + DeserializeOwned + PartialEq + Debug,
    A: Alone + DeserializeOwned + PartialEq + Debug,
{
    let (from, to) = (&carried::<B>().operations, &carried::<A>().operations);
    if (from.version, to.version) != (B::VERSION, A::VERSION) {
        return Err(format!("versions {} and {}", from.version, to.version));
    }
    // SAFETY: the operation of this very type.
    let saved = unsafe { from.save.ok_or("no save")?(std::ptr::from_ref(value).cast()) }?;
    if rmp_serde::to_vec_named(value).ok().as_ref() != Some(&saved) {
        return Err("saved in another form than serde's".to_owned());
    }
    let restored = to.restore.ok_or("no restore")?(&saved, from.version);
    let alone = A::alone(&Form::Packed(&saved), from.version);
    let json = serde_json::to_value(value).ok().filter(|json| {
        // Not a number is nothing in JSON, and some keys cannot be told from text.
        let again = Form::Json(json).read::<B>();
        again.is_some() && again == Form::Packed(&saved).read::<B>()
    });
    let witness = json.as_ref().map(|json| A::alone(&Form::Json(json), from.version));
    let result = match restored {
        Ok(pointer) => {
            // SAFETY: `restore` gave a box of this very type.
            let same = judged(Some(unsafe { &*pointer.cast::<A>() }), &alone, &witness, counts);
            // SAFETY: as above; nothing refers to it any more.
            unsafe { (to.drop)(pointer) }?;
            same
        }
        Err(error) if error.to_string().is_empty() || error.field().is_empty() => Err("refused without a word".to_owned()),
        Err(error) => judged(None, &alone, &witness, counts).map_err(|wrong| format!("{wrong}, refused for {error}")),
    };
    result.map_err(|wrong| format!("{wrong}; of {}", shortened(value)))
}

fn judged<A: Alone + PartialEq + Debug>(
    restored: Option<&A>,
    alone: &Option<A>,
    witness: &Option<Option<A>>,
    counts: &mut Counts,
) -> Result<(), String> {
    if restored != alone.as_ref() {
        return Err(format!("restored {}, and serde alone {}", shortened(&restored), shortened(alone)));
    }
    counts[usize::from(restored.is_none())] += 1;
    match witness {
        Some(witness) if witness.as_ref() == restored => counts[2] += 1,
        // In a buffer, keys of JSON are text whatever they are read as.
        Some(None) if A::BUFFERS => counts[3] += 1,
        Some(witness) => {
            return Err(format!("restored {}, and JSON gives {}", shortened(&restored), shortened(witness)));
        }
        None => counts[3] += 1,
    }
    Ok(())
}

fn shortened(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    let end = text.char_indices().nth(1500).map_or(text.len(), |(at, _)| at);
    text[..end].to_owned()
}

/// What the crate has registered of a type, as the host finds it.
fn carried<T>() -> &'static Carried {
    let is_it = |known: &&Carried| (known.type_name)() == std::any::type_name::<T>();
    STATES.iter().find(is_it).expect("a registered type")
}

/// Random values, of which some are large.
pub struct Values {
    dice: Dice,
    /// How many parts a value may still have.
    budget: usize,
    /// Whether all floating-point numbers are numbers, as JSON wants them.
    finite: bool,
}

impl Values {
    fn whole<T: Random>(&mut self) -> T {
        self.budget = if self.dice.chance(15) { 20_000 } else { 300 };
        self.finite = self.dice.chance(60);
        self.any()
    }

    pub fn any<T: Random>(&mut self) -> T {
        T::random(self)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.dice.below(bound)
    }

    /// A length: often nothing, sometimes whatever is left.
    fn length(&mut self) -> usize {
        let wanted = match self.below(20) {
            0..5 => 0,
            5..16 => 1 + self.below(3),
            16..19 => self.below(30),
            _ => 5_000,
        };
        let length = wanted.min(self.budget);
        self.budget -= length;
        length
    }

    fn many<T: Random, C: FromIterator<T>>(&mut self) -> C {
        (0..self.length()).map(|_| self.any()).collect()
    }
}

pub trait Random: Sized {
    fn random(values: &mut Values) -> Self;
}

macro_rules! integers {
    ($($ty:ty)*) => {
        $(impl Random for $ty {
            fn random(values: &mut Values) -> Self {
                match values.below(8) {
                    0 => 0,
                    1 => Self::MAX,
                    2 => Self::MIN,
                    3..6 => values.below(100) as Self,
                    _ => values.dice.next() as Self,
                }
            }
        })*
    };
}
integers!(u8 u16 u32 u64 i8 i16 i32 i64);

/// Floating-point numbers that are equal when all of their bits are.
macro_rules! floats {
    ($($name:ident $ty:ty, $bits:ty;)*) => {
        $(#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $ty);

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.0.to_bits() == other.0.to_bits() || self.0.is_nan() && other.0.is_nan()
            }
        }

        impl Random for $name {
            fn random(values: &mut Values) -> Self {
                let found = match values.below(16) {
                    0 => <$ty>::INFINITY,
                    1 => <$ty>::NEG_INFINITY,
                    2 => <$ty>::NAN,
                    3 => -0.0,
                    4 => <$ty>::MAX,
                    5 => <$ty>::MIN_POSITIVE / 2.0,
                    6 => <$ty>::from_bits(values.dice.next() as $bits),
                    7..10 => values.below(100) as $ty,
                    _ => values.below(1_000_000) as $ty / 997.0,
                };
                Self(if values.finite && !found.is_finite() { 0.5 } else { found })
            }
        })*
    };
}
floats! { F32 f32, u32; F64 f64, u64; }

impl Random for bool {
    fn random(values: &mut Values) -> Self {
        values.dice.chance(50)
    }
}

impl Random for char {
    fn random(values: &mut Values) -> Self {
        let any = char::from_u32(values.below(0x11_0000) as u32).unwrap_or('\0');
        values.dice.pick(&['a', 'é', '🦀', '"', '\n', '\0', any])
    }
}

impl Random for String {
    fn random(values: &mut Values) -> Self {
        match values.below(8) {
            0 => "null".to_owned(),
            1 => "7".to_owned(),
            _ => values.many::<char, _>(),
        }
    }
}

impl<T: Random> Random for Option<T> {
    fn random(values: &mut Values) -> Self {
        values.dice.chance(70).then(|| values.any())
    }
}

impl<T: Random> Random for Box<T> {
    fn random(values: &mut Values) -> Self {
        Box::new(values.any())
    }
}

impl<T: Random> Random for Vec<T> {
    fn random(values: &mut Values) -> Self {
        values.many()
    }
}

impl<T: Random> Random for VecDeque<T> {
    fn random(values: &mut Values) -> Self {
        values.many()
    }
}

impl<K: Random + Ord, V: Random> Random for BTreeMap<K, V> {
    fn random(values: &mut Values) -> Self {
        values.many()
    }
}

impl<K: Random + Eq + Hash, V: Random> Random for HashMap<K, V> {
    fn random(values: &mut Values) -> Self {
        values.many()
    }
}

impl<A: Random, B: Random> Random for (A, B) {
    fn random(values: &mut Values) -> Self {
        (values.any(), values.any())
    }
}

impl<T: Random> Random for [T; 3] {
    fn random(values: &mut Values) -> Self {
        [values.any(), values.any(), values.any()]
    }
}

/// A key that is no text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    pub x: i64,
    pub y: i16,
}

impl Random for Place {
    fn random(values: &mut Values) -> Self {
        Self { x: values.any(), y: values.any() }
    }
}

/// A key of a few.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    #[default]
    Small,
    Large,
    Other,
}

impl Random for Kind {
    fn random(values: &mut Values) -> Self {
        match values.below(3) {
            0 => Self::Small,
            1 => Self::Large,
            _ => Self::Other,
        }
    }
}

/// Functions of one's own that read a field's earlier type.
pub mod retyped {
    use crate::prelude::*;
    use serde::Deserializer;

    pub fn seven<T: From<u8>>() -> T {
        T::from(7)
    }

    pub fn place_of_number<'de, D: Deserializer<'de>>(from: D) -> Result<Place, D::Error> {
        u32::deserialize(from).map(|x| Place { x: x.into(), y: 0 })
    }

    pub fn text_of_number<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
        u64::deserialize(from).map(|number| format!("number {number}"))
    }

    pub fn half<'de, D: Deserializer<'de>>(from: D) -> Result<F64, D::Error> {
        i64::deserialize(from).map(|number| F64(number as f64 / 2.0))
    }

    pub fn bits<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        f64::deserialize(from).map(f64::to_bits)
    }

    pub fn length<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
        String::deserialize(from).map(|text| text.len() as u32)
    }

    pub fn number_of_bool<'de, D: Deserializer<'de>>(from: D) -> Result<u8, D::Error> {
        bool::deserialize(from).map(u8::from)
    }

    pub fn list_of_option<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
        Option::<T>::deserialize(from).map(|value| value.into_iter().collect())
    }

    pub fn first<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
        Vec::<T>::deserialize(from).map(|list| list.into_iter().next())
    }

    pub fn one<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
        T::deserialize(from).map(|value| vec![value])
    }

    pub fn pairs<'de, D: Deserializer<'de>, K: Deserialize<'de> + Ord, V: Deserialize<'de>>(
        from: D,
    ) -> Result<Vec<(K, V)>, D::Error> {
        BTreeMap::<K, V>::deserialize(from).map(|map| map.into_iter().collect())
    }
}
