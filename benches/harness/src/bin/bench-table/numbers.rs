//! The numbers of all runs.

use std::collections::BTreeMap;

/// By case and size, then by column: the unit, and the numbers of all runs.
#[derive(Default)]
pub(crate) struct Numbers {
    cases: BTreeMap<(String, u64), Case>,
    noise: Vec<f64>,
}

#[derive(Default)]
struct Case {
    unit: String,
    columns: BTreeMap<String, Vec<f64>>,
}

impl Numbers {
    pub(crate) fn parse(text: &str) -> Self {
        let mut numbers = Self::default();
        for line in text.lines() {
            let field = |name: &str| {
                let (_, rest) =
                    line.split_once(&format!("\"{name}\":")).expect("a field of the line");
                rest.split([',', '}']).next().unwrap_or_default().trim_matches('"').to_owned()
            };
            let value: f64 = field("value").parse().expect("a number");
            let case = field("case");
            if case.ends_with(".noise") {
                numbers.noise.push(value);
                continue;
            }
            let key = (case, field("n").parse().expect("a number"));
            let case = numbers.cases.entry(key).or_default();
            case.unit = field("unit");
            case.columns.entry(field("column")).or_default().push(value);
        }
        numbers
    }

    /// Names, sizes and units, in order.
    pub(crate) fn cases(&self) -> impl Iterator<Item = (&str, u64, &str)> {
        self.cases.iter().map(|((name, n), case)| (&**name, *n, &*case.unit))
    }

    pub(crate) fn cell(&self, column: &str, case: &str, n: u64) -> Option<Cell> {
        let case = self.cases.get(&(case.to_owned(), n))?;
        Some(Cell::of(case.columns.get(column)?))
    }

    /// Number of cores that other processes kept busy.
    pub(crate) fn noise(&self) -> Option<Cell> {
        if self.noise.is_empty() { None } else { Some(Cell::of(&self.noise)) }
    }
}

/// Measurements of one case, over its runs.
pub(crate) struct Cell {
    pub(crate) least: f64,
    pub(crate) median: f64,
    greatest: f64,
}

impl Cell {
    fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            (sorted[middle - 1] + sorted[middle]) / 2.0
        };
        Self { least: sorted[0], median, greatest: sorted[sorted.len() - 1] }
    }

    pub(crate) fn text(self) -> String {
        format!("{} ({} to {})", short(self.median), short(self.least), short(self.greatest))
    }
}

/// Three digits.
pub(crate) fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if size >= 100.0 => format!("{value:.0}"),
        size => {
            let digits = (2.0 - size.log10().floor()).clamp(0.0, 6.0) as usize;
            format!("{value:.digits$}")
        }
    }
}
