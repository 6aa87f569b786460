//! The cache's limits, each with its reason.

/// Settings of a cache.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CacheConfig {
    /// Maximal number of dead rows that views hold before applying waits for them.
    ///
    /// Rows that a held [`View`](super::View) sees, and those of [`Transaction`](super::Transaction)s not delivered
    /// yet, stay in memory. A message is begun only while there are fewer such rows than this; one message alone may
    /// go beyond it. Receiving never waits. 1,000,000 unless set.
    pub max_dead_rows: usize,
    /// Maximal number of bytes that such rows take, as [`max_dead_rows`](Self::max_dead_rows) bounds their number. A row counts as
    /// its slot, and the size of its encoding where its type has strings or lists. 256 MiB unless set.
    pub max_dead_bytes: usize,
    /// Bytes that tables may take whose rows came and that the program does not mention, rows not counted: 2 KiB each, and
    /// their names. 16 MiB unless set.
    ///
    /// If there would be more, those without rows are forgotten; then the message is out of sync.
    pub max_table_bytes: usize,
    /// The version that an empty cache has. Tests start just before the place where numbers wrap.
    #[doc(hidden)]
    pub first_version: u64,
    /// Runs all mutations again at every change, which comes to the same. For tests.
    #[doc(hidden)]
    pub reruns_all_mutations: bool,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            max_dead_rows: 1_000_000,
            max_dead_bytes: 256 << 20,
            max_table_bytes: 16 << 20,
            first_version: 0,
            reruns_all_mutations: false,
        }
    }
}
