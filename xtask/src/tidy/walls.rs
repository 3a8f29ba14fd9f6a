//! The walls between the crates: who may depend on whom, and on which crates from outside.

use super::manifest::{self, Dependency, Kind};
use super::tree::{Finding, Tree};

const TESTKIT: &str = "parlance-testkit";
const XTASK: &str = "xtask";

/// The arrows of the design: a crate, and the crates of the house that it may depend on. Nothing else.
const HOUSE: &[(&str, &[&str])] = &[
    ("parlance-model", &[]),
    ("parlance-store", &["parlance-model"]),
    ("parlance-net", &["parlance-model"]),
    ("parlance-channels", &["parlance-model", "parlance-net"]),
    ("parlance-app", &["parlance-model", "parlance-store", "parlance-net", "parlance-channels"]),
    ("parlance-api", &["parlance-app", "parlance-model"]),
    ("parlance-sim", &["parlance-model", "parlance-net"]),
    (
        "parlance-rig",
        &["parlance-api", "parlance-app", "parlance-channels", "parlance-model", "parlance-net", "parlance-sim", "parlance-store"],
    ),
    (
        "parlance",
        &[
            "parlance-api",
            "parlance-app",
            "parlance-channels",
            "parlance-model",
            "parlance-net",
            "parlance-rig",
            "parlance-sim",
            "parlance-store",
        ],
    ),
    (TESTKIT, &["parlance-model", "parlance-sim"]),
    (XTASK, &[TESTKIT]),
];

/// Who may use a family of crates from outside (`tokio` stands for `tokio-util` too).
struct Outside {
    family: &'static str,
    users: Users,
    /// Whether the wall holds for tests as well.
    in_tests: bool,
    /// What to do instead.
    advice: &'static str,
}

enum Users {
    Only(&'static [&'static str]),
    AllBut(&'static str),
}

const OUTSIDE: &[Outside] = &[
    Outside {
        family: "rusqlite",
        users: Users::Only(&["parlance-store", TESTKIT]),
        in_tests: true,
        advice: "SQL lives in the store: add a function there",
    },
    Outside {
        family: "postgres",
        users: Users::Only(&["parlance-store", TESTKIT]),
        in_tests: true,
        advice: "SQL lives in the store: add a function there",
    },
    Outside {
        family: "reqwest",
        users: Users::Only(&["parlance-net"]),
        in_tests: false,
        advice: "outbound HTTP goes through net::Client, which has the guard",
    },
    Outside {
        family: "axum",
        users: Users::Only(&["parlance-api", "parlance-rig", "parlance-sim", "parlance"]),
        in_tests: false,
        advice: "HTTP stays at the edge: take the bytes and headers as parameters",
    },
    Outside {
        family: "tokio",
        users: Users::AllBut("parlance-model"),
        in_tests: true,
        advice: "the model is pure and synchronous: do this in app",
    },
    Outside {
        family: "axum",
        users: Users::AllBut("parlance-model"),
        in_tests: true,
        advice: "the model is pure and synchronous: do this in api",
    },
    Outside {
        family: "reqwest",
        users: Users::AllBut("parlance-model"),
        in_tests: true,
        advice: "the model is pure and synchronous: do this in net or channels",
    },
];

/// Dependencies inside the house follow the arrows. Tests may also use testkit, sim, and whatever their crate already
/// reaches: further down, never up or sideways.
pub(super) fn house(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in manifest::all(tree) {
        let Some(allowed) = arrows(&manifest.package) else {
            let advice = format!("{} has no arrows: add it to xtask/src/tidy/walls.rs and to ARCHITECTURE.md", manifest.package);
            findings.push(Finding::new(manifest.path, 1, "walls", advice));
            continue;
        };
        for Dependency { package, kind, line, .. } in manifest.dependencies() {
            let Some(_) = arrows(&package) else { continue };
            let fine = match kind {
                Kind::Product => allowed.contains(&package.as_str()),
                Kind::Tests => package == TESTKIT || package == "parlance-sim" || reaches(allowed, &package),
            };
            if !fine {
                let advice = if package == TESTKIT {
                    "testkit belongs in [dev-dependencies]".to_owned()
                } else {
                    format!("{} may not know {package}: move the code to a crate that may, or pass in what it needs", manifest.package)
                };
                findings.push(Finding::new(manifest.path, line, "walls", advice));
            }
        }
    }
    findings
}

/// Dependencies from outside stay in the crates that own what they do.
pub(super) fn outside(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in manifest::all(tree) {
        for Dependency { package, kind, line, .. } in manifest.dependencies() {
            let wall = OUTSIDE.iter().find(|wall| wall.stops(&manifest.package, &package, kind));
            if let Some(wall) = wall {
                let advice = format!("{} may not use {package}: {}", manifest.package, wall.advice);
                findings.push(Finding::new(manifest.path, line, "walls", advice));
            }
        }
    }
    findings
}

impl Outside {
    fn stops(&self, user: &str, package: &str, kind: Kind) -> bool {
        let member = package.strip_prefix(self.family).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
        let may = match self.users {
            Users::Only(users) => users.contains(&user),
            Users::AllBut(stopped) => user != stopped,
        };
        member && !may && (self.in_tests || kind == Kind::Product)
    }
}

fn arrows(package: &str) -> Option<&'static [&'static str]> {
    HOUSE.iter().find(|(name, _)| *name == package).map(|(_, allowed)| *allowed)
}

/// Whether the arrows from these crates lead to that one, over any number of steps. The design has no cycle.
fn reaches(from: &[&str], to: &str) -> bool {
    from.iter().any(|name| *name == to || arrows(name).is_some_and(|next| reaches(next, to)))
}

#[cfg(test)]
mod tests {
    use super::super::tree::{Tree, places};
    use super::{HOUSE, house, outside, reaches};

    /// A manifest whose dependencies begin on line 4.
    fn tree(package: &str, section: &str, dependencies: &[&str]) -> Tree {
        let lines: String = dependencies.iter().map(|name| format!("{name}.workspace = true\n")).collect();
        Tree::of(&[("crates/it/Cargo.toml", &format!("[package]\nname = \"{package}\"\n[{section}]\n{lines}"))])
    }

    #[test]
    fn an_arrow_against_the_design_is_found() {
        let tree = tree("parlance-store", "dependencies", &["parlance-model", "parlance-app"]);
        assert_eq!(places(&house(&tree)), ["crates/it/Cargo.toml:5"]);
    }

    #[test]
    fn testkit_in_the_product_is_found() {
        assert_eq!(house(&tree("parlance-store", "dependencies", &["parlance-testkit"])).len(), 1);
        assert_eq!(house(&tree("parlance-store", "dev-dependencies", &["parlance-testkit"])).len(), 0);
        assert_eq!(house(&tree("xtask", "dependencies", &["parlance-testkit"])).len(), 0);
    }

    #[test]
    fn tests_reach_further_down_but_not_up() {
        let tests = |package: &str, dependency: &str| house(&tree(package, "dev-dependencies", &[dependency])).len();
        assert_eq!(tests("parlance-api", "parlance-store"), 0);
        assert_eq!(tests("parlance-channels", "parlance-sim"), 0);
        assert_eq!(tests("parlance-channels", "parlance-store"), 1);
        assert_eq!(tests("parlance-store", "parlance-app"), 1);
    }

    #[test]
    fn a_crate_without_arrows_is_found() {
        assert_eq!(places(&house(&tree("parlance-extra", "dependencies", &[]))), ["crates/it/Cargo.toml:1"]);
    }

    #[test]
    fn the_table_has_no_cycle() {
        // Taking away, again and again, whoever has arrows only to those taken before leaves a cycle and nothing else.
        let mut taken: Vec<&str> = Vec::new();
        while let Some((name, _)) =
            HOUSE.iter().find(|(name, allowed)| !taken.contains(name) && allowed.iter().all(|arrow| taken.contains(arrow)))
        {
            taken.push(name);
        }
        assert_eq!(taken.len(), HOUSE.len(), "only these are free of cycles: {taken:?}");
        assert!(reaches(&["parlance-app"], "parlance-model"));
        assert!(!reaches(&["parlance-store"], "parlance-net"));
    }

    #[test]
    fn every_outside_wall_stops_its_crate() {
        let product = |package: &str, dependency: &str| outside(&tree(package, "dependencies", &[dependency])).len();
        let tests = |package: &str, dependency: &str| outside(&tree(package, "dev-dependencies", &[dependency])).len();
        for (package, dependency) in [
            ("parlance-model", "tokio"),
            ("parlance-model", "tokio-util"),
            ("parlance-model", "rusqlite"),
            ("parlance-store", "axum"),
            ("parlance-store", "reqwest"),
            ("parlance-channels", "axum"),
            ("parlance-channels", "rusqlite"),
            ("parlance-app", "axum-extra"),
            ("parlance-api", "postgres"),
            ("parlance-sim", "reqwest"),
        ] {
            assert_eq!(product(package, dependency), 1, "{package} may use {dependency}");
        }
        assert_eq!(tests("parlance-channels", "axum"), 0);
        assert_eq!(tests("parlance-model", "axum"), 1);
        assert_eq!(tests("parlance-api", "rusqlite"), 1);
        assert_eq!(product("parlance-store", "rusqlite") + product("parlance-net", "reqwest") + product("parlance-app", "tokio"), 0);
        assert_eq!(product("parlance-model", "axumlike"), 0, "another family");
    }
}
