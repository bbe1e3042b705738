//! Damages bytes: where it hurts, and in the ways that files are damaged or forged.

use crate::dice::Dice;
use std::ops::Range;

/// A damaged copy. Most of the damage is within `targets`.
pub(crate) fn damage(bytes: &[u8], targets: &[Range<usize>], dice: &mut Dice) -> Vec<u8> {
    let mut damaged = bytes.to_vec();
    // Little of it, mostly, so that what comes after is still read.
    let most = dice.pick(&[1, 1, 1, 2, 4, 24]);
    let count = 1 + dice.below(most);
    for _ in 0..count {
        if damaged.is_empty() {
            break;
        }
        let at = place(damaged.len(), targets, dice);
        hit(&mut damaged, at, dice);
    }
    damaged
}

fn place(length: usize, targets: &[Range<usize>], dice: &mut Dice) -> usize {
    let target = if dice.chance(90) { dice.one(targets).clone() } else { 0..length };
    (target.start + dice.below(target.len())).min(length - 1)
}

fn hit(bytes: &mut Vec<u8>, at: usize, dice: &mut Dice) {
    let length = bytes.len();
    let room = length - at;
    match dice.below(16) {
        0..4 => bytes[at] ^= 1 << dice.below(8),
        4..6 => bytes[at] = dice.next().to_le_bytes()[0],
        6..9 => {
            let numbers =
                [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, u64::MAX >> 33, u64::MAX >> 32, u64::MAX >> 1, u64::MAX];
            let near = [length as u64, at as u64, room as u64, dice.next() % 64];
            let number = if dice.chance(70) { dice.pick(&numbers) } else { dice.pick(&near) };
            let width = dice.pick(&[1, 2, 4, 8]).min(room);
            bytes[at..at + width].copy_from_slice(&number.to_le_bytes()[..width]);
        }
        // A number of variable length, as DWARF has them, that does not end where it did.
        9 => {
            let width = (1 + dice.below(12)).min(room);
            bytes[at..at + width].fill(dice.pick(&[0x80, 0xff, 0x7f]));
        }
        10..12 => {
            let width = (1 + dice.below(64)).min(room);
            let from = dice.below(length - width + 1);
            bytes.copy_within(from..from + width, at);
        }
        12 => {
            let width = (1 + dice.below(32)).min(room);
            bytes[at..at + width].fill(0);
        }
        13 => {
            let width = (1 + dice.below(16)).min(room);
            bytes.drain(at..at + width);
        }
        14 => {
            let width = (1 + dice.below(16)).min(room);
            let block = bytes[at..at + width].to_vec();
            bytes.splice(at..at, block);
        }
        _ => bytes.truncate(if dice.chance(50) { at } else { dice.below(length) }),
    }
}
