//! The teacher's file: what an exercise is worth, what students see of it, and how it is graded.
//!
//! A file is TOML (<https://toml.io>). What stands before the first `[[test]]` holds for the whole exercise:
//!
//! ```
//! use netplay_grade::{Reveal, TESTS, Teacher, Visibility};
//!
//! let text = r#"
//! title = "The echo server"
//! only = ["starts", "bytes"]
//! reveal = "hints"
//!
//! [[test]]
//! name = "bytes"
//! weight = 2
//!
//! [[test]]
//! name = "bytes/large"
//! weight = 5
//! visibility = "after_due_date"
//! "#;
//! let teacher = Teacher::read(text, std::path::Path::new(".")).unwrap();
//! let large = TESTS.iter().find(|test| test.id == "bytes/large").unwrap();
//! assert_eq!(teacher.weight(large), 5.0);
//! assert_eq!(teacher.visibility(large), Visibility::AfterDueDate);
//! assert_eq!(teacher.reveal(large), Reveal::Hints);
//! ```

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::catalogue::{Test, names_a_test, near_test};
use super::near::near;
use super::outcome::Outcome;
use super::plan::Model;
use super::protocol::Protocol;
use super::toml_error;
use super::verdict::Verdict;

/// How much is told of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reveal {
    /// The name of the test and its verdict.
    Names,
    /// Also a question and the lab, not the cause.
    Hints,
    /// All that is known.
    #[default]
    All,
}

/// When students see a test: the four words of Gradescope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// At once.
    #[default]
    Visible,
    /// Never.
    Hidden,
    /// After the date at which the exercise is due.
    AfterDueDate,
    /// When the teacher publishes the grades.
    AfterPublished,
}

impl Visibility {
    /// Its name: `after_due_date`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Visibility::Visible => "visible",
            Visibility::Hidden => "hidden",
            Visibility::AfterDueDate => "after_due_date",
            Visibility::AfterPublished => "after_published",
        }
    }
}

/// What a test brought, and what it is worth.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Points {
    /// What the program got.
    pub got: f64,
    /// What it could get.
    pub of: f64,
}

impl std::iter::Sum for Points {
    fn sum<I: Iterator<Item = Points>>(all: I) -> Points {
        let sum =
            all.fold(Points::default(), |a, b| Points { got: a.got + b.got, of: a.of + b.of });
        // 0.1 + 0.2 is 0.3 for a student.
        let cents = |points: f64| (points * 100.0).round() / 100.0;
        Points { got: cents(sum.got), of: cents(sum.of) }
    }
}

/// What a teacher's file says. The default is the file in which nothing is said: each test is worth one point, and all is told.
#[derive(Debug, Clone, Default)]
pub struct Teacher {
    /// What the exercise is called.
    pub title: Option<String>,
    /// What kind of program it is.
    pub model: Option<Model>,
    /// What a right answer is, and how that is given on the command line.
    pub protocol: Option<(String, Protocol)>,
    /// Patterns of the tests that are made; all, if there are none.
    pub only: Vec<String>,
    /// Patterns of the tests that are left out.
    pub skip: Vec<String>,
    /// From which all that is chosen follows.
    pub seed: Option<u64>,
    /// How long a test may take.
    pub timeout: Option<Duration>,
    weight: Option<f64>,
    visibility: Visibility,
    reveal: Reveal,
    rows: Vec<Row>,
}

#[derive(Debug, Clone)]
struct Row {
    name: String,
    weight: Option<f64>,
    visibility: Option<Visibility>,
    reveal: Option<Reveal>,
}

/// Why a file is no teacher's file.
#[derive(Debug)]
pub enum TeacherError {
    /// It cannot be read.
    Read(std::io::Error),
    /// Something in it is wrong.
    Wrong {
        /// The line, from 1.
        line: usize,
        /// What is wrong, and what would be right.
        what: String,
    },
}

impl fmt::Display for TeacherError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TeacherError::Read(error) => error.fmt(f),
            TeacherError::Wrong { line, what } => write!(f, "line {line}: {what}"),
        }
    }
}

impl std::error::Error for TeacherError {}

/// The keys of the whole.
#[derive(Debug, Deserialize)]
struct Keys {
    title: Option<String>,
    model: Option<Model>,
    protocol: Option<Spanned<String>>,
    #[serde(default)]
    only: Vec<Spanned<String>>,
    #[serde(default)]
    skip: Vec<Spanned<String>>,
    seed: Option<u64>,
    timeout: Option<Spanned<i64>>,
    weight: Option<Spanned<f64>>,
    #[serde(default)]
    visibility: Visibility,
    #[serde(default)]
    reveal: Reveal,
    #[serde(default)]
    test: Vec<KeysOfTest>,
}

/// The keys of a `[[test]]`.
#[derive(Debug, Deserialize)]
struct KeysOfTest {
    name: Spanned<String>,
    weight: Option<Spanned<f64>>,
    visibility: Option<Visibility>,
    reveal: Option<Reveal>,
}

const KEYS: &[&str] = &[
    "title",
    "model",
    "protocol",
    "only",
    "skip",
    "seed",
    "timeout",
    "weight",
    "visibility",
    "reveal",
    "test",
];
const KEYS_OF_TEST: &[&str] = &["name", "weight", "visibility", "reveal"];

/// The text of a file, in which places have lines.
struct Source<'a>(&'a str);

impl Source<'_> {
    fn wrong(&self, at: &Range<usize>, what: String) -> TeacherError {
        TeacherError::Wrong { line: toml_error::line(self.0, at), what }
    }

    fn no_toml(&self, error: &toml::de::Error) -> TeacherError {
        self.wrong(&error.span().unwrap_or_default(), toml_error::what(error))
    }

    /// Refuses the keys that are not known, each with the one that it may be.
    fn knows_all(&self, table: &DeTable<'_>, keys: &[&'static str]) -> Result<(), TeacherError> {
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if !keys.contains(&name) {
                let what = match near(name, keys.iter().copied()) {
                    Some(near) => format!("there is no key \"{name}\"; did you mean {near}?"),
                    None => format!("there is no key \"{name}\"; there are {}", keys.join(", ")),
                };
                return Err(self.wrong(&key.span(), what));
            }
            match (name, value.get_ref()) {
                ("test", DeValue::Array(rows)) => {
                    for row in rows {
                        if let DeValue::Table(row) = row.get_ref() {
                            self.knows_all(row, KEYS_OF_TEST)?;
                        }
                    }
                }
                ("test", _) => {
                    let what =
                        "write [[test]], in double brackets: there may be several".to_owned();
                    return Err(self.wrong(&key.span(), what));
                }
                ("only" | "skip", DeValue::String(one)) => {
                    let what = format!("{name} is a list: {name} = [\"{one}\"]");
                    return Err(self.wrong(&value.span(), what));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn pattern(&self, pattern: Spanned<String>) -> Result<String, TeacherError> {
        let name = pattern.get_ref();
        if names_a_test(name) {
            return Ok(pattern.into_inner());
        }
        let what = match near_test(name) {
            Some(near) => format!("no test is named \"{name}\"; did you mean {near}?"),
            None => format!("no test is named \"{name}\": netplay grade --list says what there is"),
        };
        Err(self.wrong(&pattern.span(), what))
    }

    fn weight(&self, weight: Option<Spanned<f64>>) -> Result<Option<f64>, TeacherError> {
        let Some(weight) = weight else { return Ok(None) };
        match *weight.get_ref() {
            points @ 0.0..=1_000_000.0 => Ok(Some(points)),
            _ => Err(self.wrong(&weight.span(), "a weight is 0 or more points".to_owned())),
        }
    }
}

impl Teacher {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or says something that no exercise is.
    pub fn of(file: &str) -> Result<Teacher, TeacherError> {
        let text = std::fs::read_to_string(file).map_err(TeacherError::Read)?;
        Teacher::read(&text, Path::new(file).parent().unwrap_or(Path::new("")))
    }

    /// Reads the text of a file. A protocol in a file of its own is looked for from this folder.
    ///
    /// # Errors
    /// [`TeacherError::Wrong`].
    pub fn read(text: &str, folder: &Path) -> Result<Teacher, TeacherError> {
        let source = Source(text);
        let table = DeTable::parse(text).map_err(|error| source.no_toml(&error))?;
        source.knows_all(table.get_ref(), KEYS)?;
        let keys: Keys = toml::from_str(text).map_err(|error| source.no_toml(&error))?;
        let protocol = keys.protocol.map(|protocol| {
            let typed = match protocol.get_ref().as_str() {
                name @ ("echo" | "line") => name.to_owned(),
                file => folder.join(file).to_string_lossy().into_owned(),
            };
            match Protocol::of(&typed) {
                Ok(is) => Ok((typed, is)),
                Err(error) => {
                    let why = error.to_string().lines().collect::<Vec<_>>().join(" ");
                    Err(source.wrong(&protocol.span(), format!("protocol {typed}: {why}")))
                }
            }
        });
        let timeout = keys.timeout.map(|timeout| match *timeout.get_ref() {
            seconds @ 1..=3600 => Ok(Duration::from_secs(seconds.unsigned_abs())),
            _ => Err(source.wrong(&timeout.span(), "a timeout is 1 to 3600 seconds".to_owned())),
        });
        let patterns = |patterns: Vec<Spanned<String>>| {
            patterns.into_iter().map(|one| source.pattern(one)).collect::<Result<Vec<_>, _>>()
        };
        let rows = keys.test.into_iter().map(|row| {
            Ok(Row {
                name: source.pattern(row.name)?,
                weight: source.weight(row.weight)?,
                visibility: row.visibility,
                reveal: row.reveal,
            })
        });
        Ok(Teacher {
            title: keys.title,
            model: keys.model,
            protocol: protocol.transpose()?,
            only: patterns(keys.only)?,
            skip: patterns(keys.skip)?,
            seed: keys.seed,
            timeout: timeout.transpose()?,
            weight: source.weight(keys.weight)?,
            visibility: keys.visibility,
            reveal: keys.reveal,
            rows: rows.collect::<Result<_, _>>()?,
        })
    }

    /// What the last row says that names the test and says anything of it.
    fn last<T>(&self, test: &Test, says: impl Fn(&Row) -> Option<T>) -> Option<T> {
        self.rows.iter().rev().filter(|row| test.is_named(&row.name)).find_map(says)
    }

    /// Whether points are given.
    #[must_use]
    pub fn has_weights(&self) -> bool {
        self.weight.is_some() || self.rows.iter().any(|row| row.weight.is_some())
    }

    /// How many points a test is worth: 1, where nothing is said.
    #[must_use]
    pub fn weight(&self, test: &Test) -> f64 {
        self.last(test, |row| row.weight).or(self.weight).unwrap_or(1.0)
    }

    /// When students see a test.
    #[must_use]
    pub fn visibility(&self, test: &Test) -> Visibility {
        self.last(test, |row| row.visibility).unwrap_or(self.visibility)
    }

    /// When students see the tests of which nothing else is said.
    #[must_use]
    pub fn visibility_of_all(&self) -> Visibility {
        self.visibility
    }

    /// How much students hear of a failure.
    #[must_use]
    pub fn reveal(&self, test: &Test) -> Reveal {
        self.last(test, |row| row.reveal).unwrap_or(self.reveal)
    }

    /// The points of each outcome. What is not strict does nothing wrong, and has its points. A test that does not apply is worth
    /// nothing, unless it could not be made because the program cannot be reached: then its points are lost.
    #[must_use]
    pub fn points(&self, outcomes: &[Outcome]) -> Vec<Points> {
        let unreachable = outcomes
            .iter()
            .any(|outcome| outcome.test.id == "starts/listens" && outcome.verdict == Verdict::Fail);
        let of = |outcome: &Outcome| {
            let weight = self.weight(outcome.test);
            match outcome.verdict {
                Verdict::Pass | Verdict::NonStrict => Points { got: weight, of: weight },
                Verdict::Fail => Points { got: 0.0, of: weight },
                Verdict::Skipped if unreachable => Points { got: 0.0, of: weight },
                Verdict::Skipped | Verdict::Info => Points::default(),
            }
        };
        outcomes.iter().map(of).collect()
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::catalogue::TESTS;

    fn read(text: &str) -> Result<Teacher, String> {
        Teacher::read(text, Path::new("")).map_err(|error| error.to_string())
    }

    fn test(id: &str) -> &'static Test {
        TESTS.iter().find(|test| test.id == id).expect("there is such a test")
    }

    #[test]
    fn the_last_row_that_says_it_counts() {
        let text = "weight = 3\n[[test]]\nname = 'many/*'\nweight = 0.5\nreveal = 'names'\n\
             [[test]]\nname = 'many/leak'\nvisibility = 'hidden'\n";
        let teacher = read(text).expect("it is right");
        let of = |id| {
            let test = test(id);
            (teacher.weight(test), teacher.visibility(test), teacher.reveal(test))
        };
        assert_eq!(of("many/leak"), (0.5, Visibility::Hidden, Reveal::Names));
        assert_eq!(of("many/idle"), (0.5, Visibility::Visible, Reveal::Names));
        assert_eq!(of("bytes/one"), (3.0, Visibility::Visible, Reveal::All));
        assert!(teacher.has_weights() && !read("seed = 1").expect("it is right").has_weights());
    }

    #[test]
    fn what_is_wrong_has_its_line() {
        for (text, line) in [
            ("\ntitel = 'x'", 2),
            ("[[test]]\nname = 'bytes'\n\nweights = 2", 4),
            ("seed = 1\nonly = ['bytes',\n'byts/cut']", 3),
            ("weight = -1", 1),
            ("weight = nan", 1),
            ("timeout = 0", 1),
            ("timeout = -1", 1),
            ("title = 'x'\n[test]\nname = 'bytes'", 2),
            ("title = 'x'\nonly = 'bytes'", 2),
            ("title = 'x'\nseed = 'x'", 2),
            ("title = 'x'\nreveal = 'nothing'", 2),
            ("protocol = 'no/such/file'", 1),
            ("title = 'x'\n= 3", 2),
        ] {
            let wrong = read(text).expect_err("it is wrong");
            assert!(wrong.starts_with(&format!("line {line}: ")), "{text:?}: {wrong}");
            assert_eq!(wrong.lines().count(), 1, "{wrong}");
        }
    }

    #[test]
    fn points_are_lost_where_the_program_cannot_be_reached() {
        let outcome = |id, verdict| crate::empty(test(id), verdict);
        let points = |first, second| {
            let outcomes = [outcome("starts/listens", first), outcome("bytes/one", second)];
            let sum: Points = Teacher::default().points(&outcomes).into_iter().sum();
            (sum.got, sum.of)
        };
        assert_eq!(points(Verdict::Pass, Verdict::Pass), (2.0, 2.0));
        assert_eq!(points(Verdict::Pass, Verdict::NonStrict), (2.0, 2.0));
        assert_eq!(points(Verdict::Pass, Verdict::Fail), (1.0, 2.0));
        assert_eq!(points(Verdict::Pass, Verdict::Skipped), (1.0, 1.0));
        assert_eq!(points(Verdict::Fail, Verdict::Skipped), (0.0, 2.0));
        let tenths = [0.1, 0.2].map(|got| Points { got, of: got });
        assert_eq!(tenths.into_iter().sum::<Points>().got, 0.3);
    }
}
