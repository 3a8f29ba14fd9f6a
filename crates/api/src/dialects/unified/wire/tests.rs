//! The wire types against the contract's own examples, and against the whole answers that the OpenAPI document shows.

use parlance_app::audit::Record;
use parlance_app::media::{Shown, ShownFile, ShownMedia};
use parlance_app::message::Attempt as StoredAttempt;
use parlance_app::search::{Findings, Hit};
use parlance_app::send;
use parlance_model::audit::{Act, Action, ActorKind};
use parlance_model::call::{Call, CallStatus, Recording};
use parlance_model::channel::{Channel, JsonObject};
use parlance_model::contact::{Contact as StoredContact, Identity, IdentityKind, Profile};
use parlance_model::conversation::{Conversation as StoredConversation, Standing, Visitor};
use parlance_model::delivery::{DeliveryError, DeliveryState, Outcome};
use parlance_model::id::{AccountId, AttemptId, ContactId, ConversationId, KeyId, MediaId, MessageId, UserId};
use parlance_model::media::{Facts, Media as StoredMedia};
use parlance_model::message::{Attachment, Direction, Kind, Message as StoredMessage, SenderKind};
use parlance_model::opt_out::{OptOut as StoredOptOut, OptSource};
use serde_json::{Value, json};

use super::*;
use crate::dialects::unified::golden;
use crate::json;

/// 2026-03-05T20:00:00Z.
const AT_MS: i64 = 1_772_740_800_000;

fn conversation() -> StoredConversation {
    StoredConversation {
        id: ConversationId(456),
        account_id: AccountId(1),
        session_key: "sms_+15551234567".to_owned(),
        channel: Channel::Sms,
        contact_id: ContactId(123),
        contact_name: Some("John Doe".to_owned()),
        peer: "+15551234567".to_owned(),
        standing: Standing::NEW,
        starred: false,
        assigned_to: Some(UserId(7)),
        message_count: 1,
        unread_count: 0,
        read_through: MessageId(0),
        last_message_ms: AT_MS,
        newest_id: MessageId(789),
        preview: "Hello!".to_owned(),
        last_direction: Some(Direction::Outbound),
        last_inbound_ms: None,
        metadata: JsonObject::default(),
        visitor: Visitor::default(),
        created_ms: AT_MS,
        updated_ms: AT_MS,
    }
}

fn message() -> StoredMessage {
    StoredMessage {
        id: MessageId(789),
        conversation_id: ConversationId(456),
        account_id: AccountId(1),
        channel: Channel::Sms,
        direction: Direction::Outbound,
        sender: SenderKind::Staff,
        sender_user: Some(UserId(7)),
        kind: Kind::Text,
        body: "Hello!".to_owned(),
        attachments: Vec::new(),
        meta: JsonObject::default(),
        state: DeliveryState::Sent,
        error_code: None,
        error_message: None,
        at_ms: AT_MS,
        received_ms: AT_MS,
        updated_ms: AT_MS,
        read_ms: None,
        call: None,
        send_at_ms: None,
        valid_s: None,
        segments: None,
        history: false,
    }
}

fn shown(message: StoredMessage) -> Shown {
    Shown { message, files: Vec::new() }
}

fn sent() -> Value {
    sent_in(conversation(), message())
}

fn sent_in(conversation: StoredConversation, message: StoredMessage) -> Value {
    let (first_name, last_name) = ("John".to_owned(), "Doe".to_owned());
    let phone = Some("+15551234567".to_owned());
    let contact = StoredContact { id: ContactId(123), first_name, last_name, phone, email: None, created_ms: AT_MS, updated_ms: AT_MS };
    let sent = send::Sent { conversation, contact, message, files: Vec::new() };
    serde_json::to_value(Data::<Sent>::of(sent).0).unwrap()
}

/// A call that was just asked for.
fn called() -> Value {
    let with = StoredConversation {
        id: ConversationId(457),
        session_key: "voice_+15551234567".to_owned(),
        channel: Channel::Voice,
        preview: "Outgoing call".to_owned(),
        ..conversation()
    };
    sent_in(with, call(CallStatus::Queued, DeliveryState::Queued))
}

/// A call that the staff made.
fn call(status: CallStatus, state: DeliveryState) -> StoredMessage {
    StoredMessage {
        id: MessageId(791),
        conversation_id: ConversationId(457),
        channel: Channel::Voice,
        kind: Kind::Call,
        body: String::new(),
        state,
        call: Some(Call { duration_s: (status == CallStatus::Completed).then_some(61), ..Call::of(status) }),
        ..message()
    }
}

/// A message that a caller left.
fn voicemail() -> Shown {
    let facts = Facts { content_type: "audio/mpeg".to_owned(), size: 168_204, name: "file.mp3".to_owned(), width: None, height: None };
    let attachment = Attachment::Stored { media_id: MediaId(31), facts, has_thumbnail: false };
    let recording = Recording { file: Some(0), ..Recording::new("RE1".to_owned(), Some(42)) };
    let said = "Hello, this is John. Please call me back.".to_owned();
    let heard = Call { recordings: vec![recording], transcription: Some(said.clone()), ..Call::of(CallStatus::Voicemail) };
    let message = StoredMessage {
        id: MessageId(790),
        direction: Direction::Inbound,
        sender: SenderKind::Contact,
        sender_user: None,
        body: said,
        attachments: vec![attachment.clone()],
        call: Some(heard),
        ..call(CallStatus::Voicemail, DeliveryState::Delivered)
    };
    let url = golden!("media")["data"]["url"].as_str().map(str::to_owned);
    Shown { message, files: vec![ShownFile { attachment, url, thumbnail_url: None }] }
}

fn profile() -> Profile {
    let (first_name, last_name) = ("John".to_owned(), "Doe".to_owned());
    let (phone, email) = (Some("+15559876543".to_owned()), Some("john@example.com".to_owned()));
    let contact = StoredContact { id: ContactId(123), first_name, last_name, phone, email, created_ms: AT_MS, updated_ms: AT_MS };
    let phone = Identity { kind: IdentityKind::Phone, value: "+15559876543".to_owned() };
    Profile { contact, identities: vec![phone, Identity::email("john@example.com")], opted_out: true }
}

fn opt_out() -> StoredOptOut {
    let identity = profile().identities.remove(0);
    StoredOptOut { identity, opted_out: true, written: Some((OptSource::Staff, AT_MS)), contact_id: Some(ContactId(123)) }
}

#[expect(clippy::single_range_in_vec_init, reason = "one match")]
fn found() -> Value {
    let message = message();
    let hit = Hit {
        id: message.id,
        conversation_id: message.conversation_id,
        channel: message.channel,
        direction: message.direction,
        sender: message.sender,
        sender_user: message.sender_user,
        body: "Hello John, your refund is on its way.".to_owned(),
        has_media: false,
        at_ms: AT_MS,
        contact_id: ContactId(123),
        contact_name: Some("John Doe".to_owned()),
        peer: "+15551234567".to_owned(),
        places: vec![6..10],
    };
    let found = Findings { people: vec![profile()], messages: vec![hit], next: None, complete: true };
    serde_json::to_value(SearchAnswer::of(found, 20).0).unwrap()
}

fn audited() -> Record {
    let act = Act::new(Action::ConversationClose, ConversationId(456)).changed("status", "open", "closed");
    Record {
        id: 41,
        at_ms: AT_MS,
        actor: ActorKind::Key.to_string(),
        user: Some(UserId(7)),
        user_name: Some("Ann Baker".into()),
        key: Some(KeyId(3)),
        key_name: Some("Desk".into()),
        request_id: Some("checkout-7".into()),
        action: act.action.to_string(),
        subject: act.subject.kind.to_string(),
        subject_id: act.subject.id,
        details: act.changed("state", "open", "completed").details,
    }
}

fn attempts() -> Vec<StoredAttempt> {
    let error = DeliveryError { code: "30003".into(), message: "The phone could not be reached.".into() };
    let attempt = |id: i64, outcome: Outcome| StoredAttempt {
        recipient: "+15557654321".into(),
        id: AttemptId(id),
        message_id: MessageId(789),
        account_id: AccountId(1),
        provider_id: Some(format!("SM{id:032x}")),
        outcome,
        started_ms: AT_MS,
        finished_ms: Some(AT_MS),
    };
    vec![attempt(5, Outcome::with_error(DeliveryState::Undelivered, error)), attempt(6, Outcome::of(DeliveryState::Sent))]
}

/// Whether all that stands in `part` stands in `whole` too, with the same values.
fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(name, value)| whole.get(name).is_some_and(|whole| contains(whole, value)))
        }
        _ => whole == part,
    }
}

#[test]
fn the_contracts_answer_to_a_send_is_in_ours() {
    let theirs = golden!("contract_send_answer");
    assert!(theirs["data"]["message"].is_object() && contains(&sent(), &theirs), "{}", sent());
}

#[test]
fn the_contracts_bodies_are_read() {
    for example in [golden!("send"), golden!("send_to_contact")] {
        let draft = json::parse::<Send>(example.to_string().as_bytes()).unwrap().read(None).unwrap();
        assert_eq!(draft.body, "Hello!");
    }
    let reply = json::parse::<Reply>(golden!("reply").to_string().as_bytes()).unwrap();
    assert_eq!(reply.read(ConversationId(1), None).body, "Hello!");
}

#[test]
fn the_documents_examples_are_what_is_answered() {
    let conversation_json = serde_json::to_value(Data::<Conversation>::of(conversation()).0).unwrap();
    let thread = serde_json::to_value(Data::<Thread>::of((conversation(), vec![shown(message())])).0).unwrap();
    let meta = json!({ "total": 1, "limit": 50, "offset": 0, "next_cursor": null, "total_bounded": false });
    let completed = shown(call(CallStatus::Completed, DeliveryState::Delivered));
    let calls: Vec<Message> = vec![completed.into(), voicemail().into()];
    let calls_meta = json!({ "total": 2, "limit": 50, "offset": 0, "next_cursor": null, "total_bounded": false });
    let contact = serde_json::to_value(Data::<Contact>::of(profile()).0).unwrap();
    let opt_out = serde_json::to_value(Data::<OptOut>::of(opt_out()).0).unwrap();
    let canceled = StoredMessage { state: DeliveryState::Canceled, ..message() };
    let record = serde_json::to_value(AuditRecord::from(audited())).unwrap();
    for (name, golden, ours) in [
        ("contact", golden!("contact"), contact.clone()),
        ("contacts", golden!("contacts"), json!({ "data": [contact["data"]], "meta": meta })),
        ("search", golden!("search"), found()),
        ("opt_out", golden!("opt_out"), opt_out.clone()),
        ("opt_outs", golden!("opt_outs"), json!({ "data": [opt_out["data"]], "meta": meta })),
        ("sent", golden!("sent"), sent()),
        ("conversation", golden!("conversation"), conversation_json.clone()),
        ("thread", golden!("thread"), thread),
        ("conversations", golden!("conversations"), json!({ "data": [conversation_json["data"]], "meta": meta })),
        ("message", golden!("message"), serde_json::to_value(Data::<Message>::of(shown(message())).0).unwrap()),
        ("canceled", golden!("canceled"), serde_json::to_value(Data::<Message>::of(shown(canceled)).0).unwrap()),
        (
            "attempts",
            golden!("attempts"),
            json!({ "data": attempts().into_iter().map(Attempt::from).collect::<Vec<_>>(), "meta": { "total": 2, "limit": 50, "offset": 0 } }),
        ),
        ("audit", golden!("audit"), json!({ "data": [record], "meta": meta })),
        ("messages", golden!("messages"), json!({ "data": calls, "meta": calls_meta })),
        ("called", golden!("called"), called()),
    ] {
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            let path = format!("{}/src/dialects/unified/golden/{name}.json", env!("CARGO_MANIFEST_DIR"));
            std::fs::write(path, format!("{}\n", serde_json::to_string_pretty(&ours).unwrap())).unwrap();
        } else {
            assert_eq!(golden, ours, "golden/{name}.json: if that is meant, run the tests with UPDATE_GOLDEN=1");
        }
    }
}

#[test]
fn every_field_of_the_contracts_records_is_always_there() {
    let sent = sent();
    let conversation = "id channel status phone_number visitor_name visitor_email visitor_phone visitor_token ghl_conversation_id \
        contact_id assigned_to last_message_at metadata inserted_at updated_at";
    let message = "id conversation_id sender_id sender_type body channel direction delivery_status ghl_message_id \
        call_duration_seconds recording_url read_at inserted_at updated_at";
    for (record, names) in [(&sent["data"]["conversation"], conversation), (&sent["data"]["message"], message)] {
        for name in names.split_whitespace() {
            assert!(record.get(name).is_some(), "{name}");
        }
    }
}

#[test]
fn a_conversation_without_messages_has_no_last_one() {
    let empty = StoredConversation { message_count: 0, last_direction: None, preview: String::new(), ..conversation() };
    let shown = serde_json::to_value(Conversation::from(empty)).unwrap();
    assert_eq!([&shown["last_message_at"], &shown["last_message_preview"], &shown["last_direction"]], [&Value::Null; 3]);
}

#[test]
fn senders_and_states_are_shown_in_both_vocabularies() {
    for (sender, word) in
        [(SenderKind::Contact, "visitor"), (SenderKind::Staff, "staff"), (SenderKind::Assistant, "staff"), (SenderKind::System, "system")]
    {
        let shown = serde_json::to_value(Message::from(shown(StoredMessage { sender, ..message() }))).unwrap();
        assert_eq!((&shown["sender_type"], &shown["sender"]), (&json!(word), &json!(sender.as_str())));
    }
    for &state in DeliveryState::ALL {
        let shown = serde_json::to_value(Message::from(shown(StoredMessage { state, ..message() }))).unwrap();
        assert_eq!((&shown["delivery_status"], &shown["delivery_state"]), (&json!(state.status().as_str()), &json!(state.as_str())));
    }
}

#[test]
fn a_file_is_shown_as_the_document_says() {
    let facts = Facts {
        content_type: "image/jpeg".to_owned(),
        size: 482_133,
        name: "front-wheel.jpg".to_owned(),
        width: Some(1600),
        height: Some(1200),
    };
    let (object_key, thumbnail_key) = ("1/ab/abcd".to_owned(), Some("1/ab/abcd.jpg".to_owned()));
    let media = StoredMedia { id: MediaId(31), object_key, facts, sha256: [0; 32], thumbnail_key, created_ms: AT_MS };
    let golden = golden!("media");
    let link = |name: &str| golden["data"][name].as_str().unwrap().to_owned();
    let shown = ShownMedia { media, url: link("url"), thumbnail_url: Some(link("thumbnail_url")), links_end_ms: AT_MS + 7 * 3_600_000 };
    assert_eq!(serde_json::to_value(Data::<Media>::of(shown).0).unwrap(), golden);
}
