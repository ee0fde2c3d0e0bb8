//! Test guest in billing's place: whoever opens an account sees it trap, whoever closes one waits
//! for an answer that does not come, events are to come again, and everything else is unavailable.

mod bindings;

use std::time::Duration;

use bindings::exports::pms::billing::{accounts, billing_service, patient_accounts};
use bindings::exports::pms::common::refusals;
use bindings::exports::pms::patients::consumer;
use bindings::pms::common::types::{Caller, Error};
use spin_sdk::http::{IntoResponse, Request, StatusCode};
use spin_sdk::{http_service, time};

/// Longer than any deadline of the host.
const FOR_EVER: Duration = Duration::from_secs(3600);

struct Failing;

#[http_service]
async fn handle(_request: Request) -> impl IntoResponse {
    StatusCode::SERVICE_UNAVAILABLE
}

impl patient_accounts::Guest for Failing {
    async fn open_account(_: Caller, _: String) -> Result<patient_accounts::Standing, Error> {
        std::process::abort()
    }

    async fn close_account(_: Caller, _: String) -> Result<patient_accounts::Standing, Error> {
        time::sleep(FOR_EVER).await;
        unavailable()
    }
}

impl billing_service::Guest for Failing {
    async fn create_billing_account(
        _: Caller,
        _: billing_service::BillingRequest,
    ) -> Result<billing_service::BillingResponse, Error> {
        unavailable()
    }

    async fn close_billing_account(
        _: Caller,
        _: billing_service::CloseRequest,
    ) -> Result<billing_service::BillingResponse, Error> {
        unavailable()
    }
}

impl accounts::Guest for Failing {
    async fn get_account(_: Caller, _: String) -> Result<accounts::Account, Error> {
        unavailable()
    }

    async fn get_patient_account(_: Caller, _: String) -> Result<accounts::Account, Error> {
        unavailable()
    }

    async fn list_accounts(
        _: Caller,
        _: accounts::ListAccountsRequest,
    ) -> Result<accounts::AccountPage, Error> {
        unavailable()
    }

    async fn post_charge(_: Caller, _: accounts::Posting) -> Result<accounts::Entry, Error> {
        unavailable()
    }

    async fn record_payment(_: Caller, _: accounts::Posting) -> Result<accounts::Entry, Error> {
        unavailable()
    }

    async fn record_refund(_: Caller, _: accounts::Posting) -> Result<accounts::Entry, Error> {
        unavailable()
    }

    async fn void_entry(_: Caller, _: accounts::VoidRequest) -> Result<accounts::Entry, Error> {
        unavailable()
    }

    async fn get_statement(
        _: Caller,
        _: accounts::StatementRequest,
    ) -> Result<accounts::Statement, Error> {
        unavailable()
    }
}

impl consumer::Guest for Failing {
    async fn consume(deliveries: Vec<consumer::Delivery>) -> Vec<consumer::Outcome> {
        deliveries.iter().map(|_| consumer::Outcome::Retry(100)).collect()
    }
}

impl refusals::Guest for Failing {
    async fn note(_: Caller, _: String, _: String, _: u64) {
        std::process::abort()
    }
}

fn unavailable<T>() -> Result<T, Error> {
    Err(Error::Unavailable("This is a test.".to_owned()))
}
