//! What billing does, for both doors: one function of the store each. Who may was decided before:
//! by guard, by the gRPC trigger, or by the door that a link comes through.
//!
//! **Accounts follow patients.** Billing owns no patients and can ask nobody whether there is one
//! (patients is linked to billing, and links make no rings). Two sides tell it who know: the
//! patients service over its link ([`open`], [`close`]), at once, and the events ([`settle`]),
//! always. So a patient of whom billing has heard has an account, and who was deleted has one that
//! is closed. All others, who would have to be believed, get what is there ([`opened`],
//! [`closed`]).

use std::rc::Rc;

use kit::audit::Access;
use kit::caller::Caller;
use kit::database::{Database, Fault};
use kit::email::Rule;
use kit::seal::Seal;
use policy::scopes::PATIENT_RESTRICT;
use spin_sdk::variables;

use crate::check;
use crate::failure::{Failure, Refusal};
use crate::model::{Account, Entry, Status};
use crate::store::{self, Booking, Page, Restriction, Statement, Viewer, Void, Wish};

/// The variable with the address of the database.
pub(crate) const DATABASE: &str = "billing_db_url";
/// The variable with the currency of new accounts.
const CURRENCY: &str = "billing_currency";

/// What was there already, or was made by this request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept<T> {
    pub(crate) value: T,
    pub(crate) new: bool,
}

/// Opens the account of a patient who was created, unless there is one.
pub(crate) async fn open(caller: &Caller, patient_id: &str) -> Result<Account, Failure> {
    let database = Database::open(DATABASE).await?;
    Ok(store::open(&database, &caller.access(), patient_id, &currency().await?).await?)
}

/// Closes the account of a patient who was deleted. Where there is none, one is made that is
/// closed, so that a request to open it which comes late finds it closed.
pub(crate) async fn close(caller: &Caller, patient_id: &str) -> Result<Account, Failure> {
    let database = Database::open(DATABASE).await?;
    Ok(store::close(&database, &caller.access(), patient_id, &currency().await?).await?)
}

/// The account of a patient, for who asks to have it opened.
///
/// The contract brings the patient's name and e-mail address along, and nothing here needs them:
/// accounts are found by the patient's id. So they are checked, for the sake of whoever will need
/// them, and not stored: what is not kept need not be corrected, exported or erased.
pub(crate) async fn opened(caller: &Caller, patient_id: &str) -> Result<Account, Failure> {
    let database = Database::open(DATABASE).await?;
    let found = store::existing(&database, &viewer(caller), patient_id, "OPEN").await?;
    Ok(found.ok_or(Refusal::NoPatient)?)
}

/// The closed account of a patient, for who asks to have it closed.
pub(crate) async fn closed(caller: &Caller, patient_id: &str) -> Result<Account, Failure> {
    let database = Database::open(DATABASE).await?;
    let found = store::existing(&database, &viewer(caller), patient_id, "CLOSE").await?;
    let account = found.ok_or(Refusal::NoPatient)?;
    if account.status == Status::Closed { Ok(account) } else { Err(Refusal::PatientLives.into()) }
}

/// What a batch of events asks for.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    /// Accounts of patients who were created.
    pub(crate) open: Vec<Wish>,
    /// No account any more for those who were deleted.
    pub(crate) close: Vec<Wish>,
    /// Who is restricted, and who is not.
    pub(crate) restrict: Vec<Restriction>,
}

/// Opens and closes what is not opened or closed, in nobody's name: the caller's was known when the
/// event was made.
pub(crate) async fn settle(mut wishes: Wishes) -> Result<(), Fault> {
    if !wishes.restrict.is_empty() {
        store::restrict_all(&Database::open(DATABASE).await?, &wishes.restrict).await?;
    }
    // Most events of patients ask for nothing more here.
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
    let found = store::read(&database, &viewer(caller), id).await?;
    Ok(found.ok_or(Refusal::NoAccount)?)
}

/// The account of this patient.
pub(crate) async fn patient_account(caller: &Caller, id: &str) -> Result<Account, Failure> {
    let database = Database::open(DATABASE).await?;
    let found = store::read_of_patient(&database, &viewer(caller), id).await?;
    Ok(found.ok_or(Refusal::NoAccount)?)
}

/// Accounts in order of their ids, after this one.
pub(crate) async fn list(
    caller: &Caller,
    limit: u32,
    after: Option<&str>,
) -> Result<Page<Account>, Failure> {
    let database = Database::open(DATABASE).await?;
    Ok(store::list(&database, &viewer(caller), limit, after).await?)
}

/// What positions in lists are sealed with.
pub(crate) async fn seal() -> Result<Rc<Seal>, Failure> {
    Ok(Seal::own(Database::open(DATABASE)).await?)
}

/// Books a charge, a payment or a refund.
pub(crate) async fn book(caller: &Caller, booking: &Booking) -> Result<Kept<Entry>, Failure> {
    let database = Database::open(DATABASE).await?;
    store::book(&database, &viewer(caller), booking).await
}

/// Undoes an entry.
pub(crate) async fn void(caller: &Caller, void: &Void) -> Result<Kept<Entry>, Failure> {
    let database = Database::open(DATABASE).await?;
    store::void(&database, &viewer(caller), void).await
}

/// An account and the entries that made its versions after this one.
pub(crate) async fn statement(
    caller: &Caller,
    account_id: &str,
    limit: u32,
    after_version: i64,
) -> Result<Statement, Failure> {
    let database = Database::open(DATABASE).await?;
    let viewer = viewer(caller);
    let found = store::statement(&database, &viewer, account_id, limit, after_version).await?;
    Ok(found.ok_or(Refusal::NoAccount)?)
}

/// What the store is told of a caller: restricted patients' accounts are not there for those who
/// may not see these patients.
fn viewer(caller: &Caller) -> Viewer<'_> {
    Viewer { access: caller.access(), sees_restricted: caller.has(PATIENT_RESTRICT) }
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
