//! Forms of uploads.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| parlance_api::fuzzing::upload(data));
