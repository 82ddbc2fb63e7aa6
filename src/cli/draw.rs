//! `netplay draw`: the traces of several processes as one picture.

use std::collections::HashMap;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::builder::{StringValueParser, TypedValueParser};
use clap::{Args as ClapArgs, ValueEnum};
use nix::errno::Errno;
use nix::unistd::{AccessFlags, access};

use super::args::Offer;
use super::special;
use crate::draw::{Format, Time, Timeline, View, read};
use crate::escape::file_name;
use crate::output::Output;
use crate::trace::remark;

/// Draw traces as one timeline of both ends
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Make traces with --trace, in both terminals:\n\n    netplay tcp-server --trace server.jsonl\n    netplay tcp-client --trace client.jsonl\n    netplay draw server.jsonl client.jsonl -o both.svg\n\nWith --observe a trace also has the states of TCP."
)]
pub struct Args {
    /// Traces of one host, in any order; - for standard input
    #[arg(value_name = "TRACE", required = true)]
    traces: Vec<PathBuf>,
    /// Write the picture to FILE, which says by its name what it is: .svg .html .md .json .txt; - for standard output
    #[arg(short, long, value_name = "FILE", default_value = "-", value_parser = picture_file)]
    output: PathBuf,
    /// What to write to standard output
    #[arg(long, value_enum, default_value = "txt")]
    format: Suffix,
    /// How heights tell time: even, with every row as high as the next, or true, to scale
    #[arg(long, value_name = "even|true", default_value = "even", value_parser = time(), hide_possible_values = true)]
    time: Time,
}

/// The picture of a demo.
#[derive(Debug, Default, ClapArgs)]
pub struct Picture {
    /// Also draw both sides into FILE: .svg .html .md .json .txt
    #[arg(short, long, value_name = "FILE", value_parser = picture_file)]
    pub output: Option<PathBuf>,
    /// How heights tell time in the picture: even, with every row as high as the next, or true, to scale
    #[arg(long, value_name = "even|true", default_value = "even", requires = "output", value_parser = time(), hide_possible_values = true)]
    pub time: Time,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Suffix {
    Txt,
    Svg,
    Html,
    Md,
    Json,
}

impl From<Suffix> for Format {
    fn from(suffix: Suffix) -> Format {
        match suffix {
            Suffix::Txt => Format::Text,
            Suffix::Svg => Format::Svg,
            Suffix::Html => Format::Html,
            Suffix::Md => Format::Markdown,
            Suffix::Json => Format::Json,
        }
    }
}

impl Args {
    /// The kind of picture.
    fn format(&self) -> Format {
        Format::of(&self.output).unwrap_or(self.format.into())
    }

    /// Whether it is the page to step through.
    pub fn is_for_a_browser(&self) -> bool {
        self.format() == Format::Html
    }
}

/// Reads the traces and writes the picture.
///
/// # Errors
/// There is nothing to draw, a trace cannot be read, or the picture cannot be written.
pub fn run(args: &Args, look: &View, out: &mut Output) -> Result<()> {
    try_to_write(&args.output)?;
    let same = |trace: &&PathBuf| same_file(trace, &args.output);
    if let Some(trace) = args.traces.iter().find(same) {
        anyhow::bail!("cannot write {}: it is a trace that is to be drawn", file_name(trace));
    }
    let reading = read::read(&args.traces)?;
    for said in &reading.remarks {
        remark(format_args!("netplay: {said}"));
    }
    let names: Vec<String> = args.traces.iter().map(|trace| file_name(trace)).collect();
    let view = View { title: names.join(" + "), time: args.time, ..look.clone() };
    let picture = Timeline::new(reading.records, &HashMap::new()).picture(args.format(), &view);
    write(&picture, &args.output, out)
}

fn time() -> Offer<impl TypedValueParser<Value = Time>> {
    Offer::new(StringValueParser::new().try_map(|word| word.parse()), || vec!["even", "true"])
}

/// A name that says what kind of picture it is.
fn picture_file(name: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(name);
    match Format::of(&path) {
        None if !is_stdout(&path) => {
            Err("a picture's name ends in .svg, .html, .md, .json or .txt".to_owned())
        }
        _ => Ok(path),
    }
}

/// Writes a picture; a file has its name only when it is whole.
///
/// # Errors
/// The file or `out` cannot be written.
pub fn write(picture: &str, path: &Path, out: &mut impl Write) -> Result<()> {
    if is_stdout(path) {
        return Ok(out.write_all(picture.as_bytes()).and_then(|()| out.flush())?);
    }
    put(picture, path).with_context(|| format!("cannot write {}", file_name(path)))
}

/// Finds out whether a picture can be written there, before the work of which it is to be made.
///
/// # Errors
/// It cannot.
pub fn try_to_write(path: &Path) -> Result<()> {
    if is_stdout(path) {
        return Ok(());
    }
    // A page of zeros, which goes again, tells whether there is room for anything.
    let tried = || beside(path)?.0.as_file().write_all(&[0; 4096]);
    let made = if is_special(path) { may_be_written(path) } else { tried() };
    made.with_context(|| format!("cannot write {}", file_name(path)))
}

/// Whether a file that is there may be written. Its place could be taken without that right: the folder
/// alone decides. But its owner has said that it is to stay as it is.
fn may_be_written(path: &Path) -> std::io::Result<()> {
    Ok(access(path, AccessFlags::W_OK)?)
}

fn put(picture: &str, path: &Path) -> Result<()> {
    if is_special(path) {
        return special::write(picture.as_bytes(), path);
    }
    let there = std::fs::metadata(path).ok();
    let (file, path) = beside(path)?;
    // Its errors do not name the temporary file; those of what holds it do.
    file.as_file().write_all(picture.as_bytes())?;
    if let Some(there) = there {
        file.as_file().set_permissions(there.permissions())?;
    }
    file.persist(path).map(|_| ()).map_err(|error| error.error.into())
}

fn same_file(one: &Path, other: &Path) -> bool {
    let id = |path: &Path| std::fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    !is_stdout(one) && !is_stdout(other) && id(one).is_some_and(|one| id(other) == Some(one))
}

/// A pipe or a device, which stays what it is.
fn is_special(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir())
}

/// A file in the folder of this one, whose place it will take. A link stays a link: it is the file behind
/// it that is replaced.
fn beside(path: &Path) -> std::io::Result<(tempfile::NamedTempFile, PathBuf)> {
    let path = behind_links(path)?;
    match std::fs::metadata(&path) {
        Ok(there) if there.is_dir() => return Err(Errno::EISDIR.into()),
        Ok(_) => may_be_written(&path)?,
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        Err(_) if path.as_os_str().as_encoded_bytes().ends_with(b"/") => {
            return Err(Errno::EISDIR.into());
        }
        Err(_) => {}
    }
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::Builder::new().permissions(mode(0o666)).tempfile_in(folder);
    // Without the name of the temporary file, which is in the error.
    let file = file.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Errno::ENOENT.into(),
        std::io::ErrorKind::PermissionDenied => Errno::EACCES.into(),
        other => std::io::Error::from(other),
    })?;
    Ok((file, path))
}

/// So many links are followed, as by the kernel (path_resolution(7)).
const LINKS: usize = 40;

/// Where a link leads, even if nothing is there yet: as with a shell's `>`, the file is made there.
fn behind_links(path: &Path) -> std::io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..LINKS {
        match std::fs::read_link(&path) {
            // From the folder in which the link is; a whole path takes the place of all that was before.
            Ok(to) => path = path.parent().unwrap_or(Path::new("")).join(to),
            Err(_) => return Ok(path),
        }
    }
    Err(Errno::ELOOP.into())
}

fn mode(mode: u32) -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(mode)
}

/// Whether a picture goes to standard output: `-`.
pub fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-"
}
