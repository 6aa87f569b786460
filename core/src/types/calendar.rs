//! The proleptic Gregorian calendar: days since 1970-01-01 and dates, both ways.
//!
//! Years are counted through zero, as in ISO 8601.

/// A day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: i64,
    /// 1 to 12.
    pub(super) month: u8,
    /// From 1.
    pub(super) day: u8,
}

/// The calendar repeats after so many years, which have so many days.
const CYCLE_YEARS: i64 = 400;
const CYCLE_DAYS: i64 = days_before_year(CYCLE_YEARS);

/// Days from the first day of year 0 to 1970-01-01.
const EPOCH: i64 = days_before_year(1970);

/// Days of the months before each month of a common year.
const DAYS_BEFORE_MONTH: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

impl Date {
    /// The date, if there is such a day.
    pub(super) fn new(year: i64, month: u8, day: u8) -> Option<Self> {
        let exists = (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
        exists.then_some(Self { year, month, day })
    }

    /// The day that is `days` after 1970-01-01.
    pub(super) fn from_days(days: i64) -> Self {
        let days = days + EPOCH;
        let cycle_year = days.div_euclid(CYCLE_DAYS) * CYCLE_YEARS;
        let day_of_cycle = days.rem_euclid(CYCLE_DAYS);
        // If all years had 366 days, this would be the year. Most have 365, so it may be the next.
        let mut year = day_of_cycle / 366;
        while days_before_year(year + 1) <= day_of_cycle {
            year += 1;
        }
        let day_of_year = day_of_cycle - days_before_year(year);
        let year = cycle_year + year;
        let month = (1..=12)
            .rev()
            .find(|&month| days_before_month(year, month) <= day_of_year)
            .unwrap_or(1);
        let day = day_of_year - days_before_month(year, month) + 1;
        Self { year, month, day: day as u8 }
    }

    /// Days from 1970-01-01 to this one.
    pub(super) fn days(self) -> i64 {
        let cycle = self.year.div_euclid(CYCLE_YEARS);
        let year = self.year.rem_euclid(CYCLE_YEARS);
        cycle * CYCLE_DAYS
            + days_before_year(year)
            + days_before_month(year, self.month)
            + i64::from(self.day)
            - 1
            - EPOCH
    }
}

/// Days of the years from 0 to before `year`, which is not negative.
const fn days_before_year(year: i64) -> i64 {
    match year {
        0 => 0,
        // The leap years among those up to the one before, and year 0.
        _ => 365 * year + (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 + 1,
    }
}

fn days_before_month(year: i64, month: u8) -> i64 {
    let leap_day = month > 2 && is_leap(year);
    DAYS_BEFORE_MONTH[usize::from(month) - 1] + i64::from(leap_day)
}

fn days_in_month(year: i64, month: u8) -> u8 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_days_of_known_dates() {
        let cases = [
            ((1970, 1, 1), 0),
            ((1969, 12, 31), -1),
            ((2000, 2, 29), 11_016),
            ((2000, 3, 1), 11_017),
            ((1900, 3, 1), -25_508),
            ((0, 1, 1), -719_528),
            ((-1, 12, 31), -719_529),
            ((9999, 12, 31), 2_932_896),
        ];
        for ((year, month, day), days) in cases {
            let date = Date::new(year, month, day).unwrap();
            assert_eq!(date.days(), days, "{date:?}");
            assert_eq!(Date::from_days(days), date, "{days}");
        }
    }

    #[test]
    fn consecutive_days_advance_by_one() {
        let mut before = Date::from_days(-2 * CYCLE_DAYS);
        for days in -2 * CYCLE_DAYS + 1..CYCLE_DAYS {
            let date = Date::from_days(days);
            assert_eq!(date.days(), days);
            assert_eq!(Date::new(date.year, date.month, date.day), Some(date));
            let same_month = (before.year, before.month, before.day + 1);
            let next_month = (before.year, before.month + 1, 1);
            let next_year = (before.year + 1, 1, 1);
            let got = (date.year, date.month, date.day);
            assert!([same_month, next_month, next_year].contains(&got), "{before:?}, {date:?}");
            before = date;
        }
    }

    #[test]
    fn refuses_days_that_no_month_has() {
        for (year, month, day) in [
            (2023, 2, 29),
            (1900, 2, 29),
            (2024, 2, 30),
            (2024, 4, 31),
            (2024, 13, 1),
            (2024, 0, 1),
            (2024, 1, 0),
        ] {
            assert_eq!(Date::new(year, month, day), None, "{year}-{month}-{day}");
        }
    }
}
