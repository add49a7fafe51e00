//! How arguments and the result travel: the only code that demands something of their types.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::{Ident, ReturnType, Type};

use super::Entry;
use crate::check;
use crate::expand::{respan, trust};
use crate::model::{Parameter, Passing};
use crate::report::located_at;

pub(in crate::expand) fn codec_ident(index: usize) -> Ident {
    format_ident!("__SPAWNSAFE_ARGUMENT_{}", index)
}

/// The codec of an argument, as a type and as what makes it.
pub(in crate::expand) fn codec(parameter: &Parameter, private: &TokenStream, span: Span) -> (TokenStream, TokenStream) {
    let Parameter { passing, borrows, trusted, .. } = parameter;
    let ty = match passing {
        Passing::Value(ty) => quote_spanned!(span=> ArgumentCodec<#ty>),
        Passing::Lent(ty) if *borrows => quote_spanned!(span=> ArgumentCodec<#ty>),
        Passing::LentSlice(ty) if *borrows => quote_spanned!(span=> ArgumentCodec<#private::std::vec::Vec<#ty>>),
        Passing::Lent(ty) => quote_spanned!(span=> LentCodec<#ty>),
        Passing::LentSlice(ty) => quote_spanned!(span=> LentCodec<[#ty]>),
    };
    let made = match (passing, *borrows, *trusted) {
        (Passing::Value(ty), false, false) => quote_spanned!(span=> argument::<#ty>()),
        (Passing::Lent(ty), false, false) => quote_spanned!(span=> lent::<#ty>()),
        (Passing::LentSlice(ty), false, false) => quote_spanned!(span=> LentCodec::of_slice::<#ty>()),
        (Passing::Value(ty) | Passing::Lent(ty), true, false) => {
            quote_spanned!(span=> ArgumentCodec::borrowing::<#ty>())
        }
        (Passing::LentSlice(ty), true, false) => quote_spanned!(span=> ArgumentCodec::borrowing_slice::<#ty>()),
        (Passing::Value(ty), _, true) | (Passing::Lent(ty), true, true) => quote_spanned!(span=> trusted::<#ty>()),
        (Passing::Lent(ty), false, true) => quote_spanned!(span=> trusted_lent::<#ty>()),
        (Passing::LentSlice(ty), false, true) => quote_spanned!(span=> trusted_slice::<#ty>()),
        (Passing::LentSlice(ty), true, true) => quote_spanned!(span=> trusted::<#private::std::vec::Vec<#ty>>()),
    };
    (ty, made)
}

impl Entry<'_> {
    /// The codec of each argument and of the result.
    pub(super) fn codecs(&self) -> TokenStream {
        self.codecs_of(|_| true, |_| true)
    }

    /// The same for those types with which nothing is wrong that their look shows, of a function with faults: nobody calls
    /// for them, but rustc checks them.
    pub(super) fn codecs_of_right_types(&self) -> TokenStream {
        self.codecs_of(check::is_right_parameter, check::is_right_result)
    }

    /// One constant for each argument and for the result, each at the type that the user wrote. They are the only
    /// places that demand something of that type, so it is at fault once. Where the type depends on the instance, it
    /// is the instance that can be at fault.
    fn codecs_of(&self, is_argument: impl Fn(&Parameter) -> bool, is_result: impl Fn(&Type) -> bool) -> TokenStream {
        let is_concrete = |parameter: &Parameter| !self.is_generic(&parameter.ty) && is_argument(parameter);
        let arguments = self.parameters.iter().enumerate().filter(|(_, parameter)| is_concrete(parameter));
        let arguments = arguments.map(|(index, parameter)| {
            let (ident, cfgs) = (codec_ident(index), &parameter.cfgs);
            let span = located_at(&parameter.ty);
            let private = respan(self.private.clone(), span);
            let (codec, made) = codec(parameter, &private, span);
            let trusted = parameter.trusted.then(|| {
                let (Passing::Value(ty) | Passing::Lent(ty) | Passing::LentSlice(ty)) = &parameter.passing;
                let check = trust::check(&self.private, ty, located_at(ty));
                quote!(#(#cfgs)* #check)
            });
            quote_spanned! {span=>
                #(#cfgs)*
                const #ident: #private::#codec = #private::#made;
                #trusted
            }
        });
        let result = self.result();
        let span = self.result.as_ref().map_or_else(Span::mixed_site, located_at);
        let private = respan(self.private.clone(), span);
        let result_codec = match &self.result {
            Some(ty) if self.is_generic(ty) => TokenStream::new(),
            // As it is written, with its lifetimes.
            Some(_) if matches!(&self.function.sig.output, ReturnType::Type(_, ty) if !is_result(ty)) => {
                TokenStream::new()
            }
            _ => quote_spanned! {span=>
                const __SPAWNSAFE_RESULT: #private::ArgumentCodec<#result> = #private::result::<#result>();
            },
        };
        quote!(#(#arguments)* #result_codec)
    }

    /// The codec of an argument.
    pub(super) fn argument_codec(&self, index: usize) -> TokenStream {
        let ident = codec_ident(index);
        match &self.generic {
            Some(generic) if generic.is_in(&self.parameters[index].ty) => generic.codec(&self.ty, &ident),
            _ => ident.into_token_stream(),
        }
    }

    /// The codec of the result.
    pub(super) fn result_codec(&self) -> TokenStream {
        match (&self.generic, &self.result) {
            (Some(generic), Some(ty)) if generic.is_in(ty) => {
                generic.codec(&self.ty, &Ident::new("__SPAWNSAFE_RESULT", Span::mixed_site()))
            }
            _ => quote!(__SPAWNSAFE_RESULT),
        }
    }
}
