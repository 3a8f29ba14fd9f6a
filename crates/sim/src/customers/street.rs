//! Who speaks when. Time comes in as milliseconds since the start and chance from the injected entropy, so a test can
//! live through an hour in no time.
//!
//! Nobody spams: a customer begins only while few others wait, says only what the script holds, and then falls silent;
//! and all of them together keep to so many messages a minute.

use std::collections::VecDeque;

use parlance_model::entropy::{self, SharedEntropy};

use super::Pace;
use super::script::{CAST, COLD, Person, SCRIPTS, Script, Turn};

const MINUTE_MS: u64 = 60_000;

/// Something to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// The customer's number.
    pub(crate) from: &'static str,
    /// The text.
    pub(crate) text: String,
}

/// Where a customer stands.
#[derive(Debug, PartialEq, Eq)]
enum Phase {
    /// Has never written, nor been written to.
    Fresh,
    /// Has written, and waits for an answer; then comes this turn of the script.
    Waiting { script: &'static Script, turn: usize },
    /// Writes. Afterwards waits for the turn of the script, if there is one.
    Typing { lines: VecDeque<(u64, &'static str)>, then: Option<(&'static Script, usize)> },
    /// Has nothing more to say.
    Silent,
}

struct Customer {
    person: &'static Person,
    phase: Phase,
}

/// All customers.
pub(crate) struct Street {
    pace: Pace,
    entropy: SharedEntropy,
    customers: Vec<Customer>,
    /// Scripts that were not used since all of them were.
    scripts: Vec<&'static Script>,
    next_opening_ms: u64,
    /// When the messages of the last minute were sent.
    recent: VecDeque<u64>,
}

impl Street {
    /// Everyone is at home; the first one is about to write.
    pub(crate) fn new(mut pace: Pace, entropy: SharedEntropy) -> Self {
        // Nobody could ever speak, and the wait for that would have no end.
        pace.per_minute = pace.per_minute.max(1);
        let customers = CAST.iter().map(|person| Customer { person, phase: Phase::Fresh }).collect();
        Self { pace, entropy, customers, scripts: Vec::new(), next_opening_ms: 0, recent: VecDeque::new() }
    }

    /// When something may happen next, in milliseconds.
    pub(crate) fn next_ms(&self) -> u64 {
        let due = self.customers.iter().filter_map(|customer| match &customer.phase {
            Phase::Typing { lines, .. } => lines.front().map(|(due_ms, _)| *due_ms),
            _ => None,
        });
        let next = due.min().map_or(self.next_opening_ms, |due_ms| due_ms.min(self.next_opening_ms));
        match self.recent.front() {
            Some(oldest) if self.recent.len() >= self.pace.per_minute => next.max(oldest + MINUTE_MS),
            _ => next,
        }
    }

    /// The shop wrote to this number.
    pub(crate) fn hear(&mut self, number: &str, now_ms: u64) {
        let Some(at) = self.customers.iter().position(|customer| customer.person.number == number) else { return };
        let (turn, then) = match self.customers[at].phase {
            Phase::Fresh => (&COLD, None),
            Phase::Waiting { script, turn } => match script.turns.get(turn) {
                Some(said) => (said, (turn + 1 < script.turns.len()).then_some((script, turn + 1))),
                None => return,
            },
            // One answer for two messages in a row; and whoever is done stays so, however polite the shop.
            Phase::Typing { .. } | Phase::Silent => return,
        };
        let lines = self.lines(turn, now_ms);
        self.customers[at].phase = Phase::Typing { lines, then };
    }

    /// What is said by now.
    pub(crate) fn speak(&mut self, now_ms: u64) -> Vec<Line> {
        let mut said = Vec::new();
        while self.may_speak(now_ms) {
            let line = self.finish_typing(now_ms).or_else(|| self.open(now_ms));
            let Some(line) = line else { break };
            self.recent.push_back(now_ms);
            said.push(line);
        }
        said
    }

    fn may_speak(&mut self, now_ms: u64) -> bool {
        while self.recent.front().is_some_and(|sent_ms| sent_ms + MINUTE_MS <= now_ms) {
            self.recent.pop_front();
        }
        self.recent.len() < self.pace.per_minute
    }

    fn finish_typing(&mut self, now_ms: u64) -> Option<Line> {
        for customer in &mut self.customers {
            let Phase::Typing { lines, then } = &mut customer.phase else { continue };
            if lines.front().is_none_or(|(due_ms, _)| *due_ms > now_ms) {
                continue;
            }
            let (_, text) = lines.pop_front()?;
            if lines.is_empty() {
                customer.phase = then.take().map_or(Phase::Silent, |(script, turn)| Phase::Waiting { script, turn });
            }
            return Some(line(customer.person, text));
        }
        None
    }

    /// Someone writes of their own accord, if it is time and not too many wait.
    fn open(&mut self, now_ms: u64) -> Option<Line> {
        if now_ms < self.next_opening_ms {
            return None;
        }
        let quarter = self.pace.interval_ms / 4;
        self.next_opening_ms = now_ms + (self.pace.interval_ms - quarter + self.below(2 * quarter)).max(1);
        let busy = self.customers.iter().filter(|customer| matches!(customer.phase, Phase::Waiting { .. } | Phase::Typing { .. }));
        if busy.count() >= self.pace.waiting {
            return None;
        }
        let at = self.pick_opener()?;
        if self.scripts.is_empty() {
            self.scripts.extend(SCRIPTS);
        }
        let script = self.scripts.swap_remove(self.index(self.scripts.len()));
        let customer = &mut self.customers[at];
        customer.phase = Phase::Waiting { script, turn: 0 };
        Some(line(customer.person, script.opening))
    }

    /// One who never wrote; when there is none left, one who is done.
    fn pick_opener(&self) -> Option<usize> {
        let of = |phase: &Phase| -> Vec<usize> {
            self.customers.iter().enumerate().filter(|(_, customer)| customer.phase == *phase).map(|(at, _)| at).collect()
        };
        let free = Some(of(&Phase::Fresh)).filter(|fresh| !fresh.is_empty()).unwrap_or_else(|| of(&Phase::Silent));
        if free.is_empty() { None } else { Some(free[self.index(free.len())]) }
    }

    /// One wording, and now and then an afterthought.
    fn lines(&self, turn: &Turn, now_ms: u64) -> VecDeque<(u64, &'static str)> {
        let first_ms = now_ms + self.thinking_ms();
        let mut lines = VecDeque::from([(first_ms, turn.wordings[self.index(turn.wordings.len())])]);
        if let Some(afterthought) = turn.afterthought.filter(|_| self.below(3) == 0) {
            lines.push_back((first_ms + self.thinking_ms(), afterthought));
        }
        lines
    }

    fn thinking_ms(&self) -> u64 {
        self.pace.reply_ms + self.below(self.pace.reply_ms)
    }

    /// 0 up to, but not including, `limit`; 0 for no limit at all. The bias of the remainder is far too small to be seen.
    fn below(&self, limit: u64) -> u64 {
        u64::from_be_bytes(entropy::bytes(&*self.entropy)) % limit.max(1)
    }

    fn index(&self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or_default()
    }
}

fn line(person: &Person, text: &str) -> Line {
    Line { from: person.number, text: text.replace("{name}", person.first_name()) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parlance_model::entropy::SeededEntropy;

    use super::*;

    fn street(pace: Pace) -> Street {
        Street::new(pace, Arc::new(SeededEntropy::new(7)))
    }

    /// Lives until `end_ms`; the shop answers every line at once if it is diligent.
    fn live(street: &mut Street, end_ms: u64, diligent: bool) -> Vec<(u64, Line)> {
        let (mut now_ms, mut said) = (0, Vec::new());
        while now_ms <= end_ms {
            for line in street.speak(now_ms) {
                if diligent {
                    street.hear(line.from, now_ms);
                }
                said.push((now_ms, line));
            }
            assert!(street.next_ms() > now_ms, "time goes on");
            now_ms = street.next_ms();
        }
        said
    }

    #[test]
    fn the_first_customer_writes_at_once() {
        assert_eq!(street(Pace::default()).speak(0).len(), 1);
    }

    #[test]
    fn nobody_else_begins_when_nobody_is_answered() {
        let said = live(&mut street(Pace::default()), 3_600_000, false);
        assert_eq!(said.len(), Pace::default().waiting);
    }

    #[test]
    fn a_diligent_shop_is_never_flooded() {
        let pace = Pace { interval_ms: 100, ..Pace::default() };
        let said = live(&mut street(pace.clone()), 600_000, true);
        assert!(said.len() > 50);
        for window in said.windows(pace.per_minute + 1) {
            assert!(window[pace.per_minute].0 - window[0].0 >= MINUTE_MS);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_street() {
        let once = live(&mut street(Pace::default()), 600_000, true);
        assert_eq!(once, live(&mut street(Pace::default()), 600_000, true));
    }

    #[test]
    fn whoever_has_said_everything_stays_silent() {
        let mut street = street(Pace { interval_ms: u64::MAX / 8, ..Pace::default() });
        let opening = street.speak(0).remove(0);
        let mut now_ms = 0;
        for _ in 0..20 {
            street.hear(opening.from, now_ms);
            now_ms += 10 * MINUTE_MS;
            street.speak(now_ms);
        }
        street.hear(opening.from, now_ms);
        assert_eq!(street.speak(now_ms + MINUTE_MS), []);
    }

    #[test]
    fn texts_are_complete_and_fit_two_sms() {
        for script in SCRIPTS {
            assert!(!script.turns.is_empty());
            for text in script.turns.iter().flat_map(|turn| turn.wordings).chain([&script.opening]) {
                let text = line(&CAST[0], text).text;
                assert!(!text.contains(['{', '}']) && text.len() <= 160, "{text}");
            }
        }
    }
}
