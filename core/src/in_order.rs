//! Values that leave in the order in which they came, nearly all of them.

use std::collections::VecDeque;

/// Values under ascending numbers: calls that wait for their answers.
///
/// Servers answer calls in their order, so both ends are at work on memory that lies together, where a hash map is all
/// over it. A value that stays long is no burden: when more than half of the places behind it are empty, they go.
#[derive(Debug)]
pub struct InOrder<T> {
    /// Ascending. The first one has a value.
    places: VecDeque<(u64, Option<T>)>,
    /// Number of places with a value.
    len: usize,
}

/// Number of empty places that are not worth closing.
const EMPTY_PLACES_MAX: usize = 64;

impl<T> Default for InOrder<T> {
    fn default() -> Self {
        Self { places: VecDeque::new(), len: 0 }
    }
}

impl<T> InOrder<T> {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns `true` if there are no values.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a value. Its number must be greater than those that were added before.
    pub fn push(&mut self, number: u64, value: T) {
        debug_assert!(self.places.back().is_none_or(|(last, _)| *last < number));
        self.places.push_back((number, Some(value)));
        self.len += 1;
    }

    /// The value under a number.
    pub fn get(&self, number: u64) -> Option<&T> {
        self.places.get(self.find(number)?)?.1.as_ref()
    }

    /// As [`get`](Self::get).
    pub fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let at = self.find(number)?;
        self.places.get_mut(at)?.1.as_mut()
    }

    /// The value that was added last, if it is still there.
    pub fn last_mut(&mut self) -> Option<&mut T> {
        self.places.back_mut()?.1.as_mut()
    }

    /// Takes the value under a number out.
    pub fn take(&mut self, number: u64) -> Option<T> {
        let at = self.find(number)?;
        let value = if at == 0 {
            // The usual one: moved once.
            let (_, value) = self.places.pop_front()?;
            while let Some((_, None)) = self.places.front() {
                self.places.pop_front();
            }
            value?
        } else {
            self.places.get_mut(at)?.1.take()?
        };
        self.len -= 1;
        if self.places.len() > 2 * self.len + EMPTY_PLACES_MAX {
            self.places.retain(|(_, value)| value.is_some());
        }
        Some(value)
    }

    /// The values, in the order of their numbers.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.places.iter_mut().filter_map(|(_, value)| value.as_mut())
    }

    /// The values, the last first.
    pub fn values_rev(&self) -> impl Iterator<Item = &T> {
        self.places.iter().rev().filter_map(|(_, value)| value.as_ref())
    }

    /// Takes all values out, in the order of their numbers.
    pub fn drain(&mut self) -> impl Iterator<Item = T> {
        self.len = 0;
        core::mem::take(&mut self.places).into_iter().filter_map(|(_, value)| value)
    }

    fn find(&self, number: u64) -> Option<usize> {
        let (first, _) = self.places.front()?;
        // Its distance from the first, if no number in between was left out.
        let distance = usize::try_from(number.checked_sub(*first)?).ok()?;
        match self.places.get(distance) {
            Some((found, _)) if *found == number => Some(distance),
            _ => self.places.binary_search_by_key(&number, |(number, _)| *number).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_in_any_order_with_gaps() {
        let mut values = InOrder::default();
        for number in [3, 4, 7, 20, 21] {
            values.push(number, number * 10);
        }
        assert_eq!(values.get(7), Some(&70));
        assert_eq!(values.get(5), None);
        assert_eq!(values.get(0), None);
        for number in [20, 3, 21, 4] {
            assert_eq!(values.take(number), Some(number * 10));
            assert_eq!(values.take(number), None);
        }
        assert_eq!(values.len(), 1);
        assert_eq!(values.drain().collect::<Vec<_>>(), [70]);
        assert!(values.is_empty() && values.get(7).is_none());
    }

    #[test]
    fn old_value_does_not_retain_later_places() {
        let mut values = InOrder::default();
        values.push(0, ());
        for number in 1..100_000 {
            values.push(number, ());
            assert_eq!(values.take(number), Some(()));
            assert!(values.places.len() <= 2 + EMPTY_PLACES_MAX);
        }
        assert_eq!(values.take(0), Some(()));
        assert!(values.places.is_empty());
    }
}
