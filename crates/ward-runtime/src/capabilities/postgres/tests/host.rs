//! The functions the linker calls: the host check on each way to open, and the row stream.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use wasmtime::component::{Resource, ResourceTable, Source, StreamConsumer, StreamResult};
use wasmtime::{Config, Engine, Store, StoreContextMut};

use super::{database, grants, server};
use crate::capabilities::bindings::postgres::{
    DbValue, Error, HostConnection, HostConnectionBuilder, HostConnectionBuilderWithStore,
    HostConnectionWithStore,
};
use crate::capabilities::postgres::pool::PostgresService;
use crate::capabilities::postgres::{Connection, HasPostgres, PostgresCtx, PostgresView};

struct State {
    ctx: PostgresCtx,
    table: ResourceTable,
}

impl State {
    fn view(&mut self) -> PostgresView<'_> {
        PostgresView { ctx: &mut self.ctx, table: &mut self.table }
    }
}

fn store(allowed: &[&str]) -> Store<State> {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    let engine = Engine::new(&config).unwrap();
    let service = PostgresService::new(None, Arc::default());
    let ctx = PostgresCtx::new(service, grants(allowed), Arc::from("tests"));
    Store::new(&engine, State { ctx, table: ResourceTable::new() })
}

type Opened = Result<Resource<Connection>, Error>;

/// Every function of the interface that gives a connection, with its result.
async fn all_ways_to_open(store: &mut Store<State>, url: &str) -> Vec<Opened> {
    let mut view = store.data_mut().view();
    let mut results = vec![HostConnection::open(&mut view, url.to_owned()).await.unwrap()];
    let builder = HostConnectionBuilder::new(&mut view, url.to_owned()).unwrap();
    results.push(HostConnectionBuilder::build(&mut view, builder).await.unwrap());
    let builder = HostConnectionBuilder::new(&mut view, url.to_owned()).unwrap();
    let asynchronous = store
        .run_concurrent(async |accessor| {
            let accessor = accessor.with_getter::<HasPostgres>(State::view);
            let opened =
                <HasPostgres as HostConnectionWithStore<State>>::open_async(&accessor, url.into())
                    .await
                    .unwrap();
            let built = <HasPostgres as HostConnectionBuilderWithStore<State>>::build_async(
                &accessor, builder,
            )
            .await
            .unwrap();
            [opened, built]
        })
        .await
        .unwrap();
    results.extend(asynchronous);
    results
}

#[tokio::test]
async fn each_way_to_open_asks_for_leave() {
    let url = database().await;
    let granted = format!("postgres://{}", server().await.host());
    let opened = all_ways_to_open(&mut store(&[&granted]), &url).await;
    assert_eq!(opened.iter().filter(|result| result.is_ok()).count(), 4);

    for refused in [&["postgres://elsewhere:5432"][..], &[], &["postgres://127.0.0.1:1"]] {
        for result in all_ways_to_open(&mut store(refused), &url).await {
            let Err(Error::ConnectionFailed(text)) = result else { panic!("{result:?}") };
            assert!(text.ends_with("is not permitted"), "{text}");
        }
    }
    let socket = "postgres:///d?host=/var/run/postgresql&user=u";
    for result in all_ways_to_open(&mut store(&["*://*:*"]), socket).await {
        assert!(matches!(result, Err(Error::ConnectionFailed(text)) if text.contains("Unix")));
    }
}

#[tokio::test]
async fn a_bad_root_certificate_fails_the_build() {
    let mut store = store(&["*://*:*"]);
    let mut view = store.data_mut().view();
    let builder = HostConnectionBuilder::new(&mut view, database().await).unwrap();
    let weak = Resource::new_borrow(builder.rep());
    HostConnectionBuilder::set_ca_root(&mut view, weak, "no certificate".into()).unwrap().unwrap();
    let result = HostConnectionBuilder::build(&mut view, builder).await.unwrap();
    assert!(matches!(result, Err(Error::ConnectionFailed(_))));
}

/// Takes rows until it has enough.
struct Collect {
    rows: Arc<Mutex<Vec<Vec<DbValue>>>>,
    enough: usize,
}

impl StreamConsumer<State> for Collect {
    type Item = Vec<DbValue>;

    fn poll_consume(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut store: StoreContextMut<'_, State>,
        mut source: Source<'_, Self::Item>,
        _: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let mut taken = Vec::with_capacity(64);
        source.read(&mut store, &mut taken)?;
        let mut rows = self.rows.lock().unwrap();
        rows.extend(taken);
        let done = rows.len() >= self.enough;
        Poll::Ready(Ok(if done { StreamResult::Dropped } else { StreamResult::Completed }))
    }
}

/// Runs `statement` by `query-async`; the rows a consumer took, and the final result.
async fn collect(statement: &str, enough: usize) -> (usize, Result<(), Error>) {
    let url = database().await;
    let mut store = store(&["*://*:*"]);
    let opened = HostConnection::open(&mut store.data_mut().view(), url).await;
    let connection = opened.unwrap().unwrap();
    let rows = Arc::new(Mutex::new(Vec::new()));
    let result = Arc::new(Mutex::new(None));
    store
        .run_concurrent(async |accessor| {
            let getter = accessor.with_getter::<HasPostgres>(State::view);
            let (columns, stream, future) =
                <HasPostgres as HostConnectionWithStore<State>>::query_async(
                    &getter,
                    connection,
                    statement.to_owned(),
                    vec![],
                )
                .await
                .unwrap()
                .unwrap();
            assert_eq!(columns.len(), 1);
            let (sender, receiver) = tokio::sync::oneshot::channel();
            accessor.with(|mut access| {
                stream.pipe(&mut access, Collect { rows: rows.clone(), enough }).unwrap();
                future.pipe(&mut access, Final(Some(sender))).unwrap();
            });
            *result.lock().unwrap() = Some(receiver.await.unwrap());
        })
        .await
        .unwrap();
    let count = rows.lock().unwrap().len();
    let result = result.lock().unwrap().take().unwrap();
    (count, result)
}

/// Hands the final result to the test.
struct Final(Option<tokio::sync::oneshot::Sender<Result<(), Error>>>);

impl wasmtime::component::FutureConsumer<State> for Final {
    type Item = Result<(), Error>;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut store: StoreContextMut<'_, State>,
        mut source: Source<'_, Self::Item>,
        _: bool,
    ) -> Poll<wasmtime::Result<()>> {
        let mut item = None;
        source.read(&mut store, &mut item)?;
        if let (Some(item), Some(sender)) = (item, self.0.take()) {
            drop(sender.send(item));
        }
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_row_stream_ends_with_its_result() {
    let (rows, result) = collect("SELECT generate_series(1, 1000)", usize::MAX).await;
    assert!(rows == 1000 && result.is_ok(), "{rows} {result:?}");
    let failing = "SELECT 10 / (501 - n) FROM generate_series(1, 1000) AS s(n)";
    let (rows, result) = collect(failing, usize::MAX).await;
    assert!(rows == 500 && matches!(result, Err(Error::QueryFailed(_))), "{rows} {result:?}");
}

#[tokio::test]
async fn a_consumer_that_stops_ends_the_stream() {
    let (rows, result) = collect("SELECT generate_series(1, 100000)", 10).await;
    assert!((10..1000).contains(&rows) && result.is_ok(), "{rows} {result:?}");
}
