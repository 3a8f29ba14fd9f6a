//! Measuring and breaking a real server, as commands. This crate owns the load, the faults and the comparison with what was promised;
//! it owns nothing of the server, which it starts and calls from outside.

pub mod torture;
