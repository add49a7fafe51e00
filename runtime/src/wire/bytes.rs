//! Reading fixed binary fields from a slice, each with a check of its length.

/// A cursor over bytes from outside; `None` means that they end too early.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// A number that has 7 bits in each byte, the least first.
    #[cfg(feature = "engines")]
    pub(super) fn number(&mut self) -> Option<u64> {
        let (mut number, mut shift) = (0_u64, 0);
        loop {
            let [byte] = self.array()?;
            number |= u64::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte < 0x80 {
                return Some(number);
            }
        }
    }

    /// A field that carries its own length.
    pub(super) fn sized(&mut self) -> Option<&'a [u8]> {
        let len = self.array().map(u64::from_le_bytes)?;
        self.take(usize::try_from(len).ok()?)
    }
}

/// Appends a field that carries its own length.
pub(super) fn put_sized(to: &mut Vec<u8>, field: &[u8]) {
    to.extend_from_slice(&(field.len() as u64).to_le_bytes());
    to.extend_from_slice(field);
}

/// Appends a number, 7 bits in each byte, the least first.
#[cfg(feature = "engines")]
pub(super) fn put_number(to: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}
