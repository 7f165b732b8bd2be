//! Who writes the log that these services are about.

use encours_engine::EngineHandle;

/// Who writes the log, as far as this node knows.
#[derive(Clone)]
pub enum Writing {
    /// This node, through this engine.
    Here(EngineHandle),
    /// Another node, whose services are at this address, such as `http://10.0.0.2:50051`.
    There(String),
    /// Nobody just now.
    Nobody,
}

impl std::fmt::Debug for Writing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Here(_) => f.write_str("Here"),
            Self::There(address) => f.debug_tuple("There").field(address).finish(),
            Self::Nobody => f.write_str("Nobody"),
        }
    }
}

impl Writing {
    /// The engine, where it is this node that writes.
    pub(crate) const fn engine(&self) -> Option<&EngineHandle> {
        match self {
            Self::Here(engine) => Some(engine),
            Self::There(_) | Self::Nobody => None,
        }
    }
}
