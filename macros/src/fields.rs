//! What `#[derive(SpawnSafe)]` needs to know of a type: which of its fields travel, and every fault that can be seen
//! without knowing types.

use syn::meta::ParseNestedMeta;
use syn::{Attribute, Data, DeriveInput, Expr, Fields, LitStr, Token, Type, token};

use crate::options::{self, Options};
use crate::report::Report;
use crate::{check, messages, model};

/// A type under the derive.
pub(crate) struct Model {
    pub(crate) options: Options,
    /// What travels.
    pub(crate) fields: Vec<Field>,
    /// Whether there is no way to implement the trait.
    pub(crate) hopeless: bool,
}

/// A field that travels, or a type that serde puts in the place of all fields.
pub(crate) struct Field {
    pub(crate) ty: Type,
    /// Whether it carries `#[trust]`.
    pub(crate) trusted: bool,
    pub(crate) attributes: Vec<Attribute>,
}

/// Reads the type and notes its faults.
pub(crate) fn model(input: &DeriveInput, report: &mut Report) -> Model {
    let options = options(input, report);
    let stand_ins = Serde::of(&input.attrs).stand_ins();
    let mut found = Vec::new();
    let mut fields = |fields: &Fields, report: &mut Report| match &stand_ins {
        None => self::fields(fields, &mut found, report),
        Some(_) => fields.iter().for_each(|field| attributes(field, report)),
    };
    match &input.data {
        Data::Struct(data) => fields(&data.fields, report),
        Data::Enum(data) => {
            for variant in &data.variants {
                misplaced(&variant.attrs, messages::OPTIONS_ON_OTHER, "spawnsafe", report);
                misplaced(&variant.attrs, messages::TRUST_ON_OTHER, "trust", report);
                if !Serde::of(&variant.attrs).skips() {
                    fields(&variant.fields, report);
                }
            }
        }
        Data::Union(data) => report.at(&data.union_token, messages::union(&input.ident)),
    }
    for lifetime in input.generics.lifetimes() {
        report.at(&lifetime.lifetime, messages::borrowing_type(&input.ident));
    }
    let hopeless = matches!(input.data, Data::Union(_)) || input.generics.lifetimes().next().is_some();
    Model { options, fields: stand_ins.unwrap_or(found), hopeless }
}

fn options(input: &DeriveInput, report: &mut Report) -> Options {
    misplaced(&input.attrs, messages::TRUST_ON_OTHER, "trust", report);
    let mut tokens = proc_macro2::TokenStream::new();
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("spawnsafe")) {
        match attribute.meta.require_list() {
            Ok(list) => {
                let given = &list.tokens;
                tokens.extend(quote::quote!(#given,));
            }
            Err(_) => report.at(attribute, messages::no_option(options::Attribute::Derive)),
        }
    }
    Options::parse(options::Attribute::Derive, tokens, report)
}

fn misplaced(attributes: &[Attribute], message: &str, name: &str, report: &mut Report) {
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident(name)) {
        report.at(attribute, message);
    }
}

fn fields(fields: &Fields, found: &mut Vec<Field>, report: &mut Report) {
    for field in fields {
        attributes(field, report);
        if Serde::of(&field.attrs).skips() {
            continue;
        }
        let mut is_function = false;
        check::each_function_pointer(&field.ty, &mut |pointer| {
            is_function = true;
            report.at(pointer, messages::FUNCTION_POINTER);
        });
        if !is_function {
            let trusted = field.attrs.iter().any(model::is_trust);
            found.push(Field { ty: field.ty.clone(), trusted, attributes: field.attrs.clone() });
        }
    }
}

/// Checks the attributes of a field.
fn attributes(field: &syn::Field, report: &mut Report) {
    check::trust(&field.attrs, report);
    misplaced(&field.attrs, messages::OPTIONS_ON_OTHER, "spawnsafe", report);
}

/// What `#[serde(…)]` says of what travels. What is wrong with it is for serde to say.
#[derive(Default)]
struct Serde {
    skip_serializing: bool,
    skip_deserializing: bool,
    into: Option<LitStr>,
    from: Option<LitStr>,
}

impl Serde {
    fn of(attributes: &[Attribute]) -> Self {
        let mut serde = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
            let _ = attribute.parse_nested_meta(|option| serde.note(&option));
        }
        serde
    }

    fn note(&mut self, option: &ParseNestedMeta<'_>) -> syn::Result<()> {
        let value = if option.input.peek(Token![=]) {
            Some(option.value()?.parse::<Expr>()?)
        } else if option.input.peek(token::Paren) {
            let content;
            syn::parenthesized!(content in option.input);
            content.parse::<proc_macro2::TokenStream>()?;
            None
        } else {
            None
        };
        let text = || match &value {
            Some(Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. })) => Some(text.clone()),
            _ => None,
        };
        let path = &option.path;
        self.skip_serializing |= path.is_ident("skip") || path.is_ident("skip_serializing");
        self.skip_deserializing |= path.is_ident("skip") || path.is_ident("skip_deserializing");
        if path.is_ident("into") {
            self.into = text();
        } else if path.is_ident("from") || path.is_ident("try_from") {
            self.from = text();
        }
        Ok(())
    }

    /// Whether the field, or the variant, never travels.
    fn skips(&self) -> bool {
        self.skip_serializing && self.skip_deserializing
    }

    /// `#[serde(into = "…", from = "…")]`: what travels in the place of the fields.
    fn stand_ins(self) -> Option<Vec<Field>> {
        let (into, from) = (self.into?, self.from?);
        let names = if into.value() == from.value() { vec![into] } else { vec![into, from] };
        let field = |name: LitStr| Some(Field { ty: name.parse().ok()?, trusted: false, attributes: vec![] });
        names.into_iter().map(field).collect()
    }
}
