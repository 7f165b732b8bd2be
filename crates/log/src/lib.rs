//! Frames, the hash chain and the logs that store them.
