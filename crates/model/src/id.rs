//! Ids: 64-bit integers per table, never reused, with two derived forms that need no storage and no look-up:
//! a UUID (RFC 9562 version 8: installation tag, table tag, integer) and a prefixed string (`conv_123`).

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Error, Result};

/// The random tag of an installation (48 bits). It keeps UUIDs of two installations apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstallationTag([u8; 6]);

impl InstallationTag {
    /// From six random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 6]) -> Self {
        Self(bytes)
    }

    /// From the stored integer; only the low 48 bits count.
    #[must_use]
    pub fn from_i64(value: i64) -> Self {
        let [_, _, tag @ ..] = value.to_be_bytes();
        Self(tag)
    }

    /// The stored integer.
    #[must_use]
    pub fn to_i64(self) -> i64 {
        let [a, b, c, d, e, f] = self.0;
        i64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }
}

/// The largest id that fits the 62 bits which version 8 leaves us.
const MAX_ID: i64 = (1 << 62) - 1;

fn to_uuid(tag: InstallationTag, table: u8, id: i64) -> Uuid {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&tag.0);
    bytes[7] = table;
    bytes[8..].copy_from_slice(&(id & MAX_ID).to_be_bytes());
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

fn from_uuid(tag: InstallationTag, table: u8, uuid: Uuid) -> Option<i64> {
    let bytes = uuid.as_bytes();
    let mut low = [0; 8];
    low.copy_from_slice(&bytes[8..]);
    low[0] &= 0x3f;
    let id = i64::from_be_bytes(low);
    // Re-deriving checks version, variant, tag, table and the unused bits at once.
    (id > 0 && to_uuid(tag, table, id) == uuid).then_some(id)
}

macro_rules! ids {
    ($($(#[$meta:meta])* $name:ident($prefix:literal, $table:literal, $what:literal);)+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl $name {
            /// The prefix of the string form.
            pub const PREFIX: &'static str = $prefix;

            /// The UUID form in this installation.
            #[must_use]
            pub fn to_uuid(self, tag: InstallationTag) -> Uuid {
                to_uuid(tag, $table, self.0)
            }

            /// Reads the UUID form. One of another table or installation is "not found".
            ///
            /// # Errors
            /// `not_found`.
            pub fn from_uuid(tag: InstallationTag, uuid: Uuid) -> Result<Self> {
                from_uuid(tag, $table, uuid).map(Self).ok_or_else(|| Error::not_found($what))
            }

            /// The prefixed form, such as `conv_123`.
            #[must_use]
            pub fn to_prefixed(self) -> String {
                format!(concat!($prefix, "_{}"), self.0)
            }

            /// Reads the prefixed form. Anything else is "not found".
            ///
            /// # Errors
            /// `not_found`.
            pub fn from_prefixed(text: &str) -> Result<Self> {
                text.strip_prefix(concat!($prefix, "_"))
                    .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0'))
                    .and_then(|digits| digits.parse().ok())
                    .map(Self)
                    .ok_or_else(|| Error::not_found($what))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    )+};
}

ids! {
    /// An organisation: the tenant.
    OrgId("org", 1, "organisation");
    /// A person who signs in.
    UserId("user", 2, "user");
    /// An API key.
    KeyId("key", 3, "key");
    /// A person outside.
    ContactId("contact", 4, "contact");
    /// A configured connection to a provider.
    AccountId("acct", 5, "account");
    /// A conversation.
    ConversationId("conv", 6, "conversation");
    /// A message: every touchpoint.
    MessageId("msg", 7, "message");
    /// One handing of a message to a provider.
    AttemptId("att", 8, "attempt");
    /// A kept inbound request.
    HookId("hook", 9, "hook");
    /// A piece of work.
    JobId("job", 10, "job");
    /// A person's being signed in.
    SessionId("session", 11, "session");
    /// A file that was uploaded.
    MediaId("media", 13, "file");
}

/// The event id that subscribers see: org and seq, such as `evt_7_42`.
#[must_use]
pub fn event_id(org: OrgId, seq: i64) -> String {
    format!("evt_{}_{seq}", org.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn both_forms_read_back(id in 1..=MAX_ID, tag: [u8; 6]) {
            let tag = InstallationTag::new(tag);
            prop_assert_eq!(ConversationId::from_uuid(tag, ConversationId(id).to_uuid(tag)).ok(), Some(ConversationId(id)));
            prop_assert_eq!(ConversationId::from_prefixed(&ConversationId(id).to_prefixed()).ok(), Some(ConversationId(id)));
            prop_assert_eq!(InstallationTag::from_i64(tag.to_i64()), tag);
        }

        #[test]
        fn a_flipped_bit_is_not_found_or_another_id(id in 1..=MAX_ID, bit in 0_usize..128) {
            let tag = InstallationTag::new([1, 2, 3, 4, 5, 6]);
            let mut bytes = *MessageId(id).to_uuid(tag).as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(read) = MessageId::from_uuid(tag, Uuid::from_bytes(bytes)) {
                prop_assert!(bit >= 64 && !(70..72).contains(&bit), "a changed tag, table, version or variant was accepted");
                prop_assert_ne!(read, MessageId(id));
            }
        }
    }

    #[test]
    fn ids_of_another_table_or_installation_are_not_found() {
        let tag = InstallationTag::new([9; 6]);
        let uuid = ContactId(5).to_uuid(tag);
        assert_eq!(uuid.get_version_num(), 8);
        assert!(MessageId::from_uuid(tag, uuid).is_err());
        assert!(ContactId::from_uuid(InstallationTag::new([8; 6]), uuid).is_err());
        for text in ["msg_5", "conv_", "conv_05", "conv_-1", "conv_+1", "conv_9223372036854775808", "5"] {
            assert!(ConversationId::from_prefixed(text).is_err(), "{text}");
        }
    }
}
