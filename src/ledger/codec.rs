//! Little-endian numbers in a row's bytes.

/// A row that this larkdeck does not understand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadRow {
    #[error("a rate bucket was written by another version of larkdeck: let all processes run the same")]
    Version,
    #[error(
        "a rate bucket is damaged: end all larkdeck processes, then delete ledger.db (on PostgreSQL the rows of permit_bucket)"
    )]
    Content,
}

pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub(super) fn byte(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn i64(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// What is out of range is written as the nearest number.
    pub(super) fn u32(&mut self, value: i64) {
        let value = u32::try_from(value.max(0)).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// A length; what is out of range is written as the largest number.
    pub(super) fn u16(&mut self, value: usize) {
        self.0.extend_from_slice(&u16::try_from(value).unwrap_or(u16::MAX).to_le_bytes());
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], BadRow> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(BadRow::Content)?;
        self.0 = rest;
        Ok(*head)
    }

    pub(super) fn byte(&mut self) -> Result<u8, BadRow> {
        self.take::<1>().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, BadRow> {
        self.take().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, BadRow> {
        self.take().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, BadRow> {
        self.take().map(u64::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, BadRow> {
        self.take().map(i64::from_le_bytes)
    }
}
