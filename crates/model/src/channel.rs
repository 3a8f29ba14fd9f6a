//! The media that a conversation can take, and the providers that carry them.

use serde::{Deserialize, Serialize};

/// Declares a closed set of words with one text form, the same in tables, URLs and logs.
#[macro_export]
macro_rules! words {
    ($(#[$meta:meta])* $vis:vis enum $name:ident ($what:literal) { $($(#[$vmeta:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        $vis enum $name { $($(#[$vmeta])* #[serde(rename = $word)] $variant,)+ }

        impl $name {
            /// Every value, in declaration order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The one text form of the value.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::Error;

            fn from_str(text: &str) -> $crate::Result<Self> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::Error::invalid($what, concat!("Must be one of:", $(" ", $word),+, "."))),
                }
            }
        }
    };
}

words! {
    /// The medium of a conversation.
    pub enum Channel ("channel") {
        /// Text messages, with media where the carrier allows.
        Sms = "sms",
        /// Phone calls.
        Voice = "voice",
        /// E-mail threads.
        Email = "email",
        /// The chat widget on a website.
        Web = "web",
        /// WhatsApp, through any provider.
        Whatsapp = "whatsapp",
        /// Telegram.
        Telegram = "telegram",
    }
}

words! {
    /// Who carries the messages of an account.
    pub enum Provider ("provider") {
        /// Twilio Programmable Messaging.
        Twilio = "twilio",
    }
}

/// A small typed map kept as JSON text in a row; absent and `{}` are the same.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JsonObject(pub serde_json::Map<String, serde_json::Value>);

impl std::fmt::Debug for JsonObject {
    /// How much there is, and not what: callers and providers put people's data here.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "JsonObject({} fields)", self.0.len())
    }
}
