//! What a client may send: every field checked, everything wrong told at once.

use kit::Problem;
use kit::etag::Expected;
use kit::fields::Fields;
use serde_json::Value;

use crate::check;
use crate::model::Kind;
use crate::store::{Booking, Void};

/// The patient in a request to open an account: `patientId`, `name`, `email`, which some
/// applications' patients have not.
pub(super) fn opening(document: Value, email_optional: bool) -> Result<String, Problem> {
    let mut fields = Fields::new(document)?;
    let patient_id = fields.parsed("patientId", check::id);
    fields.parsed("name", check::name);
    match email_optional {
        true => drop(fields.optional("email", Fields::email_or_blank)),
        false => drop(fields.parsed("email", check::email)),
    }
    fields.finish()?;
    whole(patient_id)
}

/// A charge, a payment or a refund: `id`, `amount` with `minorUnits` and `currency`, `description`.
pub(super) fn booking(
    document: Value,
    account_id: &str,
    kind: Kind,
    expected: Expected,
) -> Result<Booking, Problem> {
    let mut fields = Fields::new(document)?;
    let entry_id = fields.parsed("id", check::id);
    let amount = fields.object("amount", |amount| {
        let minor_units = amount.integer("minorUnits", check::minor_units);
        let currency = amount.parsed("currency", check::currency);
        minor_units.zip(currency)
    });
    let description = fields.parsed("description", check::description);
    fields.finish()?;
    let booking = || {
        let (minor_units, currency) = amount?;
        Some(Booking {
            account_id: account_id.to_owned(),
            entry_id: entry_id?,
            kind,
            minor_units,
            currency,
            description: description?,
            expected,
        })
    };
    whole(booking())
}

/// An entry to undo: `id`, `reverses`, `description`.
pub(super) fn void(document: Value, account_id: &str, expected: Expected) -> Result<Void, Problem> {
    let mut fields = Fields::new(document)?;
    let entry_id = fields.parsed("id", check::id);
    let reverses = fields.parsed("reverses", check::id);
    let description = fields.parsed("description", check::description);
    fields.finish()?;
    let void = || {
        Some(Void {
            account_id: account_id.to_owned(),
            entry_id: entry_id?,
            reverses: reverses?,
            description: description?,
            expected,
        })
    };
    whole(void())
}

/// A field is missing only after it failed, and then finish() has returned.
fn whole<T>(value: Option<T>) -> Result<T, Problem> {
    value.ok_or_else(|| Problem::new(kit::problem::INTERNAL))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::AMOUNT_MAX_MINOR_UNITS;
    use serde_json::json;

    const ID: &str = "123e4567-e89b-12d3-a456-426614174000";

    fn charge() -> Value {
        json!({
            "id": ID, "amount": {"minorUnits": 1250, "currency": "EUR"}, "description": " Visit ",
        })
    }

    #[test]
    fn a_booking_is_read() {
        let expected = Expected { among: Some(vec![3]), besides: vec![4] };
        let right = Booking {
            account_id: "a".to_owned(),
            entry_id: ID.to_owned(),
            kind: Kind::Charge,
            minor_units: 1250,
            currency: "EUR".to_owned(),
            description: "Visit".to_owned(),
            expected: expected.clone(),
        };
        assert_eq!(booking(charge(), "a", Kind::Charge, expected), Ok(right));
    }

    #[test]
    fn amounts_are_whole() {
        let check = |amount: Value, accepted: bool| {
            let mut document = charge();
            document["amount"]["minorUnits"] = amount.clone();
            let found = booking(document, "a", Kind::Payment, Expected::default());
            assert_eq!(found.is_ok(), accepted, "{amount}");
        };
        check(json!(1), true);
        check(json!(AMOUNT_MAX_MINOR_UNITS), true);
        check(json!(AMOUNT_MAX_MINOR_UNITS + 1), false);
        check(json!(0), false);
        check(json!(-1), false);
        check(json!(12.5), false);
        check(json!(12.0), false);
        check(json!("12"), false);
        check(Value::Null, false);
    }

    #[test]
    fn what_else_is_refused() {
        let with = |name: &str, value: Value| {
            let mut document = charge();
            document[name] = value;
            document
        };
        for document in [
            json!({}),
            json!([]),
            with("id", json!("x")),
            with("amount", json!(1250)),
            with("amount", json!({"minorUnits": 1, "currency": "euro"})),
            with("amount", json!({"minorUnits": 1, "currency": "EUR", "scale": 2})),
            with("description", json!("")),
            with("kind", json!("CHARGE")),
        ] {
            let found = booking(document.clone(), "a", Kind::Charge, Expected::default());
            assert!(found.is_err(), "{document}");
        }
        let right = json!({"id": ID, "reverses": ID, "description": "x"});
        assert!(void(right.clone(), "a", Expected::default()).is_ok());
        for name in ["id", "reverses", "description"] {
            let mut document = right.clone();
            document[name] = json!("");
            assert!(void(document, "a", Expected::default()).is_err(), "{name}");
        }
    }

    #[test]
    fn of_a_patient_only_the_id_is_kept() {
        let document = json!({"patientId": ID, "name": "Ann", "email": "a@b.cd"});
        assert_eq!(opening(document, false).as_deref(), Ok(ID));
        let without = json!({"patientId": ID, "name": "Ann"});
        assert_eq!(opening(without, true).as_deref(), Ok(ID));
        for document in [
            json!({"patientId": ID, "name": "Ann"}),
            json!({"patientId": ID, "email": "a@b.cd"}),
            json!({"patientId": ID, "name": "", "email": "a@b.cd"}),
            json!({"patientId": ID, "name": "Ann", "email": "a"}),
            json!({"patientId": "x", "name": "Ann", "email": "a@b.cd"}),
        ] {
            assert!(opening(document.clone(), false).is_err(), "{document}");
        }
    }
}
