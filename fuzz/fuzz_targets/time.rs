//! Times as people and providers write them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| parlance_model::fuzzing::time(data));
