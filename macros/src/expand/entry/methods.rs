//! What users call: the methods of the type beside the function, in the parent process.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::Type;

use super::Entry;
use crate::check;
use crate::expand::generic::Generic;
use crate::model::Parameter;
use crate::report::local;

impl Entry<'_> {
    /// What users call: in the parent.
    pub(super) fn real_methods(&self) -> TokenStream {
        let private = &self.private;
        let given: Vec<_> =
            self.parameters.iter().map(|Parameter { ident, cfgs, .. }| quote!(#(#cfgs)* #ident)).collect();
        let (arguments, done) = (local("arguments"), local("done"));
        let pack = self.parameters.iter().enumerate().map(
            |(index, Parameter { ident, label, cfgs, passing, borrows, .. })| {
                let codec = self.argument_codec(index);
                match borrows {
                    false => {
                        let pack = if passing.is_lent() { quote!(pack_lent) } else { quote!(pack) };
                        quote!(#(#cfgs)* #private::Arguments::#pack(&mut #arguments, #label, #ident, &#codec);)
                    }
                    true => quote! {
                        #(#cfgs)* {
                            let #done = #private::borrowing(&#ident).pack(#arguments.packer());
                            #arguments.packed(#label, #done);
                        }
                    },
                }
            },
        );
        let result_codec = self.result_codec();
        let entry = match &self.generic {
            Some(generic) => generic.entry(&self.ty),
            None => quote!(&__SPAWNSAFE_ENTRY),
        };
        let call = quote! {
            let mut #arguments = #private::Arguments::new(#entry);
            #(#pack)*
            #private::Arguments::call(#arguments, &#result_codec)
        };
        let (spawn, run) = match &self.generic {
            None => (
                quote!(__spawnsafe::Call::spawn(Self::call(#(#given),*))),
                quote!(__spawnsafe::Call::run(Self::call(#(#given),*))),
            ),
            Some(generic) => {
                let names = generic.names();
                (
                    quote!(__spawnsafe::Call::spawn(Self::call::<#names>(#(#given),*))),
                    quote!(__spawnsafe::Call::run(Self::call::<#names>(#(#given),*))),
                )
            }
        };
        let declared = self.parameters.iter().map(|Parameter { ident, ty, cfgs, .. }| quote!(#(#cfgs)* #ident: #ty));
        let declared: Vec<_> = declared.collect();
        let signature = &self.function.sig.generics;
        let (name, generics, where_clause) = match &self.generic {
            Some(generic) => (
                generic.name_function(&self.private, &self.ty),
                Generic::of_methods(signature),
                generic.where_clause(signature, &self.ty),
            ),
            None => {
                let lifetimes = signature.lifetimes();
                (self.name_constant(&self.name()), quote!(#(#lifetimes),*), signature.where_clause.to_token_stream())
            }
        };
        self.methods(&name, &[quote!(<#generics>), where_clause], &declared, &self.result(), [call, spawn, run])
    }

    fn name_constant(&self, name: &TokenStream) -> TokenStream {
        let private = &self.private;
        quote! {
            /// The name under which a child process finds this entry.
            pub const NAME: &'static #private::core::primitive::str = #name;
        }
    }

    /// The same of a function that is at fault: whatever its signature says, calls of them are right.
    pub(super) fn stub_methods(&self) -> TokenStream {
        let (signature, private) = (&self.function.sig, &self.private);
        let parameters: Vec<_> = self.parameters.iter().zip(0..).map(|(p, i)| (p, local(&format!("_{i}")))).collect();
        let declared: Vec<_> = parameters
            .iter()
            .map(|(Parameter { ty, cfgs, .. }, ident)| match ty {
                ty if check::is_left_out(ty) || matches!(ty, Type::TraitObject(_)) => {
                    quote!(#(#cfgs)* #ident: impl #private::core::marker::Sized)
                }
                ty => quote!(#(#cfgs)* #ident: #ty),
            })
            .collect();
        let given: Vec<_> = parameters.iter().map(|(Parameter { cfgs, .. }, ident)| quote!(#(#cfgs)* #ident)).collect();
        let result = match &self.result {
            Some(Type::Never(_)) => quote!(()),
            Some(ty) if check::is_left_out(ty) => quote!(()),
            Some(_) if self.options.anonymous && check::hides_result(signature) => quote!(()),
            _ => self.result(),
        };
        let (generics, function) = (&signature.generics, &signature.ident);
        let hidden = check::hides_result(signature) && !self.options.anonymous;
        // A hidden type is what the function's own body makes it.
        let body = |returns: TokenStream| match hidden {
            true => quote! {
                fn like<R>(_: R) -> #returns { loop {} }
                like(#function(#(#given),*))
            },
            false => quote!(loop {}),
        };
        let bodies = [
            body(quote!(__spawnsafe::Call<R>)),
            body(quote!(#private::core::result::Result<__spawnsafe::Child<R>, __spawnsafe::Error>)),
            body(quote!(#private::core::result::Result<R, __spawnsafe::Error>)),
        ];
        let name = self.name_constant(&quote!(""));
        let name_of = (!self.function.sig.generics.params.is_empty()).then(|| {
            quote! {
                #[doc(hidden)]
                pub fn name #generics() -> &'static #private::core::primitive::str { "" }
            }
        });
        let where_clause = signature.generics.where_clause.to_token_stream();
        self.methods(&quote!(#name #name_of), &[quote!(#generics), where_clause], &declared, &result, bodies)
    }

    /// `#[inline]`, so that a library does not compile what only its users may call.
    fn methods(
        &self,
        name: &TokenStream,
        [generics, where_clause]: &[TokenStream; 2],
        declared: &[TokenStream],
        result: &TokenStream,
        [call, spawn, run]: [TokenStream; 3],
    ) -> TokenStream {
        let Self { private, ty, .. } = self;
        // Of the function, clippy has said so once.
        let allowed = (declared.len() > 7).then(|| quote!(#[allow(clippy::too_many_arguments)]));
        quote! {
            #allowed
            impl #ty {
                #name

                /// Packs the arguments of a call, to be started later.
                #[inline]
                pub fn call #generics(#(#declared),*) -> __spawnsafe::Call<#result> #where_clause {
                    #call
                }

                /// Starts a child process that runs this function.
                #[inline]
                pub fn spawn #generics(
                    #(#declared),*
                ) -> #private::core::result::Result<__spawnsafe::Child<#result>, __spawnsafe::Error> #where_clause {
                    #spawn
                }

                /// Runs this function in a child process and waits for its result.
                #[inline]
                pub fn run #generics(
                    #(#declared),*
                ) -> #private::core::result::Result<#result, __spawnsafe::Error> #where_clause {
                    #run
                }
            }
        }
    }
}
