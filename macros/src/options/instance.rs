//! `instantiate(T = Type, …)`: one of the functions that a generic entry stands for.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{GenericArgument, GenericParam, Generics, Ident, Token};

use super::at;
use crate::messages;
use crate::report::Report;

/// An instance, as it is written.
pub(crate) struct Instance {
    option: Ident,
    arguments: Vec<(Ident, GenericArgument)>,
}

/// Reads what follows `instantiate`. What is wrong with one argument is reported, and the instance left out.
pub(super) fn parse(
    option: Ident,
    form: &str,
    input: ParseStream<'_>,
    report: &mut Report,
) -> syn::Result<Option<Instance>> {
    if !input.peek(syn::token::Paren) {
        return Err(syn::Error::new(option.span(), messages::instantiate_without_list(form)));
    }
    let list;
    syn::parenthesized!(list in input);
    let argument = |input: ParseStream<'_>| {
        let name: Ident = input.parse()?;
        input.parse::<Token![=]>()?;
        Ok((name, input.parse()?))
    };
    match Punctuated::<_, Token![,]>::parse_terminated_with(&list, argument) {
        Ok(arguments) if !arguments.is_empty() => {
            Ok(Some(Instance { option, arguments: arguments.into_iter().collect() }))
        }
        Ok(_) => Err(syn::Error::new(option.span(), messages::instantiate_without_list(form))),
        Err(error) => {
            // What is left of the list has been read as far as it can be.
            list.parse::<TokenStream>()?;
            report.add(at(&error, messages::INSTANCE_ARGUMENT));
            Ok(None)
        }
    }
}

impl Instance {
    /// The arguments, in the order of the parameters; complete once it has been checked.
    pub(crate) fn arguments<'a>(&'a self, generics: &'a Generics) -> impl Iterator<Item = &'a GenericArgument> {
        names(generics).filter_map(|name| self.argument(name))
    }

    fn argument(&self, name: &Ident) -> Option<&GenericArgument> {
        self.arguments.iter().find(|(other, _)| other == name).map(|(_, argument)| argument)
    }

    /// How the instance is called: `<u32, String>`.
    pub(crate) fn label(&self, generics: &Generics) -> String {
        let arguments = self.arguments(generics).map(|argument| compact(argument.to_token_stream()));
        format!("<{}>", arguments.collect::<Vec<_>>().join(", "))
    }
}

/// The names of the parameters that an instance must give.
pub(crate) fn names(generics: &Generics) -> impl Iterator<Item = &Ident> {
    generics.params.iter().filter_map(|parameter| match parameter {
        GenericParam::Type(parameter) => Some(&parameter.ident),
        GenericParam::Const(parameter) => Some(&parameter.ident),
        GenericParam::Lifetime(_) => None,
    })
}

/// Checks the instances of a function, which need not be generic.
pub(crate) fn check(instances: &[Instance], generics: &Generics, report: &mut Report) {
    let names: Vec<_> = names(generics).collect();
    let Some(first) = names.first() else {
        for Instance { option, .. } in instances {
            report.at(option, messages::INSTANCE_OF_ONE_FUNCTION);
        }
        return;
    };
    if instances.is_empty() {
        report.at(first, messages::entry_is_generic(&example(generics)));
    }
    let mut labels = Vec::new();
    for instance in instances {
        for (index, (name, _)) in instance.arguments.iter().enumerate() {
            if !names.contains(&name) {
                report.at(name, messages::instance_of_unknown_parameter(name, &names));
            } else if instance.arguments[..index].iter().any(|(other, _)| other == name) {
                report.at(name, messages::instance_argument_twice(name));
            }
        }
        let missing: Vec<_> = names.iter().copied().filter(|name| instance.argument(name).is_none()).collect();
        if !missing.is_empty() {
            report.at(&instance.option, messages::instance_incomplete(&missing, &example(generics)));
            continue;
        }
        let label = instance.label(generics);
        if labels.contains(&label) {
            report.at(&instance.option, messages::INSTANCE_TWICE);
        }
        labels.push(label);
    }
}

/// What could be written: `instantiate(T = u32, N = 1)`.
fn example(generics: &Generics) -> String {
    let arguments = generics.params.iter().filter_map(|parameter| match parameter {
        GenericParam::Type(parameter) => Some(format!("{} = u32", parameter.ident)),
        GenericParam::Const(parameter) => {
            let value = match parameter.ty.to_token_stream().to_string().as_str() {
                "bool" => "true",
                "char" => "'a'",
                _ => "1",
            };
            Some(format!("{} = {value}", parameter.ident))
        }
        GenericParam::Lifetime(_) => None,
    });
    format!("instantiate({})", arguments.collect::<Vec<_>>().join(", "))
}

/// Tokens as people write types: spaces after commas and between words only.
fn compact(tokens: TokenStream) -> String {
    let mut text = String::new();
    for token in tokens {
        let piece = match &token {
            TokenTree::Group(group) => {
                let inner = compact(group.stream());
                match group.delimiter() {
                    proc_macro2::Delimiter::Parenthesis => format!("({inner})"),
                    proc_macro2::Delimiter::Bracket => format!("[{inner}]"),
                    proc_macro2::Delimiter::Brace => format!("{{{inner}}}"),
                    proc_macro2::Delimiter::None => inner,
                }
            }
            token => token.to_string(),
        };
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        if text.ends_with([',', ';']) || text.ends_with(is_word) && piece.starts_with(is_word) {
            text.push(' ');
        }
        text += &piece;
    }
    text
}
