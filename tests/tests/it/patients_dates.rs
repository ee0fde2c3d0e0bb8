//! Dates of patients: today anywhere is today, and what nobody's date can be is refused.

use ward_tests::{Patient, Ward};

#[tokio::test]
async fn who_is_born_today_anywhere_can_be_registered() {
    let ward = Ward::shared();
    let (api, database) = (ward.user().await, ward.database("patients").await);
    // Of Kiritimati's day, for 14 hours of it, and of the next one at once, there is no patient.
    let query = "SELECT (now() AT TIME ZONE '-14')::date AS today, \
                 (now() AT TIME ZONE '-14')::date + 1 AS tomorrow, \
                 (now() AT TIME ZONE 'UTC')::date AS utc";
    let days = &database.rows(query, &[]).await[0];
    let day = |name: &str| days[name].as_str().expect("a date").to_owned();
    let mut born = Patient::unique().without("registeredDate");
    born["dateOfBirth"] = day("today").into();
    // Without a date of registration it is the day in UTC, but for those who are born after it.
    let expected = day("today").max(day("utc"));
    assert_eq!(api.created(&born).await["registeredDate"], expected);
    let mut both = Patient::unique().with("dateOfBirth", day("today"));
    both["registeredDate"] = day("today").into();
    api.created(&both).await;
    for field in ["dateOfBirth", "registeredDate"] {
        let answer = api.create(&Patient::unique().with(field, day("tomorrow"))).await;
        let fields = answer.failing_fields();
        assert!(fields.contains(&format!("/{field}")), "{answer:?}");
    }
}

#[tokio::test]
async fn slips_of_the_keyboard_are_no_dates() {
    let api = Ward::shared().user().await;
    for born in ["0198-03-02", "0001-01-01", "1849-12-31"] {
        let answer = api.create(&Patient::unique().with("dateOfBirth", born)).await;
        assert_eq!(answer.failing_fields(), ["/dateOfBirth"], "{born}");
    }
    api.created(&Patient::unique().with("dateOfBirth", "1850-01-01")).await;
    let birthday = Patient::unique().date_of_birth;
    api.created(&Patient::unique().with("registeredDate", birthday)).await;
    for registered in ["9999-12-31", "1985-06-14"] {
        let answer = api.create(&Patient::unique().with("registeredDate", registered)).await;
        assert_eq!(answer.failing_fields(), ["/registeredDate"], "{registered}");
    }
}

#[tokio::test]
async fn nobody_comes_to_be_born_after_registration() {
    let api = Ward::shared().user().await;
    let created = api.create(&Patient::unique().json()).await;
    let path = created.header("location");
    let mut later = Patient::unique().without("registeredDate");
    later["dateOfBirth"] = "2024-01-11".into();
    let answer = api.replace(path, &later).await;
    assert_eq!(answer.failing_fields(), ["/dateOfBirth"]);
    later["dateOfBirth"] = "2024-01-10".into();
    assert_eq!(api.replace(path, &later).await.status, 200);
}

/// Rows with dates that are refused today can still be corrected, a bit at a time.
#[tokio::test]
async fn who_was_registered_before_birth_can_be_changed() {
    let ward = Ward::shared();
    let (api, database) = (ward.user().await, ward.database("patients").await);
    let created = api.create(&Patient::unique().json()).await;
    let (path, id) = (created.header("location"), created.json()["id"].clone());
    let id = id.as_str().expect("an id");
    let older = "UPDATE patients SET registered_date = '1980-01-01' WHERE id = $1::text::uuid";
    assert_eq!(database.run(older, &[&id]).await, Ok(1));
    let body = api.get(path).await.json();
    assert_eq!(api.replace(path, &body).await.status, 200);
}
