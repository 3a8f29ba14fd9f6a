//! Pages of Twilio's lists.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| parlance_channels::twilio::fuzzing::twilio_list(data));
