//! Protobuf messages in buffers that fit a stream on which nothing happens.

use std::marker::PhantomData;

use prost::Message;
use tonic::codec::{BufferSettings, Codec};
use tonic_prost::{ProstDecoder, ProstEncoder};

/// Bytes that a stream holds for each direction, and by which they grow. tonic's own 8 KiB twice for each of thousands of
/// quiet tenants are most of what a node holds; a keep-alive or a request has some 100 bytes.
const BUFFER_BYTES: usize = 512;
/// Bytes that are gathered before they are written: tonic's own bound.
const YIELD_BYTES: usize = 32 * 1024;

/// The Protobuf codec with small buffers.
#[derive(Debug)]
pub struct Sparing<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Sparing<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for Sparing<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = ProstDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::new(BufferSettings::new(BUFFER_BYTES, YIELD_BYTES))
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstDecoder::new(BufferSettings::new(BUFFER_BYTES, YIELD_BYTES))
    }
}
