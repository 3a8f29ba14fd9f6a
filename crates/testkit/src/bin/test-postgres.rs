//! A private PostgreSQL for as long as this program runs, to share between several `cargo test` runs.
//!
//! Prints the URL alone on a line; `export PARLANCE_TEST_POSTGRES=` it in the other terminal. Ends with its standard input.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the URL is its result, and the rest is for the person who runs it")]

use std::io;

use parlance_testkit::Cluster;

fn main() -> io::Result<()> {
    let cluster = Cluster::start()?;
    println!("{}", cluster.url());
    eprintln!("PostgreSQL runs in {} until Ctrl-D or Ctrl-C", cluster.folder().display());
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}
