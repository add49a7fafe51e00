//! What runs in the child, and how it is found.

use proc_macro2::TokenStream;
use quote::quote;

use super::Entry;
use crate::model::{Parameter, Passing};
use crate::report::local;

impl Entry<'_> {
    /// What runs in the child, and how it is found.
    pub(super) fn registration(&self) -> TokenStream {
        let shim = self.shim();
        match &self.generic {
            Some(generic) => {
                let instances = generic.instances(self);
                quote!(#shim #instances)
            }
            None => {
                let registered = self.registered(&self.name(), &quote!(__spawnsafe_run));
                quote!(#shim #registered)
            }
        }
    }

    /// The function as a child calls it: with bytes for arguments and for the result.
    fn shim(&self) -> TokenStream {
        let private = &self.private;
        let function = &self.function.sig.ident;
        let [unpacker, packer, fault] = ["unpacker", "packer", "fault"].map(local);
        let locals: Vec<_> = (0..self.parameters.len()).map(|index| local(&format!("argument_{index}"))).collect();
        let unpack = self.parameters.iter().zip(&locals).enumerate().map(|(index, (parameter, local))| {
            let Parameter { label, cfgs, passing, borrows, .. } = parameter;
            let unpack = if passing.is_lent() && !borrows { quote!(unpack_lent) } else { quote!(unpack) };
            let codec = self.argument_codec(index);
            quote! {
                #(#cfgs)*
                let #local = match #private::#unpack(&#codec, #label, #unpacker) {
                    #private::Ok(#local) => #local,
                    #private::Err(#fault) => return #private::Err(#fault),
                };
            }
        });
        let arguments =
            self.parameters.iter().zip(&locals).map(
                |(Parameter { passing, borrows, cfgs, .. }, local)| match passing {
                    Passing::Value(_) => quote!(#(#cfgs)* #local),
                    _ if *borrows => quote!(#(#cfgs)* &#local),
                    _ => quote!(#(#cfgs)* #local.lend()),
                },
            );
        let [parameters, chosen, where_clause] = match &self.generic {
            Some(generic) => generic.of_shim(&self.ty),
            None => Default::default(),
        };
        let mut called = quote!(#function #chosen (#(#arguments),*));
        if self.function.sig.asyncness.is_some() {
            let flavor = self.flavor();
            called = quote!(#private::block_on(#flavor, #called));
        }
        let result_codec = self.result_codec();
        quote! {
            fn __spawnsafe_run #parameters(
                #unpacker: &mut #private::Unpacker<'_>,
            ) -> #private::core::result::Result<#private::Packed, #private::Fault> #where_clause {
                #(#unpack)*
                match #private::arguments_done(#unpacker) {
                    #private::Ok(#packer) => #private::pack_result(&#result_codec, #called, #packer),
                    #private::Err(#fault) => #private::Err(#fault),
                }
            }
        }
    }

    /// Which runtime an `async` function gets.
    fn flavor(&self) -> TokenStream {
        let (private, flavor) = (&self.private, &self.options.flavor);
        match (flavor.is_multi_thread(), flavor.workers()) {
            (false, _) => quote!(#private::Flavor::CurrentThread),
            (true, None) => quote!(#private::Flavor::MultiThread { workers: #private::core::option::Option::None }),
            (true, Some(workers)) => {
                quote!(#private::Flavor::MultiThread { workers: #private::core::option::Option::Some(#workers) })
            }
        }
    }

    /// An entry as data, and its registration.
    pub(in crate::expand) fn registered(&self, name: &TokenStream, run: &TokenStream) -> TokenStream {
        let (private, named, anonymous) = (&self.private, self.options.name.is_some(), self.options.anonymous);
        let retries = self.options.on_loss.retries();
        quote! {
            static __SPAWNSAFE_ENTRY: #private::Entry = #private::Entry::new(
                #name,
                (
                    #private::core::concat!(#name, #private::core::file!()),
                    #private::core::line!(),
                    #private::core::column!(),
                ),
                #private::Origin {
                    named: #named,
                    anonymous: #anonymous,
                    tested: #private::core::cfg!(test),
                    retries: #retries,
                },
                #run,
            );

            #private::inventory::submit! { #private::Registered(&__SPAWNSAFE_ENTRY) }
        }
    }
}
