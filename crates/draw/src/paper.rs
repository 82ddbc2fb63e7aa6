//! What a picture is written on. A long one is handed on while it grows, so it is never in memory as a whole.

use std::fmt;
use std::io::{self, Write};

/// So many bytes are handed on at a time.
const SHEET: usize = 1 << 16;

/// A text that grows at its end.
#[derive(Default)]
pub(super) struct Paper<'a> {
    /// What was not handed on.
    pub(super) text: String,
    to: Option<&'a mut dyn Write>,
    /// The first error of the writer. After it nothing is handed on.
    failed: Option<io::Error>,
}

impl<'a> Paper<'a> {
    /// Paper that goes to this writer, a sheet at a time.
    pub(super) fn to(to: &'a mut dyn Write) -> Paper<'a> {
        Paper { to: Some(to), ..Paper::default() }
    }

    /// Hands on what there is, if it fills a sheet.
    pub(super) fn turn(&mut self) {
        if self.text.len() >= SHEET {
            self.hand_on();
        }
    }

    fn hand_on(&mut self) {
        let Some(to) = &mut self.to else { return };
        if self.failed.is_none() {
            self.failed = to.write_all(self.text.as_bytes()).err();
        }
        self.text.clear();
    }

    /// Hands on the rest.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.hand_on();
        self.failed.map_or(Ok(()), Err)
    }
}

impl fmt::Debug for Paper<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paper").field("text", &self.text).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_arrives_in_its_order() {
        let mut all = Vec::new();
        let mut paper = Paper::to(&mut all);
        let mut told = String::new();
        for n in 0..30_000 {
            let line = format!("line {n}\n");
            paper.text += &line;
            told += &line;
            paper.turn();
            assert!(paper.text.len() < SHEET);
        }
        paper.finish().unwrap();
        assert_eq!(String::from_utf8(all).unwrap(), told);
    }

    #[test]
    fn a_writer_that_fails_is_not_asked_again() {
        struct Full(u32);
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                self.0 += 1;
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut full = Full(0);
        let mut paper = Paper::to(&mut full);
        for _ in 0..3 {
            paper.text += &"x".repeat(SHEET);
            paper.turn();
        }
        assert_eq!(paper.finish().unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(full.0, 1);
    }
}
