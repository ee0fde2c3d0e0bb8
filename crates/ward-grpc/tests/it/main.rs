//! The gRPC trigger over real sockets.
