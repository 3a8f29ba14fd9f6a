//! Simulated providers, with faults on request: a product feature (`parlance simulate`, `parlance demo`) and the
//! other end of real HTTP in tests. `README.md` is the manual.
//!
//! This crate owns what a provider would do. It does not own Parlance's side of the conversation (`channels`), and it
//! knows neither the store nor the API.

pub mod customers;
pub mod twilio;
