//! What the server gives and takes, for a module without the bindings.

use spacetimedb_bindings_sys as sys;
use spacetimedb_lib::bsatn;
use spacetimedb_lib::de::DeserializeOwned;
use spacetimedb_lib::ser::Serialize;
use sys::raw::{BytesSink, BytesSource};

/// Status of a call that wrote an error: `HOST_CALL_FAILURE`.
pub(crate) const FAILED: i16 = 1;

/// Decodes the arguments of a call. Without any, there is no source.
pub(crate) fn args<T: DeserializeOwned>(source: BytesSource) -> T {
    let mut bytes = Vec::with_capacity(1 << 10);
    while source != BytesSource::INVALID {
        bytes.reserve(1 << 10);
        let mut len = bytes.capacity() - bytes.len();
        let spare = bytes.spare_capacity_mut().as_mut_ptr().cast();
        // SAFETY: `spare` has room for `len` bytes, and the server says how many it wrote there.
        let status = unsafe { sys::raw::bytes_source_read(source, spare, &mut len) };
        assert!(status <= 0, "the server knows its source");
        // SAFETY: the server wrote so many bytes.
        unsafe { bytes.set_len(bytes.len() + len) };
        if status < 0 {
            break;
        }
    }
    bsatn::from_slice(&bytes).expect("the server checks arguments")
}

/// Writes all of `bytes`.
pub(crate) fn write(sink: BytesSink, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let mut len = bytes.len();
        // SAFETY: `bytes` has so many bytes, and the server says how many it took.
        let status = unsafe { sys::raw::bytes_sink_write(sink, bytes.as_ptr(), &mut len) };
        assert_eq!(status, 0, "the server knows its sink");
        bytes = &bytes[len..];
    }
}

/// Inserts a row into a table, by its name on the wire.
pub(crate) fn insert(table: &str, row: &impl Serialize) {
    let table = sys::table_id_from_name(table).expect("the server made the table");
    let mut row = bsatn::to_vec(row).expect("rows can be encoded");
    sys::datastore_insert_bsatn(table, &mut row)
        .expect("nothing is unique but numbers of the server's");
}
