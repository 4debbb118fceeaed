//! The pure parts as a whole: bridges that meet at one channel, and a session against a scripted Asterisk.

mod claims;
mod sessions;
