//! Search queries, and the texts that they are looked for in.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| parlance_model::fuzzing::search_query(data));
