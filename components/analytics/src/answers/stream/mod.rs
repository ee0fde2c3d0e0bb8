//! `GET /api/analytics/stream`: server-sent events, one for each change, as soon as it is applied.
//!
//! An event's id is its sequence, so that a client that was cut off goes on where it was
//! (`Last-Event-ID`); one that names none begins with what comes next. The database is asked, not
//! listened to: a session that listens would be held for as long as the stream lasts, while asking
//! takes one look-up in an index, for all streams of the instance together ([`recent`]).
//!
//! A stream ends soon after its client leaves, when the host ends it (draining), when the session
//! that asked for it ends ([`session`]), or after [`STREAM_MAX`]; between events, so that nothing
//! is cut in half. It waits for a database that is away, and tells nothing while it cannot be known
//! whether the session goes on. Whom it told of stands in the audit log ([`told`]).

mod recent;
mod session;
mod told;

use std::cell::RefCell;
use std::sync::LazyLock;
use std::time::Instant;

use bytes::Bytes;
use futures::channel::mpsc;
use futures::{SinkExt, StreamExt};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use kit::database::Fault;
use kit::route::Call;
use kit::{Problem, log, problem};
use spin_sdk::http::{BoxBody, box_body};
use spin_sdk::pg::ParameterValue;
use spin_sdk::time::sleep;
use spin_sdk::wasip3::spawn;

use super::event::Event;
use crate::limits::{HEARTBEAT, LOOK_MAX, LOOK_PAUSE, STREAM_MAX};
use policy::scopes::PATIENT_RESTRICT;
use recent::{Piece, Recent, Turn};
use session::Session;
use told::Told;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// How the client is told to come again after a second.
const BEGINNING: &str = "retry: 1000\n\n";
/// A comment, which clients skip.
const ALIVE: &str = ": alive\n\n";

/// What is said last where the session has ended. A client that comes again is told 401.
const ENDED: &str = "event: end\ndata: {\"reason\":\"session-ended\"}\n\n";

/// How often it is tried to write down whom a stream told of that has ended.
const NOTE_TRIES: usize = 5;

/// What the streams of this instance share: a clock, and what they found. It has one thread.
static CLOCK: LazyLock<Instant> = LazyLock::new(Instant::now);

thread_local! {
    /// Of those who see restricted patients, and of those who do not: no event goes from the former
    /// to the latter.
    static RECENT: [RefCell<Recent>; 2] = Default::default();
}

/// What this thread's streams of one kind share.
fn recent<T>(sees_restricted: bool, with: impl FnOnce(&mut Recent) -> T) -> T {
    RECENT.with(|[others, seeing]| {
        with(&mut if sees_restricted { seeing } else { others }.borrow_mut())
    })
}

/// Answers: the head now, the events as they come.
pub(crate) async fn answer(call: &Call<'_>) -> Result<Response<BoxBody>, Problem> {
    super::no_parameters(call.query)?;
    let last = last_event_id(call.headers)?;
    let session = Session::of(&call.caller)?;
    let beginning = begin(call, last).await.map_err(crate::failed(call))?;
    // One piece waits for the client at most: whoever reads slowly is not read ahead for.
    let (sender, receiver) = mpsc::channel(0);
    let (told, sees_restricted) = (Told::to(&call.caller), call.caller.has(PATIENT_RESTRICT));
    spawn(run(sender, session, beginning, sees_restricted, told));
    let frames = receiver.map(|bytes| Ok::<_, std::convert::Infallible>(Frame::data(bytes)));
    let mut answer = Response::new(box_body(StreamBody::new(frames)));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

/// The event after which to begin. It has to be one of ours, if there is any.
fn last_event_id(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(value) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let id = text.parse().ok().filter(|_| digits);
    id.map(Some).ok_or_else(|| {
        Problem::new(problem::BAD_REQUEST)
            .detail("Last-Event-ID must be the id of an event of this stream.")
    })
}

async fn begin(call: &Call<'_>, last: Option<i64>) -> Result<i64, Fault> {
    let values = call.caller.access().values([ParameterValue::Int64(last.unwrap_or(i64::MAX))]);
    let database = crate::database().await?;
    let rows = database.query(include_str!("../../store/stream_begin.sql"), values).await?;
    rows.first().ok_or_else(|| Fault::Other("no-row".to_owned()))?.bigint(0)
}

/// Sends what happens until it ends, and has whom it told of written down.
async fn run(
    sender: mpsc::Sender<Bytes>,
    session: Session,
    position: i64,
    sees_restricted: bool,
    mut told: Told,
) {
    tell(sender, session, position, sees_restricted, &mut told).await;
    let mut trouble = Trouble::default();
    for _ in 0..NOTE_TRIES {
        match told.note().await {
            Ok(()) => return,
            Err(fault) => trouble.rest(fault.cause()).await,
        }
    }
}

/// Sends what happens after the event `position` until nobody takes it, or it is time to end.
async fn tell(
    mut sender: mpsc::Sender<Bytes>,
    mut session: Session,
    mut position: i64,
    sees_restricted: bool,
    told: &mut Told,
) {
    let begun = Instant::now();
    let mut sent = begun;
    let mut trouble = Trouble::default();
    let mut next = Bytes::from_static(BEGINNING.as_bytes());
    // What reads the other end is gone once it could not send on something.
    while begun.elapsed() < STREAM_MAX && !sender.is_closed() {
        match session.has_ended().await {
            Ok(false) => {}
            Ok(true) => {
                drop(sender.send(Bytes::from_static(ENDED.as_bytes())).await);
                return;
            }
            Err(unknown) => {
                trouble.rest(unknown.0).await;
                continue;
            }
        }
        // Nobody is told of more while it cannot be written down of whom they were told.
        if let Err(fault) = told.note_in_time().await {
            trouble.rest(fault.cause()).await;
            continue;
        }
        if !next.is_empty() {
            if sender.send(std::mem::take(&mut next)).await.is_err() {
                return;
            }
            sent = Instant::now();
        }
        let take_turn = |recent: &mut Recent| recent.turn(position, CLOCK.elapsed());
        let mut turn = recent(sees_restricted, take_turn);
        match news(&mut turn, position, sees_restricted).await {
            Ok(news) => {
                trouble.is_over();
                // A full page means that more is there already.
                if news.is_empty() {
                    sleep(turn.rest(CLOCK.elapsed())).await;
                }
                position = news.last().map_or(position, |(sequence, _)| *sequence);
                told.add(&news);
                next = news.iter().flat_map(|(_, piece)| piece.text.iter().copied()).collect();
            }
            Err(fault) => trouble.rest(fault.cause()).await,
        }
        if next.is_empty() && sent.elapsed() >= HEARTBEAT {
            next = Bytes::from_static(ALIVE.as_bytes());
        }
    }
}

/// Something that a stream needs is away, which is said once.
#[derive(Default)]
struct Trouble(bool);

impl Trouble {
    async fn rest(&mut self, cause: &str) {
        if !std::mem::replace(&mut self.0, true) {
            log::failure("analytics.stream", cause, &HeaderMap::new());
        }
        sleep(LOOK_PAUSE).await;
    }

    fn is_over(&mut self) {
        self.0 = false;
    }
}

/// The events after `position`: those that are known, or what the database has.
async fn news(
    turn: &mut Turn,
    position: i64,
    sees_restricted: bool,
) -> Result<Vec<(i64, Piece)>, Fault> {
    match turn {
        Turn::Known(news) => Ok(std::mem::take(news)),
        Turn::Wait => Ok(Vec::new()),
        Turn::Look => look(position, sees_restricted).await,
    }
}

async fn look(position: i64, sees_restricted: bool) -> Result<Vec<(i64, Piece)>, Fault> {
    let sees = ParameterValue::Boolean(sees_restricted);
    let values = vec![ParameterValue::Int64(position), ParameterValue::Int64(LOOK_MAX), sees];
    let database = crate::database().await?;
    let rows = database.query(include_str!("../../store/stream_look.sql"), values).await?;
    let events = rows.iter().map(Event::from_row).collect::<Result<Vec<_>, _>>()?;
    let piece = |event: &Event| Piece { patient: event.patient_id.clone(), text: frame(event) };
    let news: Vec<_> = events.iter().map(|event| (event.sequence, piece(event))).collect();
    recent(sees_restricted, |recent| recent.found(position, &news));
    Ok(news)
}

/// An event as it is sent. JSON has no line breaks, so that it is one line of data.
fn frame(event: &Event) -> Bytes {
    let data = serde_json::to_string(event).unwrap_or_default();
    Bytes::from(format!("id: {}\ndata: {data}\n\n", event.sequence))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::event::tests::event;

    #[test]
    fn clients_go_on_where_they_were() {
        let check = |value: Option<&str>, expected: Option<Option<i64>>| {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(LAST_EVENT_ID, value.parse().unwrap());
            }
            assert_eq!(last_event_id(&headers).ok(), expected, "{value:?}");
        };
        check(None, Some(None));
        check(Some("0"), Some(Some(0)));
        check(Some("9223372036854775807"), Some(Some(i64::MAX)));
        check(Some("9223372036854775808"), None);
        check(Some("-1"), None);
        check(Some("+1"), None);
        check(Some(""), None);
        check(Some("abc"), None);
    }

    #[test]
    fn an_event_is_one_line_of_data() {
        let frame = frame(&event(7));
        let text = std::str::from_utf8(&frame).unwrap();
        let data = text.strip_prefix("id: 7\ndata: ").unwrap().strip_suffix("\n\n").unwrap();
        assert!(!data.contains('\n'));
        assert_eq!(serde_json::from_str::<serde_json::Value>(data).unwrap()["sequence"], 7);
    }
}
