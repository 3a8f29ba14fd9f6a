//! Arguments of `bench`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Signed hooks over loopback: axum alone, with form and signature, and with the message on disk
    #[command(
        after_long_help = "It takes some minutes. Smaller, to try it:\n  parlance bench ingest --messages 20000 --conversations 1000 \
        --connections 64 --rounds 3 --seconds 4"
    )]
    Ingest(BenchIngest),
    /// How soon a server is ready, and its memory, on an empty database and on a large one
    Footprint(BenchFootprint),
    /// Lists of conversations, threads, counts and searches, on a small database and on a large one: over the store and over HTTP
    #[command(after_long_help = "Ten million messages take a quarter of an hour to write and some 10 GB. Smaller, to try it:\n  \
        parlance bench list --conversations 1000,20000 --rounds 3")]
    List(BenchList),
    /// Signed hooks alone, and while ten readers look at lists and one searches
    #[command(
        after_long_help = "It takes some minutes. Smaller, to try it:\n  parlance bench mixed --messages 20000 --conversations 2000 --rounds 3 --seconds 4"
    )]
    Mixed(BenchMixed),
    /// Send what standard input says: the other process of a measurement
    #[command(hide = true)]
    Load,
}

#[derive(Debug, Args)]
pub(crate) struct BenchIngest {
    /// Messages that are stored before anything is measured
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub(crate) messages: u64,
    /// Conversations that they are in
    #[arg(long, value_name = "N", default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(1..=8_000_000))]
    pub(crate) conversations: u64,
    /// How many connections send at once: a measurement for each number
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,8,64,256", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) connections: Vec<u16>,
    /// Rounds of each variant, of which the median is shown
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) rounds: u16,
    /// How long a round that stores lasts; one that stores nothing lasts a quarter of it
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub(crate) seconds: u64,
    /// Page sizes of the embedded database, in bytes: a variant for each
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "2048", value_parser = page_size)]
    pub(crate) page_size: Vec<u32>,
    /// Measure PostgreSQL too, in a database of its own. The role may create databases: postgres://user:password@host:port/postgres
    #[arg(long, value_name = "URL")]
    pub(crate) postgres_url: Option<String>,
    /// Where temporary folders are made, on the disk that is to be measured. Default: the system's place for them
    #[arg(long, value_name = "DIR")]
    pub(crate) scratch: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct BenchFootprint {
    /// Messages of the large database; 0 for the empty one alone
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub(crate) messages: u64,
    /// Conversations that they are in
    #[arg(long, value_name = "N", default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(1..=8_000_000))]
    pub(crate) conversations: u64,
    /// Where temporary folders are made. Default: the system's place for them
    #[arg(long, value_name = "DIR")]
    pub(crate) scratch: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct BenchList {
    /// Sizes of databases, in conversations; the others are compared with the first
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "10000,1000000", value_parser = clap::value_parser!(u64).range(10..=8_000_000))]
    pub(crate) conversations: Vec<u64>,
    /// Messages of each conversation
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) messages_each: u64,
    /// Rounds of each measurement, of which the median is shown
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) rounds: u16,
    /// How long each measurement of a round lasts, in milliseconds
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub(crate) millis: u64,
    /// Measure PostgreSQL too, in databases of its own. The role may create databases: postgres://user:password@host:port/postgres
    #[arg(long, value_name = "URL")]
    pub(crate) postgres_url: Option<String>,
    /// Where temporary folders are made, on the disk that is to be measured. Default: the system's place for them
    #[arg(long, value_name = "DIR")]
    pub(crate) scratch: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct BenchMixed {
    /// Messages that are stored before anything is measured
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1000..))]
    pub(crate) messages: u64,
    /// Conversations that they are in
    #[arg(long, value_name = "N", default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(1..=8_000_000))]
    pub(crate) conversations: u64,
    /// How many connections send at once
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) connections: u16,
    /// How long a reader rests after an answer, in milliseconds: a variant for each number
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "0,100", value_parser = clap::value_parser!(u64).range(..=10_000))]
    pub(crate) pause: Vec<u64>,
    /// Rounds of each variant, of which the median is shown
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) rounds: u16,
    /// How long a round lasts
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub(crate) seconds: u64,
    /// Measure PostgreSQL too, in a database of its own. The role may create databases: postgres://user:password@host:port/postgres
    #[arg(long, value_name = "URL")]
    pub(crate) postgres_url: Option<String>,
    /// Where temporary folders are made, on the disk that is to be measured. Default: the system's place for them
    #[arg(long, value_name = "DIR")]
    pub(crate) scratch: Option<PathBuf>,
}

/// A size that SQLite can have.
fn page_size(text: &str) -> Result<u32, &'static str> {
    match text.parse() {
        Ok(size @ 512..=65_536) if u32::is_power_of_two(size) => Ok(size),
        _ => Err("must be a power of two from 512 to 65536"),
    }
}
