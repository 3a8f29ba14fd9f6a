//! Calls fold in any order, and lists say the right thing of each.

use proptest::prelude::*;

use super::news::News;
use super::*;
use crate::delivery::{DeliveryState, Outcome};
use crate::message::Direction::{Inbound, Outbound};

fn news() -> impl Strategy<Value = News> {
    let status = || (0..CallStatus::ALL.len()).prop_map(|index| CallStatus::ALL[index]);
    let seconds = || proptest::option::of(0..100_i64);
    prop_oneof![
        (status(), seconds()).prop_map(|(status, duration_s)| News::Call { status, duration_s }),
        (status(), seconds()).prop_map(|(status, duration_s)| News::Leg { status, duration_s }),
        Just(News::Accepted { n: 0 }),
        (any::<bool>(), seconds()).prop_map(|(bridged, duration_s)| News::Dialed { n: 0, bridged, duration_s }),
        ("RE[0-2]", seconds(), any::<bool>()).prop_map(|(id, duration_s, voicemail)| News::Recorded {
            recording: Recording::new(id, duration_s),
            url: String::new(),
            content_type: "audio/mpeg",
            voicemail,
        }),
        "[a-c]{0,2}".prop_map(|text| News::Transcribed { text }),
    ]
}

proptest! {
    #[test]
    fn any_order_and_any_repetition_end_equal(
        (said, shuffled) in proptest::collection::vec(news(), 1..8).prop_flat_map(|said| {
            let twice = said.iter().chain(&said).cloned().collect::<Vec<_>>();
            (Just(said), Just(twice).prop_shuffle())
        }),
        outbound: bool,
    ) {
        let direction = if outbound { Outbound } else { Inbound };
        let end = |said: &[News]| said.iter().filter_map(|news| news.facts(direction)).fold(Call::of(CallStatus::Queued), Call::fold);
        prop_assert_eq!(end(&said), end(&shuffled));
    }
}

fn after(direction: Direction, said: &[News]) -> (Call, Outcome) {
    let call = said.iter().filter_map(|news| news.facts(direction)).fold(Call::of(CallStatus::Queued), Call::fold);
    (call, said.iter().filter_map(News::outcome).fold(Outcome::of(DeliveryState::Pending), Outcome::fold))
}

fn recorded(voicemail: bool) -> News {
    let recording = Recording::new("RE1".to_owned(), Some(42));
    News::Recorded { recording, url: String::new(), content_type: "audio/mpeg", voicemail }
}

const ENDED: News = News::Call { status: CallStatus::Completed, duration_s: Some(125) };

#[test]
fn what_lists_show_of_calls_that_come_in() {
    let line = |said: &[News]| after(Inbound, said).0.line(Inbound);
    assert_eq!(line(&[News::Call { status: CallStatus::Ringing, duration_s: None }]), "Incoming call");
    assert_eq!(line(&[ENDED]), "Missed call");
    assert_eq!(line(&[ENDED, recorded(true)]), "Voicemail, 0:42");
    assert_eq!(line(&[ENDED, News::Accepted { n: 0 }]), "Incoming call, 2:05");
    assert_eq!(line(&[ENDED, News::Accepted { n: 0 }, recorded(false)]), "Incoming call, 2:05");
    assert_eq!(line(&[News::Accepted { n: 0 }]), "Incoming call");
}

#[test]
fn what_lists_show_of_calls_that_we_make_and_how_they_count_as_deliveries() {
    let leg = |status| News::Leg { status, duration_s: Some(61) };
    let seen = |said: &[News]| {
        let (call, outcome) = after(Outbound, said);
        let code = outcome.error.filter(|(state, _)| *state == outcome.state).map(|(_, error)| error.code).unwrap_or_default();
        (call.line(Outbound), outcome.state, code)
    };
    let case = |line: &str, state, code: &str| (line.to_owned(), state, code.to_owned());
    use DeliveryState as D;
    let staff = |status| News::Call { status, duration_s: None };
    assert_eq!(seen(&[staff(CallStatus::InProgress)]), case("Outgoing call", D::Sending, ""));
    assert_eq!(seen(&[staff(CallStatus::NoAnswer)]), case("Outgoing call, not connected", D::Failed, "staff_no_answer"));
    assert_eq!(seen(&[ENDED]), case("Outgoing call, not connected", D::Undelivered, "not_connected"));
    assert_eq!(seen(&[ENDED, leg(CallStatus::NoAnswer)]), case("Outgoing call, no answer", D::Failed, "contact_no_answer"));
    assert_eq!(seen(&[leg(CallStatus::Completed), ENDED]), case("Outgoing call, 1:01", D::Delivered, ""));
    let bridged = News::Dialed { n: 0, bridged: true, duration_s: Some(61) };
    assert_eq!(seen(&[ENDED, bridged]), case("Outgoing call, 1:01", D::Delivered, ""));
}

#[test]
fn a_message_without_sound_is_no_voicemail() {
    let silent = News::Recorded {
        recording: Recording::new("RE1".to_owned(), Some(0)),
        url: String::new(),
        content_type: "audio/mpeg",
        voicemail: true,
    };
    assert_eq!(after(Inbound, &[silent, ENDED]).0.line(Inbound), "Missed call");
}
