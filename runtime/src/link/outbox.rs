//! A frame on its way out.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::ops::Deref;
use std::sync::Arc;

use crate::sys::OwnedHandle;
use crate::wire::{ATTACHMENTS_AT_ONCE, Attachment, Blob, Header, Kind, Packed};

/// How many pieces one system call is given.
const PIECES: usize = 16;

/// What is still to be written of one frame. The pieces are written from where they are, not joined first.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pieces: VecDeque<Piece>,
    /// How much of the first piece is written.
    written: usize,
    /// What still has to go with the bytes to come.
    attachments: VecDeque<Attachment>,
}

/// Bytes to be written.
#[derive(Debug)]
pub(crate) enum Piece {
    Owned(Vec<u8>),
    Blob(Blob),
    /// Kept elsewhere as well, and not copied for one more frame.
    Shared(Arc<Vec<u8>>),
    SharedBlob(Arc<Blob>),
}

impl Deref for Piece {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Piece::Owned(bytes) => bytes,
            Piece::Blob(bytes) => bytes,
            Piece::Shared(bytes) => bytes,
            Piece::SharedBlob(bytes) => bytes,
        }
    }
}

impl From<Vec<u8>> for Piece {
    fn from(bytes: Vec<u8>) -> Self {
        Piece::Owned(bytes)
    }
}

impl Outbox {
    /// A frame with `head` before the packed items.
    pub(crate) fn new(kind: Kind, head: &[u8], packed: Packed) -> Self {
        Self::with_pieces(kind, head, Vec::new(), packed)
    }

    /// A frame with `head` and then some pieces before the packed items.
    pub(crate) fn with_pieces(kind: Kind, head: &[u8], then: Vec<Piece>, packed: Packed) -> Self {
        let Packed { items, blobs, attachments } = packed;
        let header = Header {
            kind,
            blobs: u16::try_from(blobs.len()).expect("the packer makes no more blobs than a frame can have"),
            attachments: u16::try_from(attachments.len()).expect("the packer takes no more than a frame can have"),
            len: (head.len() + then.iter().map(|piece| piece.len()).sum::<usize>() + items.len()) as u64,
        };
        let mut start = Vec::with_capacity(crate::wire::HEADER_LEN + head.len());
        start.extend_from_slice(&header.encode());
        start.extend_from_slice(head);
        let mut pieces = VecDeque::with_capacity(2 + then.len() + 2 * blobs.len());
        pieces.push_back(start.into());
        pieces.extend(then);
        pieces.push_back(items.into());
        for blob in blobs {
            pieces.push_back((blob.len() as u64).to_le_bytes().to_vec().into());
            pieces.push_back(Piece::Blob(blob));
        }
        pieces.retain(|piece| !piece.is_empty());
        Self { pieces, written: 0, attachments: attachments.into() }
    }

    /// A frame of these items, and of blobs and attachments that are kept elsewhere as well.
    pub(crate) fn of_shared(
        kind: Kind,
        items: Vec<Piece>,
        blobs: Vec<Arc<Blob>>,
        attachments: Vec<Attachment>,
    ) -> Self {
        let packed = Packed { attachments, ..Packed::default() };
        let mut outbox = Self::with_pieces(kind, &[], items, packed);
        let count = u16::try_from(blobs.len()).expect("the packer makes no more blobs than a frame can have");
        if let Some(Piece::Owned(header)) = outbox.pieces.front_mut() {
            header[6..8].copy_from_slice(&count.to_le_bytes());
        }
        for blob in blobs {
            outbox.pieces.push_back((blob.len() as u64).to_le_bytes().to_vec().into());
            outbox.pieces.push_back(Piece::SharedBlob(blob));
        }
        outbox.pieces.retain(|piece| !piece.is_empty());
        outbox
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// How much is left to write.
    pub(crate) fn len(&self) -> usize {
        self.pieces.iter().map(|piece| piece.len()).sum::<usize>() - self.written
    }

    /// Writes until all is written (`true`) or the connection takes no more for now (`false`). Handles go with the first
    /// byte of what they are given with, and are closed here as soon as that is written.
    pub(crate) fn pump(
        &mut self,
        mut write: impl FnMut(&[IoSlice<'_>], &[&OwnedHandle]) -> io::Result<usize>,
    ) -> io::Result<bool> {
        while !self.is_empty() {
            let mut slices = Vec::with_capacity(PIECES);
            slices.extend(self.pieces.iter().take(PIECES).map(|piece| IoSlice::new(piece)));
            slices[0] = IoSlice::new(&self.pieces[0][self.written..]);
            if self.attachments.len() > ATTACHMENTS_AT_ONCE {
                // The others need a byte of their own.
                slices.truncate(1);
                slices[0] = IoSlice::new(&self.pieces[0][self.written..=self.written]);
            }
            match write(&slices, &self.handles()?) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.advance(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Writes what the connection takes of the beginning, and keeps all of it: it may be in vain. How much was written is for
    /// [`skip`](Self::skip). An error is for whoever writes the rest.
    pub(crate) fn write_ahead(
        &self,
        write: impl FnOnce(&[IoSlice<'_>], &[&OwnedHandle]) -> io::Result<usize>,
    ) -> usize {
        if self.written > 0 || self.attachments.len() > ATTACHMENTS_AT_ONCE {
            return 0;
        }
        let slices: Vec<_> = self.pieces.iter().take(PIECES).map(|piece| IoSlice::new(piece)).collect();
        self.handles().and_then(|handles| write(&slices, &handles)).unwrap_or(0)
    }

    /// [Pumps](Self::pump) this frame and [writes ahead](Self::write_ahead) of the next one, in one go where that can be: who waits
    /// for both is woken once. Gives how much of the next one was written.
    pub(crate) fn pump_with(
        &mut self,
        next: &Outbox,
        mut write: impl FnMut(&[IoSlice<'_>], &[&OwnedHandle]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if next.written > 0 || !next.attachments.is_empty() || !self.attachments.is_empty() {
            return Ok(if self.pump(&mut write)? { next.write_ahead(write) } else { 0 });
        }
        let len = self.len();
        let mut slices: Vec<_> =
            self.pieces.iter().chain(&next.pieces).take(PIECES).map(|piece| IoSlice::new(piece)).collect();
        match slices.first_mut() {
            Some(first) => first.advance(self.written),
            None => return Ok(0),
        }
        let written = write(&slices, &[])?;
        drop(slices);
        self.advance(written.min(len));
        Ok(written - written.min(len))
    }

    /// What was written ahead was not in vain.
    pub(crate) fn skip(&mut self, count: usize) {
        if count > 0 {
            self.advance(count);
        }
    }

    /// The handles that go with the next byte.
    fn handles(&self) -> io::Result<Vec<&OwnedHandle>> {
        let next = self.attachments.iter().take(ATTACHMENTS_AT_ONCE);
        next.map(|attachment| attachment.get().ok_or_else(|| io::ErrorKind::InvalidInput.into())).collect()
    }

    /// Drops what is written, so that the memory of a long piece is free as soon as it can be.
    fn advance(&mut self, count: usize) {
        self.attachments.drain(..self.attachments.len().min(ATTACHMENTS_AT_ONCE));
        self.written += count;
        while let Some(first) = self.pieces.front().filter(|first| first.len() <= self.written) {
            self.written -= first.len();
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::{Inbox, Progress};
    use crate::wire::HEADER_LEN;

    fn packed() -> Packed {
        Packed {
            items: vec![1; 1000],
            blobs: [vec![2; 5000], vec![], vec![3_u8]].map(Blob::from).into(),
            ..Packed::default()
        }
    }

    #[test]
    fn what_was_written_in_vain_is_written_again() {
        let mut outbox = Outbox::new(Kind::Call, b"head", packed());
        let total = outbox.len();
        assert_eq!(outbox.write_ahead(|_, _| Err(io::ErrorKind::BrokenPipe.into())), 0);
        // In vain …
        assert_eq!(outbox.write_ahead(|slices, _| Ok(slices[0].len() + 1)), HEADER_LEN + 5);
        assert_eq!(outbox.len(), total);
        // … and not in vain.
        let mut bytes = Vec::new();
        let written = outbox.write_ahead(|slices, _| {
            bytes.extend_from_slice(&slices[0]);
            bytes.extend_from_slice(&slices[1][..3]);
            Ok(bytes.len())
        });
        outbox.skip(written);
        assert_eq!(outbox.write_ahead(|_, _| Ok(1)), 0, "only from the beginning");
        let all = |slices: &[IoSlice<'_>], _: &[&OwnedHandle]| {
            slices.iter().for_each(|slice| bytes.extend_from_slice(slice));
            Ok(slices.iter().map(|slice| slice.len()).sum())
        };
        assert!(outbox.pump(all).unwrap());
        assert_eq!(bytes.len(), total);
        let Ok(Progress::Complete(frame)) = Inbox::default().pump(&mut &bytes[..], usize::MAX) else { panic!() };
        assert_eq!(frame.items, [b"head", &[1; 1000][..]].concat());
    }

    #[test]
    fn two_frames_are_written_at_once_and_the_second_one_is_kept() {
        let next = Outbox::new(Kind::Call, b"head", packed());
        for taken in [0, 3, HEADER_LEN + 5, HEADER_LEN + 7, next.len()] {
            let mut first = Outbox::new(Kind::Surroundings, b"first", Packed::default());
            let len = first.len();
            let written = first.pump_with(&next, |slices, _| {
                assert_eq!(slices.iter().map(|slice| slice.len()).sum::<usize>(), len + next.len());
                Ok(taken)
            });
            assert_eq!((written.unwrap(), first.len()), (taken.saturating_sub(len), len.saturating_sub(taken)));
        }
    }

    #[test]
    fn a_frame_survives_writes_and_reads_of_every_size() {
        for step in [1, 2, 7, 64, 4096, 1 << 20] {
            let shared = vec![Piece::Owned(b"-own".to_vec()), Piece::Shared(Arc::new(vec![4; 300]))];
            let mut outbox = Outbox::with_pieces(Kind::Value, b"head", shared, packed());
            let mut bytes = Vec::new();
            let total = outbox.len();
            let mut blocked = false;
            while !outbox
                .pump(|slices, _| {
                    blocked = !blocked;
                    if blocked {
                        return Err(io::ErrorKind::WouldBlock.into());
                    }
                    let before = bytes.len();
                    let all = slices.iter().flat_map(|slice| slice.iter().copied());
                    bytes.extend(all.take(step));
                    Ok(bytes.len() - before)
                })
                .unwrap()
            {}
            assert_eq!(bytes.len(), total);
            assert_eq!(outbox.len(), 0);

            let mut inbox = Inbox::default();
            let mut chunks = bytes.chunks(step);
            let frame = loop {
                let mut chunk = chunks.next().expect("the frame is complete before the bytes end");
                if let Progress::Complete(frame) = inbox.pump(&mut chunk, usize::MAX).unwrap_or_else(|_| panic!()) {
                    break frame;
                }
                assert!(chunk.is_empty());
            };
            assert_eq!(frame.kind, Kind::Value);
            assert_eq!(&frame.items[..8], b"head-own");
            assert_eq!(frame.items[8..308], [4; 300]);
            assert_eq!(&frame.items[308..], &packed().items[..]);
            assert_eq!(frame.blobs, packed().arrived_blobs());
        }
    }
}
