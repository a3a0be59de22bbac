//! Chance that can be repeated: SplitMix64.

/// A source of pseudo-random numbers.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    /// The same seed rolls the same numbers.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A seed from the system, for runs that need not be repeated.
    pub(super) fn any_seed() -> u64 {
        let mut bytes = [0_u8; 8];
        // Without the system's chance any number is as good: nothing secret hangs on it.
        let _ = getrandom::fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// The next number.
    pub(super) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Below `end`; 0 for an empty range.
    pub(super) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX);
        if end == 0 { 0 } else { usize::try_from(self.roll() % end).unwrap_or(0) }
    }

    /// Between the two, both included.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        if high <= low { low } else { low + self.roll() % (high - low + 1) }
    }

    /// True in `share` of the rolls.
    pub(super) fn happens(&mut self, share: f64) -> bool {
        const STEPS: u32 = 1 << 20;
        let roll = u32::try_from(self.roll() % u64::from(STEPS)).unwrap_or(0);
        f64::from(roll) < share * f64::from(STEPS)
    }

    /// One of them.
    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }

    /// 32 hexadecimal digits.
    pub(super) fn hex32(&mut self) -> String {
        format!("{:016x}{:016x}", self.roll(), self.roll())
    }
}

/// One round of the mixer, for numbers that belong to an index.
pub(super) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
