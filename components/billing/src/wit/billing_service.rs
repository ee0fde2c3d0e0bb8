//! `pms:billing/billing-service`: what clients of the original system call. It answers with what is
//! there and changes nothing: accounts follow patients.

use policy::grpc::BILLING_SERVICE;

use super::violations::Violations;
use super::{Component, caller, failed};
use crate::bindings::exports::pms::billing::billing_service::{
    BillingRequest, BillingResponse, CloseRequest, Guest,
};
use crate::bindings::pms::common::types::{Caller, Error};
use crate::model::Account;
use crate::{check, service};

impl Guest for Component {
    async fn create_billing_account(
        by: Caller,
        request: BillingRequest,
    ) -> Result<BillingResponse, Error> {
        let caller = caller(&by, BILLING_SERVICE, "create-billing-account")?;
        let mut violations = Violations::default();
        let patient_id = violations.take("patient-id", check::id(&request.patient_id));
        violations.take("name", check::name(&request.name));
        if !request.email.is_empty() || !service::is_email_optional().await {
            violations.take("email", check::email(&request.email));
        }
        let patient_id = violations.whole(patient_id)?;
        let opened = service::opened(&caller, &patient_id).await;
        Ok(response(opened.map_err(failed(&caller, "billing.open"))?))
    }

    async fn close_billing_account(
        by: Caller,
        request: CloseRequest,
    ) -> Result<BillingResponse, Error> {
        let caller = caller(&by, BILLING_SERVICE, "close-billing-account")?;
        let patient_id = Violations::single("patient-id", check::id(&request.patient_id))?;
        let closed = service::closed(&caller, &patient_id).await;
        Ok(response(closed.map_err(failed(&caller, "billing.close"))?))
    }
}

fn response(account: Account) -> BillingResponse {
    BillingResponse { account_id: account.id, status: account.status.name().to_owned() }
}
