//! No file imports what imports it, by whatever way round. What a module only passes on (`pub use`) is no import: a
//! name counts for the file that defines it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, UseTree, Visibility};

use super::{root, under};

/// A file by its place in its crate: `["bench", "plan"]`; the root is `[]`.
type Module = Vec<String>;

/// What a file defines, and what it names of others.
#[derive(Default)]
struct Names {
    defined: BTreeSet<String>,
    /// Each name that `use` brings: as what, from where, and whether it is passed on.
    brought: Vec<(String, Vec<String>, bool)>,
    /// Paths in the code itself: `super::close(fd)`.
    used: Vec<Vec<String>>,
}

impl Names {
    fn of(file: &Path) -> Names {
        let text = fs::read_to_string(file).unwrap();
        let code =
            syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut names = Names::default();
        names.defined.extend(code.items.iter().filter_map(|item| match item {
            Item::Const(item) => Some(item.ident.to_string()),
            Item::Enum(item) => Some(item.ident.to_string()),
            Item::Fn(item) => Some(item.sig.ident.to_string()),
            Item::Static(item) => Some(item.ident.to_string()),
            Item::Struct(item) => Some(item.ident.to_string()),
            Item::Trait(item) => Some(item.ident.to_string()),
            Item::Type(item) => Some(item.ident.to_string()),
            _ => None,
        }));
        names.visit_file(&code);
        names
    }

    fn bring(&mut self, tree: &UseTree, mut path: Vec<String>, passed_on: bool) {
        match tree {
            UseTree::Path(tree) => {
                path.push(tree.ident.to_string());
                self.bring(&tree.tree, path, passed_on);
            }
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.bring(tree, path.clone(), passed_on));
            }
            UseTree::Name(name) if name.ident == "self" => {
                let name = path.last().unwrap().clone();
                self.brought.push((name, path, passed_on));
            }
            UseTree::Name(name) => {
                path.push(name.ident.to_string());
                self.brought.push((name.ident.to_string(), path, passed_on));
            }
            UseTree::Rename(tree) => {
                if tree.ident != "self" {
                    path.push(tree.ident.to_string());
                }
                self.brought.push((tree.rename.to_string(), path, passed_on));
            }
            UseTree::Glob(_) => self.brought.push(("*".to_owned(), path, passed_on)),
        }
    }
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.bring(&item.tree, Vec::new(), !matches!(item.vis, Visibility::Inherited));
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        let is_test = |attribute: &Attribute| {
            attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Path>().is_ok_and(|cfg| cfg.is_ident("test"))
        };
        if !module.attrs.iter().any(is_test) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.used.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }
}

/// The files of a crate.
struct Crate(BTreeMap<Module, Names>);

impl Crate {
    fn read(src: &Path) -> Crate {
        let module = |file: &Path| -> Module {
            let inside = file.strip_prefix(src).unwrap().with_extension("");
            let names = inside.iter().map(|name| name.to_str().unwrap().to_owned());
            names.filter(|name| name != "mod" && name != "lib").collect()
        };
        let files = under(src).into_iter().filter(|file| !file.ends_with("main.rs"));
        Crate(files.map(|file| (module(&file), Names::of(&file))).collect())
    }

    /// The file that defines what `path` means in `module`.
    fn home(&self, module: &Module, path: &[String], depth: usize) -> Option<Module> {
        let mut rest = path;
        let mut at = match rest.first()?.as_str() {
            "crate" => Module::new(),
            "self" | "super" => module.clone(),
            first if self.0.contains_key(&inside(module, first)) => module.clone(),
            _ => return None,
        };
        while let [first, behind @ ..] = rest {
            match first.as_str() {
                "crate" | "self" => {}
                "super" => drop(at.pop()?),
                first if self.0.contains_key(&inside(&at, first)) => at.push(first.to_owned()),
                _ => break,
            }
            rest = behind;
        }
        let Some(name) = rest.first().filter(|_| depth < 10) else { return Some(at) };
        let file = self.0.get(&at)?;
        if file.defined.contains(name) {
            return Some(at);
        }
        for (known, from, _) in &file.brought {
            if known == name {
                return self.home(&at, from, depth + 1); // of another crate: none
            }
            if known == "*"
                && let Some(home) = self.home(&at, from, depth + 1)
                && self.0[&home].defined.contains(name)
            {
                return Some(home);
            }
        }
        Some(at)
    }

    /// The files whose names a file uses.
    fn imports(&self, module: &Module) -> BTreeSet<Module> {
        let names = &self.0[module];
        let own = |home: &Module| home.starts_with(module);
        let brought = names.brought.iter().filter_map(|(_, path, passed_on)| {
            self.home(module, path, 0).filter(|home| !(*passed_on && own(home)))
        });
        let used = names.used.iter().filter(|path| path.len() > 1);
        let used = used.filter_map(|path| self.home(module, path, 0));
        brought.chain(used).filter(|home| home != module).collect()
    }
}

fn inside(module: &Module, name: &str) -> Module {
    [&module[..], &[name.to_owned()]].concat()
}

/// Files from which the imports lead back to them, each with those on that way.
fn circles(imports: &BTreeMap<Module, BTreeSet<Module>>) -> BTreeSet<Vec<Module>> {
    let reached = |from: &Module| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(module) = open.pop() {
            open.extend(imports[module].iter().filter(|next| seen.insert((*next).clone())));
        }
        seen
    };
    let all: BTreeMap<&Module, BTreeSet<Module>> =
        imports.keys().map(|file| (file, reached(file))).collect();
    let back = |start: &Module| -> Vec<Module> {
        all[start].iter().filter(|file| all[file].contains(start)).cloned().collect()
    };
    imports.keys().map(back).filter(|circle| !circle.is_empty()).collect()
}

#[test]
fn no_file_imports_what_imports_it() {
    let crates = fs::read_dir(root().join("crates")).unwrap();
    let crates = crates.map(|folder| folder.unwrap().path().join("src"));
    let mut arrows = 0;
    for src in crates.chain([root().join("src")]) {
        let read = Crate::read(&src);
        let imports = read.0.keys().map(|file| (file.clone(), read.imports(file))).collect();
        let circles = circles(&imports);
        assert!(circles.is_empty(), "circles in {}: {circles:#?}", src.display());
        arrows += imports.values().map(BTreeSet::len).sum::<usize>();
    }
    assert!(arrows > 300, "the check has seen {arrows} imports only");
}

#[test]
fn the_check_sees_a_circle_behind_what_is_passed_on() {
    let names = |code: &str| {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), code).unwrap();
        Names::of(file.path())
    };
    let module = |name: &str| vec![name.to_owned()];
    let files = [
        (Module::new(), names("mod a; mod b; pub use a::A; pub use b::*;")),
        (module("a"), names("use super::B; pub struct A(B);")),
        (module("b"), names("pub struct B; fn made() { let _ = crate::A(B); }")),
    ];
    let read = Crate(files.into_iter().collect());
    let imports = read.0.keys().map(|file| (file.clone(), read.imports(file))).collect();
    assert_eq!(circles(&imports), BTreeSet::from([vec![module("a"), module("b")]]));
}
