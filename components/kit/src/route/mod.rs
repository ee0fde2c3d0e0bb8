//! The operation table: what a component answers, said once. The router is made from it (404, 405
//! with `Allow`, OPTIONS, HEAD, who must be known), and so is whatever else has to know every
//! operation: authorization by scope, API documents, tests that walk all of them.
//!
//! [`crate::operations!`] takes one line for an operation and makes the table and its dispatch.
//! Finding an operation allocates nothing. A table in which two lines could mean the same request
//! does not compile. It must never look at a body or a role: the first is the handler's, the second
//! is for whoever reads `scope`.

mod call;
mod macros;
mod matching;
mod operation;

use http::{HeaderMap, Method, Uri};

use crate::caller::Caller;
use crate::{Problem, Reply, problem, reply};
pub use call::Call;
pub use operation::{Answers, Content, Operation, Scope, Takes, Verb};

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
    /// The table. Fails to compile where two operations could mean the same request.
    #[expect(clippy::panic, reason = "evaluated by the compiler only: a const table")]
    pub const fn new(routes: &'static [Route<H>]) -> Self {
        let mut open = true;
        let mut left = routes;
        while let [first, rest @ ..] = left {
            open = open && matches!(first.operation.scope, Scope::Public);
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
        let path = uri.path();
        let path = path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path);
        let all = self.operations().filter(|operation| operation.is_at(path));
        let resource =
            all.map(|operation| operation.pattern).min_by_key(|it| matching::holes(it).count());
        let mut here = self.routes.iter().filter(|it| Some(it.operation.pattern) == resource);
        let route = here.find(|route| route.operation.answers_method(method));
        let public = route.map_or(self.open, |it| matches!(it.operation.scope, Scope::Public));
        let caller = if public { Caller::nobody(headers) } else { Caller::from_headers(headers)? };
        let resource = resource.ok_or_else(|| Problem::new(problem::NOT_FOUND))?;
        match route {
            Some(Route { handler, operation }) => {
                Ok(Found::Operation(*handler, Call::new(caller, headers, uri, path, operation)))
            }
            None if *method == Method::OPTIONS => {
                Ok(Found::Options(reply::options(&self.allow(resource))))
            }
            None => Err(Problem::method_not_allowed(&self.allow(resource))),
        }
    }

    /// The value of `Allow`, e.g. `GET, HEAD, POST, OPTIONS`: the table's order, OPTIONS last.
    fn allow(&self, pattern: &str) -> String {
        let here = self.operations().filter(|operation| operation.pattern == pattern);
        let methods = here.flat_map(Operation::methods);
        methods.chain(["OPTIONS"]).collect::<Vec<_>>().join(", ")
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
