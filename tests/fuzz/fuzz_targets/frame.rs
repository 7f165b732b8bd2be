#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| encours_doors::frame(data));
