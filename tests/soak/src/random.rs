//! Reproducible choices.

/// SplitMix64: the same choices for the same seed and client.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64, client: usize) -> Self {
        Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ (client as u64) << 32)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}
