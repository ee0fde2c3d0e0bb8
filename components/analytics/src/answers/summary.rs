//! `GET /api/analytics/summary`: how many patients there are and how old, and how many events.

use http::StatusCode;
use kit::database::{Fault, Row};
use kit::route::Call;
use kit::{Problem, Reply, date, reply};
use serde::Serialize;
use spin_sdk::pg::ParameterValue;

/// Where a band of ages begins, in years; the first begins at 0.
const BANDS: [u32; 6] = [0, 18, 30, 45, 60, 75];

#[derive(Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    /// Patients who are neither deleted nor erased.
    patients: i64,
    age_bands: Vec<Band>,
    events: Events,
    /// The sequence of the last event in it.
    sequence: i64,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Band {
    /// The lowest age in it, in years.
    from: u32,
    /// The highest, if there is one.
    to: Option<u32>,
    patients: i64,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "EventCounts"))]
struct Events {
    created: i64,
    updated: i64,
    deleted: i64,
    erased: i64,
}

/// Answers.
pub(crate) async fn answer(call: &Call<'_>) -> Result<Reply, Problem> {
    super::no_parameters(call.query)?;
    let bounds = BANDS.iter().skip(1).map(|bound| Some(i64::from(*bound)));
    let values = [date::today().into(), ParameterValue::ArrayInt64(bounds.collect())];
    let found = async {
        let database = crate::database().await?;
        let rows = database
            .query(include_str!("../store/summary.sql"), call.caller.access().values(values));
        let rows = rows.await?;
        summary(&rows.iter().map(read).collect::<Result<Vec<_>, _>>()?)
    };
    let summary = found.await.map_err(crate::failed(call))?;
    Ok(reply::json(StatusCode::OK, &summary))
}

fn read(row: &Row) -> Result<(String, i64, i64), Fault> {
    Ok((row.text(0)?, row.bigint(1)?, row.bigint(2)?))
}

/// From rows of: what is counted, which band, how many.
fn summary(rows: &[(String, i64, i64)]) -> Result<Summary, Fault> {
    let mut events = Events::default();
    let mut sequence = 0;
    let mut bands: Vec<Band> = BANDS
        .iter()
        .zip(BANDS.iter().skip(1).map(|next| Some(next - 1)).chain([None]))
        .map(|(from, to)| Band { from: *from, to, patients: 0 })
        .collect();
    for (what, band, count) in rows {
        let place = match what.as_str() {
            "PATIENT_CREATED" => Some(&mut events.created),
            "PATIENT_UPDATED" => Some(&mut events.updated),
            "PATIENT_DELETED" => Some(&mut events.deleted),
            "PATIENT_ERASED" => Some(&mut events.erased),
            "SEQUENCE" => Some(&mut sequence),
            "BAND" => {
                let band = usize::try_from(*band).ok().and_then(|band| bands.get_mut(band));
                band.map(|band| &mut band.patients)
            }
            _ => None,
        };
        *place.ok_or_else(|| Fault::Other("summary".to_owned()))? = *count;
    }
    let patients = bands.iter().map(|band| band.patients).sum();
    Ok(Summary { patients, age_bands: bands, events, sequence })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(what: &str, band: i64, count: i64) -> (String, i64, i64) {
        (what.to_owned(), band, count)
    }

    #[test]
    fn rows_become_a_summary() {
        let rows = [
            row("BAND", 0, 2),
            row("BAND", 5, 3),
            row("PATIENT_CREATED", 0, 6),
            row("PATIENT_DELETED", 0, 1),
            row("PATIENT_ERASED", 0, 2),
            row("SEQUENCE", 0, 9),
        ];
        let shown = serde_json::to_value(summary(&rows).unwrap()).unwrap();
        let expected = serde_json::json!({
            "patients": 5,
            "ageBands": [
                {"from": 0, "to": 17, "patients": 2},
                {"from": 18, "to": 29, "patients": 0},
                {"from": 30, "to": 44, "patients": 0},
                {"from": 45, "to": 59, "patients": 0},
                {"from": 60, "to": 74, "patients": 0},
                {"from": 75, "to": null, "patients": 3},
            ],
            "events": {"created": 6, "updated": 0, "deleted": 1, "erased": 2},
            "sequence": 9,
        });
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_nobody_knows_is_a_fault() {
        assert!(summary(&[row("BAND", 6, 1)]).is_err());
        assert!(summary(&[row("x", 0, 1)]).is_err());
    }
}
