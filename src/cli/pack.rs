//! `netplay pack`: a run as one file to hand in.

use std::io::{self, Read};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use chrono::{Local, SecondsFormat};
use clap::Args as ClapArgs;
use clap::builder::NonEmptyStringValueParser;
use netplay_text::say;
use netplay_text::words::counted;

use super::global::Global;
use crate::escape::{file_name, shell_word};
use crate::files::{is_same, is_stdout, try_to_write, write_by};
use crate::lang::Lang;
use crate::pack::{Claims, MOST, Machine, Packed, pack};
use crate::trace::remark;

/// Pack the traces of a run into one file to hand in
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Record the run, then pack it; the teacher verifies the file on another machine:\n\n    netplay watch --trace run.jsonl -- ./server 5858 :: python3 client.py 127.0.0.1 5858\n    netplay pack run.jsonl -o run.netplay --token \"lab 3, group 5\"\n    netplay verify run.netplay\n\nThe file is a zip archive: the traces, a page to open in a browser, the review, and what they were made with. Passwords are hidden in the forms that netplay knows. Other secrets stay. See docs/hand-in.md."
)]
pub struct Args {
    /// Traces of one host, in any order; - for standard input
    #[arg(value_name = "TRACE", required = true)]
    traces: Vec<PathBuf>,
    /// Write the pack to FILE; - for standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Put in the text that the teacher has given out
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    token: Option<String>,
}

/// Packs the traces.
///
/// # Errors
/// A trace cannot be read, there is nothing in it, or the pack cannot be written.
pub(super) fn run(args: &Args, global: &Global) -> Result<()> {
    let lang = Lang::current();
    try_to_write(&args.output)?;
    if let Some(trace) = args.traces.iter().find(|trace| is_same(trace, &args.output)) {
        let name = file_name(trace);
        bail!(say!(
            lang,
            "cannot write {name}: it is one of the traces to pack",
            "无法写入 {name}：它是要打包的跟踪文件之一",
        ));
    }
    let mut traces = Vec::new();
    for path in &args.traces {
        // The folders of a student's machine are of no interest to others.
        let name = path.file_name().map_or("-".to_owned(), |name| file_name(name.as_ref()));
        let content = read(path).with_context(|| {
            let name = file_name(path);
            say!(lang, "cannot read the trace {name}", "无法读取跟踪文件 {name}")
        })?;
        traces.push((name, content));
    }
    let claims = Claims {
        token: args.token.clone(),
        machine: machine(),
        packed: Local::now().to_rfc3339_opts(SecondsFormat::Secs, false),
        lang: Some(global.language()),
        show_secrets: global.show_secrets,
    };
    let Packed { bytes, about, records, left_out } = pack(&traces, claims)?;
    for said in left_out {
        remark(format_args!("netplay: {said}"));
    }
    write_by(|to| to.write_all(&bytes), &args.output)?;
    if global.quiet {
        return Ok(());
    }
    let (n, size, hidden) = (records as u64, bytes.len() as u64, about.hidden);
    let (count, size, bytes) = (counted(n, "record"), size.div_ceil(1024), counted(hidden, "byte"));
    remark(say!(
        lang,
        "packed {count} in {size} KiB; hidden: {bytes} of passwords",
        "打包了 {n} 条记录，共 {size} KiB；隐去了 {hidden} 字节的口令",
    ));
    if !is_stdout(&args.output) {
        let file = shell_word(&args.output);
        remark(say!(
            lang,
            "try next: netplay verify {file}, as the one who receives it will",
            "接下来试试：netplay verify {file}，收到它的人也会这样做",
        ));
    }
    Ok(())
}

/// All of a file, of at most so many bytes that a pack can hold it.
fn read(path: &std::path::Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let limit = MOST + 1; // then pack says that it is too large
    match is_stdout(path) {
        true => io::stdin().lock().take(limit).read_to_end(&mut content)?,
        false => std::fs::File::open(path)?.take(limit).read_to_end(&mut content)?,
    };
    Ok(content)
}

fn machine() -> Machine {
    let read = |name: &str| {
        let text = std::fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default();
        text.trim().to_owned()
    };
    let boot = read("random/boot_id").get(..8).map(str::to_owned);
    Machine {
        kernel: format!("{} {}", read("ostype"), read("osrelease")),
        architecture: std::env::consts::ARCH.to_owned(),
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        boot,
    }
}
