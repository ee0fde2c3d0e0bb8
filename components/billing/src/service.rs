//! What billing does, for both doors: who may, and then one function of the store.
//!
//! Whoever is known may look, and may have an account opened or closed: patients asks for that in
//! the name of whoever creates and deletes patients, or in its own. Booking money takes the role
//! `ADMIN`, the only one that auth gives out; a further role comes with a migration there and a
//! line here.

use std::rc::Rc;

use kit::audit::Access;
use kit::caller::Caller;
use kit::database::{Database, Fault};
use kit::email::Rule;
use kit::seal::Seal;
use spin_sdk::variables;

use crate::check;
use crate::failure::{Failure, Refusal};
use crate::model::{Account, Entry, Kind};
use crate::store::{self, Booking, Page, Statement, Void, Wish};

/// The variable with the address of the database.
const DATABASE: &str = "billing_db_url";
/// The variable with the currency of new accounts.
const CURRENCY: &str = "billing_currency";
/// The role that books.
const BOOKKEEPER: &str = "ADMIN";

/// What was there already, or was made by this request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept<T> {
    pub(crate) value: T,
    pub(crate) new: bool,
}

/// Opens the patient's account, unless there is one.
///
/// The contract brings the patient's name and e-mail address along, and nothing here needs them:
/// accounts are found by the patient's id. So they are checked, for the sake of whoever will need
/// them, and not stored: what is not kept need not be corrected, exported or erased.
pub(crate) async fn open(caller: &Caller, patient_id: &str) -> Result<Kept<Account>, Failure> {
    let database = Database::open(DATABASE).await?;
    Ok(store::open(&database, &caller.access(), patient_id, &currency().await?).await?)
}

/// Closes the patient's account. Where there is none, one is made that is closed, so that a request
/// to open it which comes late finds it closed.
pub(crate) async fn close(caller: &Caller, patient_id: &str) -> Result<Account, Failure> {
    let database = Database::open(DATABASE).await?;
    Ok(store::close(&database, &caller.access(), patient_id, &currency().await?).await?)
}

/// What a batch of events asks for.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    /// Accounts of patients who were created.
    pub(crate) open: Vec<Wish>,
    /// No account any more for those who were deleted.
    pub(crate) close: Vec<Wish>,
}

/// Opens and closes what is not opened or closed, in nobody's name: the caller's was known when the
/// event was made.
pub(crate) async fn settle(mut wishes: Wishes) -> Result<(), Fault> {
    // Most events of patients ask for nothing here.
    if wishes.open.is_empty() && wishes.close.is_empty() {
        return Ok(());
    }
    let database = Database::open(DATABASE).await?;
    // And most of what is asked for was done over the link, when the event was made: to look costs
    // half of what it costs to have nothing to write.
    let patients = wishes.open.iter().chain(&wishes.close).map(|wish| wish.patient_id.clone());
    let known = store::known(&database, patients.collect()).await?;
    wishes.open.retain(|wish| !known.contains_key(&wish.patient_id));
    wishes.close.retain(|wish| known.get(&wish.patient_id) != Some(&true));
    if wishes.open.is_empty() && wishes.close.is_empty() {
        return Ok(());
    }
    let currency = currency().await?;
    if !wishes.open.is_empty() {
        store::open_all(&database, &Access::SYSTEM, &wishes.open, &currency).await?;
    }
    if !wishes.close.is_empty() {
        store::close_all(&database, &Access::SYSTEM, &wishes.close, &currency).await?;
    }
    Ok(())
}

/// The account with this id.
pub(crate) async fn account(caller: &Caller, id: &str) -> Result<Account, Failure> {
    let database = Database::open(DATABASE).await?;
    let found = store::read(&database, &caller.access(), id).await?;
    Ok(found.ok_or(Refusal::NoAccount)?)
}

/// The account of this patient.
pub(crate) async fn patient_account(caller: &Caller, id: &str) -> Result<Account, Failure> {
    let database = Database::open(DATABASE).await?;
    let found = store::read_of_patient(&database, &caller.access(), id).await?;
    Ok(found.ok_or(Refusal::NoAccount)?)
}

/// Accounts in order of their ids, after this one.
pub(crate) async fn list(
    caller: &Caller,
    limit: u32,
    after: Option<&str>,
) -> Result<Page<Account>, Failure> {
    let database = Database::open(DATABASE).await?;
    Ok(store::list(&database, &caller.access(), limit, after).await?)
}

/// What positions in lists are sealed with.
pub(crate) async fn seal() -> Result<Rc<Seal>, Failure> {
    Ok(Seal::own(Database::open(DATABASE)).await?)
}

/// Books a charge, a payment or a refund.
pub(crate) async fn book(caller: &Caller, booking: &Booking) -> Result<Kept<Entry>, Failure> {
    let database = Database::open(DATABASE).await?;
    let access = caller.access();
    if caller.role != BOOKKEEPER {
        let (account, entry) = (&booking.account_id, &booking.entry_id);
        store::note_denied(&database, &access, booking.kind, account, entry).await?;
        return Err(Refusal::Denied.into());
    }
    store::book(&database, &access, booking).await
}

/// Undoes an entry.
pub(crate) async fn void(caller: &Caller, void: &Void) -> Result<Kept<Entry>, Failure> {
    let database = Database::open(DATABASE).await?;
    let access = caller.access();
    if caller.role != BOOKKEEPER {
        let (account, entry) = (&void.account_id, &void.entry_id);
        store::note_denied(&database, &access, Kind::Reversal, account, entry).await?;
        return Err(Refusal::Denied.into());
    }
    store::void(&database, &access, void).await
}

/// An account and the entries that made its versions after this one.
pub(crate) async fn statement(
    caller: &Caller,
    account_id: &str,
    limit: u32,
    after_version: i64,
) -> Result<Statement, Failure> {
    let database = Database::open(DATABASE).await?;
    let access = caller.access();
    let found = store::statement(&database, &access, account_id, limit, after_version).await?;
    Ok(found.ok_or(Refusal::NoAccount)?)
}

/// Whether patients may be without an e-mail address, which is the application's choice.
pub(crate) async fn is_email_optional() -> bool {
    Rule::read().await == Ok(Rule::Optional)
}

/// The currency of new accounts.
async fn currency() -> Result<String, Fault> {
    let value = variables::get(CURRENCY).await.ok();
    let value = value.and_then(|value| check::currency(&value).ok());
    value.ok_or_else(|| Fault::Other(format!("variable-{CURRENCY}")))
}
