//! What can be wrong with an event on its way into bytes or out of them.

use thiserror::Error;

/// Why an event was not encoded or decoded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// A personal detail is still in clear: it never enters the log that way.
    #[error("{event}: a personal detail is not sealed")]
    Unsealed {
        /// The name of the event.
        event: &'static str,
    },
    /// The type number is in no registry of this build: a newer build wrote it, or the bytes lie.
    #[error("unknown event type {kind}")]
    UnknownKind {
        /// The type number.
        kind: u16,
    },
    /// The type is known, this version of it is not.
    #[error("{event}: unknown version {version}")]
    UnknownVersion {
        /// The name of the event.
        event: &'static str,
        /// The version.
        version: u16,
    },
    /// The bytes are not of the frozen shape, or end too early.
    #[error("{event} version {version}: the payload does not have its shape")]
    Malformed {
        /// The name of the event.
        event: &'static str,
        /// The version.
        version: u16,
        /// What the codec says.
        source: postcard::Error,
    },
    /// Bytes follow the last field.
    #[error("{event} version {version}: {bytes} bytes follow the last field")]
    TrailingBytes {
        /// The name of the event.
        event: &'static str,
        /// The version.
        version: u16,
        /// How many bytes.
        bytes: usize,
    },
    /// The shape is right, a value in it is not.
    #[error("{event}: {source}")]
    Invalid {
        /// The name of the event.
        event: &'static str,
        /// Which value.
        source: InvalidValue,
    },
    /// The codec refused to encode.
    #[error("{event}: not encoded")]
    NotEncoded {
        /// The name of the event.
        event: &'static str,
        /// What the codec says.
        source: postcard::Error,
    },
}

impl SchemaError {
    /// Whether a newer build may have written what this one does not know.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::UnknownKind { .. } | Self::UnknownVersion { .. })
    }

    /// Whether bytes of a known type and version are wrong.
    #[must_use]
    pub const fn is_corruption(&self) -> bool {
        matches!(self, Self::Malformed { .. } | Self::TrailingBytes { .. } | Self::Invalid { .. })
    }
}

/// A field of an event whose value no event may have.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{field} has the value {value}")]
pub struct InvalidValue {
    /// The field, as in the frozen shape.
    pub field: &'static str,
    /// The value.
    pub value: String,
}

impl InvalidValue {
    pub(crate) fn new(field: &'static str, value: &dyn std::fmt::Display) -> Self {
        Self { field, value: value.to_string() }
    }
}

/// Why a live event does not freeze.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// A detail is in clear.
    Unsealed,
    /// A value is out of range.
    Invalid(InvalidValue),
}

impl From<InvalidValue> for Unfit {
    fn from(value: InvalidValue) -> Self {
        Self::Invalid(value)
    }
}

impl Unfit {
    pub(crate) fn of(self, event: &'static str) -> SchemaError {
        match self {
            Self::Unsealed => SchemaError::Unsealed { event },
            Self::Invalid(source) => SchemaError::Invalid { event, source },
        }
    }
}
