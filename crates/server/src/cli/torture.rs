//! Arguments of `torture`.

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct TortureArgs {
    /// How often to kill the server
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) kills: u32,
    /// Where the randomness begins. Default: a random number, which is printed
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// How soon the server has to be ready after a kill, in seconds
    #[arg(long, value_name = "S", default_value_t = 5)]
    pub(crate) ready_within: u64,
    /// How long what is under way at the end may take to settle, in seconds. A claim that died with its server lasts for a minute
    #[arg(long, value_name = "S", default_value_t = 90)]
    pub(crate) settle: u64,
    /// Examine the whole database (`doctor --deep`) after every so many kills; at the end always
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) doctor_every: u32,
    /// Let the server answer before it commits, to see that this is found out. Needs a build with failpoints
    #[arg(long, hide = true)]
    pub(crate) answers_early: bool,
}
