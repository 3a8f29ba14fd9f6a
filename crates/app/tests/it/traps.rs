//! Traps of Twilio that no other file is about: which URL is signed, messages without a text, and as many files as there may be.

use bytes::Bytes;
use parlance_app::ingest::HookRequest;
use parlance_model::message::{Attachment, Message};
use parlance_sim::twilio::{Inbound, InboundMedia, MediaContent, signature};
use parlance_testkit::{PIXEL, both_databases};

use crate::fixture::{CUSTOMER, Fixture, NUMBER, SID, TOKEN, hook, sid};

/// The messages of all conversations.
async fn messages(on: &Fixture) -> Vec<Message> {
    let mut all = Vec::new();
    for found in on.conversations().await {
        let (_, messages) = on.app.conversation(&on.who, found.id).await.unwrap();
        all.extend(messages.into_iter().map(|shown| shown.message));
    }
    all
}

/// A text, signed for this URL, as a proxy passes it on.
fn signed_for(url: &str, number: usize) -> HookRequest {
    let id = sid(number);
    let form = [("AccountSid", SID), ("MessageSid", id.as_str()), ("From", CUSTOMER), ("To", NUMBER), ("Body", "Hello")];
    let mut request = hook("/webhooks/twilio", &form);
    request.headers.insert("x-twilio-signature", signature::sign(TOKEN, url, form).parse().unwrap());
    for (name, value) in [("host", "10.0.0.7:8080"), ("x-forwarded-proto", "http"), ("x-forwarded-host", "inside.example.com")] {
        request.headers.insert(name, value.parse().unwrap());
    }
    request
}

both_databases! {
    async fn the_port_and_scheme_of_the_signed_url_are_those_of_the_public_one(database) {
        let on = Fixture::new(database).await;
        for (number, url) in ["https://chat.example.com/webhooks/twilio", "https://chat.example.com:443/webhooks/twilio"].iter().enumerate() {
            on.app.hook(signed_for(url, number)).await.unwrap();
        }
        for url in ["http://chat.example.com/webhooks/twilio", "http://10.0.0.7:8080/webhooks/twilio", "https://inside.example.com/webhooks/twilio"] {
            assert_eq!(on.app.hook(signed_for(url, 9)).await.unwrap_err().code(), "bad_signature", "{url}");
        }
        assert_eq!(messages(&on).await.len(), 2);
    }

    async fn an_empty_body_is_a_message_and_no_body_at_all_is_one_too(database) {
        let on = Fixture::new(database).await;
        let ends = [("AccountSid", SID), ("From", CUSTOMER), ("To", NUMBER), ("NumMedia", "0")];
        for (number, body) in [Some(("Body", "")), None].into_iter().enumerate() {
            let id = sid(number);
            let form: Vec<_> = ends.into_iter().chain([("MessageSid", id.as_str())]).chain(body).collect();
            on.app.hook(hook("/webhooks/twilio", &form)).await.unwrap();
        }
        let bodies: Vec<_> = messages(&on).await.into_iter().map(|message| message.body).collect();
        assert_eq!(bodies, ["", ""]);
        on.assert_healthy().await;
    }

    async fn ten_media_of_one_message_are_all_kept_in_their_order(database) {
        let on = Fixture::new(database).await;
        let picture = || InboundMedia { content_type: "image/png".into(), content: MediaContent::Bytes(Bytes::from_static(PIXEL)) };
        on.sim.inbound(Inbound { media: (0..10).map(|_| picture()).collect(), ..Inbound::text(CUSTOMER, NUMBER, "") }).await;
        let sent = on.sim.messages().pop().unwrap();
        let mut form: Vec<_> = [("AccountSid", SID), ("MessageSid", &sent.sid), ("From", CUSTOMER), ("To", NUMBER), ("NumMedia", "10")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        for (index, media) in sent.media.iter().enumerate() {
            form.push((format!("MediaUrl{index}"), media.url.clone()));
            form.push((format!("MediaContentType{index}"), "image/png".to_owned()));
        }
        let form: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        on.app.hook(hook("/webhooks/twilio", &form)).await.unwrap();
        let waiting = messages(&on).await.remove(0);
        for (file, sent) in waiting.attachments.iter().zip(&sent.media) {
            assert!(matches!(file, Attachment::Remote { provider_url, .. } if *provider_url == sent.url));
        }
        assert_eq!(on.app.run_jobs().await.unwrap(), 10);
        let kept = messages(&on).await.remove(0);
        assert!(kept.attachments.len() == 10 && kept.attachments.iter().all(|file| matches!(file, Attachment::Stored { .. })));
        assert_eq!(on.sim.leaks(), Vec::<String>::new());
    }
}
