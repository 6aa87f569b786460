//! The file: where it is, read once a compilation.

use std::cell::RefCell;
use std::collections::HashMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::SystemTime;

use lightlike_core::schema::ServerSchema;
use proc_macro2::TokenStream;
use quote::quote;

use super::SavedSchema;
use crate::ctxt::Ctxt;

/// A schema that was read.
pub(super) struct File {
    pub(super) schema: Rc<ServerSchema>,
    /// Makes the compiler build again when the file changes.
    pub(super) tracked: TokenStream,
}

thread_local! {
    /// Schemas that were read, and when they had last been written: an editor keeps one process for long.
    static READ: RefCell<HashMap<PathBuf, (SystemTime, Rc<ServerSchema>)>> = RefCell::default();
}

/// Reads the schema, or reports why not.
pub(super) fn read(cx: &Ctxt, saved: &SavedSchema) -> Option<File> {
    let path = find(saved);
    match schema_at(&path) {
        Ok(schema) => {
            let path = path.to_string_lossy();
            let tracked = quote! {
                const _: &[::core::primitive::u8] = ::core::include_bytes!(#path);
            };
            Some(File { schema, tracked })
        }
        Err(why) => {
            cx.error_at(saved.at, format!("cannot read the schema `{}`: {why}", saved.path));
            None
        }
    }
}

/// Below the package, or else beside the source file.
fn find(saved: &SavedSchema) -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    let path = package.join(&saved.path);
    if path.exists() {
        return path;
    }
    // Outside of a compiler, as in tests of this crate, no source file is known.
    let source = proc_macro::is_available().then(|| saved.at.unwrap().local_file()).flatten();
    let source = source.and_then(|source| source.canonicalize().ok());
    let beside = source.as_deref().and_then(Path::parent).map(|folder| folder.join(&saved.path));
    beside.filter(|beside| beside.exists()).unwrap_or(path)
}

fn schema_at(path: &Path) -> Result<Rc<ServerSchema>, String> {
    let written = fs::metadata(path).and_then(|file| file.modified());
    let written = written.map_err(|error| error.to_string())?;
    let known = READ.with_borrow(|read| read.get(path).cloned());
    if let Some((at, schema)) = known
        && at == written
    {
        return Ok(schema);
    }
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let schema = Rc::new(ServerSchema::parse(&text).map_err(|error| error.to_string())?);
    READ.with_borrow_mut(|read| read.insert(path.to_owned(), (written, Rc::clone(&schema))));
    Ok(schema)
}
