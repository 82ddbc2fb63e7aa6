//! The verbs of files and folders: told of, fetched, stored, changed.

use std::fs::File;
use std::sync::{Mutex, PoisonError};

use netplay_call::Result;
use nix::errno::Errno;
use nix::sys::stat::{SFlag, fstat};

use super::told::{Told, without_options};
use super::{Access, Session, Store, quoted, words};
use crate::data::{Cut, Transfer};
use crate::listing::{self, Facts, Format, Listing};
use crate::root::{self, Upload, kind};

/// Held from the look at the old version to the new one's taking its place.
static CONTINUING: Mutex<()> = Mutex::new(());

/// A file, and how many bytes it has.
fn sized(file: File) -> root::Result<(File, u64)> {
    let size = fstat(&file)?.st_size;
    Ok((file, size as u64))
}

impl Session<'_> {
    pub(super) fn facts(&self) -> Facts {
        Facts { told: self.facts, writable: self.access == Access::Write }
    }

    pub(super) fn list(&mut self, argument: &[u8], names: bool) -> Result<()> {
        let asked = without_options(argument);
        let format = if names { Format::Names } else { Format::Long };
        let path = match self.path(asked) {
            Ok(path) => path,
            Err(errno) => return self.refuse(errno),
        };
        // NLST a  answers  a/b  a/c: names that can be given back as they are.
        let folder = self.rules.root.folder(&path).is_ok();
        let slash = folder && !asked.is_empty() && !asked.ends_with(b"/");
        let prefix = [asked, if slash { b"/" } else { b"" }].concat();
        // LIST d/*.txt: what a client's "mget" asks for. A file may have such a name as well.
        let slash = asked.iter().rposition(|&byte| byte == b'/');
        let (before, pattern) = asked.split_at(slash.map_or(0, |slash| slash + 1));
        if pattern.iter().any(|byte| b"*?".contains(byte)) && self.rules.root.exists(&path).is_err()
        {
            let entries = self.path(before).and_then(|path| self.rules.root.entries(&path));
            return match entries {
                Ok(entries) => {
                    let listing = Listing::new(entries, format, before.to_owned()).like(pattern);
                    self.send_listing(Told::Folder(listing))
                }
                Err(errno) => self.refuse(errno),
            };
        }
        match Told::of(&self.rules.root, &path, format, prefix) {
            Ok(told) => self.send_listing(told),
            Err(errno) => self.refuse(errno),
        }
    }

    pub(super) fn mlsd(&mut self, argument: &[u8]) -> Result<()> {
        let format = Format::Facts(self.facts());
        let path = self.path(argument).and_then(|path| {
            self.rules.root.folder(&path)?;
            Ok(path)
        });
        match path.and_then(|path| Told::of(&self.rules.root, &path, format, Vec::new())) {
            Ok(told) => self.send_listing(told),
            Err(Errno::ENOTDIR) => self.reply(501, "That is no folder: MLST tells of a file."),
            Err(errno) => self.refuse(errno),
        }
    }

    pub(super) fn send_listing(&mut self, told: Told<'_>) -> Result<()> {
        self.transfer("Here comes the listing.", |transfer, data| match told {
            Told::Folder(mut listing) => transfer.send_listing(data, &mut listing),
            Told::File(line) => transfer.send(data, &line),
        })
        .map(drop)
    }

    pub(super) fn mlst(&mut self, argument: &[u8]) -> Result<()> {
        let found = self.path(argument).and_then(|path| Ok((self.rules.root.stat(&path)?, path)));
        match found {
            Ok((stat, path)) if matches!(kind(&stat), SFlag::S_IFREG | SFlag::S_IFDIR) => {
                let facts = listing::facts_of(&stat, self.facts());
                let line = [facts.as_bytes(), b" ", &*path.bytes()].concat();
                self.reply_lines(250, "This is it:", &[line], "That is all.")
            }
            Ok(_) => self.refuse(root::SPECIAL),
            Err(errno) => self.refuse(errno),
        }
    }

    /// How many bytes a RETR would bring; as text, that could only be known by counting lines.
    pub(super) fn size(&mut self, argument: &[u8]) -> Result<()> {
        if self.text {
            return self.reply(550, "As text it has another size: say TYPE I first.");
        }
        let found = self.path(argument).and_then(|path| self.rules.root.stat(&path));
        match found {
            Ok(stat) if kind(&stat) == SFlag::S_IFREG => self.reply(213, stat.st_size.to_string()),
            Ok(stat) if kind(&stat) == SFlag::S_IFDIR => self.refuse(Errno::EISDIR),
            Ok(_) => self.refuse(root::SPECIAL),
            Err(errno) => self.refuse(errno),
        }
    }

    pub(super) fn mdtm(&mut self, argument: &[u8]) -> Result<()> {
        let found = self.path(argument).and_then(|path| self.rules.root.stat(&path));
        match found {
            Ok(stat) if matches!(kind(&stat), SFlag::S_IFREG | SFlag::S_IFDIR) => {
                match listing::stamp(&stat) {
                    Some(stamp) => self.reply(213, stamp),
                    None => self.reply(550, "Its time is in a year that has not four digits."),
                }
            }
            Ok(_) => self.refuse(root::SPECIAL),
            Err(errno) => self.refuse(errno),
        }
    }

    // ---- files

    pub(super) fn retr(&mut self, argument: &[u8]) -> Result<()> {
        let opened = self.path(argument).and_then(|path| sized(self.rules.root.file(&path)?));
        let (file, size) = match opened {
            Ok(opened) => opened,
            Err(errno) => return self.refuse(errno),
        };
        let (text, offset) = (self.text, self.offset);
        if offset > size {
            return self.reply(554, "The file ends before that.");
        }
        let about = match text {
            true => "Here comes the text.".to_owned(),
            false => format!("Here it comes ({} bytes).", size - offset),
        };
        let moved = self.transfer(&about, |transfer, data| match text {
            true => transfer.send_text(data, &file, size),
            false => transfer.send_file(data, &file, offset, size),
        })?;
        self.stats.sent += moved;
        Ok(())
    }

    pub(super) fn stor(&mut self, argument: &[u8], store: Store) -> Result<()> {
        let name = match store {
            Store::Unique => root::random().map(|digits| format!("upload-{digits}").into_bytes()),
            Store::Replace | Store::Append => Ok(argument.to_owned()),
        };
        let begun = name.and_then(|name| {
            let path = self.path(&name)?;
            Ok((self.rules.root.upload(&path)?, path, name))
        });
        let (mut upload, path, name) = match begun {
            Ok(begun) => begun,
            Err(errno) => return self.refuse(errno),
        };
        // What an APPE or a REST leaves as it is comes from the old version; if the upload is cut,
        // that version is still there, whole.
        let mut keep = self.offset;
        let mut old = None;
        if keep > 0 || store == Store::Append {
            match self.rules.root.file(&path).and_then(sized) {
                Ok((file, size)) => {
                    if store == Store::Append {
                        keep = size;
                    }
                    if keep > size {
                        return self.reply(554, "The file ends before that.");
                    }
                    old = Some((file, size));
                }
                Err(Errno::ENOENT) if keep == 0 => {}
                Err(errno) => return self.refuse(errno),
            }
        }
        let (text, root) = (self.text, &self.rules.root);
        let continues = old.is_some() || store == Store::Append;
        // RFC 1123, 4.1.2.9: a client learns the name that STOU chose from these very words.
        let about = match store {
            Store::Unique => [b"FILE: ", &*name].concat(),
            Store::Replace | Store::Append => b"Send it.".to_vec(),
        };
        let moved = self.transfer(&about, |transfer, data| {
            copy_old(&mut upload, old.as_ref().map(|(file, _)| file), keep, transfer)?;
            match text {
                true => transfer.receive_text(data, &mut upload)?,
                false => transfer.receive_file(data, &upload)?,
            }
            upload.sync()?;
            // A client that went away closed the data connection as well: that was not the file's end.
            if transfer.control.stopped() || transfer.control.is_gone() {
                return Err(Cut::Gone);
            }
            let _one_at_a_time =
                continues.then(|| CONTINUING.lock().unwrap_or_else(PoisonError::into_inner));
            if let Some((file, size)) = &old {
                // Another upload, perhaps an APPE too, was done first: this one would undo it.
                let (then, now) = (fstat(file)?, root.stat(&path)?);
                let same = (then.st_dev, then.st_ino) == (now.st_dev, now.st_ino);
                if !same || now.st_size as u64 != *size {
                    return Err(Cut::Changed);
                }
            }
            let replace = store == Store::Replace || old.is_some();
            match upload.publish(replace) {
                Err(Errno::EEXIST) if store == Store::Append => Err(Cut::Changed),
                published => Ok(published?),
            }
        })?;
        self.stats.received += moved;
        Ok(())
    }

    pub(super) fn dele(&mut self, argument: &[u8]) -> Result<()> {
        let done = self.path(argument).and_then(|path| self.rules.root.remove_file(&path));
        self.done(done, 250, "It is gone.")
    }

    pub(super) fn rnfr(&mut self, argument: &[u8]) -> Result<()> {
        let found =
            self.path(argument).and_then(|path| self.rules.root.exists(&path).map(|()| path));
        match found {
            Ok(path) => {
                self.rename = Some(path);
                self.reply(350, "And its new name?")
            }
            Err(errno) => self.refuse(errno),
        }
    }

    pub(super) fn rnto(&mut self, argument: &[u8]) -> Result<()> {
        let Some(from) = self.rename.take() else {
            return self.reply(503, "Say RNFR first.");
        };
        let done = self.path(argument).and_then(|to| self.rules.root.rename(&from, &to));
        self.done(done, 250, "It has its new name.")
    }

    pub(super) fn mkd(&mut self, argument: &[u8]) -> Result<()> {
        let path = match self.path(argument) {
            Ok(path) => path,
            Err(errno) => return self.refuse(errno),
        };
        let done = self.rules.root.make_folder(&path);
        self.done(done, 257, [&*quoted(&path), b" is made."].concat())
    }

    pub(super) fn rmd(&mut self, argument: &[u8]) -> Result<()> {
        let done = self.path(argument).and_then(|path| self.rules.root.remove_folder(&path));
        self.done(done, 250, "It is gone.")
    }

    /// `MFMT 20261122102931 NAME`.
    pub(super) fn mfmt(&mut self, argument: &[u8]) -> Result<()> {
        let Some(space) = argument.iter().position(|&byte| byte == b' ') else {
            return self.reply(501, "MFMT takes a time and a name.");
        };
        let (time, name) = (words(&argument[..space]), &argument[space + 1..]);
        let Some(seconds) = listing::read_stamp(&time) else {
            return self.reply(501, "A time is written as 20261122102931.");
        };
        let path = match self.path(name) {
            Ok(path) => path,
            Err(errno) => return self.refuse(errno),
        };
        match self.rules.root.set_time(&path, seconds) {
            Ok(stat) => {
                let time = listing::stamp(&stat).unwrap_or_default();
                self.reply(213, [format!("Modify={time}; ").as_bytes(), &path.bytes()].concat())
            }
            Err(errno) => self.refuse(errno),
        }
    }
}

/// Brings what is kept of the old version into the new one, and hears a stop meanwhile.
fn copy_old(
    upload: &mut Upload,
    old: Option<&std::fs::File>,
    mut keep: u64,
    transfer: &Transfer<'_, '_>,
) -> std::result::Result<(), Cut> {
    let Some(old) = old else { return Ok(()) };
    while keep > 0 {
        match upload.keep(old, keep.min(64 << 20))? {
            0 => return Err(Cut::Disk(Errno::EIO)), // it became shorter meanwhile
            n => keep -= n,
        }
        if transfer.control.stopped() {
            return Err(Cut::Gone);
        }
    }
    Ok(())
}
