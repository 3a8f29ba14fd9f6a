//! The cast and what it says. Answers fit whatever a shop may have written, because nobody here reads it.
//! The numbers are of the range that is kept for fiction (555-0100 to 555-0199).

/// A customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    /// Full name, so that a demo can fill its contacts.
    pub name: &'static str,
    /// The number, in E.164 form.
    pub number: &'static str,
}

impl Person {
    /// The first name.
    pub(crate) fn first_name(&self) -> &'static str {
        self.name.split(' ').next().unwrap_or(self.name)
    }
}

/// A conversation that a customer begins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Script {
    /// What they write first. `{name}` is their first name.
    pub(crate) opening: &'static str,
    /// What they say to each answer.
    pub(crate) turns: &'static [Turn],
}

/// One thing that a customer says, in some wordings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Wordings, one of which is chosen.
    pub(crate) wordings: &'static [&'static str],
    /// What may come after it.
    pub(crate) afterthought: Option<&'static str>,
}

/// Everyone on the street.
pub const CAST: &[Person] = &[
    Person { name: "Maria Alvarez", number: "+14155550132" },
    Person { name: "Tom Becker", number: "+15035550118" },
    Person { name: "Priya Natarajan", number: "+14155550176" },
    Person { name: "Jonas Lindqvist", number: "+12065550143" },
    Person { name: "Aisha Rahman", number: "+13125550161" },
    Person { name: "Dave Kowalski", number: "+16175550109" },
    Person { name: "Mei Tanaka", number: "+12125550187" },
    Person { name: "Sam O'Neill", number: "+15125550124" },
];

/// Who calls rather than writes, and what they say when a message is taken.
pub(crate) const CALLER: (&Person, &str) =
    (&CAST[5], "Hi, this is Dave Kowalski. I would like to rent two bikes for the weekend. Please call me back. Thanks!");

/// What someone says who is written to before they ever wrote.
pub(crate) const COLD: Turn = Turn {
    wordings: &[
        "Hi! Thanks for getting in touch. I'll have a look tonight.",
        "Sounds good, how much would that be?",
        "Thanks, not right now, but maybe in spring.",
        "Oh nice, is that still on next week?",
    ],
    afterthought: None,
};

/// The reasons to write to a bicycle repair shop.
pub(crate) const SCRIPTS: &[Script] = &[
    Script {
        opening: "Hi, this is {name}. My rear wheel wobbles and rubs on the brake. Could you take a look this week?",
        turns: &[
            Turn {
                wordings: &["Thursday after 5 would work best for me.", "I could drop it off tomorrow morning, is that ok?"],
                afterthought: Some("It's a 28 inch city bike, if that matters"),
            },
            Turn { wordings: &["Perfect, see you then!", "Great, thank you 👍"], afterthought: None },
        ],
    },
    Script {
        opening: "Hello! How much is a full service for an e-bike, and how long would you need it?",
        turns: &[
            Turn {
                wordings: &["Ok. Does that include new brake pads?", "Alright. And would new brake pads be extra?"],
                afterthought: Some("They squeal pretty badly"),
            },
            Turn {
                wordings: &["Good to know. Let's do it, can I bring it on Monday?", "Fair enough. Is Monday free?"],
                afterthought: None,
            },
            Turn { wordings: &["Monday it is. Thanks!", "Great, see you Monday."], afterthought: None },
        ],
    },
    Script {
        opening: "Hey, is my bike ready? Blue Trek, dropped it off on Saturday. {name}",
        turns: &[
            Turn {
                wordings: &["Ok great! Until when are you open today?", "Thanks for checking. How late can I come by?"],
                afterthought: None,
            },
            Turn { wordings: &["I'll be there, thanks!", "On my way in an hour 🚲"], afterthought: Some("Can I pay by card?") },
        ],
    },
    Script {
        opening: "Flat tire again 😩 second time this month. Do you have puncture proof ones for 700x35?",
        turns: &[
            Turn {
                wordings: &["Nice. How much for both, fitted?", "And what would two of them cost with fitting?"],
                afterthought: Some("Tubes too please"),
            },
            Turn { wordings: &["Ok let's do both.", "That's fine, please put a set aside for me."], afterthought: None },
            Turn { wordings: &["Thank you!", "Cheers, see you soon"], afterthought: None },
        ],
    },
    Script {
        opening: "Good morning, do you also repair children's bikes? The chain came off and my daughter is devastated",
        turns: &[
            Turn { wordings: &["You're a lifesaver. Can we just walk in?", "Wonderful! Do we need an appointment?"], afterthought: None },
            Turn {
                wordings: &["We'll come by after school then.", "Ok, we'll be there around 4."],
                afterthought: Some("It's the pink one with the bell 😄"),
            },
        ],
    },
    Script {
        opening: "Hi, I got a quote from you last week for a new drivetrain ({name}). Is it still valid?",
        turns: &[
            Turn { wordings: &["Good. I'd like to go ahead.", "Ok, then please order the parts."], afterthought: None },
            Turn { wordings: &["How long will the parts take?", "When do you think it will be done?"], afterthought: None },
            Turn { wordings: &["That works for me, thanks.", "Fine, no rush."], afterthought: None },
        ],
    },
    Script {
        opening: "I have an appointment tomorrow at 10 but something came up. Could we move it? {name}",
        turns: &[
            Turn { wordings: &["Friday same time would be great.", "Any chance on Friday morning?"], afterthought: None },
            Turn { wordings: &["Great, thank you for being flexible!", "Perfect, thanks"], afterthought: Some("Sorry for the hassle") },
        ],
    },
    Script {
        opening: "Are you guys open on Sunday? Brakes feel spongy and we're leaving for a tour on Monday...",
        turns: &[
            Turn { wordings: &["Ok, then I'll try to make it on Saturday.", "Hm ok. Saturday morning then?"], afterthought: None },
            Turn { wordings: &["Hydraulic, Shimano I think.", "They're hydraulic, about three years old."], afterthought: None },
            Turn { wordings: &["Awesome, thanks so much!", "Great, you saved our trip"], afterthought: None },
        ],
    },
];
