//! The envelope of everything that goes through a connection.
//!
//! ```text
//! offset 0   3 bytes  "spw"
//!        3   1 byte   version of this format
//!        4   1 byte   kind
//!        5   1 byte   zero
//!        6   2 bytes  number of blobs, little-endian
//!        8   6 bytes  length of the items, little-endian
//!       14   2 bytes  number of attachments, little-endian
//!       16            the items
//! then for each blob: 8 bytes length, little-endian, and the bytes
//! ```
//! Attachments travel beside the bytes: up to 253 with each of the header's bytes, as many as possible with each, and all
//! before any byte that has none.
//!
//! The header is fixed binary and not CBOR: it is read in one step, and a foreign byte stream is recognized by its
//! first bytes and not by a length that it happens to spell.

use std::fmt;

use super::MAX_ATTACHMENTS;

/// Changes whenever an older reader would misread a newer writer.
const VERSION: u8 = 1;
const MAGIC: [u8; 3] = *b"spw";

/// The length of an encoded [`Header`].
pub(crate) const HEADER_LEN: usize = 16;

/// The length of the length before each blob.
pub(crate) const BLOB_HEADER_LEN: usize = 8;

/// The greatest length of the items of a frame, and of each blob: 1 TiB, or what the address space allows.
/// Memory is only ever allocated for what has arrived, so this guards against nonsense, not against size.
pub(crate) const MAX_FRAME: u64 = if usize::BITS > 40 { 1 << 40 } else { 1 << 30 };

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Parent to child: run this entry.
    Call,
    /// Child to parent: what the entry returned.
    Value,
    /// Child to parent: why there is no value, as an encoded `Error`.
    Failure,
    /// Child to parent: what is about to be lost, as an encoded `Error`, should nothing else follow.
    LastWords,
    /// Parent to child: be a worker, and begin with this initializer.
    Worker,
    /// Parent to worker: run these entries, one after another.
    Tasks,
    /// Worker to parent: what one of them has returned, or why there is no value.
    Answer,
    /// Worker to parent: look into the memory that we share.
    Bell,
    /// Between a pool and the agent on a node: see `node`.
    Node(NodeKind),
    /// Worker to parent: something that a task has told of itself.
    Event,
    /// Parent to child: be ready; the call comes later. The items are what the process is called meanwhile.
    Spare,
    /// Parent to child: be a zygote.
    Zygote,
    /// Parent to a zygote's child: this is what an executed child would have found.
    Surroundings,
}

/// What a frame between a pool and the agent on a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodeKind {
    Orders,
    Hello,
    Jobs,
    Answers,
    Long,
    Lost,
    Stop,
    Forget,
    Yield,
    Yielded,
    Leave,
    Beat,
    Event,
    Parcel,
}

/// By the number that stands for each, from [`FIRST_NODE_KIND`] on.
const NODE_KINDS: [NodeKind; 14] = [
    NodeKind::Orders,
    NodeKind::Hello,
    NodeKind::Jobs,
    NodeKind::Answers,
    NodeKind::Long,
    NodeKind::Lost,
    NodeKind::Stop,
    NodeKind::Forget,
    NodeKind::Yield,
    NodeKind::Yielded,
    NodeKind::Leave,
    NodeKind::Beat,
    NodeKind::Event,
    NodeKind::Parcel,
];
const FIRST_NODE_KIND: u8 = 64;

/// The first 16 bytes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) blobs: u16,
    pub(crate) attachments: u16,
    pub(crate) len: u64,
}

/// Bytes that are no frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FrameError {
    /// The first bytes are not ours.
    NotAFrame([u8; 4]),
    /// A frame of another version of this crate.
    Version(u8),
    /// A kind that this version does not know.
    Kind(u8),
    /// A length beyond [`MAX_FRAME`].
    TooLong(u64),
    /// Another number of attachments than it says.
    Attachments { announced: usize, arrived: usize },
}

impl Header {
    pub(crate) fn encode(self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[..3].copy_from_slice(&MAGIC);
        bytes[3] = VERSION;
        bytes[4] = match self.kind {
            Kind::Call => 1,
            Kind::Value => 2,
            Kind::Failure => 3,
            Kind::LastWords => 4,
            Kind::Worker => 5,
            Kind::Tasks => 6,
            Kind::Answer => 7,
            Kind::Bell => 8,
            Kind::Node(kind) => FIRST_NODE_KIND + kind as u8,
            Kind::Event => 9,
            Kind::Spare => 10,
            Kind::Zygote => 11,
            Kind::Surroundings => 12,
        };
        bytes[6..8].copy_from_slice(&self.blobs.to_le_bytes());
        // A length that no frame may have is one that is too long, cut off or not.
        bytes[8..14].copy_from_slice(&self.len.min((1 << 48) - 1).to_le_bytes()[..6]);
        bytes[14..].copy_from_slice(&self.attachments.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8; HEADER_LEN]) -> Result<Self, FrameError> {
        let [m0, m1, m2, version, kind, zero, b0, b1, l0, l1, l2, l3, l4, l5, a0, a1] = *bytes;
        if [m0, m1, m2] != MAGIC {
            return Err(FrameError::NotAFrame([m0, m1, m2, version]));
        }
        if version != VERSION {
            return Err(FrameError::Version(version));
        }
        let kind = match (kind, zero) {
            (1, 0) => Kind::Call,
            (2, 0) => Kind::Value,
            (3, 0) => Kind::Failure,
            (4, 0) => Kind::LastWords,
            (5, 0) => Kind::Worker,
            (6, 0) => Kind::Tasks,
            (7, 0) => Kind::Answer,
            (8, 0) => Kind::Bell,
            (FIRST_NODE_KIND.., 0) => {
                let number = usize::from(kind - FIRST_NODE_KIND);
                Kind::Node(*NODE_KINDS.get(number).ok_or(FrameError::Kind(kind))?)
            }
            (9, 0) => Kind::Event,
            (10, 0) => Kind::Spare,
            (11, 0) => Kind::Zygote,
            (12, 0) => Kind::Surroundings,
            _ => return Err(FrameError::Kind(kind)),
        };
        let len = Self::check_len(u64::from_le_bytes([l0, l1, l2, l3, l4, l5, 0, 0]))?;
        let attachments = u16::from_le_bytes([a0, a1]);
        if usize::from(attachments) > MAX_ATTACHMENTS {
            return Err(FrameError::Attachments { announced: attachments.into(), arrived: 0 });
        }
        Ok(Self { kind, blobs: u16::from_le_bytes([b0, b1]), attachments, len })
    }

    /// A length that a frame may have.
    pub(crate) fn check_len(len: u64) -> Result<u64, FrameError> {
        if len > MAX_FRAME { Err(FrameError::TooLong(len)) } else { Ok(len) }
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::NotAFrame(bytes) => write!(f, "it begins with {bytes:02x?}, which is no frame of spawnsafe"),
            FrameError::Version(version) => {
                write!(f, "the frame has format version {version}, and this program knows version {VERSION} only")
            }
            FrameError::Kind(kind) => write!(f, "the frame is of the unknown kind {kind}"),
            FrameError::TooLong(len) => write!(f, "the frame claims to be {len} bytes long, the limit is {MAX_FRAME}"),
            FrameError::Attachments { announced, arrived } => {
                write!(f, "the frame claims to have {announced} open handles with it, and has {arrived}")
            }
        }
    }
}

/// What the environment tells a child besides the way to its parent: to take over at the start of `main` …
pub(crate) const TOKEN_MAIN: &str = "main";

/// … or before `main`, which belongs to a test harness.
pub(crate) const TOKEN_BEFORE_MAIN: &str = "before-main";

/// To a child that was started before it is needed: a call is about to come …
pub(crate) const ALERT: u8 = b'A';

/// … and from it: it is awake.
pub(crate) const READY: u8 = b'R';

/// The exit status of a child that has an answer and no connection to send it through.
pub(crate) const EXIT_UNREPORTED: i32 = 183;
