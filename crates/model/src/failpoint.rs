//! Named steps at which a process can be made to end at once, so that the crash rig can kill it exactly there. Only a build with the
//! feature `failpoints` has them, which no release has: in every other build each function here is empty.
//!
//! One is armed by a variable of the process's environment, whose name and value [`arm`] gives.

/// A step that matters to what is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A job that hands a message over is claimed, and nothing of it is written down.
    Claimed,
    /// The attempt is committed, and the provider is not called.
    Attempted,
    /// The provider has answered, and the outcome is not committed.
    Called,
    /// Everything of a transaction is done but its commit.
    Committing,
    /// A transaction is committed, and nobody is answered.
    Committed,
    /// A part of a file is written.
    Uploading,
    /// A file is durable, and its row does not show it.
    Stored,
}

#[cfg(not(feature = "failpoints"))]
mod absent {
    use super::Step;

    /// The steps of this build: none.
    pub const STEPS: &[Step] = &[];

    /// Does nothing.
    #[inline(always)]
    pub const fn reach(_step: Step) {}

    /// `None`: this build has no steps.
    #[must_use]
    pub const fn arm(_step: Step, _times: u32) -> Option<(&'static str, String)> {
        None
    }

    /// `None`: this build cannot be made to lie.
    #[must_use]
    pub const fn arm_early_answers() -> Option<(&'static str, String)> {
        None
    }

    /// `false`.
    #[inline(always)]
    #[must_use]
    pub const fn answers_early() -> bool {
        false
    }

    /// Does nothing.
    #[inline(always)]
    pub const fn linger() {}
}

#[cfg(feature = "failpoints")]
mod present {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use super::Step;

    const VARIABLE: &str = "PARLANCE_FAILPOINT";
    const EARLY: &str = "answers-early";
    /// How long a commit waits behind its early answers: long enough that a kill falls between the two.
    const LINGER: Duration = Duration::from_millis(30);

    static ARMED: LazyLock<Armed> = LazyLock::new(|| Armed::read(&std::env::var(VARIABLE).unwrap_or_default()));

    /// The steps of this build.
    pub const STEPS: &[Step] =
        &[Step::Claimed, Step::Attempted, Step::Called, Step::Committing, Step::Committed, Step::Uploading, Step::Stored];

    /// What the environment asks for.
    #[derive(Debug)]
    struct Armed {
        /// The step at which to end, and how often it is still passed.
        step: Option<(Step, AtomicU32)>,
        early: bool,
    }

    impl Armed {
        /// Reads `step:times` or `answers-early`. Everything else is nothing.
        fn read(text: &str) -> Self {
            let step = text.split_once(':').and_then(|(name, times)| {
                let step = STEPS.iter().find(|step| super::name(**step) == name)?;
                Some((*step, AtomicU32::new(times.parse().ok()?)))
            });
            Self { step, early: text == EARLY }
        }

        /// Whether this is where the process ends.
        fn ends_at(&self, step: Step) -> bool {
            self.step.as_ref().is_some_and(|(armed, left)| *armed == step && left.fetch_sub(1, Ordering::Relaxed) == 1)
        }
    }

    /// Ends the process as `kill -9` does, if it was armed for this step and has reached it often enough.
    pub fn reach(step: Step) {
        if ARMED.ends_at(step) {
            std::process::abort();
        }
    }

    /// The variable that makes a process end when it reaches `step` for the `times`-th time, counted from 1.
    #[must_use]
    pub fn arm(step: Step, times: u32) -> Option<(&'static str, String)> {
        Some((VARIABLE, format!("{}:{times}", super::name(step))))
    }

    /// The variable that makes a server answer before it commits.
    #[must_use]
    pub fn arm_early_answers() -> Option<(&'static str, String)> {
        Some((VARIABLE, EARLY.to_owned()))
    }

    /// Whether this process was told to answer before it commits.
    #[must_use]
    pub fn answers_early() -> bool {
        ARMED.early
    }

    /// Waits between an early answer and its commit.
    #[expect(clippy::disallowed_methods, reason = "a lie has to last for a moment to be found out")]
    pub fn linger() {
        std::thread::sleep(LINGER);
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_step_ends_the_process_once_it_is_reached_as_often_as_was_said() {
            let armed = Armed::read(&arm(Step::Called, 2).unwrap().1);
            let reached = [Step::Called, Step::Claimed, Step::Called, Step::Called].map(|step| armed.ends_at(step));
            assert_eq!(reached, [false, false, true, false]);
            assert!(!armed.early && Armed::read(EARLY).early);
            assert!(Armed::read("called").step.is_none() && Armed::read("nonsense:1").step.is_none());
        }
    }
}

#[cfg(feature = "failpoints")]
const fn name(step: Step) -> &'static str {
    match step {
        Step::Claimed => "claimed",
        Step::Attempted => "attempted",
        Step::Called => "called",
        Step::Committing => "committing",
        Step::Committed => "committed",
        Step::Uploading => "uploading",
        Step::Stored => "stored",
    }
}

#[cfg(not(feature = "failpoints"))]
pub use absent::{STEPS, answers_early, arm, arm_early_answers, linger, reach};
#[cfg(feature = "failpoints")]
pub use present::{STEPS, answers_early, arm, arm_early_answers, linger, reach};
