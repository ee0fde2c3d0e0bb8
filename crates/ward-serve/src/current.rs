//! What is served at the moment. Whoever begins something asks once, and keeps what it got to the
//! end: that is what lets another take its place while everything goes on.

use std::fmt;
use std::sync::Arc;

/// Something of which there is a current one.
pub struct Current<T>(Arc<dyn Fn() -> Arc<T> + Send + Sync>);

impl<T> Current<T> {
    /// What `current` returns. It is called for each request, so it must not block.
    pub fn new(current: impl Fn() -> Arc<T> + Send + Sync + 'static) -> Self {
        Self(Arc::new(current))
    }

    /// Always the same.
    pub fn fixed(value: T) -> Self
    where
        T: Send + Sync + 'static,
    {
        let value = Arc::new(value);
        Self::new(move || value.clone())
    }

    /// The one of now.
    #[must_use]
    pub fn get(&self) -> Arc<T> {
        (self.0)()
    }
}

impl<T> Clone for Current<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Current<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Current").finish_non_exhaustive()
    }
}
