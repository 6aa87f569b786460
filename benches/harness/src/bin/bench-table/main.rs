//! Prints the medians of the runs in a file of [`bench_harness::emit`]'s lines: a row a case, a cell a column, as
//! `median (least to greatest)`, then the case's goal and whether it is met; in the end the machine's noise.

mod goals;
mod numbers;

use std::{env, fs};

use crate::goals::GOALS;
use crate::numbers::{Cell, Numbers, short};

/// The order of the columns.
const COLUMNS: [&str; 3] = ["official", "floor", OURS];

/// The column that goals are of.
const OURS: &str = "lightlike";

fn main() {
    let path = env::args().nth(1).expect("usage: bench-table FILE");
    let text = fs::read_to_string(path).expect("the file of numbers");
    let numbers = Numbers::parse(&text);
    println!("| case | n | unit | {} | goal | met |", COLUMNS.join(" | "));
    println!("| --- | ---: | --- | ---: | ---: | ---: | ---: | --- |");
    for (case, n, unit) in numbers.cases() {
        let cell = |column| numbers.cell(column, case, n).map_or(String::new(), Cell::text);
        let goal = GOALS.iter().find(|goal| goal.is_of(case, n));
        let verdict = goal.and_then(|goal| goal.verdict(&numbers, n));
        let verdict = verdict.map_or("|".into(), |verdict| format!("{verdict}"));
        println!("| {case} | {n} | {unit} | {} | {verdict} |", COLUMNS.map(cell).join(" | "));
    }
    let derived = goals::decompression(&numbers);
    if !derived.is_empty() {
        println!(
            "\n| client CPU less that of decompressing the same frame, times plain | n | {OURS} | goal | met |"
        );
        println!("| --- | ---: | ---: | ---: | --- |");
    }
    for (case, n, times, verdict) in derived {
        println!("| {case} | {n} | {} | {verdict} |", short(times));
    }
    if let Some(noise) = numbers.noise() {
        println!("\nOther processes had {} of the machine's cores.", noise.text());
    }
}
