//! Bytes to and from engine types. Pure: nothing here reads a clock, a file or a socket.

pub mod fact;
