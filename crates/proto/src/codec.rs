//! How messages are read off the wire: bytes that are none are the caller's fault, and told as such.
//!
//! tonic's own codec answers them with `INTERNAL`, which stands for a defect of the service.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;

use prost::bytes::Buf as _;
use prost::{Message, Name};
use tonic::codec::{Codec, DecodeBuf, Decoder};
use tonic::{Code, Status};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::weight::{MAX_BYTES, SMALL, is_too_much};

/// The domain of every `google.rpc.ErrorInfo`.
pub const ERROR_DOMAIN: &str = "encours";
/// The reason of a request that is no message of its type.
pub const MALFORMED_MESSAGE: &str = "MALFORMED_MESSAGE";

/// The reason of a request that is too large.
pub const REQUEST_TOO_LARGE: &str = "REQUEST_TOO_LARGE";

/// The codec of every method.
pub struct WireCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> fmt::Debug for WireCodec<T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WireCodec")
    }
}

impl<T, U> Default for WireCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for WireCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Name + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = WireDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::new().encoder()
    }

    fn decoder(&mut self) -> Self::Decoder {
        WireDecoder(ProstCodec::<T, U>::new().decoder())
    }
}

/// Reads messages of one type.
#[derive(Debug)]
pub struct WireDecoder<U>(ProstDecoder<U>);

impl<U: Message + Name + Default> Decoder for WireDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        // A message lies in one piece. What a client reads are answers, which may be large.
        let message = buffer.chunk();
        let is_request = U::NAME.ends_with("Request");
        if is_request
            && message.len() > SMALL
            && is_too_much(&format!(".{}", U::full_name()), message)
        {
            return Err(too_large(U::NAME));
        }
        self.0.decode(buffer).map_err(|status| {
            // WHY by name: what a client reads are answers, and an answer that is no message is a
            // defect of the service. `buf lint` holds the names of requests to this.
            if is_request { malformed(U::NAME, &status) } else { status }
        })
    }
}

fn too_large(name: &str) -> Status {
    let mut details = ErrorDetails::new();
    let limit = HashMap::from([("limit".to_owned(), MAX_BYTES.to_string())]);
    details.set_error_info(REQUEST_TOO_LARGE, ERROR_DOMAIN, limit);
    let message = format!("the parts of a {name} take at most {MAX_BYTES} bytes of memory");
    Status::with_error_details(Code::OutOfRange, message, details)
}

fn malformed(name: &str, status: &Status) -> Status {
    let mut details = ErrorDetails::new();
    details.set_error_info(MALFORMED_MESSAGE, ERROR_DOMAIN, HashMap::new());
    let message = format!("the request is no {name}: {}", status.message());
    Status::with_error_details(Code::InvalidArgument, message, details)
}
