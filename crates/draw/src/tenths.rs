//! Coordinates of a picture, as short as a screen needs them.

use std::fmt::{self, Display, Write};

/// A coordinate: tenths are fine enough for a screen and short enough for a file.
pub(super) struct Tenths(pub(super) f64);

impl Display for Tenths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.0 * 10.0).round() as i64;
        if tenths < 0 {
            f.write_char('-')?;
        }
        match (tenths.unsigned_abs() / 10, tenths.unsigned_abs() % 10) {
            (whole, 0) => write!(f, "{whole}"),
            (whole, tenth) => write!(f, "{whole}.{tenth}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_are_short() {
        let short = |number| Tenths(number).to_string();
        assert_eq!(
            [short(1.0), short(12.34), short(-0.26), short(0.04)],
            ["1", "12.3", "-0.3", "0"]
        );
    }
}
