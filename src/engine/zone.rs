//! A time zone as data.
