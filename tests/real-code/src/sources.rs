//! A file of a crate, and its functions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, ImplItemFn, ItemFn, ItemImpl, ItemMacro, ItemMod, TraitItemFn};

use crate::Result;

/// A file.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    text: String,
    pub(crate) functions: Vec<Function>,
    /// What has been written.
    written: String,
}

/// A function, or all of an impl block.
pub(crate) struct Function {
    /// How many functions it is.
    pub(crate) count: usize,
    /// Where the attribute goes: behind other attributes.
    at: usize,
    lines: (usize, usize),
    pub(crate) probes: usize,
    has_attribute: bool,
    allowed: BTreeSet<String>,
    /// Of these, what was allowed when rustc saw it.
    seen: BTreeSet<String>,
}

impl Source {
    /// Reads it; the attribute is for whole impl `blocks`, or for their functions. Nothing comes of what is no list of
    /// items.
    pub(crate) fn read(path: &Path, blocks: bool) -> Result<Option<Self>> {
        let text = fs::read_to_string(path)?;
        let Ok(file) = syn::parse_file(&text) else { return Ok(None) };
        // A mark in front of the text, or a line for a shell, is not parsed.
        let offset = text.len() - text.trim_start_matches('\u{feff}').len();
        let mut finder = Finder { offset, blocks, functions: vec![] };
        finder.visit_file(&file);
        let (path, written) = (path.to_owned(), text.clone());
        Ok(Some(Self { path, text, functions: finder.functions, written }))
    }

    /// The attributed function that a line is in.
    pub(crate) fn function_at(&mut self, line: usize) -> Option<&mut Function> {
        let is_there = |function: &&mut Function| function.lines.0 <= line && line <= function.lines.1;
        self.functions.iter_mut().filter(|function| function.has_attribute).find(is_there)
    }

    /// Writes it with the attributes, if that changes it. No line moves.
    pub(crate) fn write(&mut self) -> Result<()> {
        let mut written = String::new();
        let mut from = 0;
        for function in self.functions.iter_mut().filter(|function| function.has_attribute) {
            function.seen.clone_from(&function.allowed);
            written += &self.text[from..function.at];
            written += &function.attribute();
            from = function.at;
        }
        written += &self.text[from..];
        if written != self.written {
            fs::write(&self.path, &written)?;
            self.written = written;
        }
        Ok(())
    }
}

impl Function {
    fn attribute(&self) -> String {
        match self.allowed.is_empty() {
            true => "#[::spawnsafe::spawn_safe] ".to_owned(),
            false => {
                let names: Vec<&str> = self.allowed.iter().map(String::as_str).collect();
                format!("#[::spawnsafe::spawn_safe(allow_static({}))] ", names.join(", "))
            }
        }
    }

    /// What is done about an alarm: the static is allowed, or, if there is none or that was no help, all is.
    pub(crate) fn answer(&mut self, allowed: Option<&str>) {
        match allowed {
            Some(name) if !self.seen.contains(name) => drop(self.allowed.insert(name.to_owned())),
            _ => self.has_attribute = false,
        }
    }
}

struct Finder {
    offset: usize,
    blocks: bool,
    functions: Vec<Function>,
}

impl Finder {
    /// Notes a function; `tokens` are what stands behind its attributes.
    fn add(&mut self, count: usize, attributes: &[Attribute], tokens: impl ToTokens) {
        let tokens = tokens.into_token_stream();
        let Some(first) = tokens.clone().into_iter().next().map(|token| token.span()) else { return };
        if is_for_tests(attributes) {
            return;
        }
        self.functions.push(Function {
            count,
            at: self.offset + first.byte_range().start,
            lines: (first.start().line, tokens.span().end().line),
            probes: macros::probes_of(tokens),
            has_attribute: true,
            allowed: BTreeSet::new(),
            seen: BTreeSet::new(),
        });
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let path = attribute.path();
        path.is_ident("test") || (path.is_ident("cfg") && attribute.meta.to_token_stream().to_string() == "cfg (test)")
    })
}

impl<'ast> Visit<'ast> for Finder {
    // What is inside a function is the function's.
    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.add(1, &function.attrs, ItemFn { attrs: vec![], ..function.clone() });
    }

    fn visit_item_impl(&mut self, block: &'ast ItemImpl) {
        let count = block.items.iter().filter(|item| matches!(item, ImplItem::Fn(_))).count();
        match self.blocks && count > 0 {
            true => self.add(count, &block.attrs, ItemImpl { attrs: vec![], ..block.clone() }),
            false => visit::visit_item_impl(self, block),
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.add(1, &function.attrs, ImplItemFn { attrs: vec![], ..function.clone() });
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        if function.default.is_some() {
            self.add(1, &function.attrs, TraitItemFn { attrs: vec![], ..function.clone() });
        }
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !is_for_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    // Those by which tokio, for one, has its items compiled under a condition. Others do something with them.
    fn visit_item_macro(&mut self, invocation: &'ast ItemMacro) {
        let is_condition = invocation
            .mac
            .path
            .get_ident()
            .is_some_and(|name| name != "cfg_if" && name.to_string().starts_with("cfg_"));
        if let (true, Ok(file)) = (is_condition, syn::parse2(invocation.mac.tokens.clone())) {
            self.visit_file(&file);
        }
    }
}

/// The names of the statics of each package.
pub(crate) type Statics = BTreeMap<String, BTreeSet<String>>;

/// The names of all statics that the crates declare, wherever.
pub(crate) fn statics(place: &Path) -> Result<Statics> {
    let mut statics = Statics::new();
    for entry in fs::read_dir(place.join("crates"))? {
        let entry = entry?;
        let names = statics.entry(entry.file_name().to_string_lossy().into_owned()).or_default();
        in_folder(&entry.path(), names)?;
    }
    Ok(statics)
}

fn in_folder(folder: &Path, names: &mut BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            in_folder(&path, names)?;
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && let Ok(tokens) = fs::read_to_string(&path)?.parse()
        {
            in_tokens(tokens, names);
        }
    }
    Ok(())
}

/// The name after `static`, `static mut` and `static ref`.
fn in_tokens(tokens: TokenStream, names: &mut BTreeSet<String>) {
    let mut declares = false;
    for token in tokens {
        match token {
            TokenTree::Ident(word) if word == "static" => declares = true,
            TokenTree::Ident(word) if declares && (word == "ref" || word == "mut") => {}
            TokenTree::Ident(name) if declares => {
                names.insert(name.to_string());
                declares = false;
            }
            TokenTree::Group(group) => {
                in_tokens(group.stream(), names);
                declares = false;
            }
            _ => declares = false,
        }
    }
}
