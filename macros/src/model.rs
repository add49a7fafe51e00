//! What the expansion needs to know of a function that has been checked.

use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::visit::Visit;
use syn::visit_mut::VisitMut;
use syn::{
    Attribute, FnArg, GenericArgument, Ident, ItemFn, Lifetime, Pat, PatType, PathArguments, PathSegment, ReturnType,
    Type, TypeFnPtr, TypeReference,
};

use crate::report::{local, unlinted};

/// A parameter of an entry.
pub(crate) struct Parameter {
    /// What it is called in `call`: its own name, or a made-up one for a pattern.
    pub(crate) ident: Ident,
    /// What messages call it: what the user wrote.
    pub(crate) label: String,
    /// Its type as the user wrote it.
    pub(crate) ty: Type,
    pub(crate) passing: Passing,
    /// Whether it carries `#[trust]`.
    pub(crate) trusted: bool,
    /// Whether the type has lifetimes. What the child gets has them all `'static`, and so has its codec.
    pub(crate) borrows: bool,
    /// The `#[cfg]`s on it.
    pub(crate) cfgs: Vec<Attribute>,
}

/// How an argument reaches the child.
pub(crate) enum Passing {
    /// By value.
    Value(Type),
    /// By reference to this type.
    Lent(Type),
    /// By reference to a slice of this type.
    LentSlice(Type),
}

impl Passing {
    pub(crate) fn is_lent(&self) -> bool {
        !matches!(self, Passing::Value(_))
    }
}

/// The parameters of a checked function.
pub(crate) fn parameters(function: &ItemFn) -> Vec<Parameter> {
    let typed = function.sig.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(typed) => Some(typed),
        FnArg::Receiver(_) => None,
    });
    let mut parameters: Vec<_> = typed.enumerate().map(|(index, typed)| parameter(index, typed)).collect();
    let names: Vec<_> = parameters.iter().map(|parameter| parameter.ident.to_string()).collect();
    for (parameter, name) in parameters.iter_mut().zip(&names) {
        // Two of one name are told apart by what made them, and only the user's own tokens know that.
        if names.iter().filter(|other| *other == name).count() == 1 {
            parameter.ident = unlinted(&parameter.ident);
        }
    }
    parameters
}

fn parameter(index: usize, PatType { attrs, pat, ty, .. }: &PatType) -> Parameter {
    let (ident, label) = match &**pat {
        Pat::Ident(pattern) if pattern.subpat.is_none() => (pattern.ident.clone(), pattern.ident.unraw().to_string()),
        pattern => (local(&format!("arg{}", index + 1)), pattern.to_token_stream().to_string()),
    };
    let (passed, make): (_, fn(Type) -> Passing) = match ungrouped(ty) {
        Type::Reference(reference) => match ungrouped(&reference.elem) {
            Type::Slice(slice) => (&*slice.elem, Passing::LentSlice),
            _ => (&*reference.elem, Passing::Lent),
        },
        ty => (ty, Passing::Value),
    };
    let (passing, borrows) = (make(with_static_lifetimes(passed)), has_lifetimes(passed));
    let trusted = attrs.iter().any(is_trust);
    Parameter { ident, label, ty: (**ty).clone(), passing, trusted, borrows, cfgs: cfgs(attrs) }
}

/// Whether an attribute is `#[trust]`, which is this crate's and not rustc's.
pub(crate) fn is_trust(attribute: &Attribute) -> bool {
    attribute.path().is_ident("trust")
}

/// The function as rustc may see it.
pub(crate) fn without_trust(function: &ItemFn) -> ItemFn {
    let mut function = function.clone();
    for input in &mut function.sig.inputs {
        match input {
            FnArg::Typed(typed) => typed.attrs.retain(|attribute| !is_trust(attribute)),
            FnArg::Receiver(receiver) => receiver.attrs.retain(|attribute| !is_trust(attribute)),
        }
    }
    function
}

/// The result's type; `None` if none is written.
pub(crate) fn result(function: &ItemFn) -> Option<Type> {
    match &function.sig.output {
        ReturnType::Default => None,
        ReturnType::Type(_, ty) => Some(with_static_lifetimes(ty)),
    }
}

/// The `#[cfg]`s among some attributes.
pub(crate) fn cfgs(attributes: &[Attribute]) -> Vec<Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).cloned().collect()
}

/// The type without parentheses, and without the invisible ones around what a `macro_rules!` has passed on.
pub(crate) fn ungrouped(mut ty: &Type) -> &Type {
    loop {
        ty = match ty {
            Type::Group(group) => &group.elem,
            Type::Paren(paren) => &paren.elem,
            ty => return ty,
        };
    }
}

fn has_lifetimes(ty: &Type) -> bool {
    struct Finder(bool);
    impl<'ast> Visit<'ast> for Finder {
        fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
            self.0 |= lifetime.ident != "static";
        }

        fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
            self.0 |= reference.lifetime.is_none();
            syn::visit::visit_type_reference(self, reference);
        }

        fn visit_path_segment(&mut self, segment: &'ast PathSegment) {
            self.0 |= leaves_lifetime_out(segment);
            syn::visit::visit_path_segment(self, segment);
        }

        // Its lifetimes are its own.
        fn visit_type_fn_ptr(&mut self, _: &'ast TypeFnPtr) {}
    }
    let mut finder = Finder(false);
    finder.visit_type(ty);
    finder.0
}

/// Whether this is a `Cow<str>` or one like it: the only type that can travel and has a lifetime, which a signature may
/// leave out.
pub(crate) fn leaves_lifetime_out(segment: &PathSegment) -> bool {
    const LENT: [&str; 4] = ["str", "Path", "OsStr", "CStr"];
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return false };
    segment.ident == "Cow"
        && matches!(arguments.args.first(), Some(GenericArgument::Type(content)) if match ungrouped(content) {
            Type::Slice(_) => true,
            Type::Path(path) => path.path.segments.last().is_some_and(|last| LENT.iter().any(|lent| last.ident == lent)),
            _ => false,
        })
}

/// The type as a child has it: all lifetimes are `'static`.
pub(crate) fn with_static_lifetimes(ty: &Type) -> Type {
    struct Replacer;
    impl VisitMut for Replacer {
        fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
            lifetime.ident = Ident::new("static", lifetime.ident.span());
        }

        fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
            let span = reference.and_token.spans[0];
            reference.lifetime.get_or_insert_with(|| Lifetime::new("'static", span));
            syn::visit_mut::visit_type_reference_mut(self, reference);
        }

        fn visit_path_segment_mut(&mut self, segment: &mut PathSegment) {
            if leaves_lifetime_out(segment) {
                if let PathArguments::AngleBracketed(arguments) = &mut segment.arguments {
                    let lifetime = Lifetime::new("'static", segment.ident.span());
                    arguments.args.insert(0, GenericArgument::Lifetime(lifetime));
                }
            }
            syn::visit_mut::visit_path_segment_mut(self, segment);
        }

        fn visit_type_fn_ptr_mut(&mut self, _: &mut TypeFnPtr) {}
    }
    let mut ty = ty.clone();
    Replacer.visit_type_mut(&mut ty);
    ty
}
