//! Accounts and entries, as they come out of the database and as both doors show them.

use kit::database::{Fault, Row};
use kit::date;
use serde::Serialize;

/// An exact amount of money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Money {
    /// In the currency's smallest unit: 12.50 EUR is 1250.
    pub(crate) minor_units: i64,
    /// ISO 4217.
    pub(crate) currency: String,
}

/// What may be done with an account: charges need it to be active. Payments and corrections are
/// taken always; a debt does not go away with an account, nor does a mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Status {
    Active,
    Suspended,
    Closed,
}

impl Status {
    /// The status as tables and the API write it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::Closed => "CLOSED",
        }
    }

    fn from_row(row: &Row, column: usize) -> Result<Self, Fault> {
        Self::named(&row.text(column)?).ok_or_else(|| Fault::Other("status".to_owned()))
    }

    fn named(name: &str) -> Option<Self> {
        let all = [Self::Active, Self::Suspended, Self::Closed];
        all.into_iter().find(|one| one.name() == name)
    }
}

/// A patient's account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Account {
    /// A UUID.
    #[cfg_attr(test, schemars(extend("format" = "uuid")))]
    pub(crate) id: String,
    /// A UUID.
    #[cfg_attr(test, schemars(extend("format" = "uuid")))]
    pub(crate) patient_id: String,
    pub(crate) status: Status,
    /// What the patient owes; negative after paying too much.
    pub(crate) balance: Money,
    /// 1 when opened, one more with each change and each entry.
    pub(crate) version: i64,
    /// RFC 3339, in UTC.
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    pub(crate) created_at: String,
    /// RFC 3339, in UTC.
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    pub(crate) updated_at: String,
}

impl Account {
    /// Reads the first eight columns of a row: id, patient_id, status, balance, currency, version,
    /// and created_at and updated_at cast to UTC.
    pub(crate) fn from_row(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            id: row.uuid(0)?,
            patient_id: row.uuid(1)?,
            status: Status::from_row(row, 2)?,
            balance: Money { minor_units: row.bigint(3)?, currency: row.text(4)? },
            version: row.bigint(5)?,
            created_at: date::format_instant(row.instant(6)?),
            updated_at: date::format_instant(row.instant(7)?),
        })
    }
}

/// What an entry does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Kind {
    Charge,
    Payment,
    Reversal,
    Refund,
}

impl Kind {
    /// The kind as tables and the API write it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Charge => "CHARGE",
            Self::Payment => "PAYMENT",
            Self::Reversal => "REVERSAL",
            Self::Refund => "REFUND",
        }
    }

    fn from_row(row: &Row, column: usize) -> Result<Self, Fault> {
        Self::named(&row.text(column)?).ok_or_else(|| Fault::Other("kind".to_owned()))
    }

    fn named(name: &str) -> Option<Self> {
        let all = [Self::Charge, Self::Payment, Self::Reversal, Self::Refund];
        all.into_iter().find(|one| one.name() == name)
    }
}

/// One entry of an account's ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    /// A UUID, made by the client.
    #[cfg_attr(test, schemars(extend("format" = "uuid")))]
    pub(crate) id: String,
    /// A UUID.
    #[cfg_attr(test, schemars(extend("format" = "uuid")))]
    pub(crate) account_id: String,
    pub(crate) kind: Kind,
    /// What it adds to the balance: positive for a charge or a refund, negative for a payment.
    pub(crate) amount: Money,
    pub(crate) description: String,
    /// The entry that this one undoes.
    #[cfg_attr(test, schemars(extend("format" = "uuid")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reverses: Option<String>,
    /// What the patient owed then.
    pub(crate) balance_after: Money,
    /// RFC 3339, in UTC.
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    pub(crate) posted_at: String,
    /// The account's version after it: its place in the statement.
    #[serde(skip)]
    pub(crate) account_version: i64,
}

impl Entry {
    /// Reads ten columns of a row, from `first` on: id, account_id, kind, amount, currency,
    /// description, reverses, balance_after, posted_at cast to UTC, account_version.
    pub(crate) fn from_row(row: &Row, first: usize) -> Result<Self, Fault> {
        let currency = row.text(first + 4)?;
        Ok(Self {
            id: row.uuid(first)?,
            account_id: row.uuid(first + 1)?,
            kind: Kind::from_row(row, first + 2)?,
            amount: Money { minor_units: row.bigint(first + 3)?, currency: currency.clone() },
            description: row.text(first + 5)?,
            reverses: row.optional_uuid(first + 6)?,
            balance_after: Money { minor_units: row.bigint(first + 7)?, currency },
            posted_at: date::format_instant(row.instant(first + 8)?),
            account_version: row.bigint(first + 9)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn money(minor_units: i64) -> Money {
        Money { minor_units, currency: "EUR".to_owned() }
    }

    #[test]
    fn accounts_as_clients_see_them() {
        let account = Account {
            id: "i".to_owned(),
            patient_id: "p".to_owned(),
            status: Status::Active,
            balance: money(-1250),
            version: 3,
            created_at: "c".to_owned(),
            updated_at: "u".to_owned(),
        };
        let expected = json!({
            "id": "i", "patientId": "p", "status": "ACTIVE", "version": 3,
            "balance": {"minorUnits": -1250, "currency": "EUR"}, "createdAt": "c", "updatedAt": "u",
        });
        assert_eq!(serde_json::to_value(account).unwrap(), expected);
    }

    #[test]
    fn entries_as_clients_see_them() {
        let mut entry = Entry {
            id: "i".to_owned(),
            account_id: "a".to_owned(),
            kind: Kind::Charge,
            amount: money(5),
            description: "d".to_owned(),
            reverses: None,
            balance_after: money(7),
            posted_at: "p".to_owned(),
            account_version: 2,
        };
        let mut expected = json!({
            "id": "i", "accountId": "a", "kind": "CHARGE", "description": "d", "postedAt": "p",
            "amount": {"minorUnits": 5, "currency": "EUR"},
            "balanceAfter": {"minorUnits": 7, "currency": "EUR"},
        });
        assert_eq!(serde_json::to_value(&entry).unwrap(), expected);
        entry.reverses = Some("r".to_owned());
        expected["reverses"] = json!("r");
        assert_eq!(serde_json::to_value(entry).unwrap(), expected);
    }

    #[test]
    fn names_are_written_in_one_way() {
        for status in [Status::Active, Status::Suspended, Status::Closed] {
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
            assert_eq!(Status::named(status.name()), Some(status));
        }
        for kind in [Kind::Charge, Kind::Payment, Kind::Reversal, Kind::Refund] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            assert_eq!(Kind::named(kind.name()), Some(kind));
        }
    }
}
