//! The use cases against real databases and the simulated Twilio.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod fixture;
mod inbound;
mod media;
mod outbound;
