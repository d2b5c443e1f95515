//! What the modules of a crate import from each other, read from its source; tests are left out.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, File, ItemFn, ItemMod, ItemUse, Macro, UseTree, Visibility,
    spanned::Spanned,
    visit::{self, Visit},
};

use crate::tree::{ROOT, files, read};

/// A module by the names that lead to it; the root of the crate has none.
pub(crate) type Module = Vec<String>;

/// One import, and where it is written.
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) from: Module,
    pub(crate) to: Module,
    /// `file:line: path`.
    pub(crate) place: String,
}

/// A path that a file names, from the root of the crate, and its line.
type Named = (Vec<String>, usize);

/// The paths that one file names.
struct Paths<'a> {
    module: &'a Module,
    children: Vec<&'a String>,
    named: Vec<Named>,
    /// What it makes public under another path, by name.
    exports: BTreeMap<String, Vec<String>>,
}

/// The modules of a crate and their imports, re-exports followed to where the item is.
pub(crate) fn of_crate(folder: &str) -> (Vec<Module>, Vec<Import>) {
    let source = ROOT.join(folder).join("src");
    let sources: BTreeMap<Module, PathBuf> =
        files(&source).into_iter().filter_map(|file| Some((module(&file)?, file))).collect();
    let read = |module: &Module, file: &PathBuf| {
        let text = read(source.join(file));
        let file: File =
            syn::parse_file(&text).unwrap_or_else(|error| panic!("{folder}/src/{}: {error}", file.display()));
        let mut paths =
            Paths { module, children: children(&sources, module), named: Vec::new(), exports: BTreeMap::new() };
        paths.visit_file(&file);
        (paths.named, paths.exports)
    };
    let all: BTreeMap<&Module, _> = sources.iter().map(|(module, file)| (module, read(module, file))).collect();
    let resolve = |path: &[String]| -> Module {
        let mut path = path.to_vec();
        // A re-export leads on, as often as there are modules at most.
        for _ in 0..sources.len() {
            let length = (0..=path.len()).rev().find(|length| sources.contains_key(&path[..*length])).unwrap_or(0);
            let target = path.get(length).and_then(|name| all[&path[..length].to_vec()].1.get(name));
            let Some(target) = target else { return path[..length].to_vec() };
            path = [target, &path[length + 1..]].concat();
        }
        path
    };
    let mut imports = Vec::new();
    for (from, (named, _)) in &all {
        for (path, line) in named {
            let place = format!("{folder}/src/{}:{line}: crate::{}", sources[*from].display(), path.join("::"));
            imports.push(Import { from: (*from).clone(), to: resolve(path), place });
        }
    }
    (sources.keys().cloned().collect(), imports)
}

/// The module that a file is; none if it is a file of tests, or no Rust.
fn module(file: &Path) -> Option<Module> {
    let path = file.with_extension("");
    let names: Module = path.iter().map(|name| name.to_str().unwrap().to_owned()).collect();
    let is_source = file.extension().is_some_and(|extension| extension == "rs");
    match names.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        _ if !is_source => None,
        ["lib" | "main"] => Some(Module::new()),
        [.., "tests"] => None,
        _ => Some(names),
    }
}

fn children<'a>(sources: &'a BTreeMap<Module, PathBuf>, parent: &Module) -> Vec<&'a String> {
    let below = sources.keys().filter(|module| module.len() == parent.len() + 1 && module.starts_with(parent));
    below.filter_map(|module| module.last()).collect()
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let list = attribute.meta.require_list();
        list.is_ok_and(|list| list.path.is_ident("cfg") && list.tokens.to_string() == "test")
    })
}

impl Paths<'_> {
    /// Notes a path if it leads into this crate.
    fn note(&mut self, names: &[String], line: usize) -> Option<Vec<String>> {
        let supers = names.iter().take_while(|name| *name == "super").count();
        let path = match names.first()?.as_str() {
            "crate" => names[1..].to_vec(),
            "self" => [self.module, &names[1..]].concat(),
            "super" => [&self.module[..self.module.len().checked_sub(supers)?], &names[supers..]].concat(),
            child if self.children.iter().any(|name| *name == child) => [self.module, names].concat(),
            _ => return None,
        };
        self.named.push((path.clone(), line));
        Some(path)
    }

    fn use_tree(&mut self, before: &[String], tree: &UseTree, is_public: bool) {
        let with = |name: String| [before, &[name]].concat();
        let (path, name) = match tree {
            UseTree::Path(path) => return self.use_tree(&with(path.ident.to_string()), &path.tree, is_public),
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.use_tree(before, tree, is_public));
            }
            UseTree::Glob(_) => (before.to_vec(), None),
            UseTree::Name(name) if name.ident == "self" => (before.to_vec(), before.last().cloned()),
            UseTree::Name(name) => (with(name.ident.to_string()), Some(name.ident.to_string())),
            UseTree::Rename(rename) => (with(rename.ident.to_string()), Some(rename.rename.to_string())),
        };
        let noted = self.note(&path, tree.span().start().line);
        if let (Some(path), Some(name), true) = (noted, name, is_public) {
            self.exports.insert(name, path);
        }
    }

    /// Paths within the arguments of a macro, which are only words to the parser.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut names: Vec<String> = Vec::new();
        let mut is_joined = false;
        for token in tokens {
            match token {
                TokenTree::Ident(name) if names.is_empty() || is_joined => {
                    names.push(name.to_string());
                    is_joined = false;
                    self.note_start(&names, name.span().start().line);
                }
                TokenTree::Punct(point) if point.as_char() == ':' && !names.is_empty() => is_joined = true,
                TokenTree::Ident(name) => names = vec![name.to_string()],
                TokenTree::Group(group) => {
                    names.clear();
                    self.tokens(group.stream());
                }
                _ => names.clear(),
            }
        }
    }

    /// Notes a path of at least two names that says itself that it is of this crate.
    fn note_start(&mut self, names: &[String], line: usize) {
        if names.len() > 1 && ["crate", "self", "super"].contains(&names[0].as_str()) {
            self.note(names, line);
        }
    }
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if !is_test(&item.attrs) {
            self.use_tree(&[], &item.tree, !matches!(item.vis, Visibility::Inherited));
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.note_start(&names, path.span().start().line);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast Macro) {
        self.tokens(item.tokens.clone());
        visit::visit_macro(self, item);
    }
}
