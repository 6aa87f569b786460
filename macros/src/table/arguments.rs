//! Parameters of a view: `args(level: u64)`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Ident, Token, Type};

use super::model::TableInput;
use crate::attr::Entry;
use crate::bsatn::type_ref;
use crate::case;
use crate::ctxt::Ctxt;
use crate::types::{blame, borrows, check_owned, is_float};

/// Example of the form.
const SHAPE: &str = "level: u64";

/// One argument.
pub(crate) struct Argument {
    ident: Ident,
    ty: Type,
}

impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let ident = input.parse()?;
        input.parse::<Token![:]>()?;
        Ok(Self { ident, ty: input.parse()? })
    }
}

pub(super) fn parse(cx: &Ctxt, entry: &Entry) -> Option<Vec<Argument>> {
    let list = Punctuated::<Argument, Token![,]>::parse_terminated;
    let args: Vec<_> = entry.list_with(cx, SHAPE, list)?.into_iter().collect();
    if args.is_empty() {
        cx.error(&entry.key, format!("expected `args({SHAPE})`"));
    }
    for (at, Argument { ident, ty }) in args.iter().enumerate() {
        check_owned(cx, "a view's arguments own their values", ty);
        if is_float(ty) {
            let message = "a view takes no floats: the server refuses the module; take an integer, such as \
                a number of thousandths";
            cx.error(ty, message);
        }
        if args[..at].iter().any(|earlier| earlier.ident == *ident) {
            cx.error(ident, "an argument has this name already; give this one another");
        }
    }
    Some(args)
}

/// The descriptors, for the impl of `Table`; nothing where there are no arguments.
pub(super) fn descriptors(table: &TableInput<'_>) -> Option<TokenStream> {
    let TableInput { krate, args, .. } = table;
    let args =
        args.iter().filter(|argument| !borrows(&argument.ty)).map(|Argument { ident, ty }| {
            let name = case::snake(&crate::name_of(ident));
            let ty = type_ref(krate, ty);
            quote!(#krate::__private::ColumnDef { name: #name, ty: #ty })
        });
    let args: Vec<_> = args.collect();
    (!args.is_empty())
        .then(|| quote!(const ARGUMENTS: &'static [#krate::__private::ColumnDef] = &[#(#args),*];))
}

/// The function that asks for the view's rows; nothing where there are no arguments.
pub(super) fn query(table: &TableInput<'_>, stub: bool) -> Option<TokenStream> {
    let TableInput { ident, krate, rust_name, vis, args, .. } = table;
    if args.is_empty() {
        return None;
    }
    let params = args.iter().map(|Argument { ident, ty }| {
        // A stub uses nothing, and two of one name are reported already.
        if stub { quote!(_: #ty) } else { quote!(#ident: #ty) }
    });
    let arguments = args.iter().enumerate().map(|(at, Argument { ident, ty })| {
        // What is wrong with its type is reported under it.
        let value = quote_spanned!(blame(ty)=> ::core::convert::identity::<&#ty>(&#ident));
        match at {
            0 => quote!(#krate::__private::Arguments::first::<Self>(#value)),
            _ => quote!(.and::<Self>(#value)),
        }
    });
    let call = if stub {
        crate::unreachable()
    } else {
        quote!(#krate::__private::Query::call(#(#arguments)*))
    };
    let doc = format!(" The rows of [`{rust_name}`] for these arguments.");
    Some(quote! {
        // The struct that decides on the visibility was linted itself.
        #[allow(dead_code, unreachable_pub)]
        #[automatically_derived]
        impl #ident {
            #[doc = #doc]
            #vis fn with(
                #(#params),*
            ) -> #krate::__private::Query<Self, #krate::__private::Called> {
                #call
            }
        }
    })
}
