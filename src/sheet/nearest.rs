//! The legal word that someone may have meant.

/// Returns the word nearest to what was written, if one is near enough to have been meant.
pub(crate) fn nearest<'a>(written: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = written.chars().count().div_ceil(2).min(3);
    words
        .into_iter()
        .map(|word| (distance(written, word), word))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= limit)
        .map(|(_, word)| word)
}

/// Returns how many letters must be put in, left out or exchanged to make one word the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (index, letter) in from.chars().enumerate() {
        let mut next = vec![index + 1];
        for ((above_left, above), other) in row.iter().zip(row.iter().skip(1)).zip(to.chars()) {
            let exchanged = above_left + usize::from(letter != other);
            let left = next.last().copied().unwrap_or_default();
            next.push(exchanged.min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_single_letters() {
        for (from, to, expected) in
            [("", "", 0), ("", "abc", 3), ("region", "regoin", 2), ("data", "date", 1)]
        {
            assert_eq!(distance(from, to), expected, "{from} {to}");
        }
    }

    #[test]
    fn only_what_is_near_is_named() {
        assert_eq!(nearest("regoin", ["endpoint", "region"]), Some("region"));
        assert_eq!(nearest("budget", ["endpoint", "region"]), None);
        assert_eq!(nearest("x", []), None);
    }
}
