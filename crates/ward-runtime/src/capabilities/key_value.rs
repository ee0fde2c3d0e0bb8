//! `spin:key-value`: what a component sees of the stores. A component opens only the labels its
//! manifest entry lists; whether another label exists is not told. Keys and values are never
//! logged. Stores are of two kinds: a file of this process's ([`file`]), and tables in PostgreSQL
//! that several wards share ([`shared`]); [`store`] is either.

mod file;
#[cfg(test)]
mod laws_tests;
mod limits;
mod shared;
mod store;

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;
use wasmtime::component::{
    Accessor, Destination, FutureReader, HasData, Linker, Resource, ResourceTable, StreamProducer,
    StreamReader, StreamResult, VecBuffer,
};
use wasmtime::{AsContextMut, StoreContextMut};

use super::bindings::key_value::{self, Error, Host, HostStore, HostStoreWithStore};
use store::Keys;

pub use store::KeyValueStore;
pub(crate) use store::{KeyValueService, Place};

/// Handles one instance may hold at once. A guest needs one or two; the limit keeps a loop that
/// never closes from growing the host's table.
const HANDLES_MAX: u32 = 1024;

/// What one component may open. Cloned for each instance.
#[derive(Clone)]
pub(crate) struct KeyValueCtx {
    service: Arc<KeyValueService>,
    allowed: Arc<BTreeSet<String>>,
    handles: u32,
}

impl KeyValueCtx {
    /// `allowed`: the component's `key_value_stores`.
    pub(crate) fn new(service: Arc<KeyValueService>, allowed: Arc<BTreeSet<String>>) -> Self {
        KeyValueCtx { service, allowed, handles: 0 }
    }

    /// The service, once the component is known to be allowed `label`.
    fn admit(&self, label: &str) -> Result<Arc<KeyValueService>, Error> {
        if !self.allowed.contains(label) {
            return Err(Error::AccessDenied);
        }
        if self.handles >= HANDLES_MAX {
            return Err(Error::StoreTableFull);
        }
        Ok(self.service.clone())
    }
}

/// The part of an instance's state this capability works on.
pub(crate) struct KeyValueView<'a> {
    /// What the component may open.
    pub(crate) ctx: &'a mut KeyValueCtx,
    /// Where the open handles are.
    pub(crate) table: &'a mut ResourceTable,
}

/// A guest's `store` handle.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Store(store::Store);

/// Ties the linker's state type to the view.
struct HasKeyValue;

impl HasData for HasKeyValue {
    type Data<'a> = KeyValueView<'a>;
}

/// Adds `spin:key-value/key-value@3.0.0`.
pub(crate) fn add_to_linker<T: Send + 'static>(
    linker: &mut Linker<T>,
    get: fn(&mut T) -> KeyValueView<'_>,
) -> wasmtime::Result<()> {
    key_value::add_to_linker::<T, HasKeyValue>(linker, get)
}

impl Host for KeyValueView<'_> {}

impl HostStore for KeyValueView<'_> {
    fn drop(&mut self, store: Resource<Store>) -> wasmtime::Result<()> {
        self.table.delete(store)?;
        self.ctx.handles = self.ctx.handles.saturating_sub(1);
        Ok(())
    }
}

fn opened<T: Send>(
    accessor: &Accessor<T, HasKeyValue>,
    store: &Resource<Store>,
) -> wasmtime::Result<store::Store> {
    accessor.with(|mut access| Ok(access.get().table.get(store)?.0.clone()))
}

impl<T: Send> HostStoreWithStore<T> for HasKeyValue {
    async fn open(
        accessor: &Accessor<T, Self>,
        label: String,
    ) -> wasmtime::Result<Result<Resource<Store>, Error>> {
        let service = match accessor.with(|mut access| access.get().ctx.admit(&label)) {
            Ok(service) => service,
            Err(error) => return Ok(Err(error)),
        };
        let opened = match service.open(&label).await {
            Ok(Some(opened)) => opened,
            Ok(None) => return Ok(Err(Error::NoSuchStore)),
            Err(text) => return Ok(Err(Error::Other(text))),
        };
        accessor.with(|mut access| {
            let view = access.get();
            let store = view.table.push(Store(opened))?;
            view.ctx.handles += 1;
            Ok(Ok(store))
        })
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        store: Resource<Store>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        Ok(opened(accessor, &store)?.get(key).await.map_err(Error::Other))
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        store: Resource<Store>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        Ok(opened(accessor, &store)?.set(key, value).await.map_err(Error::Other))
    }

    async fn delete(
        accessor: &Accessor<T, Self>,
        store: Resource<Store>,
        key: String,
    ) -> wasmtime::Result<Result<(), Error>> {
        Ok(opened(accessor, &store)?.delete(key).await.map_err(Error::Other))
    }

    async fn exists(
        accessor: &Accessor<T, Self>,
        store: Resource<Store>,
        key: String,
    ) -> wasmtime::Result<Result<bool, Error>> {
        Ok(opened(accessor, &store)?.exists(key).await.map_err(Error::Other))
    }

    async fn get_keys(
        accessor: &Accessor<T, Self>,
        store: Resource<Store>,
    ) -> wasmtime::Result<(StreamReader<String>, FutureReader<Result<(), Error>>)> {
        let opened = opened(accessor, &store)?;
        let (done, result) = oneshot::channel();
        let first: Batch = Box::pin(async move {
            let mut keys = opened.keys().await?;
            let batch = keys.next().await?;
            Ok((keys, batch))
        });
        accessor.with(|mut access| {
            let producer = KeyProducer { batch: Some(first), done: Some(done) };
            let stream = StreamReader::new(access.as_context_mut(), producer)?;
            let future = FutureReader::new(access.as_context_mut(), async move {
                // A dropped sender means that the guest stopped reading: no error.
                wasmtime::error::Ok(result.await.unwrap_or(Ok(())))
            })?;
            Ok((stream, future))
        })
    }
}

type Batch = Pin<Box<dyn Future<Output = Result<(Keys, Vec<String>), String>> + Send>>;

/// Feeds the key stream one batch per read, so a guest that stops reading stops the listing.
struct KeyProducer {
    batch: Option<Batch>,
    done: Option<oneshot::Sender<Result<(), Error>>>,
}

impl KeyProducer {
    fn finish(&mut self, result: Result<(), Error>) -> StreamResult {
        self.batch = None;
        if let Some(done) = self.done.take() {
            // The guest may have dropped the future; then nobody wants the result.
            drop(done.send(result));
        }
        StreamResult::Dropped
    }
}

impl<D> StreamProducer<D> for KeyProducer {
    type Item = String;
    type Buffer = VecBuffer<String>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, String, VecBuffer<String>>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if destination.remaining(store.as_context_mut()) == Some(0) {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        let Some(batch) = self.batch.as_mut() else {
            return Poll::Ready(Ok(StreamResult::Dropped));
        };
        let polled = batch.as_mut().poll(cx);
        if polled.is_pending() && finish {
            return Poll::Ready(Ok(StreamResult::Cancelled));
        }
        Poll::Ready(Ok(match ready!(polled) {
            Ok((_, keys)) if keys.is_empty() => self.finish(Ok(())),
            Ok((mut rest, keys)) => {
                destination.set_buffer(keys.into());
                self.batch = Some(Box::pin(async move {
                    let batch = rest.next().await?;
                    Ok((rest, batch))
                }));
                StreamResult::Completed
            }
            Err(text) => self.finish(Err(Error::Other(text))),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_label_that_is_not_granted_is_denied_even_if_it_exists() {
        let place = Place::File("never opened".into());
        let service = KeyValueService::new(BTreeMap::from([("secret".to_owned(), place)]));
        let allowed = Arc::new(BTreeSet::from(["default".to_owned()]));
        let mut ctx = KeyValueCtx::new(service, allowed);
        assert!(matches!(ctx.admit("secret"), Err(Error::AccessDenied)));
        assert!(matches!(ctx.admit("absent"), Err(Error::AccessDenied)));
        assert!(ctx.admit("default").is_ok());
        ctx.handles = HANDLES_MAX;
        assert!(matches!(ctx.admit("default"), Err(Error::StoreTableFull)));
    }
}
