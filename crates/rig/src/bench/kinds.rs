//! The questions that are measured, kind by kind, and what another connection counts that they have to show.

use parlance_app::conversation::Filter;
use parlance_app::page::{Cursor, PageRequest, Start};
use parlance_model::channel::Channel;
use parlance_model::conversation::{Conversation, Status};
use parlance_model::{Error, Result};
use parlance_store::measure::{self, Counted};
use parlance_store::watch::{self, Unit, Watch};

use super::ask::{self, Ask, Question, ROWS, Shown};
use super::office::Office;
use crate::traffic::{COMMON, mark, scattered};

/// Different questions of a kind, where there are as many.
const DIFFERENT: u64 = 200;
/// Rows of a step of the walk through everything, at most.
const STEP: i64 = 200;
/// Steps of the walk, at least: the places between them are where deep pages begin.
const STEPS: i64 = 8;

/// Questions that are measured together.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) asks: Vec<Ask>,
    /// Whether an unchanged answer is asked for, too.
    pub(super) tagged: bool,
}

/// What there is to ask about.
struct Known {
    counted: Vec<Counted>,
    /// Conversations from everywhere in the list.
    some: Vec<Conversation>,
    /// Places in the list.
    places: Vec<Deep>,
}

/// A place in the list.
struct Deep {
    place: Cursor,
    /// Its cursor over HTTP.
    cursor: String,
    /// Conversations before it, and the closed ones among them.
    before: i64,
    closed_before: i64,
}

/// The pages that lists begin with, by each filter that a person would choose.
///
/// # Errors
/// Those of the database.
pub(super) async fn views(office: &Office) -> Result<Vec<Kind>> {
    Ok(views_of(office, &counted(office).await?))
}

/// All kinds. Walks through the whole list first, both ways.
///
/// # Errors
/// `wrong_page` when that shows something else than another connection counts; `cancelled`; those of the database.
pub(super) async fn all(office: &Office, messages: u64, watch: &dyn Watch) -> Result<Vec<Kind>> {
    let counted = counted(office).await?;
    let known = walk(office, counted, watch).await?;
    let mut kinds = views_of(office, &known.counted);
    let list = |filter: Filter, rows, total| asked(Question::List(filter, Start::Offset(0), None), rows, Some(total));
    let of_one = |narrow: &dyn Fn(&Conversation) -> Filter| known.some.iter().map(|one| list(narrow(one), 1, 1)).collect();
    kinds.push(kind("contact", of_one(&|one| Filter { contact_id: Some(one.contact_id), ..Filter::default() })));
    kinds.push(kind("number", of_one(&|one| Filter { search: Some(one.peer.clone()), ..Filter::default() })));
    for (name, status) in [("deep", None), ("deep, closed", Some(Status::Closed))] {
        let total = count(&known.counted, status, None, |_| true);
        let before = |deep: &Deep| if status.is_some() { deep.closed_before } else { deep.before };
        let page = |deep: &Deep| {
            let filter = Filter { status, ..Filter::default() };
            asked(Question::List(filter, Start::After(deep.place), Some(deep.cursor.clone())), ROWS, Some(total))
        };
        let full: Vec<_> = known.places.iter().filter(|deep| total - before(deep) >= ROWS).collect();
        let every = (full.len() / usize::try_from(DIFFERENT).unwrap_or(1)).max(1);
        kinds.push(kind(name, full.into_iter().step_by(every).map(page).collect()));
    }
    let thread = |one: &Conversation| asked(Question::Thread(one.id), one.message_count.min(ROWS), Some(one.message_count));
    kinds.push(kind("thread", known.some.iter().map(thread).collect()));
    kinds.push(kind("counts", vec![unread(&known.counted)]));
    kinds.extend(searches(messages));
    // Where there is so little that no page behind another is full, there is none to ask for.
    kinds.retain(|kind| !kind.asks.is_empty());
    Ok(kinds)
}

/// Words that are in one message, and one that is in most.
pub(super) fn searches(messages: u64) -> [Kind; 2] {
    let rare = (0..DIFFERENT.min(messages)).map(|n| asked(Question::Search(mark(scattered(n) % messages)), 1, None));
    let common = asked(Question::Search(COMMON.to_owned()), ROWS, None);
    [kind("search, rare", rare.collect()), kind("search, common", vec![common])]
}

/// What nobody has read.
pub(super) fn unread(counted: &[Counted]) -> Ask {
    let conversations = counted.iter().map(|of| of.unread_conversations).sum();
    asked(Question::Unread, conversations, Some(counted.iter().map(|of| of.unread_messages).sum()))
}

/// All conversations, counted through a connection of its own.
///
/// # Errors
/// Those of the database.
pub(super) async fn counted(office: &Office) -> Result<Vec<Counted>> {
    let (place, org) = (office.subject.place.clone(), office.who.org);
    tokio::task::spawn_blocking(move || measure::conversations(&place, org)).await.map_err(Error::internal)?
}

fn kind(name: &'static str, asks: Vec<Ask>) -> Kind {
    Kind { name, asks, tagged: false }
}

fn asked(question: Question, rows: i64, total: Option<i64>) -> Ask {
    Ask { question, expected: Shown { rows, total } }
}

fn views_of(office: &Office, counted: &[Counted]) -> Vec<Kind> {
    let view = |name, status: Option<Status>, channel: Option<Channel>| {
        let total = count(counted, status, channel, |_| true);
        let filter = Filter { status, channel, ..Filter::default() };
        kind(name, vec![asked(Question::List(filter, Start::Offset(0), None), total.min(ROWS), Some(total))])
    };
    let assigned = |name, status: Option<Status>| {
        let of_user = |user: &_| {
            let total = count(counted, status, None, |of| of.facets.assigned_to == Some(*user));
            let filter = Filter { status, assigned_to: Some(*user), ..Filter::default() };
            asked(Question::List(filter, Start::Offset(0), None), total.min(ROWS), Some(total))
        };
        kind(name, office.staff.iter().map(of_user).collect())
    };
    vec![
        view("all", None, None),
        Kind { tagged: true, ..view("open", Some(Status::Open), None) },
        view("closed", Some(Status::Closed), None),
        view("archived", Some(Status::Archived), None),
        assigned("assigned", None),
        assigned("assigned, open", Some(Status::Open)),
        assigned("assigned, closed", Some(Status::Closed)),
        view("sms", None, Some(Channel::Sms)),
        view("whatsapp", None, Some(Channel::Whatsapp)),
        view("whatsapp, open", Some(Status::Open), Some(Channel::Whatsapp)),
    ]
}

fn count(counted: &[Counted], status: Option<Status>, channel: Option<Channel>, also: impl Fn(&Counted) -> bool) -> i64 {
    let fits = |of: &&Counted| {
        status.is_none_or(|status| of.facets.standing.status() == status) && channel.is_none_or(|channel| of.facets.channel == channel)
    };
    counted.iter().filter(fits).filter(|of| also(of)).map(|of| of.conversations).sum()
}

/// Goes through the whole list, over HTTP and beside it, and remembers conversations and places. Both have to show the same rows, each
/// once, and as many as were counted.
async fn walk(office: &Office, counted: Vec<Counted>, watch: &dyn Watch) -> Result<Known> {
    let total = count(&counted, None, None, |_| true);
    watch.stage("Walking through the list", u64::try_from(total).ok(), Unit::Rows);
    let limit = (total / STEPS).clamp(1, STEP);
    let every = (total / i64::try_from(DIFFERENT).unwrap_or(1)).max(1);
    let wrong = |text: String| Err(Error::conflict("wrong_page", format!("{text} Nothing is reported.")));
    let (mut some, mut places, mut last): (Vec<_>, Vec<Deep>, _) = (Vec::new(), Vec::new(), None);
    let (mut before, mut closed_before) = (0, 0);
    loop {
        let start = places.last().map_or(Start::Offset(0), |deep| Start::After(deep.place));
        let page = office.subject.app.conversations(&office.who, Filter::default(), PageRequest { limit, start }).await?;
        let (ids, next) = ask::step(office, limit, places.last().map(|deep| deep.cursor.as_str())).await?;
        if ids != page.items.iter().map(|row| row.id.0).collect::<Vec<_>>() || next.is_some() != page.next.is_some() {
            return wrong(format!("Behind {before} conversations, the list shows other rows over HTTP than it has."));
        }
        for row in page.items {
            let place = (row.last_message_ms, row.id);
            if last.replace(place).is_some_and(|last| last <= place) {
                return wrong("The list is not in order, or shows a conversation twice.".to_owned());
            }
            closed_before += i64::from(row.standing.status() == Status::Closed);
            if before % every == 0 {
                some.push(row);
            }
            before += 1;
        }
        watch::advance(watch, ids.len() as u64)?;
        let (Some(place), Some(cursor)) = (page.next, next) else { break };
        places.push(Deep { place, cursor, before, closed_before });
    }
    if before != total {
        return wrong(format!("The list shows {before} conversations, where another connection counts {total}."));
    }
    Ok(Known { counted, some, places })
}

#[cfg(test)]
mod tests {
    use parlance_app::conversation::{Changes, Filter};
    use parlance_model::conversation::{Conversation, Standing, Status};
    use parlance_model::{Error, Result};
    use parlance_store::conversation;
    use parlance_store::watch::Unwatched;
    use parlance_testkit::{Database, FreshDatabase, both_databases};

    use super::super::fresh;
    use super::super::office::Office;
    use super::super::subject::Home;
    use super::super::target::{all_answered, serve};
    use super::{Kind, all, views};
    use crate::load::{Load, Plan, Request, What};

    const CONVERSATIONS: u64 = 120;
    const MESSAGES: u64 = 2 * CONVERSATIONS;

    async fn office(database: Database) -> (Office, FreshDatabase) {
        let make = move || {
            let (fresh, place) = fresh(database);
            (Office::make(Home::Borrowed, place, CONVERSATIONS, MESSAGES, serve, &Unwatched::default()).unwrap(), fresh)
        };
        tokio::task::spawn_blocking(make).await.unwrap()
    }

    async fn checked(office: &Office, kinds: Vec<Kind>) -> Result<Vec<Request>> {
        let mut requests = Vec::new();
        for ask in kinds.into_iter().flat_map(|kind| kind.asks) {
            requests.push(ask.checked(office).await?);
        }
        Ok(requests)
    }

    async fn end(office: Office, fresh: FreshDatabase) {
        drop(office.subject.end().await);
        drop(fresh);
    }

    /// A round of one connection that sends each of these once.
    async fn sent(office: &Office, requests: Vec<Request>) -> Result<()> {
        let what = What::Given(requests);
        let plan = Plan { address: office.address, connections: 1, lasts_ms: 60_000, pause_ms: 0, again: false, what };
        all_answered(&Load::ready(plan).await?.run().await?)
    }

    async fn some(office: &Office, status: Status) -> Conversation {
        let filter = Filter { status: Some(status), ..Filter::default() };
        let read = move |tx: &mut parlance_store::OrgTx<'_, '_>| conversation::list(tx, &filter, None, 1, 0);
        office.subject.app.store().read(office.who.org, read).await.unwrap().remove(0)
    }

    both_databases! {
        async fn every_kind_shows_what_another_connection_counts(database) {
            let (office, fresh) = office(database).await;
            let kinds = all(&office, MESSAGES, &Unwatched::default()).await.unwrap();
            let names: Vec<_> = kinds.iter().map(|kind| kind.name).collect();
            for name in ["open", "archived", "whatsapp, open", "deep", "deep, closed", "thread", "counts", "search, rare", "search, common"] {
                assert!(names.contains(&name), "{name} of {names:?}");
            }
            let requests = checked(&office, kinds).await.unwrap();
            sent(&office, requests).await.unwrap();
            end(office, fresh).await;
        }

        async fn a_wrong_counter_is_refused(database) {
            let (office, fresh) = office(database).await;
            let found = some(&office, Status::Closed).await;
            let moved = move |tx: &mut parlance_store::OrgTx<'_, '_>| {
                // The counters believe that it was open.
                conversation::save(tx, &Conversation { standing: Standing::NEW, ..found.clone() }, &found)
            };
            office.subject.app.store().write(office.who.org, moved).await.unwrap();
            let refused = checked(&office, views(&office).await.unwrap()).await.unwrap_err();
            assert_eq!(refused.code(), "wrong_page", "{refused:?}");
            end(office, fresh).await;
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_answer_that_is_none_or_other_than_it_was_is_refused() {
        let code = |result: Result<()>| result.as_ref().map_err(Error::code).unwrap_err();
        let (mut office, fresh) = office(Database::Sqlite).await;
        let requests = checked(&office, views(&office).await.unwrap()).await.unwrap();
        let before = views(&office).await.unwrap();
        let (id, changes) = (some(&office, Status::Open).await.id, Changes { status: Some(Status::Closed), ..Changes::default() });
        office.subject.app.update(&office.who, id, changes).await.unwrap();
        assert_eq!(code(checked(&office, before).await.map(drop)), "wrong_page", "a page is short");
        assert_eq!(code(sent(&office, requests).await), "requests_failed", "an answer has another length");
        let kinds = views(&office).await.unwrap();
        office.token = "nobodys".to_owned();
        assert_eq!(code(checked(&office, kinds).await.map(drop)), "requests_failed", "an answer is an error");
        end(office, fresh).await;
    }
}
