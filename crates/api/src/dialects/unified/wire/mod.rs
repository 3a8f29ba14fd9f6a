//! The wire types of the contract: what is taken, what is answered, and the way between them and the model.

mod account;
mod answer;
mod attempt;
mod audit;
mod contact;
mod conversation;
mod event;
mod key;
mod list;
mod listed;
mod me;
mod media;
mod message;
mod opt_out;
mod request;
mod search;
mod settings;
mod staff;
mod template;
#[cfg(test)]
mod tests;
mod voice;

pub(crate) use account::{Account, ChangeAccount, ConnectAccount};
pub(crate) use answer::{Created, Data, Done, Opened, Page, Rows, ShownOnce};
pub(crate) use attempt::Attempt;
pub(crate) use audit::{AuditList, AuditRecord};
pub(crate) use contact::{ChangeContact, Contact, Merge, NewContact};
pub(crate) use conversation::{Conversation, Thread, Unread};
pub(crate) use event::Events;
pub(crate) use key::{Key, MakeKey, NewKey};
pub(crate) use list::{ContactList, ConversationList, EventList, MessageList, OptOutList, RowList};
pub(crate) use listed::Listed;
pub(crate) use me::{Credentials, Me, SignedIn};
pub(crate) use media::{Attachment, Media};
pub(crate) use message::{Message, Sent};
pub(crate) use opt_out::{OptOut, SetOptOut};
pub(crate) use request::{Call, Change, Open, Reply, Retry, Send};
pub(crate) use search::{Search, SearchAnswer};
pub(crate) use settings::{ChangeProviderSettings, ProviderSettings};
pub(crate) use staff::{AddStaff, AddedStaff, ChangeStaff, Staff};
