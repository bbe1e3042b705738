//! Which known word somebody may have meant by an unknown one.

/// The known word that is nearest to another, if it is near: a third of its letters may differ, and not all.
pub(super) fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let distances = known.map(|known| (distance(word, known), known));
    let (least, known) = distances.min_by_key(|(distance, _)| *distance)?;
    let length = known.chars().count();
    (least <= length.div_ceil(3) && least < length).then_some(known)
}

/// How many letters have to be put in, taken out or replaced to make one word of another. Case makes no difference.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.to_lowercase().chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
        for (column, theirs) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *theirs);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_with_a_slip_is_near_and_another_word_is_not() {
        let known = ["artifact", "arguments", "mode", "c"];
        for (word, expected) in [
            ("artefact", Some("artifact")),
            ("Artifact", Some("artifact")),
            ("argument", Some("arguments")),
            ("mdoe", Some("mode")),
            ("zebra", None),
            ("x", None),
            ("", None),
        ] {
            let found = nearest(word, known.iter().copied());
            assert_eq!(found, expected, "{word}");
        }
    }
}
