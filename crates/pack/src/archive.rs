//! The members of a pack in a zip archive: written in one order, and read by the names that they have, never to a disk.

use std::io::{Cursor, Read, Write};

use netplay_text::escape::escape_unsafe;
use zip::result::ZipResult;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::fault::trace_name;
use super::{Damage, Fault, MOST, MOST_TRACES, Rule};
use netplay_text::both;

pub(crate) const MANIFEST: &str = "manifest.json";
pub(crate) const ABOUT: &str = "about.json";
pub(crate) const PAGE: &str = "page.html";
pub(crate) const REVIEW: &str = "review.json";

/// A member: its name and what it holds.
pub(crate) type Member<'a> = (&'a str, &'a [u8]);

/// The bytes of a zip archive with these members. The same members give the same bytes: no time is in it.
pub(crate) fn written(members: &[Member<'_>]) -> ZipResult<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let how = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(LEVEL));
    for (name, content) in members {
        zip.start_file(*name, how)?;
        zip.write_all(content)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// How hard to look for what repeats. Lines of a trace repeat so much that more work saves little.
const LEVEL: i64 = 3;

/// How long the record is that ends an archive without a comment.
const END: usize = 22;

/// The members of several archives in one.
pub(crate) fn joined(archives: &[Vec<u8>]) -> ZipResult<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for archive in archives {
        zip.merge_archive(ZipArchive::new(Cursor::new(archive))?)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// What an archive holds.
#[derive(Debug, Default)]
pub(crate) struct Members {
    pub manifest: Vec<u8>,
    pub about: Vec<u8>,
    pub page: Vec<u8>,
    pub review: Vec<u8>,
    pub traces: Vec<Vec<u8>>,
}

impl Members {
    /// All of them except the manifest, in the order in which it names them.
    pub fn named(&self) -> Vec<(String, &[u8])> {
        let traces = self.traces.iter().enumerate();
        let traces = traces.map(|(nth, trace)| (trace_name(nth + 1), &**trace));
        std::iter::once((ABOUT.to_owned(), &*self.about))
            .chain(traces)
            .chain([(PAGE.to_owned(), &*self.page), (REVIEW.to_owned(), &*self.review)])
            .collect()
    }
}

/// Reads the archive. It may come from anywhere, so every size is bounded before and while it is unpacked, and a name is only
/// compared, never used as a path.
///
/// # Errors
/// It is not an archive, is damaged or too large, or lacks a member.
pub(crate) fn read(bytes: &[u8], faults: &mut Vec<Fault>) -> Result<Members, Damage> {
    if !bytes.starts_with(b"PK") {
        return Err(Damage::NoPack);
    }
    let no_zip = |error: zip::result::ZipError| Damage::NoZip(escape_unsafe(&error.to_string()));
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(no_zip)?;
    if zip.len() > MOST_TRACES + 4 {
        return Err(Damage::Large);
    }
    // Two members of one name, or a member that the directory does not list, would be another one for each program.
    zip.validate_header_consistency().map_err(no_zip)?;
    // Without a comment, the record that ends an archive is its last bytes (APPNOTE.TXT, 4.3.16).
    let ends =
        bytes.len().checked_sub(END).is_some_and(|at| bytes[at..].starts_with(b"PK\x05\x06"));
    if zip.offset() != 0 || !zip.comment().is_empty() || !ends {
        let said = both!(
            "the archive has bytes before or after its members",
            "压缩包在成员之前或之后还有别的内容",
        );
        faults.push(Fault::new(Rule::Manifest, said, []));
    }
    let mut left = MOST;
    let mut member = |name: &str| -> Result<Option<Vec<u8>>, Damage> {
        let Some(index) = zip.index_for_name(name) else { return Ok(None) };
        let bad = |error: &dyn std::fmt::Display| {
            Damage::Member(name.to_owned(), escape_unsafe(&error.to_string()))
        };
        let file = zip.by_index(index).map_err(|error| bad(&error))?;
        if !file.is_file() {
            return Err(bad(&"it is a link or a folder"));
        }
        let size = file.size();
        if size > left {
            return Err(Damage::Large);
        }
        let mut content = Vec::with_capacity(size.min(bytes.len() as u64 * 4) as usize);
        // One byte more than it says it has tells that it has more.
        file.take(size + 1).read_to_end(&mut content).map_err(|error| bad(&error))?;
        if content.len() as u64 != size {
            return Err(bad(&"its size is not the one that the archive names"));
        }
        left -= size;
        Ok(Some(content))
    };
    let needed = |name: &str, content: Option<Vec<u8>>| {
        content.ok_or_else(|| Damage::Missing(name.to_owned()))
    };
    let mut members = Members {
        manifest: needed(MANIFEST, member(MANIFEST)?)?,
        about: needed(ABOUT, member(ABOUT)?)?,
        page: needed(PAGE, member(PAGE)?)?,
        review: needed(REVIEW, member(REVIEW)?)?,
        traces: Vec::new(),
    };
    while members.traces.len() < MOST_TRACES
        && let Some(trace) = member(&trace_name(members.traces.len() + 1))?
    {
        members.traces.push(trace);
    }
    if members.traces.is_empty() {
        return Err(Damage::Missing(trace_name(1)));
    }
    if let Some(more @ 1..) = zip.len().checked_sub(members.traces.len() + 4) {
        let said = both!(
            "the archive holds {more} more files than a pack has",
            "压缩包里比一个包应有的多 {more} 个文件",
        );
        faults.push(Fault::new(Rule::Manifest, said, []));
    }
    Ok(members)
}
