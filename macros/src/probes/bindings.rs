//! The names that a body binds itself, so that they are no statics: patterns and generic parameters of all of it; and
//! the items and imports that each of its blocks declares.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::visit::{self, Visit};
use syn::{Block, GenericParam, Generics, Ident, Item, ItemUse, Macro, PatIdent, Signature, Stmt, StmtMacro, UseTree};

use super::arguments;

/// The names that patterns and generic parameters bind, anywhere in a function.
///
/// They are not told apart by scope. A name that is both a variable and a static is taken for a variable everywhere; as
/// no variable can have the name of a static in scope, that concerns odd programs only.
pub(super) fn of(signature: &Signature, body: &Block, around: &[&Generics]) -> Bound {
    let mut bindings = Bindings { bound: Bound::default(), in_macro: 0 };
    around.iter().for_each(|generics| bindings.visit_generics(generics));
    bindings.visit_signature(signature);
    bindings.visit_block(body);
    bindings.bound
}

/// Names that are no statics, or not for certain.
#[derive(Default)]
pub(super) struct Bound {
    /// Those that are bound.
    pub(super) names: BTreeSet<String>,
    /// Those in statements that are macros, of which nothing is known: they may be bound there, or declared.
    pub(super) by_macros: BTreeSet<String>,
}

impl Bound {
    fn all_in(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Ident(name) => drop(self.by_macros.insert(name.unraw().to_string())),
                TokenTree::Group(group) => self.all_in(group.stream()),
                _ => {}
            }
        }
    }
}

struct Bindings {
    bound: Bound,
    /// In the arguments of how many macros.
    in_macro: usize,
}

impl Bindings {
    fn add(&mut self, name: &Ident) {
        self.bound.names.insert(name.unraw().to_string());
    }

    /// What follows `let`, `mut`, `ref` and `for`, in tokens that are not understood; but not what `static mut` and
    /// `static ref` declare, and what `&mut` and `&raw mut` take the address of.
    fn tokens(&mut self, tokens: TokenStream) {
        let (mut binds, mut is_place) = (false, false);
        for token in tokens {
            let is_one_of =
                |words: &[&str]| matches!(&token, TokenTree::Ident(word) if words.iter().any(|one| word == one));
            let is_qualifier = is_one_of(&["mut", "ref"]);
            match &token {
                TokenTree::Ident(name) if binds && !is_qualifier => self.add(name),
                TokenTree::Group(group) => self.tokens(group.stream()),
                _ => {}
            }
            binds = is_one_of(&["let", "for"]) || (is_qualifier && !is_place);
            is_place =
                is_one_of(&["static", "raw"]) || matches!(&token, TokenTree::Punct(sign) if sign.as_char() == '&');
        }
    }
}

impl<'ast> Visit<'ast> for Bindings {
    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        self.add(&pattern.ident);
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_generic_param(&mut self, parameter: &'ast GenericParam) {
        match parameter {
            GenericParam::Const(parameter) => self.add(&parameter.ident),
            GenericParam::Type(parameter) => self.add(&parameter.ident),
            GenericParam::Lifetime(_) => {}
        }
    }

    fn visit_item(&mut self, item: &'ast Item) {
        // A probe of something in a macro's arguments stands outside of them, where this item is not.
        if self.in_macro > 0 {
            let mut declared = Declared::default();
            declared.item(item);
            self.bound.names.extend(declared.names);
        }
        visit::visit_item(self, item);
    }

    fn visit_stmt_macro(&mut self, statement: &'ast StmtMacro) {
        if arguments::parse(&statement.mac).is_none() {
            self.bound.all_in(statement.mac.tokens.clone());
        }
        visit::visit_stmt_macro(self, statement);
    }

    fn visit_macro(&mut self, invocation: &'ast Macro) {
        let Some(arguments) = arguments::parse(invocation) else {
            return self.tokens(invocation.tokens.clone());
        };
        self.in_macro += 1;
        arguments.expressions.iter().for_each(|expression| self.visit_expr(expression));
        arguments.patterns.iter().for_each(|pattern| self.visit_pat(pattern));
        self.in_macro -= 1;
    }
}

/// What a block declares.
#[derive(Default)]
pub(super) struct Declared {
    pub(super) names: BTreeSet<String>,
    /// Of these, statics and constants.
    pub(super) values: BTreeSet<String>,
    /// Of these, what is imported.
    pub(super) imported: BTreeSet<String>,
    /// Its imports.
    pub(super) imports: Vec<ItemUse>,
    /// Whether one of them is a glob: then it may declare any name.
    pub(super) has_glob: bool,
}

impl Declared {
    pub(super) fn by(block: &Block) -> Self {
        let mut declared = Self::default();
        for statement in &block.stmts {
            match statement {
                Stmt::Item(item) => declared.item(item),
                // `thread_local!`, `lazy_static!` and what is like them.
                Stmt::Macro(statement) => declared.statics_in(statement.mac.tokens.clone()),
                _ => {}
            }
        }
        declared
    }

    /// Whether the block may declare this name.
    pub(super) fn may_declare(&self, name: &str) -> bool {
        self.has_glob || self.names.contains(name)
    }

    fn item(&mut self, item: &Item) {
        let name = match item {
            Item::Const(item) => self.value(&item.ident),
            Item::Static(item) => self.value(&item.ident),
            Item::Fn(item) => &item.sig.ident,
            Item::Struct(item) => &item.ident,
            Item::Enum(item) => &item.ident,
            Item::Mod(item) => &item.ident,
            Item::Use(item) => {
                self.tree(&item.tree);
                return self.imports.push(item.clone());
            }
            Item::Macro(item) => return self.statics_in(item.mac.tokens.clone()),
            _ => return,
        };
        self.names.insert(name.unraw().to_string());
    }

    fn value<'a>(&mut self, name: &'a Ident) -> &'a Ident {
        self.values.insert(name.unraw().to_string());
        name
    }

    fn tree(&mut self, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => self.tree(&path.tree),
            UseTree::Name(name) => self.import(&name.ident),
            UseTree::Rename(rename) => self.import(&rename.rename),
            UseTree::Glob(_) => self.has_glob = true,
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(tree)),
        }
    }

    fn import(&mut self, name: &Ident) {
        self.names.insert(name.unraw().to_string());
        self.imported.insert(name.unraw().to_string());
    }

    /// The name after `static` and `static ref`.
    fn statics_in(&mut self, tokens: TokenStream) {
        let mut declares = false;
        for token in tokens {
            match token {
                TokenTree::Ident(word) if word == "static" => declares = true,
                TokenTree::Ident(word) if declares && ["ref", "mut"].iter().any(|known| word == known) => {}
                TokenTree::Ident(name) if declares => {
                    let name = name.unraw().to_string();
                    self.values.insert(name.clone());
                    self.names.insert(name);
                    declares = false;
                }
                _ => declares = false,
            }
        }
    }
}
