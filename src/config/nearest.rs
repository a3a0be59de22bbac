//! The good name that somebody probably meant.

/// The name among `names` that is closest to `wrong`, if one is close enough to be meant.
pub fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_lowercase().replace('-', "_");
    names
        .into_iter()
        .map(|name| (distance(&wrong, &name.to_lowercase().replace('-', "_")), name))
        .filter(|(far, name)| *far <= (name.len() / 3).max(1) || is_part(&wrong, name))
        .min_by_key(|(far, _)| *far)
        .map(|(_, name)| name)
}

/// A word of at least three letters that begins or ends the name: `limit` means `month_limit`.
fn is_part(wrong: &str, name: &str) -> bool {
    wrong.len() >= 3 && (name.starts_with(wrong) || name.ends_with(wrong))
}

/// Edits between two words; two swapped neighbours are one edit.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(64).collect();
    let b: Vec<char> = b.chars().take(64).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let at = |row: &[usize], i: usize| row.get(i).copied().unwrap_or(usize::MAX / 2);
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best =
                (at(&last, j + 1) + 1).min(at(&row, j) + 1).min(at(&last, j) + usize::from(x != y));
            let is_swap = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if is_swap {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    at(&last, b.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_find_their_name() {
        let names = ["month_limit", "zone", "theme", "public_url"];
        assert_eq!(nearest("teme", names), Some("theme"));
        assert_eq!(nearest("thmee", names), Some("theme"));
        assert_eq!(nearest("public-url", names), Some("public_url"));
        assert_eq!(nearest("limit", names), Some("month_limit"));
        assert_eq!(nearest("colour", names), None);
    }
}
