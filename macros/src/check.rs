//! What a function must not be, all of it at once.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::visit::Visit;
use syn::{
    Attribute, FnArg, GenericArgument, ItemFn, Lifetime, PatType, PathArguments, PathSegment, ReturnType, Safety,
};
use syn::{Signature, Type, TypeFnPtr, TypeImplTrait, TypeReference};

use crate::messages;
use crate::model::{self, Parameter, ungrouped};
use crate::options::{Options, instance};
use crate::report::Report;

const PRIMITIVES: [&str; 17] = [
    "bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
    "f32", "f64",
];

/// Checks a function that is to be an entry.
pub(crate) fn entry(function: &ItemFn, options: &Options, report: &mut Report) {
    let signature = &function.sig;
    if signature.ident == "main" {
        report.at(&signature.ident, messages::ENTRY_IS_MAIN);
    }
    if hides_primitive(signature) {
        report.at(&signature.ident, messages::ENTRY_HIDES_PRIMITIVE);
    }
    if let Some(other) = attribute(function, "child_entry") {
        report.at(other, messages::ENTRY_TWICE);
    }
    if let (Some(word), None) = (mention_of_self(signature.to_token_stream()), signature.receiver()) {
        report.at(&word, messages::ENTRY_IN_IMPL);
    }
    kind(signature, options, report);
    if let Safety::Unsafe(keyword) = &signature.safety {
        report.at(keyword, messages::ENTRY_IS_UNSAFE);
    }
    if let Some(keyword) = &signature.constness {
        report.at(keyword, messages::ENTRY_IS_CONST);
    }
    if let Some(abi) = &signature.abi {
        report.at(abi, messages::ENTRY_HAS_ABI);
    }
    if let Some(variadic) = &signature.variadic {
        report.at(variadic, messages::ENTRY_IS_VARIADIC);
    }
    parameters_and_result(signature, report);
}

/// Whether there is a runtime for an `async` function and instances for a generic one, and only for those.
pub(crate) fn kind(signature: &Signature, options: &Options, report: &mut Report) {
    if let (Some(keyword), false) = (&signature.asyncness, cfg!(feature = "tokio")) {
        report.at(keyword, messages::ENTRY_IS_ASYNC);
    }
    options.flavor.check(signature.asyncness.is_some(), report);
    instance::check(&options.instances, &signature.generics, report);
    if !options.instances.is_empty() {
        trust_in_generic(signature, report);
    }
}

/// Checks what is passed, as far as its types show it.
pub(crate) fn parameters_and_result(signature: &Signature, report: &mut Report) {
    for input in &signature.inputs {
        match input {
            FnArg::Receiver(receiver) => report.at(receiver, messages::SELF_PARAMETER),
            FnArg::Typed(typed) => {
                trust(&typed.attrs, report);
                needless_trust(typed, report);
                parameter(&typed.ty, report);
            }
        }
    }
    if let ReturnType::Type(_, ty) = &signature.output {
        result(ty, report);
    }
}

/// Whether a type of the entry's name would be a primitive type's namesake.
pub(crate) fn hides_primitive(signature: &Signature) -> bool {
    PRIMITIVES.iter().any(|primitive| signature.ident == primitive)
}

/// Whether the function can only stand in an impl block or a trait. If it mentions neither `self` nor `Self`, nobody
/// can tell, and it is rustc that says that no type can stand there.
pub(crate) fn is_associated(signature: &Signature) -> bool {
    signature.receiver().is_some() || mention_of_self(signature.to_token_stream()).is_some()
}

/// Where `Self` is mentioned.
pub(crate) fn mention_of_self(tokens: TokenStream) -> Option<TokenTree> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Group(group) => mention_of_self(group.stream()),
        TokenTree::Ident(ref word) if word == "Self" => Some(token),
        _ => None,
    })
}

/// Whether some type is left out (`_`), which rustc reports.
pub(crate) fn leaves_type_out(signature: &Signature) -> bool {
    let mut finder = LeftOut(false);
    finder.visit_signature(signature);
    finder.0
}

/// Whether the type, or a part of it, is left out.
pub(crate) fn is_left_out(ty: &Type) -> bool {
    let mut finder = LeftOut(false);
    finder.visit_type(ty);
    finder.0
}

struct LeftOut(bool);

impl<'ast> Visit<'ast> for LeftOut {
    fn visit_type_infer(&mut self, _: &'ast syn::TypeInfer) {
        self.0 = true;
    }
}

/// Checks the `#[trust]`s on a parameter or a field.
pub(crate) fn trust(attributes: &[Attribute], report: &mut Report) {
    for (count, attribute) in attributes.iter().filter(|attribute| model::is_trust(attribute)).enumerate() {
        if count > 0 {
            report.at(attribute, messages::TRUST_TWICE);
        } else if attribute.meta.require_path_only().is_err() {
            report.at(attribute, messages::TRUST_HAS_OPTIONS);
        }
    }
}

/// The type is checked where it is written, and there it is not known yet.
fn trust_in_generic(signature: &Signature, report: &mut Report) {
    for input in &signature.inputs {
        let FnArg::Typed(typed) = input else { continue };
        typed
            .attrs
            .iter()
            .filter(|one| model::is_trust(one))
            .for_each(|one| report.at(one, messages::TRUST_IN_GENERIC));
    }
}

/// Checks that what is trusted is not passed without it as well.
fn needless_trust(parameter: &PatType, report: &mut Report) {
    let trust = parameter.attrs.iter().find(|attribute| model::is_trust(attribute));
    if let Some(trust) = trust.filter(|_| is_lent_unsized(&parameter.ty)) {
        report.at(trust, messages::TRUST_NEEDLESS);
    }
}

/// Unsized types of std's, for which the checks of `#[trust]` would say that they have no size.
fn is_lent_unsized(ty: &Type) -> bool {
    const LENT: [&str; 4] = ["str", "Path", "OsStr", "CStr"];
    let Type::Reference(reference) = ungrouped(ty) else { return false };
    match ungrouped(&reference.elem) {
        Type::Path(path) => path.path.segments.last().is_some_and(|last| LENT.iter().any(|lent| last.ident == lent)),
        _ => false,
    }
}

/// Whether nothing is wrong with a parameter's type that its look shows.
pub(crate) fn is_right_parameter(Parameter { ty, trusted, .. }: &Parameter) -> bool {
    let mut report = Report::default();
    parameter(ty, &mut report);
    report.is_empty() && !is_left_out(ty) && !(*trusted && is_lent_unsized(ty))
}

/// The same of a result's type.
pub(crate) fn is_right_result(ty: &Type) -> bool {
    let mut report = Report::default();
    result(ty, &mut report);
    report.is_empty() && !is_left_out(ty)
}

fn parameter(ty: &Type, report: &mut Report) {
    each_impl_trait(ty, |found| report.at(found, messages::IMPL_TRAIT_PARAMETER));
    each_function_pointer(ty, &mut |found| report.at(found, messages::FUNCTION_POINTER));
    match ungrouped(ty) {
        Type::Reference(reference) => {
            if let Some(keyword) = &reference.mutability {
                let (ampersand, lifetime) = (&reference.and_token, &reference.lifetime);
                report.at(&quote::quote!(#ampersand #lifetime #keyword), messages::MUT_REFERENCE_PARAMETER);
            } else if let Some(lifetime) = reference.lifetime.as_ref().filter(|lifetime| lifetime.ident == "static") {
                report.at(lifetime, messages::STATIC_REFERENCE_PARAMETER);
            } else if let Type::TraitObject(object) = ungrouped(&reference.elem) {
                report.at(object, messages::DYN_PARAMETER);
            }
        }
        Type::TraitObject(object) => report.at(object, messages::DYN_PARAMETER),
        _ => {}
    }
}

fn result(ty: &Type, report: &mut Report) {
    each_impl_trait(ty, |found| report.at(found, messages::IMPL_TRAIT_RESULT));
    each_function_pointer(ty, &mut |found| report.at(found, messages::FUNCTION_POINTER));
    match ungrouped(ty) {
        Type::Reference(reference) => report.at(reference, messages::REFERENCE_RESULT),
        Type::Never(never) => report.at(never, messages::NEVER_RESULT),
        ty => each_borrow(ty, |found| report.at(found, messages::REFERENCE_RESULT)),
    }
}

/// Lifetimes in a type that are those of the arguments: references and lifetimes that are not `'static`.
fn each_borrow(ty: &Type, found: impl FnMut(&dyn ToTokens)) {
    struct Finder<F>(F);
    impl<'ast, F: FnMut(&dyn ToTokens)> Visit<'ast> for Finder<F> {
        fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
            if lifetime.ident != "static" {
                (self.0)(lifetime);
            }
        }

        fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
            match &reference.lifetime {
                Some(lifetime) if lifetime.ident == "static" => syn::visit::visit_type_reference(self, reference),
                _ => (self.0)(reference),
            }
        }

        fn visit_path_segment(&mut self, segment: &'ast PathSegment) {
            if model::leaves_lifetime_out(segment) {
                (self.0)(segment);
            }
            syn::visit::visit_path_segment(self, segment);
        }

        // Their lifetimes are their own, or an error of another kind.
        fn visit_type_fn_ptr(&mut self, _: &'ast TypeFnPtr) {}
        fn visit_type_impl_trait(&mut self, _: &'ast TypeImplTrait) {}
    }
    Finder(found).visit_type(ty);
}

/// Function pointers in a type that passes on what is in it. The reasons of `SpawnSafe` cover them as well, but rustc
/// does not find its way to the reason where a parameter of the function is a reference. What another type makes of one
/// (`PhantomData<fn() -> T>`) is its own business.
pub(crate) fn each_function_pointer(ty: &Type, found: &mut impl FnMut(&TypeFnPtr)) {
    const CONTAINERS: [&str; 6] = ["Option", "Vec", "Box", "Result", "VecDeque", "HashMap"];
    match ungrouped(ty) {
        Type::FnPtr(pointer) => found(pointer),
        Type::Reference(reference) => each_function_pointer(&reference.elem, found),
        Type::Slice(slice) => each_function_pointer(&slice.elem, found),
        Type::Array(array) => each_function_pointer(&array.elem, found),
        Type::Tuple(tuple) => tuple.elems.iter().for_each(|elem| each_function_pointer(elem, found)),
        Type::Path(path) => {
            let Some(last) = path.path.segments.last() else { return };
            if let (PathArguments::AngleBracketed(arguments), true) =
                (&last.arguments, CONTAINERS.iter().any(|container| last.ident == container))
            {
                for argument in &arguments.args {
                    if let GenericArgument::Type(ty) = argument {
                        each_function_pointer(ty, found);
                    }
                }
            }
        }
        _ => {}
    }
}

/// Whether the result is an `impl Trait`.
pub(crate) fn hides_result(signature: &Signature) -> bool {
    let mut hidden = false;
    if let ReturnType::Type(_, ty) = &signature.output {
        each_impl_trait(ty, |_| hidden = true);
    }
    hidden
}

fn each_impl_trait(ty: &Type, found: impl FnMut(&TypeImplTrait)) {
    struct Finder<F>(F);
    impl<'ast, F: FnMut(&TypeImplTrait)> Visit<'ast> for Finder<F> {
        fn visit_type_impl_trait(&mut self, ty: &'ast TypeImplTrait) {
            (self.0)(ty);
        }

        fn visit_type_fn_ptr(&mut self, _: &'ast TypeFnPtr) {}
    }
    Finder(found).visit_type(ty);
}

/// Checks a `main`.
pub(crate) fn main(function: &ItemFn, report: &mut Report) {
    let signature = &function.sig;
    if signature.ident != "main" {
        report.at(&signature.ident, messages::MAIN_IS_NOT_MAIN);
    }
    if !signature.inputs.is_empty() {
        report.at(&signature.inputs, messages::MAIN_HAS_PARAMETERS);
    }
    if let Some(other) = attribute(function, "process_main") {
        report.at(other, messages::MAIN_TWICE);
    }
    if let Some(other) = attribute(function, "child_entry") {
        report.at(other, messages::MAIN_IS_ENTRY);
    }
    if let (Some(keyword), false) = (&signature.asyncness, has_runtime(function)) {
        report.at(keyword, messages::MAIN_IS_ASYNC);
    }
}

/// Whether rustc would complain of the `main` as well.
pub(crate) fn is_no_main_of_rust(signature: &Signature) -> bool {
    signature.ident == "main" && (!signature.inputs.is_empty() || signature.asyncness.is_some())
}

/// Whether an attribute below turns an `async fn main` into a plain one: all runtimes call theirs `main`.
fn has_runtime(function: &ItemFn) -> bool {
    attribute(function, "main").is_some()
}

fn attribute<'a>(function: &'a ItemFn, name: &str) -> Option<&'a Attribute> {
    function.attrs.iter().find(|attribute| is(attribute, name))
}

/// Whether the function carries `#[child_entry]`.
pub(crate) fn is_entry(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| is(attribute, "child_entry"))
}

/// Whether the attribute has this name, by whatever path.
pub(crate) fn is(attribute: &Attribute, name: &str) -> bool {
    attribute.path().segments.last().is_some_and(|last| last.ident == name)
}
