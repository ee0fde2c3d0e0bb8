//! The interface's functions, each a few lines around [`PostgresCtx::open`] and [`Lease`]. The
//! blocking functions and their async twins share everything but how they reach the store.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::oneshot;
use wasmtime::component::{
    Accessor, Destination, FutureReader, Resource, StreamProducer, StreamReader, StreamResult,
    VecBuffer,
};
use wasmtime::{AsContextMut, StoreContextMut};

use super::lease::{Lease, Rows};
use super::outbox::OutboxWatch;
use super::{Connection, ConnectionBuilder, HasPostgres, PostgresCtx, PostgresView};
use crate::capabilities::bindings::postgres::{
    Column, DbValue, Error, Host, HostConnection, HostConnectionBuilder,
    HostConnectionBuilderWithStore, HostConnectionWithStore, ParameterValue, RowSet,
};

/// Rows handed over in one read, where the guest asks for more: enough to pay for the switch to
/// the guest, few enough that large rows do not pile up.
const ROWS_MAX: usize = 64;

impl Host for PostgresView<'_> {}

impl PostgresView<'_> {
    fn statement(
        &self,
        connection: &Resource<Connection>,
        statement: &str,
    ) -> wasmtime::Result<Running> {
        let Connection { lease, watch } = self.table.get(connection)?;
        let watch = watch.concerns(statement).then(|| watch.clone());
        Ok(Running { lease: lease.clone(), watch })
    }

    fn builder(
        &self,
        builder: &Resource<ConnectionBuilder>,
    ) -> wasmtime::Result<(String, Option<String>)> {
        let builder = self.table.get(builder)?;
        Ok((builder.address.clone(), builder.ca_root.clone()))
    }

    fn push(
        &mut self,
        opened: Result<Connection, Error>,
    ) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        opened.map(|connection| Ok(self.table.push(connection)?)).transpose_ok()
    }
}

/// What a statement runs on, and who wants to know that it is done.
struct Running {
    lease: Arc<Lease>,
    watch: Option<Arc<OutboxWatch>>,
}

impl Running {
    fn done<T>(self, result: Result<T, Error>) -> Result<T, Error> {
        if let Some(watch) = self.watch.filter(|_| result.is_ok()) {
            watch.ring();
        }
        result
    }
}

/// `Result<Result<T, Trap>, E>` to what the bindings return.
trait TransposeOk<T, E> {
    fn transpose_ok(self) -> wasmtime::Result<Result<T, E>>;
}

impl<T, E> TransposeOk<T, E> for Result<wasmtime::Result<T>, E> {
    fn transpose_ok(self) -> wasmtime::Result<Result<T, E>> {
        match self {
            Ok(Ok(value)) => Ok(Ok(value)),
            Ok(Err(trap)) => Err(trap),
            Err(error) => Ok(Err(error)),
        }
    }
}

impl HostConnectionBuilder for PostgresView<'_> {
    fn new(&mut self, address: String) -> wasmtime::Result<Resource<ConnectionBuilder>> {
        Ok(self.table.push(ConnectionBuilder { address, ca_root: None })?)
    }

    fn set_ca_root(
        &mut self,
        builder: Resource<ConnectionBuilder>,
        certificate: String,
    ) -> wasmtime::Result<Result<(), Error>> {
        self.table.get_mut(&builder)?.ca_root = Some(certificate);
        Ok(Ok(()))
    }

    async fn build(
        &mut self,
        builder: Resource<ConnectionBuilder>,
    ) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        let (address, ca_root) = self.builder(&builder)?;
        let opened = self.ctx.open(&address, ca_root.as_deref()).await;
        self.push(opened)
    }

    fn drop(&mut self, builder: Resource<ConnectionBuilder>) -> wasmtime::Result<()> {
        self.table.delete(builder)?;
        Ok(())
    }
}

impl HostConnection for PostgresView<'_> {
    async fn open(
        &mut self,
        address: String,
    ) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        let opened = self.ctx.open(&address, None).await;
        self.push(opened)
    }

    async fn query(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        params: Vec<ParameterValue>,
    ) -> wasmtime::Result<Result<RowSet, Error>> {
        let running = self.statement(&connection, &statement)?;
        let result = running.lease.query(&statement, &params).await;
        Ok(running.done(result))
    }

    async fn execute(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        params: Vec<ParameterValue>,
    ) -> wasmtime::Result<Result<u64, Error>> {
        let running = self.statement(&connection, &statement)?;
        let result = running.lease.execute(&statement, &params).await;
        Ok(running.done(result))
    }

    fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

/// Opens for an async function, which holds the store only before and after.
async fn open<T: Send>(
    accessor: &Accessor<T, HasPostgres>,
    address: &str,
    ca_root: Option<&str>,
) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
    let ctx: PostgresCtx = accessor.with(|mut access| access.get().ctx.clone());
    let opened = ctx.open(address, ca_root).await;
    accessor.with(|mut access| access.get().push(opened))
}

fn running<T: Send>(
    accessor: &Accessor<T, HasPostgres>,
    connection: &Resource<Connection>,
    statement: &str,
) -> wasmtime::Result<Running> {
    accessor.with(|mut access| access.get().statement(connection, statement))
}

impl<T: Send> HostConnectionBuilderWithStore<T> for HasPostgres {
    async fn build_async(
        accessor: &Accessor<T, Self>,
        builder: Resource<ConnectionBuilder>,
    ) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        let (address, ca_root) = accessor.with(|mut access| access.get().builder(&builder))?;
        open(accessor, &address, ca_root.as_deref()).await
    }
}

type RowResult = (Vec<Column>, StreamReader<Vec<DbValue>>, FutureReader<Result<(), Error>>);

impl<T: Send> HostConnectionWithStore<T> for HasPostgres {
    async fn open_async(
        accessor: &Accessor<T, Self>,
        address: String,
    ) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        open(accessor, &address, None).await
    }

    async fn query_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        statement: String,
        params: Vec<ParameterValue>,
    ) -> wasmtime::Result<Result<RowResult, Error>> {
        let running = running(accessor, &connection, &statement)?;
        let (columns, rows) = match running.lease.stream(&statement, &params).await {
            Ok(started) => started,
            Err(error) => return Ok(Err(error)),
        };
        let watch = running.watch;
        let (done, result) = oneshot::channel();
        accessor.with(|mut access| {
            let producer = RowProducer { rows: Some(rows), done: Some(done), watch };
            let stream = StreamReader::new(access.as_context_mut(), producer)?;
            let future = FutureReader::new(access.as_context_mut(), async move {
                // A dropped sender means that the guest stopped reading: no error.
                wasmtime::error::Ok(result.await.unwrap_or(Ok(())))
            })?;
            Ok(Ok((columns, stream, future)))
        })
    }

    async fn execute_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        statement: String,
        params: Vec<ParameterValue>,
    ) -> wasmtime::Result<Result<u64, Error>> {
        let running = running(accessor, &connection, &statement)?;
        let result = running.lease.execute(&statement, &params).await;
        Ok(running.done(result))
    }
}

/// Feeds the row stream. Rows are read from the connection only as the guest reads them, so a slow
/// guest slows the server down instead of filling the host's memory.
struct RowProducer {
    rows: Option<Rows>,
    done: Option<oneshot::Sender<Result<(), Error>>>,
    watch: Option<Arc<OutboxWatch>>,
}

impl RowProducer {
    fn finish(&mut self, result: Result<(), Error>) {
        self.rows = None;
        // The rows end once the statement is committed.
        if let Some(watch) = self.watch.take().filter(|_| result.is_ok()) {
            watch.ring();
        }
        if let Some(done) = self.done.take() {
            // The guest may have dropped the future; then nobody wants the result.
            drop(done.send(result));
        }
    }

    /// Up to `count` rows, as many as are there without waiting; pending when there are none.
    fn poll_rows(&mut self, cx: &mut Context<'_>, count: usize) -> Poll<Vec<Vec<DbValue>>> {
        let mut ready = Vec::new();
        while let (true, Some(rows)) = (ready.len() < count, self.rows.as_mut()) {
            match rows.poll_next(cx) {
                Poll::Ready(Some(Ok(row))) => ready.push(row),
                Poll::Ready(Some(Err(error))) => self.finish(Err(error)),
                Poll::Ready(None) => self.finish(Ok(())),
                Poll::Pending if ready.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        Poll::Ready(ready)
    }
}

impl<D> StreamProducer<D> for RowProducer {
    type Item = Vec<DbValue>;
    type Buffer = VecBuffer<Vec<DbValue>>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, Self::Item, Self::Buffer>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let count = destination.remaining(store.as_context_mut()).unwrap_or(ROWS_MAX);
        // A guest that asks for nothing wants to know whether to ask; that is always worth it.
        if count == 0 {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        match self.poll_rows(cx, count.min(ROWS_MAX)) {
            Poll::Ready(rows) => {
                destination.set_buffer(rows.into());
                let more = self.rows.is_some();
                Poll::Ready(Ok(if more { StreamResult::Completed } else { StreamResult::Dropped }))
            }
            Poll::Pending if finish => Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => Poll::Pending,
        }
    }
}
