//! The colours of every picture, by day and by night. They only repeat what words and shapes say.
//!
//! Each colour is an attribute of the shape itself, because many programs that show SVG know no variables
//! and few rules of style. All of them show the light picture. A browser also reads [`night`], which names
//! the attributes and says what they become in the dark.

use std::fmt::{self, Display};

/// A colour on white, which is how it is displayed, and on black.
#[derive(Debug, Clone, Copy)]
pub struct Ink {
    name: &'static str,
    light: u32,
    dark: u32,
}

macro_rules! inks {
    ($($(#[$doc:meta])* $name:ident = $css:literal $light:literal $dark:literal;)*) => {
        $($(#[$doc])* pub const $name: Ink = Ink { name: $css, light: $light, dark: $dark };)*
        const ALL: &[Ink] = &[$($name),*];
    };
}

inks! {
    /// The ground.
    PAPER = "paper" 0xffffff 0x0f1419;
    /// The ground of a box.
    RAISED = "raised" 0xf4f6f8 0x1a2129;
    /// Letters.
    INK = "ink" 0x1b1f24 0xe8ebef;
    /// Letters of less weight.
    DIM = "dim" 0x57606a 0xa3adb8;
    /// Thin lines.
    LINE = "line" 0xc4cbd3 0x3c4651;
    /// The server's.
    SERVER = "server" 0x0a5cb8 0x79b8ff;
    /// The client's.
    CLIENT = "client" 0x136b2e 0x7ddb96;
    /// A wait.
    WAIT = "wait" 0x946300 0xe3b341;
    /// A wait, as a ground.
    WAITED = "waited" 0xdac8a6 0x594c27;
    /// What failed, and what arrived.
    ERROR = "error" 0xb3261e 0xff8a80;
    /// A wait in the kernel, as a ground.
    ASLEEP = "asleep" 0xcfe3f7 0x1f3d5c;
    /// Until a program knows.
    KNOWS = "knows" 0xf2c14e 0x9e7a18;
    /// While bytes are copied.
    COPIES = "copies" 0x1a7f37 0x3fb950;
    /// Both at once.
    BOTH = "both" 0xb57edc 0x7d4fa8;
    /// Requests a second.
    RATE = "rate" 0x2b6cb0 0x3f7fc4;
    /// What they cost.
    COST = "cost" 0xb7601f 0xb5702f;
    /// p50: the middle of the latencies.
    P50 = "p50" 0x1f5a3d 0xc8f0d8;
    /// p99.
    P99 = "p99" 0x2f8f5f 0x7fd6a5;
    /// p99.9.
    P999 = "p999" 0x6fb88f 0x459a6c;
    /// The longest latency.
    LONGEST = "longest" 0xa9c9b6 0x2f6b4b;
}

impl Display for Ink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:06X}", self.light)
    }
}

/// What a picture's style says of the dark.
///
/// The selectors name attributes. A program that ignores `@media` and applies the rules inside it does not
/// know such selectors, and therefore keeps the light colours.
#[must_use]
pub fn night() -> String {
    let rule = |ink: &Ink| {
        let dark = ink.dark;
        format!("[fill=\"{ink}\"]{{fill:#{dark:06x}}}[stroke=\"{ink}\"]{{stroke:#{dark:06x}}}\n")
    };
    let rules: String = ALL.iter().map(rule).collect();
    format!("@media (prefers-color-scheme: dark) {{\n{rules}}}\n")
}

/// The same colours as variables of a page: `var(--ink)`.
#[must_use]
pub fn variables() -> String {
    let all = |of: fn(&Ink) -> u32| -> String {
        ALL.iter().map(|ink| format!(" --{}: #{:06x};", ink.name, of(ink))).collect()
    };
    let (day, night) = (all(|ink| ink.light), all(|ink| ink.dark));
    format!(":root {{{day} }}\n@media (prefers-color-scheme: dark) {{ :root {{{night} }} }}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_colour_of_the_day_is_two_by_night() {
        for (i, one) in ALL.iter().enumerate() {
            assert!(ALL[..i].iter().all(|other| other.light != one.light), "{}", one.name);
        }
    }
}
