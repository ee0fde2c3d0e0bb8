//! What of an HTTP/2 connection's bytes carries nothing of a request: frames that only manage the
//! connection (RFC 9113, 6), and empty ones. They cost work and are nobody's request, so that no
//! other limit knows of them. Frames are told apart here, and not understood.

/// Where in a frame the bytes have come to.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    header: [u8; HEADER],
    have: usize,
    /// Bytes to come of the frame's payload.
    left: usize,
}

/// The length of a frame's header (RFC 9113, 4.1).
const HEADER: usize = 9;

/// Frames that carry what a request consists of.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;

impl Frames {
    /// Takes the next `bytes`, and counts those of frames that begin in them and carry nothing.
    pub(crate) fn overhead(&mut self, mut bytes: &[u8]) -> usize {
        let mut overhead = 0;
        while !bytes.is_empty() {
            let skipped = self.left.min(bytes.len());
            self.left -= skipped;
            let rest = bytes.split_at(skipped).1;
            let Some(room) = self.header.get_mut(self.have..).filter(|_| self.left == 0) else {
                break;
            };
            let (head, rest) = rest.split_at(room.len().min(rest.len()));
            room.split_at_mut(head.len()).0.copy_from_slice(head);
            self.have += head.len();
            bytes = rest;
            if self.have == HEADER {
                overhead += self.begin();
            }
        }
        overhead
    }

    /// A frame's header is whole.
    fn begin(&mut self) -> usize {
        let [high, middle, low, kind, ..] = self.header;
        self.left = u32::from_be_bytes([0, high, middle, low]) as usize;
        self.have = 0;
        match kind {
            DATA | HEADERS | CONTINUATION if self.left > 0 => 0,
            _ => HEADER + self.left,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, length: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, length, kind, 0, 0, 0, 0, 1];
        frame.resize(HEADER + usize::from(length), 7);
        frame
    }

    #[test]
    fn frames_of_requests_are_no_overhead() {
        let overhead = |kind, length| Frames::default().overhead(&frame(kind, length));
        assert_eq!([DATA, HEADERS, CONTINUATION].map(|kind| overhead(kind, 4)), [0; 3]);
        assert_eq!([DATA, HEADERS, CONTINUATION].map(|kind| overhead(kind, 0)), [9; 3]);
        // PRIORITY, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE, and one that nobody knows.
        assert_eq!([2, 3, 4, 6, 8, 77].map(|kind| overhead(kind, 4)), [13; 6]);
    }

    proptest! {
        /// However the bytes are cut, the same is counted.
        #[test]
        fn reads_may_end_anywhere(
            kinds in prop::collection::vec((0u8..12, 0u8..30), 0..20),
            cuts in prop::collection::vec(1usize..40, 1..50),
        ) {
            let bytes: Vec<u8> = kinds.iter().flat_map(|(kind, len)| frame(*kind, *len)).collect();
            let (mut frames, mut rest, mut sum) = (Frames::default(), &bytes[..], 0);
            for cut in cuts.iter().cycle() {
                let (piece, more) = rest.split_at((*cut).min(rest.len()));
                sum += frames.overhead(piece);
                rest = more;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(sum, Frames::default().overhead(&bytes));
        }
    }
}
