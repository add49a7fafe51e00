//! `#[child_entry]`: the function as it is, and a type of its name beside it.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::{Attribute, Ident, ItemFn, Type};

use super::generic::Generic;
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
    if function.sig.variadic.take().is_some() {
        // rustc has a word of its own on those, and the body may use what is taken away.
        function.attrs.push(syn::parse_quote!(#[allow(unused)]));
        *function.block = syn::parse_quote!({ loop {} });
    }
    if check::is_associated(&function.sig) || check::hides_primitive(&function.sig) {
        // No type can stand there, or what the rest of the module says would take on another meaning.
        return quote!(#errors #function);
    }
    let (ty, cfgs) = (stub_type(&function, options), model::cfgs(&function.attrs));
    quote! {
        #errors
        #function
        #(#cfgs)*
        #[doc(hidden)]
        #ty
    }
}

/// The type beside a function with faults.
pub(super) fn stub_type(function: &ItemFn, options: &Options) -> TokenStream {
    let entry = Entry::new(function, options);
    let (import, methods, allowed) = (import(options), entry.stub_methods(), allowed(&function.attrs));
    type_with(
        function,
        options,
        &quote! {
            #(#allowed)*
            const _: () = {
                #import
                #methods
            };
        },
    )
}

/// `unchanged` is the function as the user wrote it, if that is still what it is: a body that nothing was added to need
/// not be written anew, token by token.
pub(super) fn expand(function: &ItemFn, unchanged: Option<TokenStream>, options: &Options) -> TokenStream {
    let entry = Entry::new(function, options);
    let attributes = type_attributes(&function.attrs);
    let doc = format!(
        "[`{0}`](fn@{0}) as the entry of a child process: [`run`]({0}::run) waits for its result, [`spawn`]({0}::spawn) \
         does not, [`call`]({0}::call) lets the process be set up first.",
        function.sig.ident.unraw()
    );
    let (import, codecs, allowed) = (import(options), entry.codecs(), allowed(&function.attrs));
    let (methods, registration) = (entry.real_methods(), entry.registration());
    let ty = type_with(
        function,
        options,
        &quote! {
            #(#allowed)*
            const _: () = {
                #import
                #codecs
                #methods
                #registration
            };
        },
    );
    let function = match unchanged {
        _ if entry.parameters.iter().any(|parameter| parameter.trusted) => {
            model::without_trust(function).into_token_stream()
        }
        Some(unchanged) => unchanged,
        None => function.to_token_stream(),
    };
    quote! {
        #function

        #(#attributes)*
        #[doc = #doc]
        #ty
    }
}

/// The type, and the attribute that puts some items beside it. They are not written there right away because the
/// function may stand where no type can: that is one error only if all that is generated goes with the type.
fn type_with(function: &ItemFn, options: &Options, items: &TokenStream) -> TokenStream {
    let (vis, ty, krate) = (&function.vis, type_ident(function), options.crate_path());
    let beside = quote_spanned!(located_at(&krate)=> #[#krate::__private::beside(#items)]);
    quote!(#beside #vis enum #ty {})
}

/// The only place that names the user's path: if nothing is there, that is one error.
pub(super) fn import(options: &Options) -> TokenStream {
    let krate = options.crate_path();
    // Not the path itself: it may be `$crate`, which Rust 1.85 does not import under a name.
    quote_spanned!(located_at(&krate)=> use #krate::__private::spawnsafe as __spawnsafe;)
}

/// The function's name as a name of this macro's making: naming lints do not apply to it. Raw, since what is a name in
/// the edition of the function (`gen`) may be a keyword in that of this macro.
pub(super) fn type_ident(function: &ItemFn) -> Ident {
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
pub(super) struct Entry<'a> {
    pub(super) function: &'a ItemFn,
    pub(super) options: &'a Options,
    /// The path of what generated code may name.
    pub(super) private: TokenStream,
    /// The type beside the function.
    pub(super) ty: Ident,
    pub(super) parameters: Vec<Parameter>,
    pub(super) result: Option<Type>,
    /// What there is to choose in a generic one.
    pub(super) generic: Option<Generic>,
}

pub(super) fn codec_ident(index: usize) -> Ident {
    format_ident!("__spawnsafe_argument_{}", index)
}

/// The codec of an argument, as a type and as what makes it.
pub(super) fn codec(parameter: &Parameter, private: &TokenStream, span: Span) -> (TokenStream, TokenStream) {
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
    fn new(function: &'a ItemFn, options: &'a Options) -> Self {
        Self {
            private: quote!(__spawnsafe::__private),
            ty: type_ident(function),
            parameters: model::parameters(function),
            result: model::result(function),
            generic: Generic::new(&function.sig.generics, &options.instances),
            function,
            options,
        }
    }

    /// Whether what travels as this type depends on the instance.
    pub(super) fn is_generic(&self, ty: &Type) -> bool {
        self.generic.as_ref().is_some_and(|generic| generic.is_in(ty))
    }

    /// One function for each argument and for the result, each at the type that the user wrote. They are the only
    /// places that demand something of that type, so it is at fault once. Where the type depends on the instance, it
    /// is the instance that can be at fault.
    fn codecs(&self) -> TokenStream {
        let concrete = self.parameters.iter().enumerate().filter(|(_, parameter)| !self.is_generic(&parameter.ty));
        let arguments = concrete.map(|(index, parameter)| {
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
        let result_codec = match &self.result {
            Some(ty) if self.is_generic(ty) => TokenStream::new(),
            _ => quote_spanned! {span=>
                const fn __spawnsafe_result() -> #private::ArgumentCodec<#result> { #private::result::<#result>() }
            },
        };
        quote!(#(#arguments)* #result_codec)
    }

    /// What gives the codec of an argument.
    pub(super) fn argument_codec(&self, index: usize) -> TokenStream {
        let ident = codec_ident(index);
        match &self.generic {
            Some(generic) if generic.is_in(&self.parameters[index].ty) => generic.codec(&self.ty, &ident),
            _ => quote!(#ident()),
        }
    }

    /// What gives the codec of the result.
    fn result_codec(&self) -> TokenStream {
        match (&self.generic, &self.result) {
            (Some(generic), Some(ty)) if generic.is_in(ty) => {
                generic.codec(&self.ty, &Ident::new("__spawnsafe_result", Span::mixed_site()))
            }
            _ => quote!(__spawnsafe_result()),
        }
    }

    pub(super) fn result(&self) -> TokenStream {
        match &self.result {
            Some(ty) => quote!(#ty),
            None => quote!(()),
        }
    }

    /// What users call: in the parent.
    fn real_methods(&self) -> TokenStream {
        let private = &self.private;
        let given: Vec<_> =
            self.parameters.iter().map(|Parameter { ident, cfgs, .. }| quote!(#(#cfgs)* #ident)).collect();
        let (arguments, done) = (local("arguments"), local("done"));
        let pack = self.parameters.iter().enumerate().map(|(index, Parameter { ident, label, cfgs, borrows, .. })| {
            let codec = self.argument_codec(index);
            let packed = match borrows {
                false => quote!((#codec.pack)(#ident, #arguments.packer())),
                true => quote!(#private::borrowing(&#ident).pack(#arguments.packer())),
            };
            quote!(#(#cfgs)* { let #done = #packed; #arguments.packed(#label, #done); })
        });
        let result_codec = self.result_codec();
        let entry = match &self.generic {
            Some(generic) => generic.entry(&self.ty),
            None => quote!(&__SPAWNSAFE_ENTRY),
        };
        let call = quote! {
            let mut #arguments = #private::Arguments::new(#entry);
            #(#pack)*
            #arguments.call(#result_codec.unpacker())
        };
        let (spawn, run) = match &self.generic {
            None => (quote!(Self::call(#(#given),*).spawn()), quote!(Self::call(#(#given),*).run())),
            Some(generic) => {
                let names = generic.names();
                (quote!(Self::call::<#names>(#(#given),*).spawn()), quote!(Self::call::<#names>(#(#given),*).run()))
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
    fn stub_methods(&self) -> TokenStream {
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
        quote! {
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

    /// The name under which a child finds the entry, or an instance of it.
    fn name(&self) -> TokenStream {
        self.name_with("")
    }

    pub(super) fn name_with(&self, instance: &str) -> TokenStream {
        let private = &self.private;
        let function = self.function.sig.ident.unraw();
        match &self.options.name {
            Some(name) if instance.is_empty() => quote!(#name),
            Some(name) => quote!(#private::core::concat!(#name, #instance)),
            None if self.options.anonymous => quote!(#private::core::concat!(
                #private::core::module_path!(),
                "::{closure@",
                #private::core::line!(),
                ":",
                #private::core::column!(),
                "}"
            )),
            None => {
                let name = format!("::{function}{instance}");
                quote!(#private::core::concat!(#private::core::module_path!(), #name))
            }
        }
    }

    /// What runs in the child, and how it is found.
    fn registration(&self) -> TokenStream {
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
        let (unpacker, packer) = (local("unpacker"), local("packer"));
        let locals: Vec<_> = (0..self.parameters.len()).map(|index| local(&format!("argument_{index}"))).collect();
        let unpack = self.parameters.iter().zip(&locals).enumerate().map(|(index, (parameter, local))| {
            let Parameter { label, cfgs, .. } = parameter;
            let codec = self.argument_codec(index);
            quote!(#(#cfgs)* let #local = #codec.unpack(#label, #unpacker)?;)
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
                let #packer = #private::arguments_done(#unpacker)?;
                #private::pack_result(&#result_codec, #called, #packer)
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
    pub(super) fn registered(&self, name: &TokenStream, run: &TokenStream) -> TokenStream {
        let retries = self.options.on_loss.retries();
        let (private, named, anonymous) = (&self.private, self.options.name.is_some(), self.options.anonymous);
        quote! {
            static __SPAWNSAFE_ENTRY: #private::Entry = #private::Entry::new(
                #name,
                (#private::core::file!(), #private::core::line!(), #private::core::column!()),
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
