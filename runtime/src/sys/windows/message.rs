//! The form in which a packet goes through a pipe.
//!
//! ```text
//! offset 0   4 bytes  "spq" and the version of this format
//!        4   4 bytes  length of the packet, little-endian as all that follows
//!        8   8 bytes  which of what was stored goes with it; 0 if nothing does
//!        16  4 bytes  the process that offers handles
//!        20  4 bytes  how many numbers it tells for that (`offers`); 0 if it offers none
//!        24  8 bytes  when that process began
//!        32           the packet; the numbers, 4 bytes each; and zeros up to 256 bytes: what the system does not count,
//!                     but uses
//! ```

use super::offers::Owner;

/// How many handles one packet can have.
pub(crate) const PACKET_HANDLES: usize = 253;

/// How many numbers go with those: an event, and where there are sockets a pipe.
const NUMBERS: usize = PACKET_HANDLES + 2;

/// What is counted for a short packet.
const LEAST: usize = 256;

const MARK: [u8; 4] = *b"spq\x01";
const HEAD: usize = 32;

/// How long the message of a packet of this length can be.
pub(super) fn greatest_len(packet: usize) -> usize {
    (HEAD + packet + 4 * NUMBERS).max(LEAST)
}

/// What goes through the first pipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) packet: &'a [u8],
    /// Which of what was stored goes with it, or 0.
    pub(super) stored: u64,
    pub(super) owner: Owner,
    /// What the owner offers; none if it offers nothing.
    pub(super) numbers: Vec<u32>,
}

impl<'a> Message<'a> {
    /// One that nothing goes with.
    pub(super) fn new(packet: &'a [u8]) -> Self {
        Self { packet, stored: 0, owner: Owner { id: 0, began: 0 }, numbers: Vec::new() }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let Self { packet, stored, owner, numbers } = self;
        let mut message = Vec::with_capacity((HEAD + packet.len() + 4 * numbers.len()).max(LEAST));
        message.extend_from_slice(&MARK);
        message.extend_from_slice(&(packet.len() as u32).to_le_bytes());
        message.extend_from_slice(&stored.to_le_bytes());
        message.extend_from_slice(&owner.id.to_le_bytes());
        message.extend_from_slice(&(numbers.len() as u32).to_le_bytes());
        message.extend_from_slice(&owner.began.to_le_bytes());
        message.extend_from_slice(packet);
        message.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        message.resize(message.len().max(LEAST), 0);
        message
    }

    /// `None` for what is no message of ours.
    pub(super) fn decode(message: &'a [u8]) -> Option<Self> {
        let (head, rest) = message.split_first_chunk::<HEAD>()?;
        let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let long = |at: usize| u64::from(number(at + 4)) << 32 | u64::from(number(at));
        let (len, count) = (number(4) as usize, number(20) as usize);
        let (packet, rest) = rest.split_at_checked(len)?;
        let numbers = rest.get(..4 * Some(count).filter(|&count| count <= NUMBERS)?)?;
        let numbers = numbers.chunks_exact(4).map(|n| u32::from_le_bytes([n[0], n[1], n[2], n[3]])).collect();
        let is_ours = head[..4] == MARK && message.len() == (HEAD + len + 4 * count).max(LEAST);
        let owner = Owner { id: number(16), began: long(24) };
        is_ours.then_some(Self { packet, stored: long(8), owner, numbers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_and_damaged_ones_are_none() {
        let owner = Owner { id: 7, began: u64::MAX - 1 };
        for (packet, numbers) in [(&b"x"[..], vec![]), (&[7; 1000], vec![4, 8, u32::MAX]), (&[1; 60], vec![4; 255])] {
            let message = Message { packet, stored: 1 << 40, owner, numbers };
            let encoded = message.encode();
            assert!(encoded.len() >= LEAST && encoded.len() <= greatest_len(packet.len()));
            assert_eq!(Message::decode(&encoded), Some(message));
            for byte in [0, 1, 2, 3, 5, 6, 7, 21, 22, 23] {
                let mut damaged = encoded.clone();
                damaged[byte] ^= 0x40;
                assert_eq!(Message::decode(&damaged), None, "byte {byte}");
            }
            assert!((0..encoded.len()).all(|len| Message::decode(&encoded[..len]).is_none()));
        }
        assert_eq!(Message::decode(&Message { numbers: vec![4; 256], ..Message::new(b"x") }.encode()), None);
    }
}
