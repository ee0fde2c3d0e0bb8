//! From what went wrong to the status a client gets. The client's text and the log's text are made
//! in different places: what a component trapped with is said to the log only.

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};
use ward_runtime::CallError;
use ward_serve::Refusal;
use ward_wire::{DecodeError, Failure};

/// Every code by the name that an error case of a contract has for it.
const CODES: [(&str, Code); 16] = [
    ("cancelled", Code::Cancelled),
    ("unknown", Code::Unknown),
    ("invalid-argument", Code::InvalidArgument),
    ("deadline-exceeded", Code::DeadlineExceeded),
    ("not-found", Code::NotFound),
    ("already-exists", Code::AlreadyExists),
    ("permission-denied", Code::PermissionDenied),
    ("resource-exhausted", Code::ResourceExhausted),
    ("failed-precondition", Code::FailedPrecondition),
    ("aborted", Code::Aborted),
    ("out-of-range", Code::OutOfRange),
    ("unimplemented", Code::Unimplemented),
    ("internal", Code::Internal),
    ("unavailable", Code::Unavailable),
    ("data-loss", Code::DataLoss),
    ("unauthenticated", Code::Unauthenticated),
];

/// What clients read where the host or the component failed.
const INTERNAL: &str = "internal error";

/// A code's name as the protocol writes it, for the log.
pub(crate) fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// The message is none, or not one of this method.
pub(crate) fn undecodable(error: &DecodeError) -> Status {
    let violations = match error.field() {
        "" => Vec::new(),
        field => vec![FieldViolation::new(field, error.reason())],
    };
    refused(Code::InvalidArgument, error.to_string(), violations)
}

/// The component said no, or what it said is not what its contract says.
pub(crate) fn failure(failure: Failure) -> Status {
    let Failure::Case { name, message, violations } = failure else {
        return Status::internal(INTERNAL);
    };
    let known = CODES.iter().find(|(case, _)| *case == name);
    let code = known.map_or(Code::Unknown, |(_, code)| *code);
    let violations: Vec<_> = violations
        .into_iter()
        .map(|(field, description)| FieldViolation::new(field, description))
        .collect();
    let message = message.unwrap_or_else(|| default_message(&name, &violations));
    refused(code, message, violations)
}

/// The component gave no answer.
pub(crate) fn no_answer(error: &CallError) -> Status {
    match error {
        CallError::Deadline => deadline(),
        CallError::Overloaded => overloaded(),
        CallError::Trapped(_) | CallError::Instantiate(_) | CallError::Arguments(_) => {
            Status::internal(INTERNAL)
        }
    }
}

/// The token is none that is believed.
pub(crate) fn refused_token(refusal: token::Refusal) -> Status {
    use token::Refusal;
    Status::unauthenticated(match refusal {
        Refusal::Missing => "a bearer token is needed, as metadata `authorization`",
        Refusal::Invalid => "the token is not valid",
        Refusal::Expired => "the token has expired",
        Refusal::Early => {
            tracing::warn!("a token is from the future: this clock is behind its issuer's");
            "the token is from the future: the clocks of server and issuer differ"
        }
    })
}

/// Whether the token is still good cannot be told.
pub(crate) fn unknown_session() -> Status {
    Status::unavailable("the token cannot be checked now; try again")
}

/// It took too long.
pub(crate) fn deadline() -> Status {
    Status::deadline_exceeded("the call was not answered in time")
}

/// The message has not come, or not as one.
pub(crate) fn no_message(refusal: Refusal) -> Status {
    match refusal {
        Refusal::TooSlow => Status::deadline_exceeded("the message did not come in time"),
        Refusal::TooMany => overloaded(),
        Refusal::TooLarge => Status::resource_exhausted("the message is too large"),
        Refusal::BrokeOff => Status::cancelled("the message broke off"),
    }
}

/// It is larger than is allowed.
pub(crate) fn too_large(bytes_max: usize) -> Status {
    Status::resource_exhausted(format!("the message is larger than {bytes_max} bytes"))
}

/// There is no room.
pub(crate) fn overloaded() -> Status {
    Status::unavailable("too many calls at once; try again")
}

/// A case without a text of its own: its name in words, and which fields it is about.
fn default_message(name: &str, violations: &[FieldViolation]) -> String {
    let mut message = name.replace('-', " ");
    for (index, violation) in violations.iter().enumerate() {
        message.push_str(if index == 0 { ": " } else { ", " });
        message.push_str(&violation.field);
    }
    message
}

fn refused(code: Code, message: String, violations: Vec<FieldViolation>) -> Status {
    if violations.is_empty() {
        return Status::new(code, message);
    }
    Status::with_error_details(code, message, ErrorDetails::with_bad_request(violations))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(name: &str, message: Option<&str>, violations: &[(&str, &str)]) -> Status {
        let owned = |(field, text): &(&str, &str)| ((*field).to_owned(), (*text).to_owned());
        failure(Failure::Case {
            name: name.to_owned(),
            message: message.map(str::to_owned),
            violations: violations.iter().map(owned).collect(),
        })
    }

    #[test]
    fn cases_have_the_code_of_their_name() {
        for (name, code) in CODES {
            let status = case(name, Some("why"), &[]);
            assert_eq!((status.code(), status.message()), (code, "why"), "{name}");
            assert_eq!(name.replace('-', "_").to_uppercase(), code_name(code));
        }
        for name in ["ok", "Not-Found", "not_found", "gone", ""] {
            assert_eq!(case(name, None, &[]).code(), Code::Unknown, "{name}");
        }
    }

    #[test]
    fn cases_without_a_text_say_their_name() {
        assert_eq!(case("not-found", None, &[]).message(), "not found");
        let fields = [("amount.currency", "is no currency"), ("id", "is no UUID")];
        let status = case("invalid-argument", None, &fields);
        assert_eq!(status.message(), "invalid argument: amount.currency, id");
        let details = status.get_details_bad_request().unwrap().field_violations;
        let told: Vec<_> =
            details.iter().map(|v| (v.field.as_str(), v.description.as_str())).collect();
        assert_eq!(told, fields);
    }

    #[test]
    fn what_a_component_trapped_with_is_not_told() {
        let secret = "Jane Roe at 0x1234".to_owned();
        for error in [
            CallError::Trapped(secret.clone()),
            CallError::Instantiate(secret.clone()),
            CallError::Arguments(secret),
        ] {
            let status = no_answer(&error);
            assert_eq!((status.code(), status.message()), (Code::Internal, INTERNAL));
        }
        assert_eq!(failure(Failure::Mismatch).message(), INTERNAL);
    }
}
