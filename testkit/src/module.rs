//! The functions of the tested program's module, given as closures.

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use lightlike_core::bsatn;
use lightlike_core::schema::{FunctionDef, Procedure, Reducer, Table};
use lightlike_core::types::Identity;

use crate::database::{Tx, decode, encode};
use crate::procedure::ProcedureCtx;

type ReducerFn = Box<dyn Fn(&mut Tx, &[u8]) -> Result<Bytes, CallError> + Send + Sync>;
type ProcedureFn = Box<dyn Fn(&mut ProcedureCtx, &[u8]) -> Result<Bytes, CallError> + Send + Sync>;
type ConnectFn = Box<dyn Fn(&mut Tx) -> Result<(), String> + Send + Sync>;
type DisconnectFn = Box<dyn Fn(&mut Tx) + Send + Sync>;
type ViewFn = Box<dyn Fn(&Tx) -> Vec<Bytes> + Send + Sync>;
type RowFilterFn = Box<dyn Fn(Identity, &[u8]) -> bool + Send + Sync>;

/// Reason for which a function did not return a value. (A panic is a third way.)
#[derive(Debug)]
pub(crate) enum CallError {
    /// It was not run: the arguments are not of its types.
    Arguments(bsatn::DecodeError),
    /// It returned this error, encoded.
    Rejected(Bytes),
}

/// Functions and tables that the server runs.
#[derive(Default)]
pub(crate) struct Module {
    pub(crate) reducers: HashMap<&'static str, ReducerFn>,
    pub(crate) procedures: HashMap<&'static str, ProcedureFn>,
    /// Their descriptors for the schema, in the order in which they were given.
    pub(crate) reducer_defs: Vec<FunctionDef>,
    pub(crate) procedure_defs: Vec<FunctionDef>,
    /// By the view's position in the database.
    pub(crate) views: HashMap<usize, ViewFn>,
    /// By the table's position in the database.
    pub(crate) row_filters: HashMap<usize, RowFilterFn>,
    pub(crate) on_connect: Option<ConnectFn>,
    pub(crate) on_disconnect: Option<DisconnectFn>,
}

impl Module {
    pub(crate) fn add_reducer<R: Reducer>(
        &mut self,
        run: impl Fn(&mut Tx, R) -> Result<R::Ok, R::Error> + Send + Sync + 'static,
    ) {
        let name = R::DEF.name;
        let run = move |tx: &mut Tx, args: &[u8]| {
            let args = bsatn::from_slice(args).map_err(CallError::Arguments)?;
            run(tx, args).map(|ok| encode(&ok)).map_err(|error| CallError::Rejected(encode(&error)))
        };
        let replaced = self.reducers.insert(name, Box::new(run));
        assert!(replaced.is_none(), "the server has a reducer `{name}` already");
        self.reducer_defs.push(R::DEF);
    }

    pub(crate) fn add_procedure<P: Procedure>(
        &mut self,
        run: impl Fn(&mut ProcedureCtx, P) -> P::Output + Send + Sync + 'static,
    ) {
        let name = P::DEF.name;
        let run = move |ctx: &mut ProcedureCtx, args: &[u8]| {
            let args = bsatn::from_slice(args).map_err(CallError::Arguments)?;
            Ok(encode(&run(ctx, args)))
        };
        let replaced = self.procedures.insert(name, Box::new(run));
        assert!(replaced.is_none(), "the server has a procedure `{name}` already");
        self.procedure_defs.push(P::DEF);
    }

    pub(crate) fn add_view<V: Table>(
        &mut self,
        position: usize,
        rows: impl Fn(&Tx) -> Vec<V::Row> + Send + Sync + 'static,
    ) {
        let encoded = move |tx: &Tx| {
            let mut encoded: Vec<Bytes> = Vec::new();
            let mut seen = std::collections::HashSet::new();
            // A view's rows are kept in a table, so they are a set too.
            encoded.extend(rows(tx).iter().map(encode).filter(|row| seen.insert(row.clone())));
            encoded
        };
        self.views.insert(position, Box::new(encoded));
    }

    pub(crate) fn add_row_filter<T: Table>(
        &mut self,
        position: usize,
        visible: impl Fn(Identity, &T::Row) -> bool + Send + Sync + 'static,
    ) {
        let filter = move |sender: Identity, row: &[u8]| visible(sender, &decode(row));
        let replaced = self.row_filters.insert(position, Box::new(filter));
        assert!(replaced.is_none(), "the table `{}` has a row filter already", T::DEF.name);
    }

    /// Returns `true` if `sender` may see a row of the table at `position`.
    pub(crate) fn shows(&self, position: usize, sender: Identity, row: &[u8]) -> bool {
        let Some(visible) = self.row_filters.get(&position) else { return true };
        // Rows are shown after their transaction has committed, where a panic can fail nothing any more.
        catch_unwind(AssertUnwindSafe(|| visible(sender, row))).unwrap_or(false)
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module")
            .field("reducers", &self.reducers.keys())
            .field("procedures", &self.procedures.keys())
            .field("views", &self.views.len())
            .field("row_filters", &self.row_filters.len())
            .finish_non_exhaustive()
    }
}
