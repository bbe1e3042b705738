//! Which version of a plugin gets a call: the live one, or one of several by weight, or by the caller's key.

use super::version::Version;
use pitstop_contract::Generation;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names a version of a plugin: by its number, or by what it says of itself, and then the newest of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionRef {
    /// The number that it was given when it was loaded.
    Number(Generation),
    /// The version that its author gave it: `"2.0.0"`.
    Said(String),
}

impl From<Generation> for VersionRef {
    fn from(number: Generation) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for VersionRef {
    fn from(number: u32) -> Self {
        Self::Number(Generation(number))
    }
}

impl From<&str> for VersionRef {
    fn from(version: &str) -> Self {
        Self::Said(version.to_owned())
    }
}

impl std::fmt::Display for VersionRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "#{number}"),
            Self::Said(version) => write!(f, "{version:?}"),
        }
    }
}

/// Which calls go to which version of a plugin; see [`Plugins::route`](crate::Plugins::route).
#[derive(Clone, Debug)]
pub struct Route {
    pub(crate) legs: Vec<(u32, VersionRef)>,
    pub(crate) keyed: Keyed,
}

/// Whether the caller's key decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keyed {
    Never,
    WhereGiven,
}

/// Two versions at once, each with its weight: `split(90, 1, 10, 2)` sends one call in ten to version 2.
#[must_use]
pub fn split(weight: u32, version: impl Into<VersionRef>, other_weight: u32, other: impl Into<VersionRef>) -> Route {
    Route::only(version).weighing(weight).and(other_weight, other)
}

impl Route {
    /// All calls to one version.
    #[must_use]
    pub fn only(version: impl Into<VersionRef>) -> Self {
        Self { legs: vec![(1, version.into())], keyed: Keyed::Never }
    }

    /// One more version.
    #[must_use]
    pub fn and(mut self, weight: u32, version: impl Into<VersionRef>) -> Self {
        self.legs.push((weight, version.into()));
        self
    }

    /// Calls with a key ([`process_for`](crate::PluginHandle::process_for)) go by the key: the same one to the same version, in
    /// each run of the program, for as long as the weights are the same.
    #[must_use]
    pub fn sticky(self) -> Self {
        Self { keyed: Keyed::WhereGiven, ..self }
    }

    fn weighing(mut self, weight: u32) -> Self {
        self.legs[0].0 = weight;
        self
    }
}

/// Where calls of a plugin go right now.
pub(crate) enum Routing {
    /// Nowhere, and why.
    Away(String),
    One(Arc<Version>),
    Split(Split),
}

impl Routing {
    /// Before there is a version.
    pub(crate) fn not_yet() -> Arc<Self> {
        Arc::new(Self::Away("it is not loaded yet".to_owned()))
    }

    pub(crate) fn versions(&self) -> Vec<Arc<Version>> {
        match self {
            Self::Away(_) => Vec::new(),
            Self::One(version) => vec![Arc::clone(version)],
            Self::Split(split) => split.legs.iter().map(|leg| Arc::clone(&leg.version)).collect(),
        }
    }

    /// The version that gets a call; where none does, why.
    #[inline]
    pub(crate) fn pick(&self, key: Option<&str>) -> Result<&Arc<Version>, &str> {
        match self {
            Self::One(version) => Ok(version),
            Self::Split(split) => Ok(split.pick(key)),
            Self::Away(why) => Err(why),
        }
    }

    /// The newest of them.
    pub(crate) fn newest(&self) -> Option<Arc<Version>> {
        self.versions().into_iter().max_by_key(|version| version.number)
    }

    /// The same with a newer version in the place of the newest.
    pub(crate) fn renewed(&self, version: Arc<Version>) -> Self {
        match self.newest() {
            Some(newest) => self.replaced(&newest, version),
            None => Self::One(version),
        }
    }

    /// The same with one version in the place of another.
    pub(crate) fn replaced(&self, old: &Arc<Version>, new: Arc<Version>) -> Self {
        let instead = |version: &Arc<Version>| Arc::clone(if Arc::ptr_eq(version, old) { &new } else { version });
        match self {
            Self::Away(why) => Self::Away(why.clone()),
            Self::One(version) => Self::One(instead(version)),
            Self::Split(split) => {
                let legs = split.legs.iter().map(|leg| (leg.weight, instead(&leg.version)));
                Self::Split(Split::new(legs.collect(), split.keyed))
            }
        }
    }
}

/// Several versions, each with its share of the calls.
pub(crate) struct Split {
    pub(crate) legs: Vec<Leg>,
    total: u64,
    keyed: Keyed,
    calls: AtomicU64,
}

pub(crate) struct Leg {
    pub(crate) weight: u32,
    /// The weights up to this one's.
    up_to: u64,
    pub(crate) version: Arc<Version>,
}

/// Steps of this length come near to every part of a range in turn: 2^64 by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Split {
    /// At least one weight is not 0.
    pub(crate) fn new(versions: Vec<(u32, Arc<Version>)>, keyed: Keyed) -> Self {
        let mut total = 0;
        let legs = versions.into_iter().map(|(weight, version)| {
            total += u64::from(weight);
            Leg { weight, up_to: total, version }
        });
        let legs = legs.collect();
        Self { legs, total, keyed, calls: AtomicU64::new(0) }
    }

    pub(crate) fn pick(&self, key: Option<&str>) -> &Arc<Version> {
        let spread = match key.filter(|_| self.keyed == Keyed::WhereGiven) {
            Some(key) => hash(key),
            None => self.calls.fetch_add(1, Ordering::Relaxed).wrapping_mul(STEP),
        };
        &self.legs[leg(spread, self.total, self.legs.iter().map(|leg| leg.up_to))].version
    }
}

/// The leg at a place of the range that is `spread` out over all weights.
fn leg(spread: u64, total: u64, mut up_to: impl Iterator<Item = u64>) -> usize {
    let at = ((u128::from(spread) * u128::from(total)) >> 64) as u64;
    up_to.position(|end| at < end).unwrap_or(0)
}

/// FNV-1a, and then mixed: the same in each run and on each machine.
fn hash(key: &str) -> u64 {
    let folded = key
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mixed = (folded ^ (folded >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ (mixed >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(weights: &[u64], spreads: impl Iterator<Item = u64>) -> Vec<usize> {
        let mut up_to = Vec::new();
        for weight in weights {
            up_to.push(up_to.last().unwrap_or(&0) + weight);
        }
        let mut shares = vec![0; weights.len()];
        for spread in spreads {
            shares[leg(spread, up_to[up_to.len() - 1], up_to.iter().copied())] += 1;
        }
        shares
    }

    #[test]
    fn calls_are_spread_by_weight_in_every_stretch_of_them() {
        for begin in [0, 7, 1 << 40] {
            let calls = (begin..begin + 100_u64).map(|call| call.wrapping_mul(STEP));
            let shares = shares(&[90, 10], calls);
            assert!((9..=11).contains(&shares[1]), "{shares:?}");
        }
        assert_eq!(shares(&[0, 5, 0], (0..100).map(|call: u64| call.wrapping_mul(STEP))), [0, 100, 0]);
    }

    #[test]
    fn keys_are_spread_by_weight_too_and_stay_where_they_are() {
        let keys: Vec<String> = (0..10_000).map(|user| format!("user-{user}")).collect();
        let shares = shares(&[90, 10], keys.iter().map(|key| hash(key)));
        assert!((900..1100).contains(&shares[1]), "{shares:?}");
        assert_eq!(hash("user-1"), hash("user-1"));
        // Whatever the program, the compiler and the machine.
        assert_eq!(hash(""), 0xefd0_1f60_ba99_2926);
    }
}
