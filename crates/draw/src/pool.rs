//! Texts, each of them once, by their numbers.

use std::hash::{BuildHasher, RandomState};

use serde::{Serialize, Serializer};

/// Texts in the order in which they came, one behind the other. A long trace has millions of them, so none is a piece
/// of memory of its own.
#[derive(Default)]
pub(super) struct Pool {
    texts: String,
    /// Where each of them ends.
    ends: Vec<usize>,
    /// Where to find them: a number at the first free place from that of its hash on. At most half of the places are taken.
    places: Vec<Option<Place>>,
    hasher: RandomState,
}

#[derive(Clone, Copy)]
struct Place {
    hash: u32,
    number: u32,
}

impl Pool {
    /// The number of this text, which is a new one if it is not there yet.
    pub(super) fn number(&mut self, text: &str) -> u32 {
        if self.places.len() <= 2 * self.ends.len() {
            self.grow();
        }
        let hash = self.hasher.hash_one(text) as u32;
        let free = match self.find(hash, |number| self.text(number) == text) {
            Ok(number) => return number,
            Err(free) => free,
        };
        let number = self.ends.len() as u32;
        self.places[free] = Some(Place { hash, number });
        self.texts += text;
        self.ends.push(self.texts.len());
        number
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The texts from this number on.
    pub(super) fn from(&self, number: usize) -> Vec<&str> {
        (number..self.ends.len()).map(|number| self.text(number as u32)).collect()
    }

    /// The number with this hash that fits, or where it belongs.
    fn find(&self, hash: u32, fits: impl Fn(u32) -> bool) -> Result<u32, usize> {
        let mut at = hash as usize % self.places.len();
        loop {
            match self.places[at] {
                None => return Err(at),
                Some(place) if place.hash == hash && fits(place.number) => return Ok(place.number),
                Some(_) => at = (at + 1) % self.places.len(),
            }
        }
    }

    fn grow(&mut self) {
        let more = vec![None; (2 * self.places.len()).max(64)];
        for place in std::mem::replace(&mut self.places, more).into_iter().flatten() {
            if let Err(free) = self.find(place.hash, |_| false) {
                self.places[free] = Some(place);
            }
        }
    }

    fn text(&self, number: u32) -> &str {
        let number = number as usize;
        let from = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.texts[from..self.ends[number]]
    }
}

impl Serialize for Pool {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((0..self.ends.len()).map(|number| self.text(number as u32)))
    }
}

#[cfg(test)]
mod tests {
    use super::Pool;

    #[test]
    fn a_text_has_one_number() {
        let mut pool = Pool::default();
        let texts: Vec<String> = (0..1_000).map(|n| format!("text {}", n % 600)).collect();
        let numbers: Vec<u32> = texts.iter().map(|text| pool.number(text)).collect();
        assert_eq!(numbers[..600], (0..600).collect::<Vec<u32>>());
        assert_eq!(numbers[600..], (0..400).collect::<Vec<u32>>());
        assert_eq!(serde_json::to_value(&pool).unwrap(), serde_json::json!(texts[..600]));
    }
}
