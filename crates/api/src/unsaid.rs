//! What the library answers before a request has come to a service, said as every other refusal is: with
//! a reason.

use encours_proto::codec::MALFORMED_MESSAGE;
use tonic::{Code, Status};

use crate::failure::{Failure, REQUEST_TOO_LARGE};

/// What the library says where a message is too long, as it comes or decompressed.
const TOO_LARGE: [(Code, &str); 2] = [
    (Code::OutOfRange, "Error, decoded message length too large"),
    (Code::ResourceExhausted, "Error decompressing: size limit"),
];
/// What it says where the bytes around a message are wrong.
///
/// WHY not left as they are: it takes them for a defect of its own (`INTERNAL`), and they are the
/// caller's.
const MALFORMED: [(Code, &str); 4] = [
    (Code::Internal, "Error decompressing"),
    (Code::Internal, "protocol error: received message with"),
    (Code::Internal, "Unexpected EOF decoding stream"),
    (Code::Internal, "Missing request message"),
];

/// The refusal that a status of the library stands for, at a call whose messages may have `limit` bytes.
pub(crate) fn refusal(status: &Status, limit: usize) -> Option<Failure> {
    if !status.details().is_empty() {
        return None;
    }
    let (code, message) = (status.code(), status.message());
    let is = |(of, begin): &(Code, &str)| *of == code && message.starts_with(begin);
    if TOO_LARGE.iter().any(is) {
        let text = format!("a request message has at most {limit} bytes, decompressed");
        return Some(Failure::new(REQUEST_TOO_LARGE, text).with("limit", limit));
    }
    let text = || format!("the request is malformed: {message}");
    MALFORMED.iter().any(is).then(|| Failure::new(MALFORMED_MESSAGE, text()))
}
