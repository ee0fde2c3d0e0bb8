//! The API in words: what the table and the readers cannot say. The document that comes of it is
//! `docs/api/patients.json`, which this test keeps.

use kit::describe::asked;
use kit::email::Rule;
use kit::query::Query;
use openapi::{About, Api, Parameter};
use serde_json::{Value, json};

use crate::Handler;
use crate::erasure;
use crate::handlers::{Created, TRAIL};
use crate::model::Patient;
use crate::query::{Listing, UrlFilters};
use crate::sight::REASONS;
use crate::validate::{Draft, Replacement};

const ID: &str = "123e4567-e89b-12d3-a456-426614174000";

fn new_patient() -> Value {
    json!({
        "name": "Ada Lovelace",
        "email": "ada.lovelace@example.com",
        "address": "12 St James Square",
        "dateOfBirth": "1985-12-10",
        "registeredDate": "2024-01-10",
    })
}

fn patient() -> Value {
    let mut patient = new_patient();
    patient["id"] = ID.into();
    patient["version"] = 1.into();
    patient["createdAt"] = "2024-01-10T09:30:00.000000Z".into();
    patient["updatedAt"] = "2024-01-10T09:30:00.000000Z".into();
    patient
}

fn created() -> Value {
    let mut patient = patient();
    let account = "b1111111-0000-4000-8000-000000000000";
    patient["billing"] = json!({ "accountId": account, "status": "ACTIVE" });
    patient
}

fn sorts() -> Value {
    let names = ["name", "registeredDate", "dateOfBirth"];
    let all = names.map(|name| [name.to_owned(), format!("-{name}")]).concat();
    json!({ "enum": all, "default": "name" })
}

/// The default application's rule: everybody has an address of their own.
const RULE: Rule = Rule::Unique;

fn documents(api: Api) -> Api {
    let latest = kit::date::today_anywhere();
    let draft = asked(|| Draft::from_document(json!({}), RULE, latest));
    let replacement = asked(|| Replacement::from_document(json!({}), ID, RULE, latest));
    let erasure = asked(|| erasure::reason(json!({})));
    let search = asked(|| Listing::of_search("", json!({})));
    let past = "Not before 1850, and not in the future.";
    let registered = "From the day of birth to today, which it is where there is none.";
    let kept = "What was read, or nothing: it cannot be changed.";
    let born = ("dateOfBirth", json!({ "description": past }));
    let moment = json!({ "format": "date-time", "description": kept });
    api.answer::<Patient>("Patient", patient())
        .answer::<Vec<Patient>>("Patients", json!([patient()]))
        .answer::<Created<'_>>("CreatedPatient", created())
        .body(
            "NewPatient",
            &draft,
            &[born.clone(), ("registeredDate", json!({ "description": registered }))],
            new_patient(),
        )
        .body(
            "Replacement",
            &replacement,
            &[
                born,
                ("registeredDate", json!({ "description": kept })),
                ("id", json!({ "format": "uuid", "description": kept })),
                ("version", json!({ "description": kept })),
                ("createdAt", moment.clone()),
                ("updatedAt", moment),
                ("billing", json!({ "description": "Passed over." })),
                ("earlierIds", json!({ "description": "Passed over." })),
                ("restricted", json!({ "description": kept })),
            ],
            new_patient(),
        )
        .body("Erasure", &erasure, &[("reason", reasons())], json!({ "reason": "OBJECTION" }))
        .body("Search", &search, &searched(), json!({ "name": "ada", "limit": 20 }))
}

fn reasons() -> Value {
    let about = "A ground that Article 17(1) GDPR has. It stays in the audit log.";
    json!({ "type": "string", "enum": erasure::REASONS, "description": about })
}

fn searched() -> [(&'static str, Value); 6] {
    let name = "The beginning of the name, whatever its case and accents.";
    let (min, max) = (1, kit::page::LIMIT_MAX);
    [
        ("name", line(name)),
        ("email", json!({ "format": "email", "description": "The whole address." })),
        ("dateOfBirthFrom", json!({ "description": "The earliest date of birth." })),
        ("dateOfBirthTo", json!({ "description": "The latest date of birth." })),
        ("limit", json!({ "minimum": min, "maximum": max, "default": kit::page::LIMIT_DEFAULT })),
        ("sort", sorts()),
    ]
}

fn line(description: &str) -> Value {
    json!({
        "type": "string", "format": "line", "minLength": 1, "maxLength": 254,
        "description": description,
    })
}

/// What opens what is restricted.
fn break_glass() -> Parameter {
    Parameter::new(
        "Break-Glass-Reason",
        "Why restricted patients have to be seen (codes of HL7's PurposeOfUse), by somebody with \
         the scope `patient.break-glass`. It stays in the audit log.",
        json!({ "type": "string", "enum": REASONS }),
    )
}

/// What makes two requests one.
fn idempotency_key() -> Parameter {
    let most = kit::idempotency::KEY_CHARS_MAX;
    Parameter::new(
        "Idempotency-Key",
        "Chosen for this request, a UUID for example. Whoever does not know what became of it \
         sends it again with the same key, within 24 hours, and gets the first answer; another \
         document with that key is refused (422).",
        json!({ "type": "string", "pattern": format!("^[!-~]{{1,{most}}}$") }),
    )
}

/// The query of a list. Its filters are there for applications that ask for them.
fn listed() -> About {
    let only = "Only where the application says `patient_filters = \"url\"`; otherwise 400, and \
        `POST /api/patients/search` takes it.";
    let read = || Listing::of_list(Query::parse("").unwrap(), UrlFilters::Taken);
    let date = json!({ "type": "string", "format": "date" });
    let mut sort = sorts();
    sort["type"] = "string".into();
    let about = About::new("List patients", "A page of patients who are not deleted.");
    about.header(break_glass()).paged().query(
        asked(read),
        vec![
            Parameter::new("sort", "The order; `-` turns it round.", sort),
            Parameter::new("name", only, line("The beginning of the name.")).deprecated(),
            Parameter::new("email", only, json!({ "type": "string", "format": "email" }))
                .deprecated(),
            Parameter::new("dateOfBirthFrom", only, date.clone()).deprecated(),
            Parameter::new("dateOfBirthTo", only, date).deprecated(),
        ],
    )
}

fn api() -> Api {
    let about = "Patients: list, look for, create, read, replace, delete, erase. Each carries its \
        version as entity tag. What is deleted is not shown again.";
    documents(Api::new("Ward: patients", about))
        .operation("patients.list", listed())
        .operation(
            "patients.search",
            About::new(
                "Look for patients",
                "A page of those of whom all that is given holds. Patient data stays out of URLs: \
                 to read on, send the same body to the address in `Link`.",
            )
            .header(break_glass())
            .paged()
            .query(asked(|| Listing::of_search("", json!({}))), vec![]),
        )
        .operation(
            "patients.create",
            About::new(
                "Create a patient",
                "And has billing open an account. Where billing does not answer, that follows, and \
                 `billing.status` is `PENDING`.",
            )
            .header(idempotency_key())
            .tagged()
            .refuses(&[409, 422]),
        )
        .operation(
            "patients.read",
            About::new("Read a patient", "One patient.").header(break_glass()).tagged(),
        )
        .operation(
            "patients.replace",
            About::new("Replace a patient", "All of it, if its version is one that is expected.")
                .tagged()
                .demanding()
                .refuses(&[409]),
        )
        .operation(
            "patients.delete",
            About::new("Delete a patient", "And closes the account with billing.").demanding(),
        )
        .operation(
            "patients.erase",
            About::new(
                "Erase a patient",
                "Deleted or not: name, e-mail address, address and dates are gone, here and \
                 wherever events have told of them, and the account with billing is closed. It \
                 cannot be undone, and once more does nothing.",
            )
            .demanding(),
        )
        .operation(
            "patients.restrict",
            About::new(
                "Restrict a patient",
                "Only those with the scope `patient.restrict` see the patient, however it was \
                 before.",
            )
            .tagged()
            .conditional(),
        )
        .operation(
            "patients.release",
            About::new("Release a patient", "From a restriction, however it was before.")
                .tagged()
                .conditional(),
        )
        .trail("patients.audit", &TRAIL, &[])
}

#[test]
fn the_document_is_what_there_is() {
    let text = api().document(Handler::TABLE.operations()).unwrap();
    expect_test::expect_file!["../../../docs/api/patients.json"].assert_eq(&text);
}
