//! Who may call a method: everybody, or whoever comes with a token that has the scope which the
//! manifest names for the function. A function for which it names none is refused to everybody, so
//! that one that is new in a contract is not open by an oversight.

use token::Identity;
use tonic::Status;
use ward_manifest::GrpcTrigger;

/// Who may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody, known or not.
    Public,
    /// Callers whose token has this scope.
    Needs(Box<str>),
    /// Nobody.
    Unnamed,
}

impl Access {
    /// Who may call this function of the trigger's interface.
    pub(crate) fn of(trigger: &GrpcTrigger, function: &str) -> Self {
        match trigger.scopes.get(function) {
            _ if trigger.public => Self::Public,
            Some(scope) => Self::Needs(scope.as_str().into()),
            None => Self::Unnamed,
        }
    }

    pub(crate) fn is_public(&self) -> bool {
        *self == Self::Public
    }

    /// Lets a caller through whose token was verified.
    pub(crate) fn permit(&self, identity: &Identity) -> Result<(), Status> {
        match self {
            Self::Public => Ok(()),
            Self::Needs(scope) if identity.scopes.has(scope) => Ok(()),
            Self::Needs(scope) => {
                Err(Status::permission_denied(format!("this takes the scope {scope}")))
            }
            Self::Unnamed => Err(Status::permission_denied("nobody may call this")),
        }
    }
}

/// What is wrong with the scopes of a trigger whose interface has these functions: one for a
/// function that there is not is most likely meant for another.
pub(crate) fn unknown<'a>(
    trigger: &GrpcTrigger,
    functions: impl Iterator<Item = &'a str> + Clone,
) -> Vec<String> {
    let is_none = |name: &&String| !functions.clone().any(|function| function == name.as_str());
    let misspelt = |name: &String| {
        format!("`scopes` names `{name}`, and `{}` has no such function", trigger.interface)
    };
    trigger.scopes.keys().filter(is_none).map(misspelt).collect()
}
