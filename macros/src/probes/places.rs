//! Finds the uses of what may be a static.
//!
//! By value, in safe code, only a static of a `Copy` type can be used, and such a type has no interior mutability. So it
//! is places that matter: what is borrowed, dereferenced, indexed, assigned to, matched, or called a method on. In unsafe
//! code a `static mut` can be read by value as well.

use std::collections::BTreeSet;

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, BinOp, Block, Expr, Ident, Item, Macro, Pat, Path, QSelf, Stmt, UnOp};

use super::arguments::{self, Arguments, Word};
use super::bindings::{Bound, Declared};
use super::names::{self, Style};
use super::{Scope, emit, format};
use crate::model;

/// A use of what may be a static.
pub(super) struct Use {
    pub(super) path: Path,
    /// Where the user wrote it.
    pub(super) span: Span,
    pub(super) how: How,
    /// Whether it is certain that the path names a value, and one whose type can be asked for.
    pub(super) certain: bool,
    /// The `#[cfg]`s around it.
    pub(super) cfgs: Vec<Attribute>,
}

/// How it is used. The first of several counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum How {
    /// As a place, in safe code.
    Place,
    /// In unsafe code, so that it may be a `static mut`.
    UnsafePlace,
    /// Its address is taken.
    Address,
}

/// Methods of std's types that are each process's own. A lower-case name that is called one of them is no function.
const OWN_METHODS: [&str; 41] = [
    "as_ptr",
    "borrow",
    "borrow_mut",
    "call_once",
    "call_once_force",
    "clear_poison",
    "compare_and_swap",
    "compare_exchange",
    "compare_exchange_weak",
    "fetch_add",
    "fetch_and",
    "fetch_max",
    "fetch_min",
    "fetch_nand",
    "fetch_not",
    "fetch_or",
    "fetch_sub",
    "fetch_update",
    "fetch_xor",
    "force",
    "get_or_init",
    "get_or_try_init",
    "is_completed",
    "is_poisoned",
    "load",
    "lock",
    "notify_all",
    "notify_one",
    "read",
    "replace",
    "set",
    "store",
    "swap",
    "try_borrow",
    "try_borrow_mut",
    "try_lock",
    "try_read",
    "try_write",
    "update",
    "wait",
    "write",
];

/// Looks for uses in a body, and puts the probes into it.
pub(super) struct Finder<'a> {
    scope: Scope<'a>,
    /// What the body binds.
    bound: Bound,
    /// Uses that are not yet in a block.
    uses: Vec<Use>,
    /// The `#[cfg]`s around what is being visited.
    cfgs: Vec<Attribute>,
    /// In how many unsafe blocks, and macros whose arguments are copies.
    in_unsafe: usize,
    in_macro: usize,
    has_written: bool,
}

impl<'a> Finder<'a> {
    pub(super) fn new(scope: Scope<'a>, bound: Bound, is_unsafe: bool) -> Self {
        let in_unsafe = usize::from(is_unsafe);
        Self { scope, bound, uses: vec![], cfgs: vec![], in_unsafe, in_macro: 0, has_written: false }
    }

    /// Whether there was anything to write.
    pub(super) fn run(mut self, body: &mut Block) -> bool {
        self.visit_block_mut(body);
        let uses = std::mem::take(&mut self.uses);
        self.put_into(body, uses, &Declared::default());
        self.has_written
    }

    /// Writes the probes of some uses before the first statement of a block.
    fn put_into(&mut self, block: &mut Block, mut uses: Vec<Use>, declared: &Declared) {
        // A path that is used in several ways is probed in the one that needs the least.
        uses.sort_by_key(|found| (found.how, !found.certain));
        let mut seen = BTreeSet::new();
        uses.retain(|found| seen.insert((names::key(&found.path), emit::key(&found.cfgs))));
        let probes = uses.iter().enumerate();
        let probes = probes.filter_map(|(index, found)| emit::probe(found, index, declared, self.scope.krate));
        let probes: Vec<Stmt> = probes.map(|probe| Stmt::Item(Item::Verbatim(probe))).collect();
        self.has_written |= !probes.is_empty();
        block.stmts.splice(0..0, probes);
    }

    /// Notes a use, if the path may name a static.
    fn add(&mut self, path: &Path, qself: Option<&QSelf>, how: How, certain: bool) {
        let Some(last) = path.segments.last() else { return };
        let is_static = names::style(path, qself, &self.bound.names).is_some();
        let certain = certain && (how == How::Address || !path.get_ident().is_some_and(|name| self.is_unsure(name)));
        if is_static && !names::is_allowed(path, self.scope.allowed) {
            let (path, span, cfgs) = (path.clone(), last.ident.span(), self.cfgs.clone());
            self.uses.push(Use { path, span, how, certain, cfgs });
        }
    }

    /// Whether a name may be one that a constant cannot name: a parameter of what is around the function, or something
    /// that a macro makes.
    fn is_unsure(&self, name: &Ident) -> bool {
        self.scope.may_be_associated || self.bound.by_macros.contains(&name.unraw().to_string())
    }

    fn style(&self, path: &syn::ExprPath) -> Option<Style> {
        names::style(&path.path, path.qself.as_ref(), &self.bound.names)
    }

    fn how(&self) -> How {
        if self.in_unsafe > 0 { How::UnsafePlace } else { How::Place }
    }

    /// An expression that is used as a place.
    fn place(&mut self, expression: &Expr) {
        if let Some(path) = path_of(expression) {
            let certain = self.style(path) == Some(Style::Screaming);
            self.add(&path.path, path.qself.as_ref(), self.how(), certain);
        }
    }

    /// A value, in unsafe code: it may be a `static mut`. One in lower case is mostly a function.
    fn value(&mut self, path: &syn::ExprPath) {
        if self.style(path) == Some(Style::Screaming) {
            self.add(&path.path, path.qself.as_ref(), How::UnsafePlace, true);
        }
    }

    /// What is calculated with: no function. In unsafe code, it may be a `static mut`.
    fn operands<'e>(&mut self, operands: impl IntoIterator<Item = &'e Expr>) {
        if self.in_unsafe > 0 {
            operands.into_iter().for_each(|operand| self.place(operand));
        }
    }

    /// Methods are called on functions as well (parsers, handlers), whose type may depend on where they stand: what is in
    /// lower case is asked only if the method is one that none has.
    fn receiver(&mut self, receiver: &Expr, method: &Ident) {
        let style = path_of(receiver).and_then(|path| self.style(path));
        if style == Some(Style::Screaming) || OWN_METHODS.iter().any(|own| method == own) {
            self.place(receiver);
        }
    }

    /// What the address is taken of: the path at the root of a place.
    fn address(&mut self, place: &Expr) -> bool {
        match place {
            Expr::Field(field) => self.address(&field.base),
            Expr::Index(index) => self.address(&index.expr),
            Expr::Paren(paren) => self.address(&paren.expr),
            Expr::Group(group) => self.address(&group.expr),
            Expr::Path(path) if self.style(path).is_some() => {
                // That of a variable has been ruled out, and that of anything but a static does not compile.
                self.add(&path.path, path.qself.as_ref(), How::Address, true);
                true
            }
            _ => false,
        }
    }

    /// The names in a format string, of which it may not be certain that it is one.
    fn format(&mut self, text: &syn::LitStr, named: &BTreeSet<String>, certain: bool) {
        for name in format::names(&text.value()).into_iter().filter(|name| !named.contains(name)) {
            if let Ok(mut ident) = syn::parse_str::<Ident>(&name) {
                ident.set_span(text.span());
                let certain = certain && names::is_screaming(&name);
                self.add(&ident.into(), None, self.how(), certain);
            }
        }
    }

    fn arguments(&mut self, mut arguments: Arguments) {
        if let Some(format) = &arguments.format {
            self.format(format, &arguments.named, arguments.is_formatted);
        }
        self.in_macro += 1;
        for expression in &mut arguments.expressions {
            if arguments.is_address && self.address(expression) {
                continue;
            }
            if arguments.borrows {
                self.place(expression);
            }
            self.visit_expr_mut(expression);
        }
        self.in_macro -= 1;
    }

    /// The arguments of a macro of which nothing is known, or an expression that syn does not know.
    fn tokens(&mut self, tokens: TokenStream) {
        // Somewhere among them may be a `static mut`.
        let how = if mentions_unsafe(tokens.clone()) { How::UnsafePlace } else { self.how() };
        arguments::words(tokens, &mut |word| match word {
            Word::Path(path) => {
                if path.segments.last().is_some_and(|last| names::is_screaming(&last.ident.unraw().to_string())) {
                    self.add(&path, None, how, false);
                }
            }
            Word::Text(text) => {
                let lower =
                    format::names(&text.value()).into_iter().filter(|name| !names::is_screaming(name)).collect();
                self.format(&text, &lower, false);
            }
        });
    }

    fn with_cfgs(&mut self, attributes: &[Attribute], visit: impl FnOnce(&mut Self)) {
        let before = self.cfgs.len();
        self.cfgs.extend(model::cfgs(attributes));
        visit(self);
        self.cfgs.truncate(before);
    }
}

impl VisitMut for Finder<'_> {
    fn visit_block_mut(&mut self, block: &mut Block) {
        if self.in_macro > 0 {
            // A copy: the macro's own tokens stay as they are.
            return visit_mut::visit_block_mut(self, block);
        }
        let outer = std::mem::take(&mut self.uses);
        visit_mut::visit_block_mut(self, block);
        let declared = Declared::by(block);
        let is_from_here = |found: &Use| {
            let first = found.path.segments.first().map(|first| first.ident.unraw().to_string());
            found.path.leading_colon.is_none() && first.is_some_and(|first| declared.may_declare(&first))
        };
        let (here, further) = std::mem::replace(&mut self.uses, outer).into_iter().partition(is_from_here);
        self.uses.extend::<Vec<_>>(further);
        self.put_into(block, here, &declared);
    }

    fn visit_item_mut(&mut self, item: &mut Item) {
        let attributes = match item {
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Trait(item) => &item.attrs,
            // Its paths start elsewhere.
            Item::Mod(_) => return self.has_written |= super::in_items(std::slice::from_mut(item), self.scope),
            // What initializes statics and constants is computed by the compiler.
            _ => return,
        };
        if !super::runs_elsewhere(attributes) {
            self.with_cfgs(&attributes.clone(), |finder| visit_mut::visit_item_mut(finder, item));
        }
    }

    fn visit_impl_item_fn_mut(&mut self, function: &mut syn::ImplItemFn) {
        self.with_cfgs(&function.attrs.clone(), |finder| visit_mut::visit_impl_item_fn_mut(finder, function));
    }

    fn visit_trait_item_fn_mut(&mut self, function: &mut syn::TraitItemFn) {
        self.with_cfgs(&function.attrs.clone(), |finder| visit_mut::visit_trait_item_fn_mut(finder, function));
    }

    fn visit_local_mut(&mut self, local: &mut syn::Local) {
        self.with_cfgs(&local.attrs.clone(), |finder| {
            if let (Some(init), true) = (&local.init, takes_apart(&local.pat)) {
                finder.place(&init.expr);
            }
            visit_mut::visit_local_mut(finder, local);
        });
    }

    fn visit_stmt_macro_mut(&mut self, statement: &mut syn::StmtMacro) {
        self.with_cfgs(&statement.attrs.clone(), |finder| visit_mut::visit_stmt_macro_mut(finder, statement));
    }

    fn visit_arm_mut(&mut self, arm: &mut syn::Arm) {
        self.with_cfgs(&arm.attrs.clone(), |finder| visit_mut::visit_arm_mut(finder, arm));
    }

    fn visit_field_value_mut(&mut self, field: &mut syn::FieldValue) {
        self.with_cfgs(&field.attrs.clone(), |finder| visit_mut::visit_field_value_mut(finder, field));
    }

    fn visit_expr_mut(&mut self, expression: &mut Expr) {
        let attributes = attributes(expression).to_vec();
        self.with_cfgs(&attributes, |finder| {
            match expression {
                Expr::MethodCall(call) => finder.receiver(&call.receiver, &call.method),
                Expr::Field(field) => finder.place(&field.base),
                Expr::Index(index) => {
                    finder.place(&index.expr);
                    finder.operands([&*index.index]);
                }
                Expr::Cast(cast) => finder.operands([&*cast.expr]),
                Expr::Assign(assign) => finder.place(&assign.left),
                Expr::Binary(binary) if assigns(&binary.op) => {
                    finder.place(&binary.left);
                    finder.operands([&*binary.right]);
                }
                Expr::Binary(binary) => finder.operands([&*binary.left, &*binary.right]),
                Expr::Unary(unary) if matches!(unary.op, UnOp::Deref(_)) => finder.place(&unary.expr),
                Expr::Unary(unary) => finder.operands([&*unary.expr]),
                Expr::Reference(reference) => finder.place(&reference.expr),
                Expr::Match(matched) => finder.place(&matched.expr),
                Expr::Let(condition) => finder.place(&condition.expr),
                Expr::Struct(literal) => literal.rest.iter().for_each(|rest| finder.place(rest)),
                Expr::Path(path) if finder.in_unsafe > 0 => finder.value(path),
                Expr::Verbatim(tokens) => finder.tokens(tokens.clone()),
                _ => {}
            }
            visit_mut::visit_expr_mut(finder, expression);
        });
    }

    fn visit_expr_raw_addr_mut(&mut self, address: &mut syn::ExprRawAddr) {
        if !self.address(&address.expr) {
            visit_mut::visit_expr_raw_addr_mut(self, address);
        }
    }

    fn visit_expr_call_mut(&mut self, call: &mut syn::ExprCall) {
        // What is called by its path is a function or a constructor, of a type that may depend on the arguments.
        if path_of(&call.func).is_none() {
            self.visit_expr_mut(&mut call.func);
        }
        call.args.iter_mut().for_each(|argument| self.visit_expr_mut(argument));
    }

    fn visit_expr_repeat_mut(&mut self, repeat: &mut syn::ExprRepeat) {
        // `[CONST; N]` copies a constant, which need not be plain.
        if path_of(&repeat.expr).is_none() {
            self.visit_expr_mut(&mut repeat.expr);
        }
    }

    fn visit_expr_unsafe_mut(&mut self, block: &mut syn::ExprUnsafe) {
        self.in_unsafe += 1;
        visit_mut::visit_expr_unsafe_mut(self, block);
        self.in_unsafe -= 1;
    }

    // Types and patterns hold constants only, but for what guards a pattern.
    fn visit_type_mut(&mut self, _: &mut syn::Type) {}
    fn visit_pat_mut(&mut self, pattern: &mut Pat) {
        if let Pat::Guard(pattern) = pattern {
            self.visit_expr_mut(&mut pattern.guard);
        }
    }

    fn visit_macro_mut(&mut self, invocation: &mut Macro) {
        match arguments::parse(invocation) {
            Some(arguments) => self.arguments(arguments),
            None if writes_code(invocation) || is_closure_of_child(invocation) => {}
            None => self.tokens(invocation.tokens.clone()),
        }
    }
}

/// Whether a macro's arguments are code for somewhere else, or no code.
fn writes_code(invocation: &Macro) -> bool {
    const NAMES: [&str; 8] =
        ["asm", "concat", "include", "parse_quote", "parse_quote_spanned", "quote", "quote_spanned", "stringify"];
    invocation.path.segments.last().is_some_and(|last| NAMES.iter().any(|name| last.ident == name))
}

/// Whether it is `spawn!` or `call!` with a closure, which has its own probes. Others may call a macro so as well; they
/// do not ask for types.
fn is_closure_of_child(invocation: &Macro) -> bool {
    let mut names = invocation.path.segments.iter().rev().map(|segment| &segment.ident);
    let is_called_so = names.next().is_some_and(|last| last == "spawn" || last == "call");
    let is_ours = names.next().is_some_and(|parent| parent == "spawnsafe");
    is_called_so
        && syn::parse2::<syn::ExprClosure>(invocation.tokens.clone()).is_ok_and(|closure| {
            let is_typed = closure.inputs.iter().all(|input| matches!(input, Pat::Type(_)));
            is_typed && (is_ours || !closure.inputs.is_empty())
        })
}

/// Whether tokens that are not understood have something to do with a `static mut`.
fn mentions_unsafe(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => ["unsafe", "raw", "addr_of", "addr_of_mut"].iter().any(|known| word == known),
        TokenTree::Group(group) => mentions_unsafe(group.stream()),
        _ => false,
    })
}

/// The path that an expression is, in whatever parentheses.
fn path_of(expression: &Expr) -> Option<&syn::ExprPath> {
    match expression {
        Expr::Path(path) => Some(path),
        Expr::Paren(paren) => path_of(&paren.expr),
        Expr::Group(group) => path_of(&group.expr),
        _ => None,
    }
}

/// Whether a pattern uses what it is matched against as a place, and not by value.
fn takes_apart(pattern: &Pat) -> bool {
    match pattern {
        Pat::Ident(pattern) => pattern.by_ref.is_some() || pattern.subpat.is_some(),
        Pat::Type(pattern) => takes_apart(&pattern.pat),
        Pat::Wild(_) => false,
        _ => true,
    }
}

fn assigns(operator: &BinOp) -> bool {
    use BinOp::{AddAssign, BitAndAssign, BitOrAssign, BitXorAssign, DivAssign, MulAssign, RemAssign};
    use BinOp::{ShlAssign, ShrAssign, SubAssign};
    matches!(
        operator,
        AddAssign(_)
            | BitAndAssign(_)
            | BitOrAssign(_)
            | BitXorAssign(_)
            | DivAssign(_)
            | MulAssign(_)
            | RemAssign(_)
            | ShlAssign(_)
            | ShrAssign(_)
            | SubAssign(_)
    )
}

/// The attributes of an expression.
fn attributes(expression: &Expr) -> &[Attribute] {
    macro_rules! each {
        ($($variant:ident)*) => {
            match expression {
                $(Expr::$variant(expression) => &expression.attrs,)*
                _ => &[],
            }
        };
    }
    each! {
        Array Assign Async Await Binary Block Break Call Cast Closure Const Continue Field ForLoop Group If Index Let
        Lit Loop Macro Match MethodCall Paren Path Range RawAddr Reference Repeat Return Struct Try TryBlock Tuple
        Unary Unsafe While Yield
    }
}
