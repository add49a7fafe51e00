//! `on_loss`: what becomes of a task whose worker or node has vanished, so that nobody knows how far it came.

use proc_macro2::TokenStream;
use syn::parse::ParseStream;
use syn::token::Paren;
use syn::{Ident, LitInt, parenthesized};

use super::at;
use crate::messages;
use crate::report::Report;

/// How often it may run again; by default, never.
#[derive(Default)]
pub(crate) struct OnLoss(Option<u32>);

impl OnLoss {
    pub(crate) fn retries(&self) -> u32 {
        self.0.unwrap_or(0)
    }

    /// Says whether it was given before.
    pub(super) fn parse(&mut self, input: ParseStream<'_>, report: &mut Report) -> syn::Result<bool> {
        let word: Ident = input.parse().map_err(|error| at(&error, messages::ON_LOSS_UNKNOWN))?;
        let retries = if word == "fail" && !input.peek(Paren) {
            0
        } else if word == "retry" && input.peek(Paren) {
            let list;
            parenthesized!(list in input);
            let no_number = |error: syn::Error| {
                // What is left of the list would be an error of its own.
                list.parse::<TokenStream>().map_or_else(|error| error, |_| at(&error, messages::RETRIES_ARE_NO_NUMBER))
            };
            let times: LitInt = list.parse().map_err(no_number)?;
            if !list.is_empty() {
                return Err(no_number(list.error("")));
            }
            let number = times.base10_parse::<u16>().ok().filter(|&number| number > 0);
            if number.is_none() {
                report.at(&times, messages::RETRIES_ARE_NO_NUMBER);
            }
            number.unwrap_or(1).into()
        } else {
            return Err(syn::Error::new(word.span(), messages::ON_LOSS_UNKNOWN));
        };
        Ok(self.0.replace(retries).is_some())
    }
}
