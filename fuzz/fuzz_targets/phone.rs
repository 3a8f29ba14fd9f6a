//! Phone numbers and addresses.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| parlance_model::fuzzing::phone(data));
