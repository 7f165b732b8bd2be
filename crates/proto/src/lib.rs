//! The gRPC contract: generated code and conversions.
