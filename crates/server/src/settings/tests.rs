//! Settings without a process: the file, the twins, and the documents that list them.

use std::ffi::OsString;
use std::path::Path;

use super::file::ConfigFile;
use clap::{Arg, ArgAction, Command};

use super::parse::{command, layered, with_stdin, with_twins};
use super::value::{Effective, Source};
use super::{Setting, all, misspelt};
use crate::command::config::example_text;

fn settings() -> Vec<Setting> {
    all(&command())
}

fn setting(key: &str) -> Setting {
    settings().into_iter().find(|setting| setting.key() == key).unwrap()
}

fn parse(text: &str) -> Result<ConfigFile, String> {
    ConfigFile::parse(Path::new("p.toml"), text, &settings()).map_err(|error| error.to_string())
}

fn arguments(texts: &[&str]) -> Vec<OsString> {
    texts.iter().map(OsString::from).collect()
}

/// The flag with what it takes, as the document has it: `--listen ADDR`.
fn usage(setting: &Setting) -> String {
    match setting.0.get_action() {
        ArgAction::SetTrue => setting.flag(),
        _ => format!("{} {}", setting.flag(), setting.value_name()),
    }
}

#[test]
fn the_command_line_is_one_that_clap_accepts() {
    command().debug_assert();
}

#[test]
fn every_command_and_argument_is_explained_in_the_same_manner() {
    fn check(path: &str, command: &Command) {
        let fits = |text: Option<String>| text.is_some_and(|text| text.starts_with(|c: char| c.is_uppercase()) && !text.ends_with('.'));
        assert!(fits(command.get_about().map(ToString::to_string)), "{path} has no about, or one with a full stop");
        for arg in command.get_arguments() {
            assert!(fits(arg.get_help().map(ToString::to_string)), "{path}: {} has no help, or one with a full stop", arg.get_id());
        }
        command.get_subcommands().for_each(|command| check(&format!("{path} {}", command.get_name()), command));
    }
    check("parlance", &command());
}

#[test]
fn a_key_of_the_file_is_the_flag_and_the_variable_in_other_letters() {
    for setting in settings() {
        let flag = setting.flag().trim_start_matches("--").replace('-', "_");
        // What `account create twilio` takes: its flags need not say whose they are, and the variables do.
        let fits = setting.key() == flag || setting.key() == format!("twilio_{flag}");
        assert!(fits, "{} has the flag {}", setting.variable(), setting.flag());
    }
}

#[test]
fn the_file_gives_values_of_every_kind_with_their_lines() {
    let file = parse("# a comment\nlisten = \"127.0.0.1:1\"\n\nallow_outbound = [\n  \"10.0.0.0/8\",\n  \"192.168.0.0/16\",\n]\nlog = 3\n")
        .unwrap();
    let entry = |key: &str| file.entry(&setting(key)).map(|entry| (entry.line, entry.values.clone()));
    assert_eq!(entry("listen"), Some((2, arguments(&["127.0.0.1:1"]))));
    assert_eq!(entry("allow_outbound"), Some((4, arguments(&["10.0.0.0/8", "192.168.0.0/16"]))));
    assert_eq!(entry("log"), Some((8, arguments(&["3"]))));
    assert_eq!(entry("data"), None);
}

#[test]
fn an_argument_with_a_variable_is_a_setting_without_a_line_more() {
    let switch = Arg::new("tls").long("tls").env("PARLANCE_TLS").action(ArgAction::SetTrue);
    let number = Arg::new("limit").long("limit").env("PARLANCE_LIMIT").value_parser(clap::value_parser!(u32)).default_value("600");
    let secret = Arg::new("tls_key").long("tls-key").env("PARLANCE_TLS_KEY").hide_env_values(true).required(true);
    let command = with_twins(Command::new("parlance").subcommand(Command::new("serve").args([switch, number, secret])));
    let settings = all(&command);
    let text = "tls = true\nlimit = 5\ntls_key = \"visibly-fake\"\n";
    let file = ConfigFile::parse(Path::new("p.toml"), text, &settings).unwrap();
    let parse = |arguments: &[&str]| {
        let matches = layered(command.clone(), Some(&file)).try_get_matches_from(arguments).unwrap();
        let serve = matches.subcommand_matches("serve").unwrap().clone();
        (serve.get_flag("tls"), *serve.get_one::<u32>("limit").unwrap(), serve.get_one::<String>("tls_key").unwrap().clone())
    };
    assert_eq!(parse(&["parlance", "serve"]), (true, 5, "visibly-fake".to_owned()));
    assert_eq!(parse(&["parlance", "serve", "--limit", "7", "--tls-key=other"]), (true, 7, "other".to_owned()));
    assert!(command.find_subcommand("serve").unwrap().get_arguments().any(|arg| arg.get_long() == Some("tls-key-stdin")));
    let wrong = Effective { values: arguments(&["maybe"]), source: Source::Variable("PARLANCE_TLS".into()) };
    assert!(settings[0].check(&wrong).unwrap_err().to_string().contains("from the variable PARLANCE_TLS"));
}

#[test]
fn a_misspelt_variable_is_noticed_and_a_strange_one_is_not() {
    let found =
        misspelt(&settings(), ["PARLANCE_LISTN", "PARLANCE_LISTEN", "PARLANCE_TEST_POSTGRES", "PATH"].map(String::from).into_iter());
    assert_eq!(found, [("PARLANCE_LISTN".to_owned(), "PARLANCE_LISTEN".to_owned())]);
}

#[test]
fn what_is_wrong_in_the_file_is_told_with_its_line_and_without_its_secrets() {
    let wrong = |text: &str| parse(text).unwrap_err();
    assert_eq!(wrong("\nlisen = 1"), "p.toml, line 2: There is no setting `lisen`. Did you mean `listen`?");
    assert_eq!(wrong("[server]\nlisten = 1"), "p.toml, line 1: There is no setting `server`. `parlance config` lists them all.");
    assert!(wrong("config = \"other.toml\"").contains("There is no setting `config`"));
    assert_eq!(wrong("log = [\"a\"]"), "p.toml, line 1: `log` takes one value, not an array.");
    assert_eq!(wrong("listen = {}"), "p.toml, line 1: `listen` must be a text in quotes, a number, true or false.");
    let exposed = wrong("log = \"info\"\nsecret_key = visibly-fake-secret\n");
    assert!(exposed.starts_with("p.toml, line 2: This is not TOML") && !exposed.contains("visibly"), "{exposed}");
    assert!(wrong("log = \"info\"\nlog = \"debug\"\n").contains("line 2"));
}

#[test]
fn a_wrong_value_says_where_it_is_from_and_what_it_should_be() {
    let refused = |key: &str, value: &str| {
        let source = Source::File("p.toml".into(), 7);
        setting(key).check(&Effective { values: arguments(&[value]), source }).unwrap_err().to_string()
    };
    let text = refused("listen", "nonsense");
    for part in ["`listen`", "\"nonsense\"", "from p.toml, line 7", "ADDR: The address to listen on", "127.0.0.1:8080"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(refused("durability", "most").ends_with("It takes one of full, relaxed."));
    assert!(refused("log", "a=b=c").contains("level filter"));
    assert!(refused("public_url", "ftp://x").contains("must be an http or https URL"));
    assert!(refused("media_store", "gs://files").contains("must be a folder, or s3://bucket/prefix"));
    assert!(refused("metrics_token", &"x".repeat(31)).contains("32 random characters or more"));
    for key in ["secret_key", "database_url", "metrics_token"] {
        let text = refused(key, "visibly-fake");
        assert!(!text.contains("visibly") && text.contains("line 7"), "{text}");
    }
}

#[test]
fn a_secret_from_standard_input_takes_the_place_of_its_flag() {
    let given = arguments(&["parlance", "org", "list", "--secret-key-stdin", "--json"]);
    let read = with_stdin(given, &settings(), "visibly-fake-secret\n".as_bytes()).unwrap();
    assert_eq!(read, arguments(&["parlance", "org", "list", "--secret-key=visibly-fake-secret", "--json"]));
    for untouched in [&["parlance", "org", "list"][..], &["parlance", "org", "show", "--", "--secret-key-stdin"]] {
        assert_eq!(with_stdin(arguments(untouched), &settings(), "x".as_bytes()).unwrap(), arguments(untouched));
    }
    let two = arguments(&["parlance", "user", "password", "a@x.io", "--password-stdin", "--database-url-stdin"]);
    assert!(with_stdin(two, &settings(), "x".as_bytes()).unwrap_err().to_string().contains("holds one secret"));
}

#[test]
fn every_secret_has_a_twin_beside_it() {
    fn check(command: &Command) {
        for secret in command.get_arguments().filter_map(Setting::of).filter(Setting::is_secret) {
            let twin = format!("{}-stdin", secret.flag());
            assert!(command.get_arguments().any(|arg| arg.get_long() == Some(&twin[2..])), "{twin}");
        }
        command.get_subcommands().for_each(check);
    }
    check(&command());
    assert!(settings().iter().filter(|setting| setting.is_secret()).count() >= 3);
}

#[test]
fn the_example_is_a_file_that_sets_every_setting_to_its_default() {
    let text = example_text(&settings()).unwrap();
    // What looks like a sentence stays a comment; what looks like a setting becomes one.
    let open: String =
        text.lines().map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or("")).collect::<Vec<_>>().join("\n");
    let file = parse(&open).unwrap();
    for setting in settings().iter().filter(|setting| setting.is_in_file()) {
        let entry = file.entry(setting).unwrap_or_else(|| panic!("{} is missing", setting.key()));
        if !setting.default().is_empty() {
            assert_eq!(entry.values, setting.default(), "{}", setting.key());
        }
    }
}

/// `docs/operating.md` has a row for each setting: its flag, its variable, and its default where there is one.
#[test]
fn the_operating_manual_lists_every_setting_as_it_is() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operating.md")).unwrap();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("| `--") && line.contains("| `PARLANCE_"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    for setting in settings() {
        let name = format!("`{}`", setting.variable());
        let row = rows.iter().find(|row| row[1] == name).unwrap_or_else(|| panic!("{name} is missing in docs/operating.md"));
        assert_eq!(row[0], format!("`{}`", usage(&setting)));
        match setting.default().first() {
            Some(default) => assert_eq!(row[2], format!("`{}`", default.to_string_lossy()), "the default of {name}"),
            // What happens then, in words.
            None => {
                assert!(row[2].matches('`').count() != 2 || !row[2].starts_with('`') || !row[2].ends_with('`'), "{name} has no default")
            }
        }
    }
    let known: Vec<_> = settings().iter().map(|setting| format!("`{}`", setting.variable())).collect();
    assert!(rows.iter().all(|row| known.iter().any(|name| name == row[1])), "docs/operating.md lists what is no setting");
}
