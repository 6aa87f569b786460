//! `#[reducer]` and `#[procedure]`.

mod attrs;
mod expand;
mod model;
mod signature;
mod structure;

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, DeriveInput, Token, Visibility};

use self::attrs::CallAttrs;
pub(crate) use self::model::Call;
#[cfg(feature = "schema")]
pub(crate) use self::model::Param;
use self::signature::SignatureItem;
use crate::ctxt::Ctxt;
use crate::schema;

/// Kind of function that is called.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Reducer,
    Procedure,
}

impl Function {
    fn word(self) -> &'static str {
        match self {
            Self::Reducer => "reducer",
            Self::Procedure => "procedure",
        }
    }
}

/// Item that the attribute is on.
enum Item {
    Structure(Box<DeriveInput>),
    Signature(Box<SignatureItem>),
}

impl Parse for Item {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let ahead = input.fork();
        ahead.call(Attribute::parse_outer)?;
        ahead.parse::<Visibility>()?;
        let union = ahead.fork().parse::<syn::Ident>().is_ok_and(|word| word == "union");
        if ahead.peek(Token![struct]) || ahead.peek(Token![enum]) || union {
            input.parse().map(|item| Self::Structure(Box::new(item)))
        } else {
            input.parse().map(|item| Self::Signature(Box::new(item)))
        }
    }
}

/// Expands the attribute, or reports every mistake in the input at once.
pub(crate) fn expand(function: Function, args: TokenStream, item: TokenStream) -> TokenStream {
    let cx = Ctxt::default();
    let attrs = CallAttrs::parse(&cx, function, args);
    let call = match syn::parse2(item) {
        Ok(Item::Structure(input)) => structure::read(&cx, function, attrs, *input),
        Ok(Item::Signature(item)) => signature::read(&cx, function, attrs, *item),
        Err(error) => {
            let word = function.word();
            cx.error_at(
                error.span(),
                format!(
                    "`#[{word}]` stands on a struct of arguments or on a signature: \
                     `fn name(argument: Type);`"
                ),
            );
            None
        }
    };
    let errors = cx.finish().err().map(syn::Error::into_compile_error);
    let expansion = call.map(|call| {
        let implementation = expand::implement(&call, errors.is_some());
        let compared = call.schema.as_ref().filter(|_| errors.is_none()).map(|saved| {
            let cx = Ctxt::default();
            let checks = schema::check_call(&cx, saved, &call);
            let errors = cx.finish().err().map(syn::Error::into_compile_error);
            quote!(#errors #checks)
        });
        quote!(#implementation #compared)
    });
    quote!(#errors #expansion)
}
