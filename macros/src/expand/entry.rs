//! `#[child_entry]`: the function as it is, and a type of its name beside it.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::{Attribute, Ident, ItemFn, Type};

use super::{respan, trust};
use crate::check;
use crate::model::{self, Parameter, Passing};
use crate::options::Options;
use crate::report::{local, located_at};

/// What is left of an entry with faults: the function, so that calls of it compile, and a type with the same methods
/// as ever, so that there is no error but those of the entry.
pub(super) fn stub(function: &ItemFn, options: &Options, errors: &TokenStream) -> TokenStream {
    let mut function = model::without_trust(function);
    // A second one of this attribute has been reported, and is not to define the type again.
    function.attrs.retain(|attribute| !check::is(attribute, "child_entry"));
    if check::is_associated(&function.sig) || check::hides_primitive(&function.sig) {
        // No type can stand there, or what the rest of the module says would take on another meaning.
        return quote!(#errors #function);
    }
    let entry = Entry::new(&function);
    let (vis, ty, cfgs) = (&function.vis, &entry.ty, model::cfgs(&function.attrs));
    let (import, methods, allowed) = (import(options), entry.stub_methods(), allowed(&function.attrs));
    quote! {
        #errors
        #function
        #(#cfgs)*
        #[doc(hidden)]
        #vis enum #ty {}
        #(#cfgs)*
        #(#allowed)*
        const _: () = {
            #import
            #methods
        };
    }
}

pub(super) fn expand(function: &ItemFn, options: &Options) -> TokenStream {
    let entry = Entry::new(function);
    let (vis, ty) = (&function.vis, &entry.ty);
    let attributes = type_attributes(&function.attrs);
    let cfgs = model::cfgs(&function.attrs);
    let doc = format!(
        "[`{0}`](fn@{0}) as the entry of a child process: [`run`]({0}::run) waits for its result, [`spawn`]({0}::spawn) \
         does not, [`call`]({0}::call) lets the process be set up first.",
        function.sig.ident.unraw()
    );
    let (import, codecs, allowed) = (import(options), entry.codecs(), allowed(&function.attrs));
    let (methods, registration) = (entry.real_methods(options), entry.registration(options));
    let function = model::without_trust(function);
    quote! {
        #function

        #(#attributes)*
        #[doc = #doc]
        #vis enum #ty {}

        #(#cfgs)*
        #(#allowed)*
        const _: () = {
            #import
            #codecs
            #methods
            #registration
        };
    }
}

/// The only place that names the user's path: if nothing is there, that is one error.
pub(super) fn import(options: &Options) -> TokenStream {
    let krate = options.crate_path();
    quote_spanned!(located_at(&krate)=> use #krate as __spawnsafe;)
}

/// The function's name as a name of this macro's making: naming lints do not apply to it. Raw, since what is a name in
/// the edition of the function (`gen`) may be a keyword in that of this macro.
fn type_ident(function: &ItemFn) -> Ident {
    let name = &function.sig.ident;
    Ident::new_raw(&name.unraw().to_string(), located_at(name))
}

/// The function's attributes that concern its name: `#[cfg]`, and whether it is documented.
fn type_attributes(attributes: &[Attribute]) -> Vec<Attribute> {
    let hidden = attributes.iter().filter(|attribute| {
        attribute.path().is_ident("doc") && attribute.parse_args::<Ident>().is_ok_and(|word| word == "hidden")
    });
    model::cfgs(attributes).into_iter().chain(hidden.cloned()).collect()
}

/// What the function may do in spite of a lint, the copies of its signature may as well. An expectation has been met by
/// the function.
pub(super) fn allowed(attributes: &[Attribute]) -> Vec<TokenStream> {
    let lists = attributes.iter().filter_map(|attribute| attribute.meta.require_list().ok());
    let lists = lists.filter(|list| list.path.is_ident("allow") || list.path.is_ident("expect"));
    lists.map(|list| &list.tokens).map(|lints| quote!(#[allow(#lints)])).collect()
}

/// All parts of an expansion.
struct Entry<'a> {
    function: &'a ItemFn,
    /// The path of what generated code may name.
    private: TokenStream,
    /// The type beside the function.
    ty: Ident,
    parameters: Vec<Parameter>,
    result: Option<Type>,
}

fn codec_ident(index: usize) -> Ident {
    format_ident!("__spawnsafe_argument_{}", index)
}

/// The codec of an argument, as a type and as what makes it.
fn codec(parameter: &Parameter, private: &TokenStream, span: Span) -> (TokenStream, TokenStream) {
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

impl<'a> Entry<'a> {
    fn new(function: &'a ItemFn) -> Self {
        Self {
            private: quote!(__spawnsafe::__private),
            ty: type_ident(function),
            parameters: model::parameters(function),
            result: model::result(function),
            function,
        }
    }

    /// One function for each argument and for the result, each at the type that the user wrote. They are the only
    /// places that demand something of that type, so it is at fault once.
    fn codecs(&self) -> TokenStream {
        let arguments = self.parameters.iter().enumerate().map(|(index, parameter)| {
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
                const fn #ident() -> #private::#codec { #private::#made }
                #trusted
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
    fn real_methods(&self, options: &Options) -> TokenStream {
        let private = &self.private;
        let given: Vec<_> =
            self.parameters.iter().map(|Parameter { ident, cfgs, .. }| quote!(#(#cfgs)* #ident)).collect();
        let (arguments, done) = (local("arguments"), local("done"));
        let pack = self.parameters.iter().enumerate().map(|(index, Parameter { ident, label, cfgs, borrows, .. })| {
            let codec = codec_ident(index);
            let packed = match borrows {
                false => quote!((#codec().pack)(#ident, #arguments.packer())),
                true => quote!(#private::borrowing(&#ident).pack(#arguments.packer())),
            };
            quote!(#(#cfgs)* { let #done = #packed; #arguments.packed(#label, #done); })
        });
        let call = quote! {
            let mut #arguments = #private::Arguments::new(&__SPAWNSAFE_ENTRY);
            #(#pack)*
            #arguments.call(__spawnsafe_result().unpacker())
        };
        let (spawn, run) = (quote!(Self::call(#(#given),*).spawn()), quote!(Self::call(#(#given),*).run()));
        let generics = self.function.sig.generics.lifetimes().collect::<Vec<_>>();
        let declared = self.parameters.iter().map(|Parameter { ident, ty, cfgs, .. }| quote!(#(#cfgs)* #ident: #ty));
        let declared: Vec<_> = declared.collect();
        self.methods(&self.name(options), &quote!(<#(#generics),*>), &declared, &self.result(), [call, spawn, run])
    }

    /// The same of a function that is at fault: whatever its signature says, calls of them are right.
    fn stub_methods(&self) -> TokenStream {
        let (signature, private) = (&self.function.sig, &self.private);
        let left_out = check::leaves_type_out(signature);
        let parameters: Vec<_> = self.parameters.iter().zip(0..).map(|(p, i)| (p, local(&format!("_{i}")))).collect();
        let declared: Vec<_> = parameters
            .iter()
            .map(|(Parameter { ty, cfgs, .. }, ident)| match ty {
                ty if left_out || matches!(ty, Type::TraitObject(_)) => {
                    quote!(#(#cfgs)* #ident: impl #private::core::marker::Sized)
                }
                ty => quote!(#(#cfgs)* #ident: #ty),
            })
            .collect();
        let given: Vec<_> = parameters.iter().map(|(Parameter { cfgs, .. }, ident)| quote!(#(#cfgs)* #ident)).collect();
        let result = match &self.result {
            Some(Type::Never(_)) => quote!(()),
            Some(_) if left_out => quote!(()),
            _ => self.result(),
        };
        let (generics, function) = (&signature.generics, &signature.ident);
        let hidden = check::hides_result(signature);
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
        self.methods(&quote!(""), &quote!(#generics), &declared, &result, bodies)
    }

    fn methods(
        &self,
        name: &TokenStream,
        generics: &TokenStream,
        declared: &[TokenStream],
        result: &TokenStream,
        [call, spawn, run]: [TokenStream; 3],
    ) -> TokenStream {
        let Self { private, ty, .. } = self;
        let where_clause = &self.function.sig.generics.where_clause;
        quote! {
            impl #ty {
                /// The name under which a child process finds this entry.
                pub const NAME: &'static #private::core::primitive::str = #name;

                /// Packs the arguments of a call, to be started later.
                pub fn call #generics(#(#declared),*) -> __spawnsafe::Call<#result> #where_clause {
                    #call
                }

                /// Starts a child process that runs this function.
                pub fn spawn #generics(
                    #(#declared),*
                ) -> #private::core::result::Result<__spawnsafe::Child<#result>, __spawnsafe::Error> #where_clause {
                    #spawn
                }

                /// Runs this function in a child process and waits for its result.
                pub fn run #generics(
                    #(#declared),*
                ) -> #private::core::result::Result<#result, __spawnsafe::Error> #where_clause {
                    #run
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
            self.parameters.iter().zip(&locals).map(
                |(Parameter { passing, borrows, cfgs, .. }, local)| match passing {
                    Passing::Value(_) => quote!(#(#cfgs)* #local),
                    _ if *borrows => quote!(#(#cfgs)* &#local),
                    _ => quote!(#(#cfgs)* #local.lend()),
                },
            );
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
