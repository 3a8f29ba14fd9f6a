//! WhatsApp at hand-over: what Twilio is asked, what comes too late, and how far it got.

use parlance_app::account::VoiceChanges;
use parlance_app::directory::NewTwilio;
use parlance_app::send::{Draft, Recipient, Sent};
use parlance_model::channel::Channel;
use parlance_model::delivery::DeliveryState;
use parlance_model::outbound::Template;
use parlance_testkit::{Database, both_databases};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::fixture::{CUSTOMER, Fixture, SID, TOKEN, draft, hook, sid};

/// The number of the account whose API the test itself plays.
const NUMBER: &str = "+15557654321";
const WHATSAPP_NUMBER: &str = "+15550001111";
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// An installation, and the server that plays its provider.
struct On {
    on: Fixture,
    server: TcpListener,
}

fn whatsapp(body: &str, template: Option<Template>) -> Draft {
    Draft { to: Recipient::Phone(CUSTOMER.into(), Channel::Whatsapp), template, ..draft(body, None) }
}

impl On {
    /// With a message from the customer over WhatsApp.
    async fn new(database: Database) -> Self {
        let on = Fixture::new(database).await;
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let twilio = NewTwilio {
            account_sid: SID.into(),
            auth_token: TOKEN.into(),
            api_key: None,
            phone_number: NUMBER.into(),
            messaging_service_sid: None,
            whatsapp_number: Some(WHATSAPP_NUMBER.into()),
            base_url: Some(format!("http://{}", server.local_addr().unwrap())),
            messages_per_second: Some(0),
            voice: VoiceChanges::default(),
        };
        on.app.create_twilio("acme", twilio).await.unwrap();
        let (from, to) = (format!("whatsapp:{CUSTOMER}"), format!("whatsapp:{WHATSAPP_NUMBER}"));
        let form = [("AccountSid", SID), ("MessageSid", &sid(1)), ("From", &from), ("To", &to), ("Body", "Hallo!"), ("NumMedia", "0")];
        on.app.hook(hook("/webhooks/twilio", &form)).await.unwrap();
        Self { on, server }
    }

    async fn send(&self, draft: Draft) -> Sent {
        self.on.app.send(&self.on.who, draft, false).await.unwrap()
    }

    /// Runs what is due while the provider takes one message. Gives back the form, without its callback.
    async fn handed_over(&self) -> Vec<(String, String)> {
        let provider = async {
            let (mut stream, _) = self.server.accept().await.unwrap();
            let mut request = Vec::new();
            let form = loop {
                let mut buffer = [0; 4096];
                let read = stream.read(&mut buffer).await.unwrap();
                request.extend_from_slice(&buffer[..read]);
                let text = String::from_utf8_lossy(&request).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length = head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
                if length == Some(body.len()) {
                    break body.to_owned();
                }
            };
            let taken = format!("{{\"sid\":\"{}\",\"status\":\"queued\"}}", sid(99));
            let answer = format!("HTTP/1.1 201 Created\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{taken}", taken.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
            form
        };
        let (ran, form) = tokio::join!(self.on.app.run_jobs(), provider);
        assert_eq!(ran.unwrap(), 1);
        let fields = form_urlencoded::parse(form.as_bytes()).into_owned();
        fields.filter(|(name, _)| name != "StatusCallback").collect()
    }
}

fn fields(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

both_databases! {
    async fn an_answer_goes_out_over_whatsapp_and_its_reports_come_back(database) {
        let on = On::new(database).await;
        let sent = on.send(whatsapp("Hello!", None)).await;
        let (from, to) = (format!("whatsapp:{WHATSAPP_NUMBER}"), format!("whatsapp:{CUSTOMER}"));
        assert_eq!(on.handed_over().await, fields(&[("To", &to), ("From", &from), ("Body", "Hello!")]));
        let report = [("AccountSid", SID), ("MessageSid", &sid(99)), ("MessageStatus", "read"), ("From", &from), ("To", &to), ("ChannelPrefix", "whatsapp"), ("EventType", "READ")];
        on.on.app.hook(hook("/webhooks/twilio", &report)).await.unwrap();
        assert_eq!(on.on.look(&sent).await.state, DeliveryState::Read);
        on.on.assert_healthy().await;
    }

    async fn a_template_goes_out_when_a_text_would_not(database) {
        let on = On::new(database).await;
        on.on.clock.advance_ms(DAY_MS);
        assert_eq!(on.on.app.send(&on.on.who, whatsapp("Late", None), false).await.unwrap_err().code(), "whatsapp_window_closed");
        let template = Template { id: "HX1".into(), variables: [("1".to_owned(), "Jane".to_owned())].into() };
        on.send(whatsapp("Hello Jane", Some(template))).await;
        let (from, to) = (format!("whatsapp:{WHATSAPP_NUMBER}"), format!("whatsapp:{CUSTOMER}"));
        assert_eq!(on.handed_over().await, fields(&[("To", &to), ("From", &from), ("ContentSid", "HX1"), ("ContentVariables", "{\"1\":\"Jane\"}")]));
    }

    async fn a_window_that_closed_meanwhile_ends_the_message(database) {
        let on = On::new(database).await;
        on.on.clock.advance_ms(DAY_MS - 1);
        let sent = on.send(whatsapp("In time", None)).await;
        on.on.clock.advance_ms(1);
        assert_eq!(on.on.app.run_jobs().await.unwrap(), 1);
        let failed = on.on.look(&sent).await;
        assert_eq!((failed.state, failed.error_code.as_deref()), (DeliveryState::Failed, Some("whatsapp_window_closed")));
        assert_eq!(on.on.app.retry(&on.on.who, failed.id, Default::default(), false).await.unwrap_err().code(), "whatsapp_window_closed");
        on.on.assert_healthy().await;
    }
}
