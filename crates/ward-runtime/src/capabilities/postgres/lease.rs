//! A guest's hold on one connection, from open to drop. It runs the guest's statements and knows
//! what they may have left behind, and so what has to happen before another guest gets the
//! connection: nothing, a clean-up, or closing it because a statement was given up half-way.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::StreamExt as _;
use tokio::runtime::Handle;
use tokio_postgres::{Row, RowStream, Statement};

use super::effect::Effect;
use super::error::{is_stale_statement, query_failed, query_text};
use super::pool::{Permits, Server};
use super::session::Session;
use super::types::{self, Codec, Encoded, Raw};
use crate::capabilities::bindings::postgres::{Column, DbValue, Error, ParameterValue, RowSet};

/// The most bytes of rows the host holds for one answer: Spin's limit. A guest with more to read
/// streams it.
const ANSWER_BYTES_MAX: usize = 128 << 20;

/// How long a clean-up may take before the connection is closed instead.
const CLEAN_UP: Duration = Duration::from_secs(5);

/// Ends an open transaction.
const ROLL_BACK: &str = "ROLLBACK";

/// Ends an open transaction and puts the session back to its start, but for prepared statements:
/// they are ours. (A guest's own PREPARE closes the connection.) The order is DISCARD ALL's. Plans
/// stay too: they hold nothing of a guest's, the server drops those that no longer fit, and making
/// those of a function anew took three times as long as the function itself.
const RESET: &str = "ROLLBACK; CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; \
     UNLISTEN *; SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES";

/// An open handle's connection.
pub(crate) struct Lease {
    /// There until the lease is dropped.
    held: Option<(Session, Permits)>,
    server: Arc<Server>,
    state: Mutex<State>,
    runtime: Handle,
}

/// What the statements so far may have left.
#[derive(Debug, Default)]
struct State {
    transaction: bool,
    session: bool,
    discard: bool,
    /// Statements sent and not yet answered to the end.
    flying: usize,
    /// Statements ever begun; tells whether one began while another was under way.
    begun: u64,
}

/// What happens to a connection on its way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Return {
    Idle,
    Clean(&'static str),
    Discard,
}

impl State {
    fn at_return(&self) -> Return {
        // A statement given up half-way may still run: waiting for it could take for ever.
        if self.discard || self.flying > 0 {
            Return::Discard
        } else if self.session {
            Return::Clean(RESET)
        } else if self.transaction {
            Return::Clean(ROLL_BACK)
        } else {
            Return::Idle
        }
    }
}

impl Lease {
    /// Must be called within a tokio runtime, which the lease uses when it is dropped.
    pub(super) fn new(session: Session, server: Arc<Server>, permits: Permits) -> Self {
        Lease {
            held: Some((session, permits)),
            server,
            state: Mutex::default(),
            runtime: Handle::current(),
        }
    }

    /// Runs a statement; the number of rows it changed.
    pub(crate) async fn execute(
        &self,
        statement: &str,
        parameters: &[ParameterValue],
    ) -> Result<u64, Error> {
        let mut answer = self.start(statement, parameters).await?;
        while let Some(row) = answer.rows.next().await {
            if let Err(error) = row {
                return Err(answer.flight.end(&error));
            }
        }
        let changed = answer.rows.rows_affected().unwrap_or(0);
        answer.flight.land(true);
        Ok(changed)
    }

    /// Runs a statement; all of its rows at once.
    pub(crate) async fn query(
        &self,
        statement: &str,
        parameters: &[ParameterValue],
    ) -> Result<RowSet, Error> {
        self.query_within(ANSWER_BYTES_MAX, statement, parameters).await
    }

    /// As [`Self::query`], with another limit.
    pub(super) async fn query_within(
        &self,
        bytes_max: usize,
        statement: &str,
        parameters: &[ParameterValue],
    ) -> Result<RowSet, Error> {
        let mut answer = self.start(statement, parameters).await?;
        let mut rows = Vec::new();
        let mut bytes = 0;
        while let Some(row) = answer.rows.next().await {
            let row = match row {
                Ok(row) => row,
                Err(error) => return Err(answer.flight.end(&error)),
            };
            bytes += size(&row);
            if bytes > bytes_max {
                return Err(too_large(bytes_max));
            }
            rows.push(answer.plan.convert(&row)?);
        }
        answer.flight.land(true);
        Ok(RowSet { columns: answer.plan.columns(), rows })
    }

    /// Runs a statement; its columns, and its rows as they are asked for. Until the rows are read
    /// to the end, later statements of this handle wait behind them.
    pub(crate) async fn stream(
        self: &Arc<Self>,
        statement: &str,
        parameters: &[ParameterValue],
    ) -> Result<(Vec<Column>, Rows), Error> {
        let Answer { rows, plan, flight } = self.start(statement, parameters).await?;
        let columns = plan.columns();
        let flight = flight.detach();
        Ok((columns, Rows { rows, plan, flight: Some((self.clone(), flight)) }))
    }

    /// Sends a statement and waits until the server has accepted it.
    async fn start<'a>(
        &'a self,
        statement: &str,
        parameters: &[ParameterValue],
    ) -> Result<Answer<'a>, Error> {
        let session = self.session()?;
        let effect = session.effect(statement);
        if effect == Effect::Refuse {
            return Err(query_text("COPY is not supported: its data has no way through here"));
        }
        let cached = session.is_cached(statement);
        let flight = self.take_off(effect);
        match self.send(session, statement, parameters).await {
            Ok((rows, plan)) => Ok(Answer { rows, plan, flight }),
            Err(Failure::Statement(error)) if cached && self.may_retry(&error) => {
                // The tables changed under a cached statement. It failed before it ran, and no
                // transaction was open that it could have broken, so it is prepared anew.
                session.forget(statement);
                match self.send(session, statement, parameters).await {
                    Ok((rows, plan)) => Ok(Answer { rows, plan, flight }),
                    Err(failure) => Err(flight.fail(session, statement, failure)),
                }
            }
            Err(failure) => Err(flight.fail(session, statement, failure)),
        }
    }

    async fn send(
        &self,
        session: &Session,
        text: &str,
        parameters: &[ParameterValue],
    ) -> Result<(Pin<Box<RowStream>>, Plan), Failure> {
        let statement = session.prepare(text).await.map_err(Failure::Statement)?;
        let encoded = encode(&statement, parameters).map_err(Failure::Parameter)?;
        let rows =
            session.client.query_raw(&statement, encoded).await.map_err(Failure::Statement)?;
        Ok((Box::pin(rows), Plan::of(statement)))
    }

    fn may_retry(&self, error: &tokio_postgres::Error) -> bool {
        is_stale_statement(error) && !self.state().transaction
    }

    fn session(&self) -> Result<&Session, Error> {
        match &self.held {
            Some((session, _)) => Ok(session),
            None => Err(query_text("the connection is closed")),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a statement may leave, before it is sent: it may take effect and its answer
    /// never be seen.
    fn take_off(&self, effect: Effect) -> Flight<'_> {
        let mut state = self.state();
        match effect {
            Effect::Begin => state.transaction = true,
            Effect::Session => state.session = true,
            Effect::Discard => state.discard = true,
            Effect::Nothing | Effect::End | Effect::Refuse => {}
        }
        state.flying += 1;
        state.begun += 1;
        let ends = (effect == Effect::End && state.flying == 1).then_some(state.begun);
        Flight { lease: self, ends }
    }

    fn landed(&self, ends: Option<u64>, success: bool) {
        let mut state = self.state();
        state.flying = state.flying.saturating_sub(1);
        // Only when nothing was sent beside the COMMIT is it sure that nothing began after it.
        if success && ends == Some(state.begun) {
            state.transaction = false;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some((session, permits)) = self.held.take() else { return };
        if session.is_closed() {
            return;
        }
        let server = self.server.clone();
        match self.state().at_return() {
            Return::Idle => server.put(session),
            Return::Clean(with) => {
                self.runtime.spawn(clean_up(session, permits, server, with));
            }
            Return::Discard => {
                self.runtime.spawn(async move {
                    // Closing takes a moment for a statement that does not heed its cancellation;
                    // its permits are only free when the server's place is.
                    session.discard().await;
                    drop(permits);
                });
            }
        }
    }
}

/// Cleans a connection and makes it idle, away from any request's path.
async fn clean_up(session: Session, permits: Permits, server: Arc<Server>, with: &'static str) {
    match tokio::time::timeout(CLEAN_UP, session.client.batch_execute(with)).await {
        Ok(Ok(())) => server.put(session),
        // A connection that cannot be cleaned is of no use, whatever the reason.
        _ => session.discard().await,
    }
    drop(permits);
}

/// Why a statement did not start.
enum Failure {
    Statement(tokio_postgres::Error),
    Parameter(Error),
}

/// A statement under way. Dropped without landing, it counts as given up.
struct Flight<'a> {
    lease: &'a Lease,
    ends: Option<u64>,
}

/// A flight that outlives the borrow of its lease.
struct Detached {
    ends: Option<u64>,
}

impl Flight<'_> {
    fn land(self, success: bool) {
        self.lease.landed(self.ends, success);
    }

    /// The server ended the statement with an error.
    fn end(self, error: &tokio_postgres::Error) -> Error {
        self.land(false);
        query_failed(error)
    }

    fn fail(self, session: &Session, statement: &str, failure: Failure) -> Error {
        // The server has answered, with an error, or was not asked: nothing is under way.
        self.land(false);
        match failure {
            Failure::Parameter(error) => error,
            Failure::Statement(error) => {
                if is_stale_statement(&error) {
                    session.forget(statement);
                }
                query_failed(&error)
            }
        }
    }

    fn detach(self) -> Detached {
        Detached { ends: self.ends }
    }
}

struct Answer<'a> {
    rows: Pin<Box<RowStream>>,
    plan: Plan,
    flight: Flight<'a>,
}

/// The rows of a streamed answer. Dropped early, what is left is not converted, and the connection
/// is closed at the end of its lease rather than kept for another guest.
pub(crate) struct Rows {
    rows: Pin<Box<RowStream>>,
    plan: Plan,
    flight: Option<(Arc<Lease>, Detached)>,
}

impl Rows {
    /// The next row; `None` at the end.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Vec<DbValue>, Error>>> {
        if self.flight.is_none() {
            return Poll::Ready(None);
        }
        let Some(row) = ready!(self.rows.poll_next_unpin(cx)) else {
            self.land(true);
            return Poll::Ready(None);
        };
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                self.land(false);
                return Poll::Ready(Some(Err(query_failed(&error))));
            }
        };
        if size(&row) > ANSWER_BYTES_MAX {
            self.flight = None;
            return Poll::Ready(Some(Err(too_large(ANSWER_BYTES_MAX))));
        }
        let row = self.plan.convert(&row);
        if row.is_err() {
            self.flight = None;
        }
        Poll::Ready(Some(row))
    }

    fn land(&mut self, success: bool) {
        if let Some((lease, flight)) = self.flight.take() {
            lease.landed(flight.ends, success);
        }
    }
}

/// How the rows of a statement are read.
struct Plan {
    statement: Statement,
    codecs: Vec<Codec>,
}

impl Plan {
    fn of(statement: Statement) -> Self {
        let codecs = statement.columns().iter().map(|column| Codec::of(column.type_())).collect();
        Plan { statement, codecs }
    }

    fn columns(&self) -> Vec<Column> {
        let column = |column: &tokio_postgres::Column| Column {
            name: column.name().to_owned(),
            data_type: types::data_type(column.type_()),
        };
        self.statement.columns().iter().map(column).collect()
    }

    fn convert(&self, row: &Row) -> Result<Vec<DbValue>, Error> {
        let value = |(index, codec): (usize, &Codec)| {
            let raw: Raw<'_> = row.try_get(index).map_err(|error| query_failed(&error))?;
            types::decode(*codec, raw.0).map_err(|problem| {
                let name = row.columns().get(index).map_or("", tokio_postgres::Column::name);
                Error::ValueConversionFailed(format!("column `{name}`: {problem}"))
            })
        };
        self.codecs.iter().enumerate().map(value).collect()
    }
}

fn encode<'a>(
    statement: &Statement,
    parameters: &'a [ParameterValue],
) -> Result<Vec<Encoded<'a>>, Error> {
    let types = statement.params();
    if types.len() != parameters.len() {
        return Err(Error::BadParameter(format!(
            "the statement takes {} parameters, {} were given",
            types.len(),
            parameters.len()
        )));
    }
    let encode = |(index, (value, ty))| {
        types::encode(value, ty)
            .map_err(|problem| Error::BadParameter(format!("parameter ${} {problem}", index + 1)))
    };
    parameters.iter().zip(types).enumerate().map(encode).collect()
}

/// What a row costs the host: its bytes and the values made of them.
fn size(row: &Row) -> usize {
    row.raw_size_bytes() + row.len() * size_of::<DbValue>()
}

fn too_large(bytes_max: usize) -> Error {
    query_text(&format!("query result exceeds limit of {bytes_max} bytes"))
}
