//! Files: type, name, thumbnail.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| parlance_app::media::fuzzing::media(data));
