//! A resolved set of WIT packages, from wherever they are: a component's binary, directories or
//! text.

use std::path::PathBuf;

use wit_parser::Resolve;

/// A resolved set of WIT packages.
#[derive(Debug, Clone)]
pub struct Contract {
    pub(crate) resolve: Resolve,
}

/// WIT that cannot be read, with the position where that is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ContractError(pub(crate) String);

impl Contract {
    /// What a component imports and exports, read from its binary. Doc comments and positions are
    /// not in there.
    pub fn from_component(wasm: &[u8]) -> Result<Contract, ContractError> {
        let _ = wasm;
        Ok(Contract { resolve: Resolve::default() })
    }

    /// The packages in these directories, one each, in any order: every `*.wit` file directly in
    /// a directory belongs to its package.
    pub fn from_directories(directories: &[PathBuf]) -> Result<Contract, ContractError> {
        let _ = directories;
        Ok(Contract { resolve: Resolve::default() })
    }

    /// The packages in these texts, each with the name it has in messages.
    pub fn from_sources(sources: &[(&str, &str)]) -> Result<Contract, ContractError> {
        let _ = sources;
        Ok(Contract { resolve: Resolve::default() })
    }

    /// The interfaces of all packages by their full names, such as `pms:billing/accounts@1.0.0`,
    /// in order.
    pub fn interfaces(&self) -> Vec<String> {
        Vec::new()
    }

    /// The interfaces that the component exports, by their full names, in order; empty for
    /// contracts that were read from text.
    pub fn exports(&self) -> Vec<String> {
        Vec::new()
    }
}
