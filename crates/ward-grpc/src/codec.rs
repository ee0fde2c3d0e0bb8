//! tonic's codec for a method that was derived: bytes to arguments, and bytes that are a message
//! already to bytes on the wire.

use std::sync::Arc;

use bytes::{Buf, BufMut};
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use ward_wire::{Argument, Method};

use crate::status;

/// The first size of the buffer a message is gathered in. Most messages are far smaller than the 8
/// KiB that tonic takes by itself, for each call twice.
const BUFFER_BYTES: usize = 1024;

/// Messages are sent one at a time; tonic's own threshold does as well as any.
const YIELD_BYTES: usize = 32 * 1024;

/// The codec of one method.
pub(crate) struct MethodCodec(pub(crate) Arc<Method>);

/// Reads requests of one method.
pub(crate) struct Arguments(Arc<Method>);

/// Writes messages that are encoded.
pub(crate) struct Encoded;

impl Codec for MethodCodec {
    type Encode = Vec<u8>;
    type Decode = Vec<Argument>;
    type Encoder = Encoded;
    type Decoder = Arguments;

    fn encoder(&mut self) -> Encoded {
        Encoded
    }

    fn decoder(&mut self) -> Arguments {
        Arguments(self.0.clone())
    }
}

impl Decoder for Arguments {
    type Item = Vec<Argument>;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<Vec<Argument>>, Status> {
        let length = source.remaining();
        let decoded = if source.chunk().len() == length {
            let decoded = self.0.decode(source.chunk());
            source.advance(length);
            decoded
        } else {
            self.0.decode(&source.copy_to_bytes(length))
        };
        decoded.map(Some).map_err(|error| status::undecodable(&error))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER_BYTES, YIELD_BYTES)
    }
}

impl Encoder for Encoded {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, target: &mut EncodeBuf<'_>) -> Result<(), Status> {
        target.reserve(message.len());
        target.put_slice(&message);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER_BYTES, YIELD_BYTES)
    }
}
