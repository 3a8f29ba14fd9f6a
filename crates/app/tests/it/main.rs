//! The use cases against real databases and the simulated Twilio.

mod fixture;
mod inbound;
mod outbound;
