//! What stands in the parentheses of an attribute.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Ident, LitStr, Path, Token};

use crate::messages;
use crate::report::Report;

/// Which attribute the options belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attribute {
    ChildEntry,
    ProcessMain,
}

/// The options of an attribute.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) name: Option<LitStr>,
    pub(crate) crate_path: Option<Path>,
}

impl Attribute {
    /// The options that it knows, as they are written.
    pub(crate) fn known(self) -> &'static [&'static str] {
        match self {
            Attribute::ChildEntry => &["name = \"…\"", "crate = path"],
            Attribute::ProcessMain => &["crate = path"],
        }
    }

    fn knows(self, option: &Ident) -> bool {
        self.known().iter().any(|known| known.split(' ').next() == Some(&option.to_string()))
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
                }
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(())
        };
        if let Err(error) = parser.parse2(tokens) {
            report.add(error);
        }
        options
    }

    fn parse_one(&mut self, attribute: Attribute, input: ParseStream<'_>, report: &mut Report) -> syn::Result<()> {
        let option = input.call(Ident::parse_any)?;
        if !attribute.knows(&option) {
            return Err(syn::Error::new(option.span(), messages::unknown_option(attribute, &option)));
        }
        input.parse::<Token![=]>()?;
        let twice = if option == "name" {
            let name: LitStr = input.parse()?;
            if name.value().trim().is_empty() {
                report.at(&name, messages::EMPTY_NAME);
            }
            self.name.replace(name).is_some()
        } else {
            self.crate_path.replace(input.call(Path::parse_mod_style)?).is_some()
        };
        if twice {
            report.at(&option, messages::option_twice(&option));
        }
        Ok(())
    }

    /// The path to `spawnsafe` in generated code.
    pub(crate) fn crate_path(&self) -> TokenStream {
        match &self.crate_path {
            Some(path) => path.to_token_stream(),
            None => quote::quote!(::spawnsafe),
        }
    }
}

fn skip_to_comma(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<proc_macro2::TokenTree>()?;
    }
    Ok(())
}
