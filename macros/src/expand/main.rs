//! `#[process_main]`: one statement before the body.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{ItemFn, Stmt};

use crate::check;
use crate::options::Options;

/// What is left of a `main` with faults: what rustc would say about it as well has been said.
pub(super) fn stub(mut function: ItemFn, errors: &TokenStream) -> TokenStream {
    function.attrs.retain(|attribute| !check::is(attribute, "child_entry"));
    if !check::is_no_main_of_rust(&function.sig) {
        return quote!(#errors #function);
    }
    let (vis, output) = (&function.vis, &function.sig.output);
    quote! {
        #errors
        #vis fn main() #output {
            #[allow(dead_code)]
            #function
            loop {}
        }
    }
}

pub(super) fn expand(mut function: ItemFn, options: &Options) -> TokenStream {
    let krate = options.crate_path();
    let enter: Stmt = syn::parse_quote!(#krate::__private::enter_main(););
    if function.sig.asyncness.is_none() {
        function.block.stmts.insert(0, enter);
        return quote!(#function);
    }
    // The runtime's attribute makes a plain function of the `async` one. It starts the runtime there, and a child must
    // not: so that function goes into a `main` of our own.
    let (vis, output) = (&function.vis, &function.sig.output);
    quote! {
        #vis fn main() #output {
            #enter
            #function
            main()
        }
    }
}
