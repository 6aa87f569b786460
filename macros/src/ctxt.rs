//! Collecting errors, so that the user sees every mistake in one compilation.

use std::cell::RefCell;
use std::fmt::Display;

use proc_macro2::Span;
use quote::ToTokens;

/// The errors found so far in one macro input.
#[derive(Default)]
pub(crate) struct Ctxt {
    errors: RefCell<Vec<syn::Error>>,
}

impl Ctxt {
    /// Records an error that underlines `at`: the narrowest tokens that the user has to change.
    pub(crate) fn error(&self, at: impl ToTokens, message: impl Display) {
        self.errors.borrow_mut().push(syn::Error::new_spanned(at, message));
    }

    /// Records an error at a span.
    pub(crate) fn error_at(&self, at: Span, message: impl Display) {
        self.errors.borrow_mut().push(syn::Error::new(at, message));
    }

    /// Number of errors, to see whether something else added one.
    pub(crate) fn len(&self) -> usize {
        self.errors.borrow().len()
    }

    /// Ends collecting. Consuming `self` leaves no way to go on without looking.
    pub(crate) fn finish(self) -> syn::Result<()> {
        let errors = self.errors.into_inner().into_iter();
        let all = errors.reduce(|mut all, next| {
            all.combine(next);
            all
        });
        all.map_or(Ok(()), Err)
    }
}

/// Runs `read` for what it finds, where its errors are another macro's to report.
pub(crate) fn quietly<T>(read: impl FnOnce(&Ctxt) -> T) -> T {
    read(&Ctxt::default())
}
