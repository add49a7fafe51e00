//! What stands in the parentheses of an attribute.

mod flavor;
pub(crate) mod instance;
mod on_loss;

use std::fmt;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::token::Paren;
use syn::{Ident, LitStr, Path, Token, parenthesized};

use crate::messages;
use crate::probes::Scope;
use crate::report::Report;

pub(crate) use flavor::Flavor;
pub(crate) use instance::Instance;
pub(crate) use on_loss::OnLoss;

/// Which attribute the options belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attribute {
    ChildEntry,
    ProcessMain,
    /// The one beside the derive.
    Derive,
    SpawnSafe,
    Inherit,
    ProcessLocal,
}

/// The options of an attribute.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) name: Option<LitStr>,
    pub(crate) crate_path: Option<Path>,
    /// The instances of a generic entry.
    pub(crate) instances: Vec<Instance>,
    /// The runtime of an `async` entry.
    pub(crate) flavor: Flavor,
    /// What becomes of a task whose worker or node has vanished.
    pub(crate) on_loss: OnLoss,
    /// Whether this is the function of a closure, which has no name that the user has given.
    pub(crate) anonymous: bool,
    /// The statics that the item may use.
    pub(crate) allowed: Option<Vec<Path>>,
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Attribute::ChildEntry => "child_entry",
            Attribute::ProcessMain => "process_main",
            Attribute::Derive => "spawnsafe",
            Attribute::SpawnSafe => "spawn_safe",
            Attribute::Inherit => "inherit",
            Attribute::ProcessLocal => "process_local",
        })
    }
}

impl Attribute {
    /// The options that it knows, and how they are written.
    pub(crate) fn known(self) -> &'static [(&'static str, &'static str)] {
        const CRATE: (&str, &str) = ("crate", "crate = path");
        const ALLOW: (&str, &str) = ("allow_static", "allow_static(path, …)");
        match self {
            Attribute::ChildEntry => &[
                ("name", "name = \"…\""),
                ("instantiate", "instantiate(T = Type)"),
                ("flavor", "flavor = \"multi_thread\""),
                ("worker_threads", "worker_threads = 4"),
                ("on_loss", "on_loss = retry(3)"),
                CRATE,
                ALLOW,
            ],
            Attribute::ProcessMain | Attribute::Derive | Attribute::Inherit | Attribute::ProcessLocal => &[CRATE],
            Attribute::SpawnSafe => &[CRATE, ALLOW],
        }
    }

    fn form_of(self, option: &Ident) -> Option<&'static str> {
        self.known().iter().find(|(name, _)| option == name).map(|(_, form)| *form)
    }
}

impl Options {
    /// Reads all options. What is wrong with one does not hide the others.
    pub(crate) fn parse(attribute: Attribute, tokens: TokenStream, report: &mut Report) -> Self {
        let mut options = Self::default();
        let parser = |input: ParseStream<'_>| {
            while !input.is_empty() {
                if let Err(error) = options.parse_one(attribute, input, report) {
                    report.add(error);
                    skip_to_comma(input)?;
                } else if !input.is_empty() && !input.peek(Token![,]) {
                    report.add(input.error(messages::COMMA_MISSING));
                    if input.peek(Ident::peek_any) {
                        continue;
                    }
                    skip_to_comma(input)?;
                }
                input.parse::<Option<Token![,]>>()?;
            }
            Ok(())
        };
        if let Err(error) = parser.parse2(tokens) {
            report.add(error);
        }
        options
    }

    fn parse_one(&mut self, attribute: Attribute, input: ParseStream<'_>, report: &mut Report) -> syn::Result<()> {
        let option = input.call(Ident::parse_any).map_err(|error| at(&error, messages::no_option(attribute)))?;
        let form = attribute
            .form_of(&option)
            .ok_or_else(|| syn::Error::new(option.span(), messages::unknown_option(attribute, &option)))?;
        if option == "instantiate" {
            self.instances.extend(instance::parse(option, form, input, report)?);
            return Ok(());
        }
        if option == "allow_static" {
            if self.allowed.replace(allowed(&option, form, input)?).is_some() {
                report.at(&option, messages::option_twice(&option));
            }
            return Ok(());
        }
        if input.parse::<Token![=]>().is_err() || input.is_empty() || input.peek(Token![,]) {
            return Err(syn::Error::new(option.span(), messages::option_without_value(form, &option)));
        }
        let twice = if option == "name" {
            let name: LitStr = input.parse().map_err(|error| at(&error, messages::NAME_IS_NO_STRING))?;
            if name.value().trim().is_empty() {
                report.at(&name, messages::EMPTY_NAME);
            }
            self.name.replace(name).is_some()
        } else if option == "flavor" {
            self.flavor.parse_kind(&option, input, report)?
        } else if option == "worker_threads" {
            self.flavor.parse_workers(&option, input, report)?
        } else if option == "on_loss" {
            self.on_loss.parse(input, report)?
        } else {
            let path = input.call(Path::parse_mod_style).map_err(|error| at(&error, messages::CRATE_IS_NO_PATH))?;
            self.crate_path.replace(path).is_some()
        };
        if twice {
            report.at(&option, messages::option_twice(&option));
        }
        Ok(())
    }

    /// Where probes find the library, and what they leave out.
    pub(crate) fn scope<'a>(&'a self, krate: &'a TokenStream) -> Scope<'a> {
        Scope { krate, allowed: self.allowed.as_deref().unwrap_or_default(), may_be_associated: false }
    }

    /// The path to `spawnsafe` in generated code.
    pub(crate) fn crate_path(&self) -> TokenStream {
        match &self.crate_path {
            Some(path) => path.to_token_stream(),
            None => quote::quote!(::spawnsafe),
        }
    }
}

/// The paths of `allow_static(…)`.
fn allowed(option: &Ident, form: &str, input: ParseStream<'_>) -> syn::Result<Vec<Path>> {
    let missing = || syn::Error::new(option.span(), messages::option_without_value(form, option));
    if !input.peek(Paren) {
        return Err(missing());
    }
    let list;
    parenthesized!(list in input);
    if list.is_empty() {
        return Err(missing());
    }
    match list.parse_terminated(Path::parse_mod_style, Token![,]) {
        Ok(paths) => Ok(paths.into_iter().collect()),
        Err(error) => {
            // What is left of the list would be an error of its own.
            list.parse::<TokenStream>()?;
            Err(at(&error, messages::STATIC_IS_NO_PATH))
        }
    }
}

/// The same place, in words of our own: syn says what it expected, which is not what to write.
fn at(error: &syn::Error, message: impl fmt::Display) -> syn::Error {
    syn::Error::new(error.span(), message)
}

fn skip_to_comma(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}
