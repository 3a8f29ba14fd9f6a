//! Hooks in Twilio's name, with their signatures.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| parlance_channels::twilio::fuzzing::twilio_hook(data));
