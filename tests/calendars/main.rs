//! Calendars: the sixteen rules, the bugs that other libraries have, and a brute-force walk beside the real thing.

mod answers;
mod differential;
mod feeds;
mod holidays;
mod known_bugs;
mod naive;
mod office;
mod properties;
mod rules;
mod together;
mod zones;
