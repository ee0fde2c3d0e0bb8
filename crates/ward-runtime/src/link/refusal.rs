//! What a caller reads when the component behind a link did not answer. A `result` whose error
//! type can say so says it; in any other case there is nothing true that could be returned.

use wasmtime::component::Val;
use wasmtime::component::types::{ComponentFunc, ResultType, Type};

/// Cases that fit, the best one first.
const CASES: [&str; 2] = ["unavailable", "internal"];

/// The text in errors that carry one; it reaches the guest, and perhaps its caller.
const TEXT: &str = "the service cannot answer at the moment";

/// The value that says so; `None` where the function's type has none.
pub(super) fn value(function: &ComponentFunc) -> Option<Val> {
    match function.results().next()? {
        Type::Result(result) => Some(Val::Result(Err(error(&result)?))),
        _ => None,
    }
}

/// The payload of the error. A result without one says all it can by being an error.
fn error(result: &ResultType) -> Option<Option<Box<Val>>> {
    let Some(ty) = result.err() else { return Some(None) };
    let text = || Val::String(TEXT.to_owned());
    let error = match ty {
        Type::String => text(),
        Type::Enum(cases) => {
            let case = CASES.iter().find(|fit| cases.names().any(|case| case == **fit))?;
            Val::Enum((*case).to_owned())
        }
        Type::Variant(variant) => CASES.iter().find_map(|fit| {
            let case = variant.cases().find(|case| case.name == *fit)?;
            let payload = match case.ty {
                None => None,
                Some(Type::String) => Some(Box::new(text())),
                Some(_) => return None,
            };
            Some(Val::Variant(case.name.to_owned(), payload))
        })?,
        _ => return None,
    };
    Some(Some(Box::new(error)))
}
