//! `#[child_entry]`: the function as it is, and a type of its name beside it.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::{Attribute, Ident, ItemFn, Type};

use super::respan;
use crate::model::{self, Parameter, Passing};
use crate::options::Options;
use crate::report::located_at;

/// What is left of an entry with faults: the function, so that calls of it compile, and an empty type, so that
/// `name::run` is one more error and not an unresolved name.
pub(super) fn stub(function: &ItemFn, errors: &TokenStream) -> TokenStream {
    let (vis, cfgs, ty) = (&function.vis, model::cfgs(&function.attrs), type_ident(function));
    if function.sig.receiver().is_some() {
        // In an impl block or a trait, where no type can stand.
        return quote!(#function #errors);
    }
    quote! {
        #errors
        #function
        #(#cfgs)*
        #[doc(hidden)]
        #vis enum #ty {}
    }
}

pub(super) fn expand(function: &ItemFn, options: &Options) -> TokenStream {
    let krate = options.crate_path();
    let entry = Entry {
        private: quote!(#krate::__private),
        krate,
        ty: type_ident(function),
        parameters: model::parameters(function),
        result: model::result(function),
        function,
    };
    let (vis, ty) = (&function.vis, &entry.ty);
    let attributes = type_attributes(&function.attrs);
    let cfgs = model::cfgs(&function.attrs);
    let doc = format!(
        "[`{0}`](fn@{0}) as the entry of a child process: [`run`]({0}::run) waits for its result, [`spawn`]({0}::spawn) \
         does not, [`call`]({0}::call) lets the process be set up first.",
        function.sig.ident.unraw()
    );
    let (codecs, methods, registration) = (entry.codecs(), entry.methods(options), entry.registration(options));
    quote! {
        #function

        #(#attributes)*
        #[doc = #doc]
        #vis enum #ty {}

        #(#cfgs)*
        const _: () = {
            #codecs
            #methods
            #registration
        };
    }
}

/// The function's name as a name of this macro's making: naming lints do not apply to it.
fn type_ident(function: &ItemFn) -> Ident {
    let mut ident = function.sig.ident.clone();
    ident.set_span(located_at(&function.sig.ident));
    ident
}

/// The function's attributes that concern its name: `#[cfg]`, and whether it is documented.
fn type_attributes(attributes: &[Attribute]) -> Vec<Attribute> {
    let hidden = attributes.iter().filter(|attribute| {
        attribute.path().is_ident("doc") && attribute.parse_args::<Ident>().is_ok_and(|word| word == "hidden")
    });
    model::cfgs(attributes).into_iter().chain(hidden.cloned()).collect()
}

/// All parts of an expansion.
struct Entry<'a> {
    function: &'a ItemFn,
    krate: TokenStream,
    /// The path of what generated code may name.
    private: TokenStream,
    /// The type beside the function.
    ty: Ident,
    parameters: Vec<Parameter>,
    result: Option<Type>,
}

/// A name for a variable of generated code, which no name of the user's can meet.
fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

fn codec_ident(index: usize) -> Ident {
    format_ident!("__spawnsafe_argument_{}", index)
}

impl Entry<'_> {
    /// One function for each argument and for the result, each at the type that the user wrote. They are the only
    /// places that demand something of that type, so it is at fault once.
    fn codecs(&self) -> TokenStream {
        let arguments = self.parameters.iter().enumerate().map(|(index, parameter)| {
            let (ident, cfgs) = (codec_ident(index), &parameter.cfgs);
            let span = located_at(&parameter.ty);
            let private = respan(self.private.clone(), span);
            match &parameter.passing {
                Passing::Value(ty) | Passing::Borrowing(ty) => quote_spanned! {span=>
                    #(#cfgs)*
                    const fn #ident() -> #private::ArgumentCodec<#ty> { #private::argument::<#ty>() }
                },
                Passing::Lent(ty) => quote_spanned! {span=>
                    #(#cfgs)*
                    const fn #ident() -> #private::LentCodec<#ty> { #private::lent::<#ty>() }
                },
            }
        });
        let result = self.result();
        let span = self.result.as_ref().map_or_else(Span::mixed_site, located_at);
        let private = respan(self.private.clone(), span);
        let result_codec = quote_spanned! {span=>
            const fn __spawnsafe_result() -> #private::ArgumentCodec<#result> { #private::result::<#result>() }
        };
        quote!(#(#arguments)* #result_codec)
    }

    fn result(&self) -> TokenStream {
        match &self.result {
            Some(ty) => quote!(#ty),
            None => quote!(()),
        }
    }

    /// What users call: in the parent.
    fn methods(&self, options: &Options) -> TokenStream {
        let Self { krate, private, ty, .. } = self;
        let result = self.result();
        let name = self.name(options);
        let (lifetimes, where_clause) =
            (self.function.sig.generics.lifetimes().collect::<Vec<_>>(), &self.function.sig.generics.where_clause);
        let declared: Vec<_> =
            self.parameters.iter().map(|Parameter { ident, ty, cfgs, .. }| quote!(#(#cfgs)* #ident: #ty)).collect();
        let given: Vec<_> =
            self.parameters.iter().map(|Parameter { ident, cfgs, .. }| quote!(#(#cfgs)* #ident)).collect();
        let arguments = local("arguments");
        let pack = self.parameters.iter().enumerate().map(|(index, parameter)| {
            let Parameter { ident, label, cfgs, passing, .. } = parameter;
            let codec = codec_ident(index);
            let packed = match passing {
                Passing::Value(_) | Passing::Lent(_) => quote!((#codec().pack)(#ident, #arguments.packer())),
                Passing::Borrowing(_) => quote!(#private::borrowing(&#ident, #arguments.packer())),
            };
            let done = local("done");
            quote!(#(#cfgs)* { let #done = #packed; #arguments.packed(#label, #done); })
        });
        quote! {
            impl #ty {
                /// The name under which a child process finds this entry.
                pub const NAME: &'static #private::core::primitive::str = #name;

                /// Packs the arguments of a call, to be started later.
                pub fn call<#(#lifetimes),*>(#(#declared),*) -> #krate::Call<#result> #where_clause {
                    let mut #arguments = #private::Arguments::new(&__SPAWNSAFE_ENTRY);
                    #(#pack)*
                    #arguments.call(__spawnsafe_result().unpacker())
                }

                /// Starts a child process that runs this function.
                pub fn spawn<#(#lifetimes),*>(
                    #(#declared),*
                ) -> #private::core::result::Result<#krate::Child<#result>, #krate::Error> #where_clause {
                    Self::call(#(#given),*).spawn()
                }

                /// Runs this function in a child process and waits for its result.
                pub fn run<#(#lifetimes),*>(
                    #(#declared),*
                ) -> #private::core::result::Result<#result, #krate::Error> #where_clause {
                    Self::call(#(#given),*).run()
                }
            }
        }
    }

    fn name(&self, options: &Options) -> TokenStream {
        let private = &self.private;
        match &options.name {
            Some(name) => quote!(#name),
            None => {
                let name = format!("::{}", self.function.sig.ident.unraw());
                quote!(#private::core::concat!(#private::core::module_path!(), #name))
            }
        }
    }

    /// What runs in the child, and how it is found.
    fn registration(&self, options: &Options) -> TokenStream {
        let Self { private, ty, .. } = self;
        let function = &self.function.sig.ident;
        let (unpacker, packer) = (local("unpacker"), local("packer"));
        let locals: Vec<_> = (0..self.parameters.len()).map(|index| local(&format!("argument_{index}"))).collect();
        let unpack = self.parameters.iter().zip(&locals).enumerate().map(|(index, (parameter, local))| {
            let Parameter { label, cfgs, .. } = parameter;
            let codec = codec_ident(index);
            quote!(#(#cfgs)* let #local = #codec().unpack(#label, #unpacker)?;)
        });
        let arguments =
            self.parameters.iter().zip(&locals).map(|(Parameter { passing, cfgs, .. }, local)| match passing {
                Passing::Lent(_) => quote!(#(#cfgs)* #local.lend()),
                Passing::Value(_) | Passing::Borrowing(_) => quote!(#(#cfgs)* #local),
            });
        let named = options.name.is_some();
        quote! {
            fn __spawnsafe_run(
                #unpacker: &mut #private::Unpacker<'_>,
            ) -> #private::core::result::Result<#private::Packed, #private::Fault> {
                #(#unpack)*
                let #packer = #private::arguments_done(#unpacker)?;
                #private::pack_result(&__spawnsafe_result(), #function(#(#arguments),*), #packer)
            }

            static __SPAWNSAFE_ENTRY: #private::Entry = #private::Entry::new(
                #ty::NAME,
                (#private::core::file!(), #private::core::line!(), #private::core::column!()),
                #private::Origin { named: #named, tested: #private::core::cfg!(test) },
                __spawnsafe_run,
            );

            #private::inventory::submit! { #private::Registered(&__SPAWNSAFE_ENTRY) }
        }
    }
}
