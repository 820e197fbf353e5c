//! Which target a key belongs to: weighted rendezvous hashing.
//!
//! Every target draws a number from the key and its own name; the greatest wins. So a target that leaves gives
//! away its own keys and no others, shares are exactly by weight, and there is no table to keep. It takes time
//! in proportion to the targets. Source: Thaler and Ravishankar, "Using name-based mappings to increase hit rates",
//! 1998; the logarithm for weights: Schindelhauer and Schomaker, "Weighted distributed hash tables", 2005.

/// A number for a text; the same on every node and in every version.
pub(crate) fn of(bytes: &[u8]) -> u64 {
    // FNV-1a, then mixed: http://www.isthe.com/chongo/tech/comp/fnv/
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    mix(hash)
}

/// What a target draws for a key; the greater, the nearer. All weights being equal, only their order counts.
pub(crate) fn draw(key: u64, target: u64, weight: u64) -> f64 {
    // Of the 64 bits as many as a float holds exactly; never 0 or 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are kept")]
    let uniform = ((mix(key ^ target) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    #[expect(clippy::cast_precision_loss, reason = "weights are small")]
    let weight = weight as f64;
    -weight / uniform.ln()
}

/// The finalizer of SplitMix64.
const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
