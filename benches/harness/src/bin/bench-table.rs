//! Prints the medians of the runs in a file of [`bench_harness::emit`]'s lines: a row a case, a cell a column, as
//! `median (least to greatest)`; in the end the machine's noise.

use std::collections::BTreeMap;
use std::{env, fs};

/// The order of the columns.
const COLUMNS: [&str; 3] = ["official", "floor", "lightlike"];

fn main() {
    let path = env::args().nth(1).expect("usage: bench-table FILE");
    let text = fs::read_to_string(path).expect("the file of numbers");
    // By case and rows, then by column: the unit, and the numbers of all runs.
    let mut cases: BTreeMap<(String, u64), (String, BTreeMap<String, Vec<f64>>)> = BTreeMap::new();
    let mut noise = Vec::new();
    for line in text.lines() {
        let field = |name: &str| {
            let (_, rest) = line.split_once(&format!("\"{name}\":")).expect("a field of the line");
            rest.split([',', '}']).next().unwrap_or_default().trim_matches('"').to_owned()
        };
        let value: f64 = field("value").parse().expect("a number");
        let case = field("case");
        if case.ends_with(".noise") {
            noise.push(value);
            continue;
        }
        let key = (case, field("n").parse().expect("a number"));
        let (_, columns) = cases.entry(key).or_insert_with(|| (field("unit"), BTreeMap::new()));
        columns.entry(field("column")).or_default().push(value);
    }
    println!("| case | n | unit | {} |", COLUMNS.join(" | "));
    println!("| --- | ---: | --- | ---: | ---: | ---: |");
    for ((case, n), (unit, columns)) in &cases {
        let cells =
            COLUMNS.map(|column| columns.get(column).map_or(String::new(), |all| cell(all)));
        println!("| {case} | {n} | {unit} | {} |", cells.join(" | "));
    }
    if !noise.is_empty() {
        println!("\nOther processes had {} of the machine's cores.", cell(&noise));
    }
}

fn cell(values: &[f64]) -> String {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let median = if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        (sorted[middle - 1] + sorted[middle]) / 2.0
    };
    let (least, greatest) = (sorted[0], sorted[sorted.len() - 1]);
    format!("{} ({} to {})", short(median), short(least), short(greatest))
}

/// Three digits.
fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if size >= 100.0 => format!("{value:.0}"),
        size => {
            let digits = (2.0 - size.log10().floor()).clamp(0.0, 6.0) as usize;
            format!("{value:.digits$}")
        }
    }
}
