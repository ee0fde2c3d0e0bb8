//! `pms:billing/patient-accounts`: what the patients service did, which is believed.

use policy::grpc::PATIENT_ACCOUNTS;

use super::violations::Violations;
use super::{Component, caller, failed};
use crate::bindings::exports::pms::billing::patient_accounts::{Guest, Standing};
use crate::bindings::pms::common::types::{Caller, Error};
use crate::model::Account;
use crate::{check, service};

impl Guest for Component {
    async fn open_account(by: Caller, patient_id: String) -> Result<Standing, Error> {
        let caller = caller(&by, PATIENT_ACCOUNTS, "open-account")?;
        let id = Violations::single("patient-id", check::id(&patient_id))?;
        let opened = service::open(&caller, &id).await;
        Ok(standing(opened.map_err(failed(&caller, "billing.open"))?))
    }

    async fn close_account(by: Caller, patient_id: String) -> Result<Standing, Error> {
        let caller = caller(&by, PATIENT_ACCOUNTS, "close-account")?;
        let id = Violations::single("patient-id", check::id(&patient_id))?;
        let closed = service::close(&caller, &id).await;
        Ok(standing(closed.map_err(failed(&caller, "billing.close"))?))
    }
}

fn standing(account: Account) -> Standing {
    Standing { account_id: account.id, status: account.status.name().to_owned() }
}
