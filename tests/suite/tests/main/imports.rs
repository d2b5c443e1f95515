//! Which module of a crate imports which, as its source says: `use` trees and paths in the code. Tests are left out.

use std::collections::{BTreeMap, BTreeSet};

/// One import of one top-level module by another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Import {
    /// Where it stands: `file:line`.
    pub(crate) place: String,
    /// The path as it is written, without what stands behind the name that is imported.
    pub(crate) path: String,
    pub(crate) from: String,
    pub(crate) to: String,
}

/// A source file of a crate: its path below `src`, and its text.
pub(crate) type Source<'a> = (&'a str, &'a str);

/// A word or a sign of Rust, and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Token(String, usize);

/// The modules at the top of a crate and the imports between them.
pub(crate) struct Modules {
    pub(crate) names: BTreeSet<String>,
    pub(crate) imports: Vec<Import>,
}

impl Modules {
    /// Reads the files of a crate; `folder` stands before their names in what is said of them.
    pub(crate) fn of(folder: &str, sources: &[Source<'_>]) -> Self {
        let has_library = sources.iter().any(|(file, _)| *file == "lib.rs");
        let root = if has_library { "lib.rs" } else { "main.rs" };
        let other_root = |file: &str| matches!(file, "lib.rs" | "main.rs") && file != root;
        let read: Vec<_> =
            sources.iter().filter(|(file, _)| !other_root(file)).map(|(file, text)| (*file, shipped(text))).collect();
        let tested: BTreeSet<_> =
            read.iter().flat_map(|(file, (_, tests))| tests.iter().map(|test| child(file, test))).collect();
        let read: Vec<_> = read.into_iter().filter(|(file, _)| !tested.contains(&module(file).join("::"))).collect();
        let names: BTreeSet<_> = read.iter().filter_map(|(file, _)| module(file).first().cloned()).collect();
        let exported: BTreeMap<String, String> = read
            .iter()
            .filter(|(file, _)| *file == root)
            .flat_map(|(_, (tokens, _))| paths(tokens, &[]))
            .filter_map(|(path, _)| {
                Some((path.last()?.clone(), path.first().filter(|first| names.contains(*first))?.clone()))
            })
            .collect();
        let mut imports = Vec::new();
        for (file, (tokens, _)) in &read {
            let own = module(file);
            let Some(from) = own.first() else { continue };
            for (path, line) in paths(tokens, &own) {
                let Some(first) = path.first() else { continue };
                let to = if names.contains(first) { Some(first) } else { exported.get(first) };
                let Some(to) = to.filter(|to| *to != from) else { continue };
                let place = format!("{folder}/{file}:{line}");
                imports.push(Import {
                    place,
                    path: format!("crate::{}", path.join("::")),
                    from: from.clone(),
                    to: to.clone(),
                });
            }
        }
        Self { names, imports }
    }

    /// The imports of a circle, if there is one.
    pub(crate) fn circle(&self) -> Option<Vec<&Import>> {
        let mut left: BTreeSet<&str> = self.names.iter().map(String::as_str).collect();
        // Whoever imports nothing that is left is in no circle.
        while let Some(free) = left.iter().copied().find(|name| !self.arrows(name).any(|one| left.contains(&*one.to))) {
            left.remove(free);
        }
        let mut way: Vec<&Import> = Vec::new();
        let mut at = *left.first()?;
        loop {
            if let Some(begin) = way.iter().position(|one| one.from == at) {
                return Some(way.split_off(begin));
            }
            let next = self.arrows(at).find(|one| left.contains(&*one.to))?;
            way.push(next);
            at = &next.to;
        }
    }

    fn arrows(&self, from: &str) -> impl Iterator<Item = &Import> {
        self.imports.iter().filter(move |one| one.from == from)
    }
}

/// The path of the module that a file is: `a/b.rs` is `a::b`.
fn module(file: &str) -> Vec<String> {
    let parts = file.trim_end_matches(".rs").split('/').map(str::to_owned);
    parts.filter(|part| !matches!(part.as_str(), "lib" | "main" | "mod")).collect()
}

/// The path of a module that a file declares.
fn child(file: &str, name: &str) -> String {
    let mut path = module(file);
    path.push(name.to_owned());
    path.join("::")
}

/// Every path of a text that begins at the root of its crate, from there on, with its line. `own` is the module that the text is.
fn paths(tokens: &[Token], own: &[String]) -> Vec<(Vec<String>, usize)> {
    let mut found = Vec::new();
    let (mut inline, mut depth, mut at): (Vec<(String, usize)>, usize, usize) = (Vec::new(), 0, 0);
    while let Some(Token(word, line)) = tokens.get(at) {
        let here = || own.iter().cloned().chain(inline.iter().map(|(name, _)| name.clone())).collect::<Vec<_>>();
        match word.as_str() {
            // `use<'a>` says what a type captures.
            "use" if !is(tokens, at + 1, "<") => {
                let mut leaves = Vec::new();
                at = tree(tokens, at + 1, &mut Vec::new(), &mut leaves);
                // Only in the root of a crate does a path without a beginning name a module at the top.
                let is_root = own.is_empty() && inline.is_empty();
                found.extend(
                    leaves.into_iter().filter_map(|(path, line)| Some((rooted(&path, &here(), is_root)?, line))),
                );
                continue;
            }
            "crate" | "super" | "self" if !follows_path(tokens, at) && is(tokens, at + 1, "::") => {
                let mut path = vec![word.clone()];
                while is(tokens, at + 1, "::") && tokens.get(at + 2).is_some_and(|Token(next, _)| is_name(next)) {
                    path.push(tokens[at + 2].0.clone());
                    at += 2;
                }
                found.extend(rooted(&path, &here(), false).map(|path| (path, *line)));
            }
            "mod" if is(tokens, at + 2, "{") => inline.push((tokens[at + 1].0.clone(), depth + 1)),
            "{" => depth += 1,
            "}" => {
                inline.retain(|(_, inside)| *inside != depth);
                depth = depth.saturating_sub(1);
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Reads a `use` tree from a position on; the position behind it.
fn tree(tokens: &[Token], mut at: usize, before: &mut Vec<String>, leaves: &mut Vec<(Vec<String>, usize)>) -> usize {
    let begun = before.len();
    let mut line = tokens.get(at).map_or(0, |token| token.1);
    while let Some(Token(word, at_line)) = tokens.get(at) {
        match word.as_str() {
            "{" => {
                at += 1;
                while !is(tokens, at, "}") && at < tokens.len() {
                    at = tree(tokens, at, before, leaves);
                    at += usize::from(is(tokens, at, ","));
                }
                before.truncate(begun);
                return at + 1;
            }
            "as" => at += 1,
            "," | "}" | ";" => break,
            "::" => {}
            name => {
                before.push(name.to_owned());
                line = *at_line;
            }
        }
        at += 1;
    }
    if before.len() > begun {
        leaves.push((before.clone(), line));
    }
    before.truncate(begun);
    at
}

/// A path as it goes on from the root of the crate; nothing if it begins elsewhere.
fn rooted(path: &[String], own: &[String], is_root: bool) -> Option<Vec<String>> {
    let (first, rest) = path.split_first()?;
    let mut base = own.to_vec();
    let mut rest = rest;
    match first.as_str() {
        "crate" => return Some(rest.to_vec()),
        "self" => {}
        "super" => {
            base.pop();
            while let Some(("super", after)) = rest.split_first().map(|(next, after)| (next.as_str(), after)) {
                base.pop();
                rest = after;
            }
        }
        _ if is_root => return Some(path.to_vec()),
        _ => return None,
    }
    base.extend_from_slice(rest);
    Some(base)
}

fn is(tokens: &[Token], at: usize, word: &str) -> bool {
    tokens.get(at).is_some_and(|token| token.0 == word)
}

/// Whether what stands at a position goes on a path.
fn follows_path(tokens: &[Token], at: usize) -> bool {
    at > 0 && is(tokens, at - 1, "::")
}

fn is_name(word: &str) -> bool {
    word.starts_with(|letter: char| letter.is_alphabetic() || letter == '_')
}

/// The tokens of a text without what is marked as a test, and the names of the modules that are tests in files of their own.
fn shipped(text: &str) -> (Vec<Token>, Vec<String>) {
    let tokens = tokens(text);
    let mark = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut tests, mut at) = (Vec::new(), Vec::new(), 0);
    while at < tokens.len() {
        if !mark.iter().enumerate().all(|(index, word)| is(&tokens, at + index, word)) {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        // The item that is marked ends with its block or its semicolon.
        let mut depth = 0;
        at += mark.len();
        if let Some(name) =
            (at..tokens.len()).take_while(|at| !matches!(&*tokens[*at].0, ";" | "{")).find(|at| is(&tokens, *at, "mod"))
        {
            tests.push(tokens[name + 1].0.clone());
        }
        while let Some(Token(word, _)) = tokens.get(at) {
            at += 1;
            match word.as_str() {
                "{" => depth += 1,
                "}" if depth == 1 => break,
                "}" => depth -= 1,
                ";" if depth == 0 => break,
                _ => {}
            }
        }
    }
    (kept, tests)
}

/// Names and signs, without comments and texts.
fn tokens(text: &str) -> Vec<Token> {
    let (mut found, mut line, mut rest) = (Vec::new(), 1, text);
    while let Some(letter) = rest.chars().next() {
        let length = match letter {
            _ if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            _ if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => quoted(rest),
            'r' | 'b' if raw(rest).is_some() => raw(rest).unwrap_or(1),
            '\'' => character(rest),
            _ if letter.is_alphabetic() || letter == '_' => {
                rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len())
            }
            _ if rest.starts_with("::") => 2,
            _ => letter.len_utf8(),
        };
        let word = &rest[..length];
        if is_name(word) || "#[](){}:;,*<".contains(word.chars().next().unwrap_or(' ')) {
            found.push(Token(word.to_owned(), line));
        }
        line += word.matches('\n').count();
        rest = &rest[length..];
    }
    found
}

/// The length of a text in quotes.
fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    let end = rest.char_indices().skip(1).find(|(_, letter)| {
        let ends = *letter == '"' && !escaped;
        escaped = *letter == '\\' && !escaped;
        ends
    });
    end.map_or(rest.len(), |(at, _)| at + 1)
}

/// The length of a raw text (`r#"..."#`), if that is what begins here.
fn raw(rest: &str) -> Option<usize> {
    let start = rest.trim_start_matches('b').strip_prefix('r')?;
    let hashes = start.len() - start.trim_start_matches('#').len();
    let inner = start[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = inner.find(&end).map_or(inner.len(), |at| at + end.len());
    Some(rest.len() - inner.len() + length)
}

/// The length of a letter in quotes; a lifetime is only its mark.
fn character(rest: &str) -> usize {
    let mut letters = rest.char_indices().skip(1);
    let Some((_, first)) = letters.next() else { return 1 };
    if first == '\\' {
        return rest[2..].char_indices().skip(1).find(|(_, letter)| *letter == '\'').map_or(1, |(at, _)| at + 3);
    }
    letters.next().filter(|(_, letter)| *letter == '\'').map_or(1, |(at, _)| at + 1)
}
