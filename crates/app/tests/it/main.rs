//! The use cases against real databases and the simulated Twilio.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod audit;
mod backfill;
mod calls;
mod fetch;
mod fixture;
mod health;
mod inbound;
mod inspect;
mod media;
mod missed_calls;
mod outbound;
mod pace;
mod reconcile;
mod restored;
mod retry;
mod slices;
mod traps;
mod trial;
mod turns;
mod whatsapp;
