//! The rig: measures and breaks a real server, over real connections, as commands that users can run themselves.
//!
//! It stands on everything else and nothing but the binary knows it. `bench` measures; `load` is the client that both ends of a
//! measurement share, and runs in a process of its own, so that what it costs is not counted as the server's; `traffic` makes what it
//! sends. `torture` kills a server under load and looks for what it had acknowledged.

pub mod bench;
pub mod load;
pub mod torture;
mod traffic;

use parlance_app::App;
use tokio::net::TcpListener;

/// How the binary takes connections of a listener, with its limits: the rig measures the server as it is served. What it spawns ends with
/// the application's tasks.
pub type Door = fn(&App, axum::Router, TcpListener);
