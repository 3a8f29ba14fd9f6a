//! Ids in paths. What is no integer of ours names nothing, and is answered like every other id that names nothing.

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::Operation;
use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use parlance_model::Error;
use parlance_model::error::Kind;
use parlance_model::id::{AccountId, ContactId, ConversationId, KeyId, MediaId, MessageId, UserId};
use schemars::JsonSchema;

use crate::openapi;
use crate::problem::{Answer, Problem};

macro_rules! in_path {
    ($($name:ident($id:ident, $what:literal, $doc:literal);)+) => {$(
        #[doc = concat!("The ", $what, " in the path.")]
        #[derive(Debug)]
        pub(crate) struct $name(pub(crate) $id);

        impl<S: Send + Sync> FromRequestParts<S> for $name {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
                // A segment that is not UTF-8 is refused by axum: no id either.
                let id = Path::<String>::from_request_parts(parts, state).await.ok().and_then(|Path(text)| integer(&text));
                Ok(Self($id(id.ok_or_else(|| Error::not_found($what))?)))
            }
        }

        impl OperationInput for $name {
            fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
                /// The parameter as it is documented.
                #[derive(JsonSchema)]
                #[schemars(inline)]
                struct Parameters {
                    #[doc = $doc]
                    #[expect(dead_code, reason = "only its schema is used")]
                    #[schemars(range(min = 1))]
                    id: i64,
                }
                Path::<Parameters>::operation_input(ctx, operation);
                openapi::refuses(operation, &[Kind::NotFound]);
            }
        }
    )+};
}

in_path! {
    InAccount(AccountId, "account", "The account's id.");
    InContact(ContactId, "contact", "The contact's id.");
    InConversation(ConversationId, "conversation", "The conversation's id.");
    InKey(KeyId, "key", "The key's id.");
    InMedia(MediaId, "file", "The file's id.");
    InMessage(MessageId, "message", "The message's id.");
    InStaff(UserId, "staff member", "The user's id.");
}

/// Reads an integer in its one written form: `007` and `+7` are no ids.
fn integer(text: &str) -> Option<i64> {
    text.parse().ok().filter(|id: &i64| id.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::integer;

    #[test]
    fn ids_have_one_written_form() {
        assert_eq!(integer("7"), Some(7));
        assert_eq!(integer("-1"), Some(-1));
        for text in ["", "07", "+7", "7 ", "x", "9223372036854775808", "1e3", "７"] {
            assert_eq!(integer(text), None, "{text}");
        }
    }
}
