//! `spin:variables`: the values a component's manifest entry names, resolved when the application
//! started. A value never leaves this file except to the component that asked.

use std::collections::BTreeSet;
use std::sync::Arc;

use ward_manifest::{VariableError, Variables};
use wasmtime::component::{Accessor, HasData, Linker};

use super::bindings::variables::{self, Error, Host, HostWithStore};

/// What one component may read. Cloned for each instance.
#[derive(Clone)]
pub(crate) struct VariablesCtx {
    variables: Arc<Variables>,
    component: Arc<str>,
    withheld: Arc<BTreeSet<String>>,
}

impl VariablesCtx {
    /// The variables of the component `component`, but those of `withheld`: the manifest grants
    /// them for the sake of others.
    pub(crate) fn new(
        variables: Arc<Variables>,
        component: Arc<str>,
        withheld: Arc<BTreeSet<String>>,
    ) -> Self {
        VariablesCtx { variables, component, withheld }
    }

    fn get(&self, name: &str) -> Result<String, Error> {
        if self.withheld.contains(name) {
            return Err(Error::Undefined(format!("no variable `{name}`")));
        }
        self.variables.get(&self.component, name).map_err(|error| {
            let text = error.to_string();
            match error {
                VariableError::InvalidName(_) => Error::InvalidName(text),
                VariableError::Undefined(_) => Error::Undefined(text),
                VariableError::Provider(_) => Error::Provider(text),
                VariableError::Other(_) => Error::Other(text),
            }
        })
    }
}

/// The part of an instance's state this capability works on.
pub(crate) struct VariablesView<'a> {
    /// Whose variables.
    pub(crate) ctx: &'a mut VariablesCtx,
}

/// Ties the linker's state type to the view.
struct HasVariables;

impl HasData for HasVariables {
    type Data<'a> = VariablesView<'a>;
}

/// Adds `spin:variables/variables@3.0.0`.
pub(crate) fn add_to_linker<T: Send + 'static>(
    linker: &mut Linker<T>,
    get: fn(&mut T) -> VariablesView<'_>,
) -> wasmtime::Result<()> {
    variables::add_to_linker::<T, HasVariables>(linker, get)
}

impl Host for VariablesView<'_> {}

impl<T: Send> HostWithStore<T> for HasVariables {
    async fn get(
        accessor: &Accessor<T, Self>,
        name: String,
    ) -> wasmtime::Result<Result<String, Error>> {
        Ok(accessor.with(|mut access| access.get().ctx.get(&name)))
    }
}
