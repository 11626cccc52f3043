//! Where all parts meet.

pub mod clock;
