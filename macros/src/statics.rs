//! What `#[inherit]` and `#[process_local]` were put on, and what it must not be.

use proc_macro2::{Span, TokenStream};
use syn::{Expr, ExprCall, GenericArgument, Item, ItemConst, ItemStatic, Path, PathArguments, StaticMutability, Type};

use crate::check;
use crate::messages;
use crate::model::ungrouped;
use crate::options::Attribute;
use crate::report::Report;

/// The static under the attribute, or the fault.
pub(crate) fn parse(attribute: Attribute, tokens: TokenStream) -> Result<ItemStatic, syn::Error> {
    let error = match syn::parse2::<ItemStatic>(tokens.clone()) {
        Ok(item) => return Ok(item),
        Err(error) => error,
    };
    match syn::parse2::<Item>(tokens) {
        Ok(Item::Const(item)) if attribute == Attribute::ProcessLocal && is_thread_local(&item) => Ok(as_static(item)),
        // Inside of `thread_local!`, where the attribute's own place is all of that.
        Ok(Item::Const(item)) if is_thread_local(&item) => {
            Err(syn::Error::new(item.ident.span(), messages::INHERIT_THREAD_LOCAL))
        }
        Ok(item) => Err(syn::Error::new(Span::call_site(), wrong_item(attribute, &item))),
        // Not an item that this version of syn can read. If it is a static, its own fault is what counts.
        Err(_) => Err(error),
    }
}

fn wrong_item(attribute: Attribute, item: &Item) -> String {
    match item {
        Item::Macro(item) if ends_with(&item.mac.path, "thread_local") => match attribute {
            Attribute::ProcessLocal => messages::PROCESS_LOCAL_THREAD_LOCAL.to_owned(),
            _ => messages::INHERIT_THREAD_LOCAL.to_owned(),
        },
        Item::Const(_) => messages::static_is_const(attribute),
        _ => messages::not_on_static(attribute),
    }
}

/// `thread_local!` hands the attributes of a static to a constant of this type.
fn is_thread_local(item: &ItemConst) -> bool {
    last_segment(&item.ty).is_some_and(|last| last.ident == "LocalKey")
}

fn as_static(item: ItemConst) -> ItemStatic {
    let ItemConst { attrs, vis, const_token, ident, colon_token, ty, eq_token, expr, semi_token, .. } = item;
    let static_token = syn::Token![static](const_token.span);
    let mutability = StaticMutability::None;
    ItemStatic { attrs, vis, static_token, mutability, ident, colon_token, ty, eq_token, expr, semi_token }
}

/// Checks a static that is to be inherited, or to be each process's own. Whether it can be.
pub(crate) fn check(attribute: Attribute, item: &ItemStatic, report: &mut Report) -> bool {
    let mut faults = Report::default();
    collect(attribute, item, &mut faults);
    report.take_all(faults)
}

fn collect(attribute: Attribute, item: &ItemStatic, report: &mut Report) {
    if let StaticMutability::Mut(keyword) = &item.mutability {
        report.at(keyword, messages::static_is_mut(attribute));
    }
    for other in &item.attrs {
        if check::is(other, &attribute.to_string()) {
            report.at(other, messages::static_twice(attribute));
        } else if check::is(other, "process_local") || check::is(other, "inherit") {
            report.at(other, messages::STATIC_BOTH);
        }
    }
    if attribute == Attribute::Inherit && is_lazy(&item.ty) && lazy(item).is_none() {
        report.at(&item.expr, messages::INHERIT_LAZY);
    }
}

/// The `LazyLock::new(…)` of a static of that type.
pub(crate) fn lazy(item: &ItemStatic) -> Option<&ExprCall> {
    match ungrouped_expression(&item.expr) {
        Expr::Call(call) if is_lazy(&item.ty) && call.args.len() == 1 => match &*call.func {
            Expr::Path(path) if ends_with(&path.path, "new") => Some(call),
            _ => None,
        },
        _ => None,
    }
}

/// The expression without parentheses, and without the invisible ones around what a `macro_rules!` has passed on.
fn ungrouped_expression(mut expression: &Expr) -> &Expr {
    loop {
        expression = match expression {
            Expr::Group(group) => &group.expr,
            Expr::Paren(paren) => &paren.expr,
            expression => return expression,
        };
    }
}

fn is_lazy(ty: &Type) -> bool {
    last_segment(ty).is_some_and(|last| last.ident == "LazyLock")
}

/// The type that is at fault if the static cannot be inherited: what is in one of std's containers, or all of it.
pub(crate) fn content(ty: &Type) -> &Type {
    const CONTAINERS: [&str; 4] = ["OnceLock", "Mutex", "RwLock", "LazyLock"];
    let Some(last) = last_segment(ty).filter(|last| CONTAINERS.iter().any(|name| last.ident == name)) else {
        return ty;
    };
    match &last.arguments {
        PathArguments::AngleBracketed(arguments) => match arguments.args.first() {
            Some(GenericArgument::Type(content)) if arguments.args.len() == 1 => content,
            _ => ty,
        },
        _ => ty,
    }
}

fn last_segment(ty: &Type) -> Option<&syn::PathSegment> {
    match ungrouped(ty) {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}

fn ends_with(path: &Path, name: &str) -> bool {
    path.segments.last().is_some_and(|last| last.ident == name)
}
