//! `spawn!` and `call!`: the closure as a hidden entry, and that entry's method as the value.
//!
//! A hidden function can capture nothing, and rustc says so at the captured name. A closure that is made to be a
//! function pointer would get the better message of the two, but has no name to be registered under.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote};
use syn::parse::{Parse, ParseStream};
use syn::visit::Visit;
use syn::{Expr, ExprClosure, Ident, ItemFn, Pat, Path};

use super::entry;
use crate::messages;
use crate::model::{self, Parameter};
use crate::options::Options;
use crate::report::{Report, located_at};
use crate::{check, probes};

/// `[$crate] [method] closure`, as `macro_rules!` passes it.
struct Input {
    krate: Path,
    method: Ident,
    closure: ExprClosure,
}

impl Parse for Input {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let bracketed = |input: ParseStream<'_>| {
            let content;
            syn::bracketed!(content in input);
            content.parse::<TokenStream>()
        };
        let krate = syn::parse::Parser::parse2(Path::parse_mod_style, bracketed(input)?)?;
        let method = syn::parse2(bracketed(input)?)?;
        if input.is_empty() {
            return Err(syn::Error::new(Span::call_site(), messages::NO_CLOSURE));
        }
        match input.parse()? {
            Expr::Closure(closure) => Ok(Self { krate, method, closure }),
            other => Err(syn::Error::new_spanned(other, messages::NO_CLOSURE)),
        }
    }
}

pub(super) fn expand(tokens: TokenStream) -> TokenStream {
    let Input { krate, method, closure } = match syn::parse2(tokens) {
        Ok(input) => input,
        // As an expression, this has any type at all.
        Err(error) => return error.into_compile_error(),
    };
    let options = Options { crate_path: Some(krate.clone()), anonymous: true, ..Options::default() };
    let mut report = Report::default();
    check(&closure, &mut report);
    let mut function = function(&closure);
    probes::in_function(&mut function, options.scope(&options.crate_path()));
    check::kind(&function.sig, &options, &mut report);
    check::parameters_and_result(&function.sig, &mut report);
    let ty = entry::type_ident(&function);
    match report.into_tokens() {
        // Beside the function's type, `Self` would be that one.
        Some(errors) if check::mention_of_self(function.sig.to_token_stream()).is_some() => quote!({ #errors }),
        Some(errors) => {
            let stub = entry::stub_type(&function, &options);
            quote!({ #errors #stub #ty::#method })
        }
        // What rustc says of that is clear enough, if it sees the function.
        None if check::leaves_type_out(&function.sig) => {
            let stub = entry::stub_type(&function, &options);
            quote!({ #function #stub #ty::#method })
        }
        None => {
            let (entry, pointer) = (entry::expand(&function, None, &options), pointer(&function));
            quote!({ #entry #krate::__private::not_called::<#pointer>(#ty::#method) })
        }
    }
}

/// What a closure must be to be a function.
fn check(closure: &ExprClosure, report: &mut Report) {
    if let Some(keyword) = &closure.capture {
        report.at(keyword, messages::CLOSURE_MOVES);
    }
    for input in &closure.inputs {
        if !matches!(input, Pat::Type(_)) {
            report.at(input, messages::untyped_parameter(&input.to_token_stream().to_string()));
        }
    }
    let signature = (&closure.inputs, &closure.output);
    let signature = [signature.0.to_token_stream(), signature.1.to_token_stream()];
    if let Some(word) = signature.into_iter().find_map(check::mention_of_self) {
        report.at(&word, messages::CLOSURE_NAMES_SELF_TYPE);
    }
    let mut finder = SelfFinder(None);
    finder.visit_expr(&closure.body);
    if let Some(word) = finder.0 {
        report.at(&word, messages::CLOSURE_USES_SELF);
    }
}

/// Finds a `self` that is not one of an item in the closure.
struct SelfFinder(Option<Ident>);

impl<'ast> Visit<'ast> for SelfFinder {
    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        if let (Some(word), None) = (path.path.get_ident().filter(|word| *word == "self"), &self.0) {
            self.0 = Some(word.clone());
        }
    }

    fn visit_item(&mut self, _: &'ast syn::Item) {}
}

/// The type of the value. That of the method itself is another one for each closure, and an array or a `match` of several
/// would be of no type.
fn pointer(function: &ItemFn) -> TokenStream {
    let lifetimes = function.sig.generics.lifetimes();
    let parameters = model::parameters(function);
    let parameters = parameters.iter().map(|Parameter { ty, cfgs, .. }| quote!(#(#cfgs)* #ty));
    quote!(for<#(#lifetimes),*> fn(#(#parameters),*) -> _)
}

/// The closure as a function. A parameter without a type has been reported; the type is left out in it.
fn function(closure: &ExprClosure) -> ItemFn {
    let ExprClosure { attrs, lifetimes, asyncness, output, body, .. } = closure;
    let name = Ident::new("__spawnsafe_closure", located_at(&closure.inputs_begin));
    let generics = lifetimes.as_ref().map(|lifetimes| {
        let lifetimes = &lifetimes.lifetimes;
        quote!(<#lifetimes>)
    });
    let inputs = closure.inputs.iter().map(|input| match input {
        Pat::Type(_) => input.to_token_stream(),
        pattern => quote!(#pattern: _),
    });
    let block = match &**body {
        Expr::Block(block) if block.attrs.is_empty() && block.label.is_none() => block.block.to_token_stream(),
        body => quote!({ #body }),
    };
    syn::parse_quote!(#(#attrs)* #asyncness fn #name #generics(#(#inputs),*) #output #block)
}
