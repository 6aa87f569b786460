//! Natural order of names.

use core::cmp::Ordering;

/// Order of names for people: numbers by value, so `i8` stands before `i16`; underscores before all else; raw identifiers as
/// if they were none.
///
/// It is `rustfmt`'s order of imports, and total: names that differ in leading zeros alone are ordered by their bytes.
///
/// ```
/// # use lightlike_core::schema::natural_order;
/// let mut names = ["i128", "i16", "i8", "i_8"];
/// names.sort_by(|a, b| natural_order(a, b));
/// assert_eq!(names, ["i_8", "i8", "i16", "i128"]);
/// ```
pub fn natural_order(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches("r#"), b.trim_start_matches("r#"));
    let (mut left, mut right) = (a, b);
    loop {
        let number = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        match (left.chars().next(), right.chars().next()) {
            (None, None) => return a.cmp(b),
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let (x, y) = (left.split_at(number(left)), right.split_at(number(right)));
                let digits = |text: &str| text.trim_start_matches('0').to_owned();
                let (n, m) = (digits(x.0), digits(y.0));
                let order = n.len().cmp(&m.len()).then_with(|| n.cmp(&m));
                if order != Ordering::Equal {
                    return order;
                }
                (left, right) = (x.1, y.1);
            }
            (Some(x), Some(y)) => {
                let rank = |c: char| (c != '_', c);
                if x != y {
                    return rank(x).cmp(&rank(y));
                }
                (left, right) = (&left[x.len_utf8()..], &right[y.len_utf8()..]);
            }
        }
    }
}
