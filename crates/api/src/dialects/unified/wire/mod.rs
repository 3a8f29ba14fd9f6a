//! The wire types of the contract: what is taken, what is answered, and the way between them and the model.

mod answer;
mod conversation;
mod list;
mod message;
mod request;
#[cfg(test)]
mod tests;

pub(crate) use answer::{Created, Data, Opened, Page};
pub(crate) use conversation::{Conversation, Thread, Unread};
pub(crate) use list::{ConversationList, MessageList};
pub(crate) use message::{Message, Sent};
pub(crate) use request::{Change, Open, Reply, Send};
