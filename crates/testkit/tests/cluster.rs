//! A cluster is there when it says so, keeps its data over a crash, and never stays behind.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

use parlance_testkit::Cluster;

/// Where the server of this URL listens.
fn address(url: &str) -> SocketAddr {
    let server = url.split_once('@').and_then(|(_, rest)| rest.split_once('/')).map(|(server, _)| server);
    server.and_then(|server| server.parse().ok()).expect("a URL with user, address, port and database")
}

#[test]
fn a_killed_process_takes_its_cluster_along() {
    let mut holder = Command::new(env!("CARGO_BIN_EXE_test-postgres"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let mut stderr = BufReader::new(holder.stderr.take().unwrap());
    let mut sentence = String::new();
    stderr.read_line(&mut sentence).unwrap();
    let folder = sentence.split_whitespace().nth(3).map(std::path::PathBuf::from).unwrap();
    let server = address(url.trim_end());
    assert!(folder.join("postgres.log").is_file(), "{sentence}");
    TcpStream::connect(server).unwrap();

    holder.kill().unwrap();
    holder.wait().unwrap();

    // The keeper shares the killed process's stderr and is the last to hold it: its end is the end of the clean-up.
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert!(TcpStream::connect(server).is_err(), "the server still listens on {server}");
    assert!(!folder.exists(), "{} was left behind", folder.display());
}

#[test]
fn a_stopped_server_refuses_and_a_restarted_one_is_found_at_the_same_address() {
    let mut cluster = Cluster::start().unwrap();
    let url = cluster.database().unwrap();
    let server = address(&url);

    cluster.stop().unwrap();
    assert!(TcpStream::connect(server).is_err());
    assert!(cluster.stop().is_err(), "a second stop has nothing to end");

    cluster.restart().unwrap();
    TcpStream::connect(server).unwrap();
    assert_ne!(cluster.database().unwrap(), url);

    let folder = cluster.folder().to_owned();
    drop(cluster);
    assert!(TcpStream::connect(server).is_err());
    assert!(!folder.exists());
}
