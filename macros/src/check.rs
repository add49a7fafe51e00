//! What a function must not be, all of it at once.

use syn::spanned::Spanned as _;
use syn::visit::Visit;
use syn::{FnArg, GenericParam, ItemFn, ReturnType, Safety, Type, TypeFnPtr, TypeImplTrait};

use crate::messages;
use crate::model::ungrouped;
use crate::report::Report;

const PRIMITIVES: [&str; 17] = [
    "bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
    "f32", "f64",
];

/// Checks a function that is to be an entry.
pub(crate) fn entry(function: &ItemFn, report: &mut Report) {
    let signature = &function.sig;
    if signature.ident == "main" {
        report.at(&signature.ident, messages::ENTRY_IS_MAIN);
    }
    if PRIMITIVES.iter().any(|primitive| signature.ident == primitive) {
        report.at(&signature.ident, messages::ENTRY_HIDES_PRIMITIVE);
    }
    if let Some(keyword) = &signature.asyncness {
        report.at(keyword, messages::ENTRY_IS_ASYNC);
    }
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
    for parameter in &signature.generics.params {
        match parameter {
            GenericParam::Type(parameter) => report.at(&parameter.ident, messages::ENTRY_IS_GENERIC),
            GenericParam::Const(parameter) => report.at(&parameter.ident, messages::ENTRY_HAS_CONST_PARAMETER),
            GenericParam::Lifetime(_) => {}
        }
    }
    for input in &signature.inputs {
        match input {
            FnArg::Receiver(receiver) => report.at(receiver, messages::SELF_PARAMETER),
            FnArg::Typed(typed) => parameter(&typed.ty, report),
        }
    }
    if let ReturnType::Type(_, ty) = &signature.output {
        result(ty, report);
    }
}

fn parameter(ty: &Type, report: &mut Report) {
    each_impl_trait(ty, |found| report.at(found, messages::IMPL_TRAIT_PARAMETER));
    match ungrouped(ty) {
        Type::Reference(reference) => {
            if let Some(keyword) = &reference.mutability {
                report.at_span(
                    reference.and_token.span().join(keyword.span()).unwrap_or(keyword.span()),
                    messages::MUT_REFERENCE_PARAMETER,
                );
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
    match ungrouped(ty) {
        Type::Reference(reference) => report.at(reference, messages::REFERENCE_RESULT),
        Type::Never(never) => report.at(never, messages::NEVER_RESULT),
        _ => {}
    }
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

/// Whether an attribute below turns an `async fn main` into a plain one: all runtimes call theirs `main`.
fn has_runtime(function: &ItemFn) -> bool {
    attribute(function, "main").is_some()
}

fn attribute<'a>(function: &'a ItemFn, name: &str) -> Option<&'a syn::Attribute> {
    function.attrs.iter().find(|attribute| attribute.path().segments.last().is_some_and(|last| last.ident == name))
}
