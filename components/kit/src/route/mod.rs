//! The operation table: what a component answers, said once. The router is made from it (404, 405
//! with `Allow`, OPTIONS, HEAD, who must be known), and so is whatever else has to know every
//! operation: API documents, tests that walk all of them. Who may is said in `components/policy`:
//! a table that differs from it, or has an operation more or less, does not compile.
//!
//! [`crate::operations!`] takes one line for an operation and makes the table and its dispatch.
//! Finding an operation allocates nothing. A table in which two lines could mean the same request
//! does not compile. It must never look at a body or a role: the first is the handler's, the second
//! guard's, which finds operations by the same [`ask`].

mod asked;
mod call;
mod macros;
mod matching;
mod operation;
mod rules;

use http::{HeaderMap, Method, Uri};

use crate::caller::Caller;
use crate::{Problem, Reply, reply};
pub use asked::{Addressed, Asked, ask};
pub use call::Call;
pub use operation::{Answers, Content, Operation, Takes};
pub use policy::{Scope, Verb};
#[doc(hidden)]
pub use rules::scope;

/// The operations of a component; `H` says which handler each has.
#[derive(Debug)]
pub struct Table<H: 'static> {
    routes: &'static [Route<H>],
    /// Whether nobody has to be known for any of them.
    open: bool,
}

/// One line of a table.
#[derive(Debug)]
pub struct Route<H> {
    /// Which handler answers.
    pub handler: H,
    /// What is answered.
    pub operation: Operation,
}

/// What a request asks for.
#[derive(Debug)]
pub enum Found<'a, H> {
    /// This operation.
    Operation(H, Call<'a>),
    /// Which methods there are; this is the answer.
    Options(Reply),
}

impl<H: Copy> Table<H> {
    /// The table. Fails to compile where two operations could mean the same request, and where it
    /// has not all the operations for which there are `rules`. That it has no other is known
    /// already: their scopes come out of the rules.
    #[expect(clippy::panic, reason = "evaluated by the compiler only: a const table")]
    pub const fn new(routes: &'static [Route<H>], rules: &[policy::Operation]) -> Self {
        if routes.len() != rules.len() {
            panic!("the policy has operations that the table has not");
        }
        let mut open = true;
        let mut left = routes;
        while let [first, rest @ ..] = left {
            open = open && matches!(first.operation.scope, Scope::Public);
            if !first.operation.streams_as_it_says() {
                panic!("what streams is watched, and what is watched streams");
            }
            let mut others = rest;
            while let [other, more @ ..] = others {
                if first.operation.is_ambiguous_with(&other.operation) {
                    panic!("two operations of the table mean the same request");
                }
                others = more;
            }
            left = rest;
        }
        Self { routes, open }
    }

    /// All operations, in the order of the table.
    pub fn operations(&self) -> impl Iterator<Item = &'static Operation> {
        self.routes.iter().map(|route| &route.operation)
    }

    /// Finds the operation and who asks for it.
    ///
    /// Unless an operation is public, the caller comes before the path: somebody unknown does not
    /// even learn what exists. A slash at the end of a path is ignored.
    pub fn find<'a>(
        &self,
        method: &Method,
        uri: &'a Uri,
        headers: &'a HeaderMap,
    ) -> Result<Found<'a, H>, Problem> {
        let path = asked::path(uri.path());
        let asked = ask(self.routes.iter(), method, uri.path());
        let public = match &asked {
            Asked::Operation(route) => matches!(route.operation.scope, Scope::Public),
            Asked::Options(_) | Asked::Nothing(_) => self.open,
        };
        let caller = if public { Caller::nobody(headers) } else { Caller::from_headers(headers)? };
        match asked {
            Asked::Operation(Route { handler, operation }) => {
                Ok(Found::Operation(*handler, Call::new(caller, headers, uri, path, operation)))
            }
            Asked::Options(reply) => Ok(Found::Options(reply)),
            Asked::Nothing(problem) => Err(problem),
        }
    }
}

impl<H> Addressed for Route<H> {
    fn verb(&self) -> Verb {
        self.operation.verb
    }

    fn pattern(&self) -> &'static str {
        self.operation.pattern
    }
}

/// What is sent for an answer to this request: a problem as its document, and nothing but the head
/// for HEAD.
pub fn sent(answer: Result<Reply, Problem>, method: &Method, headers: &HeaderMap) -> Reply {
    let answer = answer.unwrap_or_else(|problem| problem.into_reply(headers));
    if *method == Method::HEAD { reply::without_body(answer) } else { answer }
}

#[cfg(test)]
mod tests;
