//! The arguments of macros that take expressions.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Expr, Ident, Lit, LitStr, Macro, Pat, Token};

/// Those of std, and of the crates that everyone knows, that take a format string and expressions.
const FORMAT: [&str; 31] = [
    "anyhow",
    "assert",
    "assert_eq",
    "assert_ne",
    "bail",
    "debug",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
    "ensure",
    "eprint",
    "eprintln",
    "error",
    "format",
    "format_args",
    "info",
    "panic",
    "print",
    "println",
    "todo",
    "trace",
    "unimplemented",
    "unreachable",
    "warn",
    "write",
    "writeln",
    "trace_span",
    "debug_span",
    "info_span",
    "warn_span",
    "error_span",
];

/// Those that take expressions.
const EXPRESSIONS: [&str; 7] = ["addr_of", "addr_of_mut", "dbg", "join", "matches", "try_join", "vec"];

/// What is known of a macro's arguments.
#[derive(Default)]
pub(super) struct Arguments {
    pub(super) expressions: Vec<Expr>,
    pub(super) patterns: Vec<Pat>,
    /// Those of the expressions that have no name.
    unnamed: Vec<usize>,
    /// Its format string.
    pub(super) format: Option<LitStr>,
    /// Whether it is one for sure: before edition 2021, `panic!("{}")` says just that.
    pub(super) is_formatted: bool,
    /// The names that its arguments are given: `name = expression`.
    pub(super) named: BTreeSet<String>,
    /// Whether it uses its arguments by reference.
    pub(super) borrows: bool,
    /// Whether it takes the address of its argument.
    pub(super) is_address: bool,
}

/// The arguments of a macro that is known to take expressions. `None` for all others, or if they are something else.
pub(super) fn parse(invocation: &Macro) -> Option<Arguments> {
    let name = invocation.path.segments.last()?.ident.to_string();
    let is_format = FORMAT.contains(&name.as_str());
    if !is_format && !EXPRESSIONS.contains(&name.as_str()) {
        return None;
    }
    let tokens = invocation.tokens.clone();
    let mut arguments = match &*name {
        "matches" => Parser::matches.parse2(tokens),
        _ => Parser::list.parse2(tokens),
    }
    .ok()?;
    arguments.borrows = is_format || name == "dbg" || name == "matches";
    arguments.is_address = name.starts_with("addr_of");
    if is_format {
        arguments.format = format(&name, &arguments);
        let may_be_text = ["assert", "debug_assert", "panic", "unreachable"].contains(&name.as_str());
        arguments.is_formatted = !may_be_text || arguments.expressions.last().and_then(string).is_none();
    }
    Some(arguments)
}

/// The format string among the arguments. Another text may well have braces in it, and what is in them is no name.
fn format(name: &str, arguments: &Arguments) -> Option<LitStr> {
    let mut unnamed = arguments.unnamed.iter().map(|&index| &arguments.expressions[index]);
    let before = match name {
        // Behind fields.
        "debug" | "error" | "info" | "trace" | "warn" => return unnamed.find_map(string),
        "trace_span" | "debug_span" | "info_span" | "warn_span" | "error_span" => return None,
        "assert_eq" | "assert_ne" | "debug_assert_eq" | "debug_assert_ne" => 2,
        "assert" | "debug_assert" | "ensure" | "write" | "writeln" => 1,
        _ => 0,
    };
    unnamed.nth(before).and_then(string)
}

/// The literal text of an expression.
fn string(expression: &Expr) -> Option<LitStr> {
    match expression {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => Some(text.clone()),
            _ => None,
        },
        Expr::Group(group) => string(&group.expr),
        _ => None,
    }
}

/// The parsers, in one place.
struct Parser;

impl Parser {
    /// `expression, pattern if guard`
    fn matches(input: ParseStream<'_>) -> syn::Result<Arguments> {
        let mut arguments = Arguments::default();
        arguments.expressions.push(input.parse()?);
        input.parse::<Token![,]>()?;
        arguments.patterns.push(Pat::parse_multi_with_leading_vert(input)?);
        if input.parse::<Option<Token![if]>>()?.is_some() {
            arguments.expressions.push(input.parse()?);
        }
        input.parse::<Option<Token![,]>>()?;
        Ok(arguments)
    }

    /// Expressions, separated by `,` or `;`, some with names or with the signs of `tracing`.
    fn list(input: ParseStream<'_>) -> syn::Result<Arguments> {
        let mut arguments = Arguments::default();
        while !input.is_empty() {
            if input.peek(Ident::peek_any) && input.peek2(Token![=]) && !input.peek2(Token![==]) {
                arguments.named.insert(input.call(Ident::parse_any)?.unraw().to_string());
                input.parse::<Token![=]>()?;
            } else if input.peek(Ident) && input.peek2(Token![:]) && !input.peek2(Token![::]) {
                input.parse::<Ident>()?;
                input.parse::<Token![:]>()?;
            } else {
                arguments.unnamed.push(arguments.expressions.len());
            }
            if input.peek(Token![?]) {
                input.parse::<Token![?]>()?;
            } else if input.peek(Token![%]) {
                input.parse::<Token![%]>()?;
            }
            arguments.expressions.push(input.parse()?);
            if !input.is_empty() && input.parse::<Option<Token![;]>>()?.is_none() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(arguments)
    }
}

/// A name in the tokens of a macro that is not known.
pub(super) enum Word {
    /// A path, or a single name.
    Path(syn::Path),
    /// A literal text, which may be a format string.
    Text(LitStr),
}

/// All paths and texts in tokens of which nothing is known, but those in places where no value is used.
pub(super) fn words(tokens: TokenStream, found: &mut impl FnMut(Word)) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is = |at: usize, sign: char| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == sign);
    let mut at = 0;
    while at < tokens.len() {
        let start = at;
        at += 1;
        match &tokens[start] {
            TokenTree::Group(group) => words(group.stream(), found),
            TokenTree::Literal(literal) => {
                if let Ok(Lit::Str(text)) = syn::parse2(TokenTree::Literal(literal.clone()).into()) {
                    found(Word::Text(text));
                }
            }
            TokenTree::Ident(_) => {
                while is(at, ':') && is(at + 1, ':') && matches!(tokens.get(at + 2), Some(TokenTree::Ident(_))) {
                    at += 3;
                }
                let follows_path = start > 1 && is(start - 1, ':') && is(start - 2, ':');
                let declares = start.checked_sub(1).is_some_and(|before| is_declaring(&tokens[before])) || follows_path;
                if !declares && !is_no_value(tokens.get(at)) && !is(at, ':') {
                    let path = tokens[start..at].iter().cloned().collect::<TokenStream>();
                    if let Ok(path) = syn::parse2(path) {
                        found(Word::Path(path));
                    }
                }
            }
            TokenTree::Punct(_) => {}
        }
    }
}

/// Whether what follows is a name of something new, a field, a lifetime or a fragment. (What follows a `:` may be a type
/// as well as a value, as in `json!({ "hits": HITS })`.)
fn is_declaring(before: &TokenTree) -> bool {
    const WORDS: [&str; 12] =
        ["const", "enum", "fn", "for", "let", "macro", "mod", "static", "struct", "trait", "type", "use"];
    match before {
        TokenTree::Ident(word) => WORDS.iter().any(|known| word == known),
        TokenTree::Punct(sign) => ['.', '\'', '$', '#'].contains(&sign.as_char()),
        _ => false,
    }
}

/// Whether what stands before this is called, built, repeated, or a macro.
fn is_no_value(after: Option<&TokenTree>) -> bool {
    match after {
        Some(TokenTree::Group(group)) => {
            matches!(group.delimiter(), proc_macro2::Delimiter::Parenthesis | proc_macro2::Delimiter::Brace)
        }
        Some(TokenTree::Punct(sign)) => ['!', ';'].contains(&sign.as_char()),
        _ => false,
    }
}
