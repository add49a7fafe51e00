//! What goes through a channel: packets of at most [`PACKET_MAX`] bytes, one for each message.
//!
//! ```text
//! offset 0   3 bytes  "spc"
//!        3   1 byte   version of this format
//!        4   1 byte   1: the message is here; 2: it is beside, in memory that the packet's first handle is
//!        5   1 byte   number of handles
//!        6   2 bytes  number of blobs, little-endian; 0 if the message is here
//!        8   8 bytes  length of the items, little-endian
//!       16            here: the items. Beside: zeros, which take up room in the queue for what is beside
//!
//! beside: the items, and then for each blob 8 bytes length, little-endian, and the bytes
//! ```

/// Changes whenever an older reader would misread a newer writer.
const VERSION: u8 = 1;
const MAGIC: [u8; 3] = *b"spc";

/// The length of an encoded [`MessageHead`].
pub(crate) const MESSAGE_HEAD_LEN: usize = 16;

/// The greatest length of a packet. A message that does not fit is beside.
pub(crate) const PACKET_MAX: usize = MESSAGE_HEAD_LEN + super::BLOB_MIN;

/// The first bytes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageHead {
    pub(crate) beside: bool,
    pub(crate) handles: u8,
    pub(crate) blobs: u16,
    pub(crate) len: u64,
}

impl MessageHead {
    pub(crate) fn encode(self) -> [u8; MESSAGE_HEAD_LEN] {
        let mut bytes = [0; MESSAGE_HEAD_LEN];
        bytes[..3].copy_from_slice(&MAGIC);
        bytes[3] = VERSION;
        bytes[4] = if self.beside { 2 } else { 1 };
        bytes[5] = self.handles;
        bytes[6..8].copy_from_slice(&self.blobs.to_le_bytes());
        bytes[8..].copy_from_slice(&self.len.to_le_bytes());
        bytes
    }

    /// The head, and what follows it: the items, if the message is here. `None` for what is no packet of ours.
    pub(crate) fn decode(packet: &[u8]) -> Option<(Self, &[u8])> {
        let (head, rest) = packet.split_first_chunk::<MESSAGE_HEAD_LEN>()?;
        let [m0, m1, m2, VERSION, form @ (1 | 2), handles, b0, b1, len @ ..] = *head else { return None };
        let (beside, blobs, len) = (form == 2, u16::from_le_bytes([b0, b1]), u64::from_le_bytes(len));
        let is_consistent = if beside { handles > 0 } else { blobs == 0 && len == rest.len() as u64 };
        ([m0, m1, m2] == MAGIC && is_consistent).then_some((Self { beside, handles, blobs, len }, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_survive_and_damaged_ones_are_none() {
        for (head, rest) in [
            (MessageHead { beside: false, handles: 3, blobs: 0, len: 5 }, &b"items"[..]),
            (MessageHead { beside: true, handles: 1, blobs: 700, len: u64::MAX }, &[0; 9]),
        ] {
            let packet = [&head.encode(), rest].concat();
            assert_eq!(MessageHead::decode(&packet), Some((head, rest)));
            for byte in 0..5 {
                let mut damaged = packet.clone();
                damaged[byte] ^= 0x40;
                assert_eq!(MessageHead::decode(&damaged), None, "byte {byte}");
            }
            assert!((0..MESSAGE_HEAD_LEN).all(|len| MessageHead::decode(&packet[..len]).is_none()));
        }
        let short = MessageHead { beside: false, handles: 0, blobs: 0, len: 6 }.encode();
        assert_eq!(MessageHead::decode(&[&short, &b"items"[..]].concat()), None);
        let nothing_beside = MessageHead { beside: true, handles: 0, blobs: 0, len: 6 }.encode();
        assert_eq!(MessageHead::decode(&nothing_beside), None);
    }
}
