//! `GET /api/analytics/activity`: what became of one patient, with `?patient=`, or who changed
//! most. Patients with a single event are not among the latter: every patient has one.

use http::StatusCode;
use kit::database::{self, Fault, Row};
use kit::query::Query;
use kit::route::Call;
use kit::{Problem, Reply, date, page, problem, reply};
use serde::Serialize;
use spin_sdk::pg::ParameterValue;

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "PatientActivity"))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Activity {
    #[cfg_attr(test, schemars(extend("format" = "uuid")))]
    patient_id: String,
    /// `ACTIVE`, or `DELETED` also where the patient was erased.
    status: &'static str,
    /// The greatest version known.
    version: i64,
    events: i64,
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    first_at: String,
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    last_at: String,
}

impl Activity {
    fn from_row(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            patient_id: row.uuid(0)?,
            version: row.bigint(1)?,
            status: if row.get(2)? { "DELETED" } else { "ACTIVE" },
            events: row.bigint(3)?,
            first_at: date::format_instant(row.instant(4)?),
            last_at: date::format_instant(row.instant(5)?),
        })
    }
}

/// Which of the two questions is asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Question {
    One(String),
    Most(u32),
}

impl Question {
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        let mut query = Query::parse(text)?;
        let patient = super::patient(&mut query);
        // A limit makes no sense of one patient, and is then left over for finish() to refuse.
        let limit = if patient.is_none() { page::limit(&mut query) } else { None };
        query.finish()?;
        let question = patient.map(Self::One).or(limit.map(Self::Most));
        question.ok_or_else(|| Problem::new(problem::INTERNAL))
    }
}

/// Answers.
pub(crate) async fn answer(call: &Call<'_>) -> Result<Reply, Problem> {
    let question = Question::parse(call.query)?;
    let (statement, value) = match &question {
        Question::One(id) => (include_str!("../store/activity.sql"), database::uuid(id)),
        Question::Most(limit) => {
            (include_str!("../store/most_active.sql"), ParameterValue::Int64(i64::from(*limit)))
        }
    };
    let found = async {
        let values = call.caller.access().values([value, crate::sees_restricted(call)]);
        let rows = crate::database().await?.query(statement, values).await?;
        rows.iter().map(Activity::from_row).collect::<Result<Vec<_>, _>>()
    };
    let found = found.await.map_err(crate::failed(call))?;
    match (question, found.first()) {
        (Question::Most(_), _) => Ok(reply::json(StatusCode::OK, &found)),
        (Question::One(_), Some(patient)) => Ok(reply::json(StatusCode::OK, patient)),
        (Question::One(_), None) => Err(Problem::new(problem::NOT_FOUND)
            .detail("Nothing was ever heard of a patient with this id.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions() {
        let id = "123e4567-e89b-12d3-a456-426614174000";
        let check = |text: &str, expected: Option<Question>| {
            assert_eq!(Question::parse(text).ok(), expected, "{text}");
        };
        check("", Some(Question::Most(50)));
        check("limit=500", Some(Question::Most(500)));
        check(&format!("patient={id}"), Some(Question::One(id.to_owned())));
        check(&format!("patient={id}&limit=1"), None);
        check("patient=", None);
        check("patient=x", None);
        check("limit=501", None);
        check("x=1", None);
    }
}
