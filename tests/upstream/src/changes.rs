//! Differences between two sets of items, as lines to read.

use std::collections::{BTreeMap, BTreeSet};

use crate::items::Item;

/// Lists the items that came, went or changed; of those that changed, each part that did.
pub(crate) fn between(
    before: &BTreeMap<String, Item>,
    after: &BTreeMap<String, Item>,
) -> Vec<String> {
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let lines = names.into_iter().filter_map(|name| match (before.get(name), after.get(name)) {
        (None, Some(item)) => Some(whole('+', name, item)),
        (Some(item), None) => Some(whole('-', name, item)),
        (Some(old), Some(new)) if old != new => Some(changed(name, old, new)),
        _ => None,
    });
    lines.collect()
}

fn whole(sign: char, name: &str, item: &Item) -> String {
    let parts: String = item.parts.iter().map(|part| format!("\n    {sign} {part}")).collect();
    format!("{sign} {} {name}{parts}", item.kind)
}

fn changed(name: &str, old: &Item, new: &Item) -> String {
    let mut text = format!("~ {} {name}", new.kind);
    let gone = old.parts.iter().filter(|part| !new.parts.contains(part));
    gone.for_each(|part| text.push_str(&format!("\n    - {part}")));
    let came = new.parts.iter().enumerate().filter(|(_, part)| !old.parts.contains(part));
    came.for_each(|(at, part)| text.push_str(&format!("\n    + {part}{}", place(new, at))));
    let stayed = |these: &Item, those: &Item| -> Vec<String> {
        these.parts.iter().filter(|part| those.parts.contains(part)).cloned().collect()
    };
    // The order of variants and fields is their encoding.
    if stayed(old, new) != stayed(new, old) {
        text.push_str("\n    ! the order of what stayed has changed");
    }
    text
}

/// The place of a part that came before others: those behind it have another tag or offset now.
fn place(item: &Item, at: usize) -> String {
    let last = at + 1 == item.parts.len();
    if last || item.kind == "const" { String::new() } else { format!("  (at {at}, not last)") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(parts: &[&str]) -> BTreeMap<String, Item> {
        let parts = parts.iter().map(|part| (*part).to_owned()).collect();
        BTreeMap::from([("a".to_owned(), Item { kind: "enum", parts })])
    }

    #[test]
    fn equal_releases_differ_in_nothing() {
        assert!(between(&items(&["A"]), &items(&["A"])).is_empty());
    }

    #[test]
    fn added_variant_names_its_place() {
        assert_eq!(
            between(&items(&["A", "C"]), &items(&["A", "B", "C"])),
            ["~ enum a\n    + B  (at 1, not last)"]
        );
        assert_eq!(between(&items(&["A"]), &items(&["A", "B"])), ["~ enum a\n    + B"]);
    }

    #[test]
    fn moved_variant_is_reported() {
        let lines = between(&items(&["A", "B"]), &items(&["B", "A"]));
        assert_eq!(lines, ["~ enum a\n    ! the order of what stayed has changed"]);
    }

    #[test]
    fn new_and_lost_items_are_listed_whole() {
        let none = BTreeMap::new();
        assert_eq!(between(&none, &items(&["A"])), ["+ enum a\n    + A"]);
        assert_eq!(between(&items(&["A"]), &none), ["- enum a\n    - A"]);
    }
}
