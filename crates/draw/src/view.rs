//! What a picture is made of, and how it is to look.

use std::path::Path;

use netplay_text::lang::Lang;

use super::rows::Time;

/// What a picture is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For the terminal.
    Text,
    /// An image.
    Svg,
    /// A page to step through.
    Html,
    /// A Mermaid sequence diagram, for pages on a code host.
    Markdown,
    /// The timeline itself, for programs.
    Json,
    /// The bytes that moved, as a capture for Wireshark.
    Pcapng,
    /// A trace for Perfetto.
    Pftrace,
}

impl Format {
    /// The format that the suffix of a file's name asks for.
    #[must_use]
    pub fn of(path: &Path) -> Option<Format> {
        Some(match path.extension()?.to_str()? {
            "txt" => Format::Text,
            "svg" => Format::Svg,
            "html" | "htm" => Format::Html,
            "md" => Format::Markdown,
            "json" => Format::Json,
            "pcapng" => Format::Pcapng,
            "pftrace" => Format::Pftrace,
            _ => return None,
        })
    }

    /// Whether a terminal and an editor can show it.
    #[must_use]
    pub fn is_text(self) -> bool {
        !matches!(self, Format::Pcapng | Format::Pftrace)
    }
}

/// How a picture is to look.
#[derive(Debug, Clone)]
pub struct View {
    /// What stands above it: `netplay select demo`.
    pub title: String,
    /// How heights tell time.
    pub time: Time,
    /// Of text: how many columns there are.
    pub columns: usize,
    /// Of text: whether to keep to ASCII.
    pub ascii: bool,
    /// Of text: whether colours may be used. They only repeat what the words say.
    pub color: bool,
    /// The language of the sentences.
    pub lang: Lang,
}
