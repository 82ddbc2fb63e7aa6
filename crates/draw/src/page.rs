//! A page of HTML: one file that asks for no other.
//!
//! Its Content-Security-Policy names its own styles and its script by their hashes: nothing else could run, and no
//! request could leave.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::shapes;
use crate::ink;
use netplay_text::escape::markup;
use netplay_text::lang::Lang;

const SHELL: &str = include_str!("shell.html");
const REPORT: &str = include_str!("report.css");

/// What a page holds.
pub(super) struct Page<'a> {
    /// Its name, as text.
    pub title: &'a str,
    /// How it looks.
    pub style: &'a str,
    /// Writes what it shows, as HTML.
    pub body: &'a dyn Fn(&mut dyn Write) -> io::Result<()>,
    /// The only script in its body that may run.
    pub script: Option<&'a str>,
    /// What the script may ask for, as a part of the policy; nothing, mostly.
    pub asks: &'a str,
    /// The language of its words.
    pub lang: Lang,
}

impl Page<'_> {
    /// Writes the whole file.
    pub fn write(&self, to: &mut dyn Write) -> io::Result<()> {
        // A picture on the page has a style of its own.
        let styles = [self.style, &shapes::style()].map(hash).join(" ");
        let scripts = self.script.map_or("'none'".to_owned(), hash);
        fill(SHELL, to, |mark, to| {
            let text = match mark {
                "title" => &markup(self.title),
                "style" => self.style,
                "styles" => &styles,
                "lang" => self.lang.code(),
                "scripts" => &scripts,
                "asks" => self.asks,
                "body" => return (self.body)(to),
                _ => unreachable!("shell.html has the marks above and no others"),
            };
            to.write_all(text.as_bytes())
        })
    }
}

/// A report: pictures, and figures as tables. The body is HTML in the language of this process, the title is text.
///
/// ```
/// let page = netplay_draw::page::report("a < b", "<h1>Figures</h1>\n");
/// assert!(page.contains("<title>a &lt; b</title>") && page.ends_with("</h1>\n</body>\n</html>\n"));
/// ```
#[must_use]
pub fn report(title: &str, body: &str) -> String {
    let style = ink::variables() + REPORT;
    let body = |to: &mut dyn Write| to.write_all(body.as_bytes());
    let mut page = Vec::new();
    let written =
        Page { title, style: &style, body: &body, script: None, asks: "", lang: Lang::current() }
            .write(&mut page);
    written.expect("a Vec takes everything");
    String::from_utf8(page).expect("a page is text")
}

/// The nth figure of a page, as wide as the page. What it defines has names of its own, because two figures on one
/// page may have none in common.
///
/// ```
/// use netplay_draw::page::figure;
/// let figure = figure("<svg><title id=\"title\">a bar</title></svg>\n", 2);
/// assert_eq!(figure, "<figure><svg><title id=\"title-2\">a bar</title></svg>\n</figure>\n");
/// ```
#[must_use]
pub fn figure(svg: &str, nth: usize) -> String {
    let labels = format!("aria-labelledby=\"title-{nth} desc-{nth}\"");
    let svg = svg.replace("aria-labelledby=\"title desc\"", &labels);
    // Quotes in what a figure says are escaped, so none of these can be a part of it.
    let svg = ["title", "desc", "cut", "again"].iter().fold(svg, |svg, id| {
        svg.replace(&format!("id=\"{id}\""), &format!("id=\"{id}-{nth}\""))
            .replace(&format!("href=\"#{id}\""), &format!("href=\"#{id}-{nth}\""))
            .replace(&format!("\"url(#{id})\""), &format!("\"url(#{id}-{nth})\""))
    });
    format!("<figure>{svg}</figure>\n")
}

/// What stands in a cell of a table.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    text: String,
    below: String,
    columns: usize,
    left: bool,
    to: String,
    failed: bool,
}

impl Cell {
    /// The same as a link to this page.
    ///
    /// ```
    /// use netplay_draw::page::{Cell, table};
    /// let link = Cell::from("a < b").link("a.html");
    /// assert!(table("", ["page"], [[link]]).contains("<td><a href=\"a.html\">a &lt; b</a></td>"));
    /// ```
    #[must_use]
    pub fn link(self, to: &str) -> Cell {
        Cell { to: to.to_owned(), ..self }
    }

    /// The same in the colour of what failed.
    #[must_use]
    pub fn failed(self) -> Cell {
        Cell { failed: true, ..self }
    }

    /// The same with small letters below it, if there are any.
    #[must_use]
    pub fn below(self, below: String) -> Cell {
        Cell { below, ..self }
    }

    /// The same, as wide as so many columns.
    #[must_use]
    pub fn across(self, columns: usize) -> Cell {
        Cell { columns, ..self }
    }

    /// A sentence among figures: it begins at the left, and may have several lines.
    #[must_use]
    pub fn sentence(self) -> Cell {
        Cell { left: true, ..self }
    }

    fn html(&self, tag: &str) -> String {
        let class = match (self.left, self.failed) {
            (true, _) => " class=\"left\"",
            (_, true) => " class=\"failed\"",
            _ => "",
        };
        let columns = match self.columns {
            0 | 1 => String::new(),
            columns => format!(" colspan=\"{columns}\""),
        };
        let below = match self.below.as_str() {
            "" => String::new(),
            below => format!("<br><small>{}</small>", markup(below)),
        };
        let text = markup(&self.text);
        let text = match self.to.as_str() {
            "" => text,
            to => format!("<a href=\"{}\">{text}</a>", markup(to)),
        };
        format!("<{tag}{class}{columns}>{text}{below}</{tag}>")
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Cell {
        Cell { text: text.as_ref().to_owned(), ..Cell::default() }
    }
}

/// A table: what stands above it, if anything does, its heads, and its rows.
///
/// ```
/// use netplay_draw::page::{Cell, table};
/// let sum = Cell::from("3 calls").across(2);
/// let table = table("", ["sign", "name"], [vec![Cell::from("&"), Cell::from("and")], vec![sum]]);
/// assert!(table.contains("<tr><td>&amp;</td><td>and</td></tr>\n<tr><td colspan=\"2\">3 calls</td></tr>"));
/// ```
#[must_use]
pub fn table(
    caption: &str,
    heads: impl IntoIterator<Item: Into<Cell>>,
    rows: impl IntoIterator<Item: IntoIterator<Item: Into<Cell>>>,
) -> String {
    let caption = match caption {
        "" => String::new(),
        caption => format!("<caption>{}</caption>\n", markup(caption)),
    };
    let rows: String = rows.into_iter().map(|cells| row(cells, "td")).collect();
    format!("<table>{caption}\n{}{rows}</table>\n", row(heads, "th"))
}

fn row(cells: impl IntoIterator<Item: Into<Cell>>, tag: &str) -> String {
    let cells: String = cells.into_iter().map(|cell| cell.into().html(tag)).collect();
    format!("<tr>{cells}</tr>\n")
}

/// Writes the template with each `{{mark}}` filled, once: a mark in what is filled in stays what it is.
pub(super) fn fill(
    template: &str,
    to: &mut dyn Write,
    part: impl Fn(&str, &mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut pieces = template.split("{{");
    to.write_all(pieces.next().unwrap_or_default().as_bytes())?;
    for piece in pieces {
        let (mark, rest) = piece.split_once("}}").expect("every mark of a template ends");
        part(mark, to)?;
        to.write_all(rest.as_bytes())?;
    }
    Ok(())
}

fn hash(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}
