//! A page of HTML: one file that asks for no other.
//!
//! Its Content-Security-Policy names its own styles and its script by their hashes: nothing else could run, and no
//! request could leave.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::shapes;
use crate::ink;
use netplay_text::escape::markup;

const SHELL: &str = include_str!("shell.html");
const REPORT: &str = include_str!("report.css");

/// What a page holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page<'a> {
    /// Its name, as text.
    pub title: &'a str,
    /// How it looks.
    pub style: &'a str,
    /// What it shows, as HTML.
    pub body: &'a str,
    /// The only script in its body that may run.
    pub script: Option<&'a str>,
}

impl Page<'_> {
    /// The whole file.
    pub fn html(&self) -> String {
        // A picture on the page has a style of its own.
        let styles = [self.style, &shapes::style()].map(hash).join(" ");
        let scripts = self.script.map_or("'none'".to_owned(), hash);
        fill(SHELL, |mark| match mark {
            "title" => markup(self.title).into(),
            "style" => self.style.into(),
            "styles" => styles.as_str().into(),
            "scripts" => scripts.as_str().into(),
            "body" => self.body.into(),
            _ => unreachable!("shell.html has the marks above and no others"),
        })
    }
}

/// A report: a picture, and its figures as tables. The body is HTML, the title is text.
///
/// ```
/// let page = netplay_draw::page::report("a < b", "<h1>Figures</h1>\n");
/// assert!(page.contains("<title>a &lt; b</title>") && page.ends_with("</h1>\n</body>\n</html>\n"));
/// ```
#[must_use]
pub fn report(title: &str, body: &str) -> String {
    let style = ink::variables() + REPORT;
    Page { title, style: &style, body, script: None }.html()
}

/// A table of texts: what stands above it, if anything does, its heads, and its rows.
///
/// ```
/// let rows = [["&".to_owned()]];
/// assert!(netplay_draw::page::table("", &["sign"], &rows).contains("<tr><td>&amp;</td></tr>"));
/// ```
#[must_use]
pub fn table<R: AsRef<[String]>>(caption: &str, heads: &[&str], rows: &[R]) -> String {
    let row = |cells: &mut dyn Iterator<Item = &str>, tag| -> String {
        let cells = cells.map(|cell| format!("<{tag}>{}</{tag}>", markup(cell)));
        format!("<tr>{}</tr>\n", cells.collect::<String>())
    };
    let rows = rows.iter().map(|cells| row(&mut cells.as_ref().iter().map(String::as_str), "td"));
    let head = row(&mut heads.iter().copied(), "th");
    let caption = match caption {
        "" => String::new(),
        caption => format!("<caption>{}</caption>\n", markup(caption)),
    };
    format!("<table>{caption}\n{head}{}</table>\n", rows.collect::<String>())
}

/// The template with each `{{mark}}` filled, once: a mark in what is filled in stays what it is.
pub(super) fn fill<'a>(template: &str, part: impl Fn(&str) -> Cow<'a, str>) -> String {
    let mut pieces = template.split("{{");
    let mut page = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (mark, rest) = piece.split_once("}}").expect("every mark of a template ends");
        page += &part(mark);
        page += rest;
    }
    page
}

fn hash(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}
