//! Frozen event shapes by version and their encoding.
