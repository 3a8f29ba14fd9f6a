//! The facade on both drivers.
