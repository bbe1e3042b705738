//! Puts things in order, with one instance of the sort for all of their types: each of its own takes a program's build longer.

use std::cmp::Ordering;
use std::collections::BTreeSet;

/// The texts in order, each once.
pub(crate) fn set(texts: impl Iterator<Item = String>) -> BTreeSet<String> {
    let mut set = BTreeSet::new();
    // To collect them would sort them first, by an instance of its own.
    for text in texts {
        set.insert(text);
    }
    set
}

/// Sorts; what is equal stays in its order.
pub(crate) fn sort<T>(items: &mut [T], compare: &dyn Fn(&T, &T) -> Ordering) {
    if items.windows(2).all(|pair| compare(&pair[0], &pair[1]).is_le()) {
        return;
    }
    let mut order: Vec<usize> = (0..items.len()).collect();
    sort_places(&mut order, &|one, other| compare(&items[one], &items[other]));
    // Each place is given what belongs there, round by round.
    for start in 0..items.len() {
        let mut place = start;
        loop {
            let from = std::mem::replace(&mut order[place], place);
            if from == start {
                break;
            }
            items.swap(place, from);
            place = from;
        }
    }
}

fn sort_places(places: &mut [usize], compare: &dyn Fn(usize, usize) -> Ordering) {
    places.sort_by(|one, other| compare(*one, *other));
}

#[cfg(test)]
mod tests {
    use super::sort;

    #[test]
    fn all_orders_of_some_things_are_sorted_and_what_is_equal_stays_in_its_order() {
        // Each number below 4^6 is six digits of base 4, so that there are equals.
        for number in 0..4usize.pow(6) {
            let items: Vec<(usize, usize)> = (0..6).map(|at| (number / 4usize.pow(at) % 4, at as usize)).collect();
            let (mut sorted, mut expected) = (items.clone(), items);
            sort(&mut sorted, &|one, other| one.0.cmp(&other.0));
            expected.sort_by_key(|item| item.0);
            assert_eq!(sorted, expected);
        }
    }
}
