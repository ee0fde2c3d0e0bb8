//! `GET /api/patients` and `POST /api/patients/search`: filters, order, and pages that neither
//! repeat nor skip anyone.

use futures::StreamExt;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use ward_tests::{Api, Patient, Ward, unique_email, unique_name};

/// Enough rows for many pages, created in a few seconds.
const CROWD: usize = 2500;

#[tokio::test]
async fn the_answer_is_an_array_of_patients() {
    let api = Ward::shared().user().await;
    let created = api.created(&Patient::unique().json()).await;
    let answer = api.search(&json!({"email": created["email"]})).await;
    assert_eq!(answer.json(), json!([created]));
    assert_eq!(answer.next_link(), None);
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn pages_are_followed_to_the_end_without_duplicate_or_gap() {
    let api = Ward::shared().user().await;
    let prefix = unique_name("Crowd");
    let expected = crowd(&api, &prefix, CROWD).await;
    for (sort, limit) in [("name", 500), ("registeredDate", 333), ("dateOfBirth", 97)] {
        let walk = Walk::of(&api, &prefix, sort, limit).await;
        assert_eq!(walk.pages, expected.len().div_ceil(limit), "{sort}");
        assert_eq!(walk.ids.len(), expected.len(), "{sort}: a duplicate or a gap");
        assert_eq!(walk.ids.into_iter().collect::<BTreeSet<_>>(), expected, "{sort}");
        assert!(walk.keys.is_sorted(), "{sort} is the order");
    }
}

#[tokio::test]
async fn pages_are_stable_under_inserts_and_deletes() {
    let api = Ward::shared().user().await;
    let prefix = unique_name("Moving");
    let expected = crowd(&api, &prefix, 300).await;
    let search = json!({"name": prefix, "sort": "name", "limit": 20});
    let mut link = Some("/api/patients/search".to_owned());
    let mut seen = Vec::new();
    let mut page = 0;
    while let Some(path) = link {
        let answer = api.send_json("POST", &path, &search).await;
        seen.extend(answer.json().as_array().expect("an array").iter().map(|p| text(p, "id")));
        link = answer.next_link();
        // One before the cursor, one after it: the first must not shift the pages.
        for name in [format!("{prefix} 00000 {page}"), format!("{prefix} 99999 {page}")] {
            api.created(&Patient { name, ..Patient::unique() }.json()).await;
        }
        page += 1;
    }
    let distinct: BTreeSet<String> = seen.iter().cloned().collect();
    assert_eq!(distinct.len(), seen.len(), "a patient came twice");
    assert!(expected.is_subset(&distinct), "a patient was skipped");
}

#[tokio::test]
async fn the_default_page_has_fifty() {
    let api = Ward::shared().user().await;
    let prefix = unique_name("Fifty");
    crowd(&api, &prefix, 51).await;
    let pages = api.searched(&json!({"name": prefix})).await;
    let sizes: Vec<_> = pages.iter().map(|it| it.json().as_array().map(Vec::len)).collect();
    assert_eq!(sizes, [Some(50), Some(1)]);
}

#[tokio::test]
async fn a_full_last_page_has_no_next() {
    let api = Ward::shared().user().await;
    let prefix = unique_name("Exact");
    crowd(&api, &prefix, 4).await;
    let answer = api.search(&json!({"name": prefix, "limit": 4})).await;
    assert_eq!(answer.json().as_array().map(Vec::len), Some(4));
    assert_eq!(answer.next_link(), None);
}

#[tokio::test]
async fn names_are_found_by_prefix_without_case() {
    let api = Ward::shared().user().await;
    let name = unique_name("Éva Müller");
    let created = api.created(&Patient { name: name.clone(), ..Patient::unique() }.json()).await;
    for prefix in [name.clone(), name.to_lowercase(), name.to_uppercase()] {
        let found = ids(&api, json!({"name": prefix})).await;
        assert_eq!(found, [text(&created, "id")], "{prefix}");
    }
    let inner: String = name.chars().skip(1).collect();
    assert!(ids(&api, json!({"name": inner})).await.is_empty(), "only a prefix");
}

#[tokio::test]
async fn pattern_characters_in_a_name_are_only_characters() {
    let api = Ward::shared().user().await;
    let tail = unique_name("");
    for name in [format!("%{tail}"), format!("_{tail}"), format!("\\{tail}")] {
        let created =
            api.created(&Patient { name: name.clone(), ..Patient::unique() }.json()).await;
        let found = ids(&api, json!({"name": name})).await;
        assert_eq!(found, [text(&created, "id")], "{name}");
    }
}

#[tokio::test]
async fn an_email_is_found_without_case() {
    let api = Ward::shared().user().await;
    let created = api.created(&Patient::unique().json()).await;
    let email = text(&created, "email");
    for spelling in [email.clone(), email.to_uppercase()] {
        let found = ids(&api, json!({"email": spelling})).await;
        assert_eq!(found, [text(&created, "id")]);
    }
    assert!(ids(&api, json!({"email": unique_email("nobody")})).await.is_empty());
}

#[tokio::test]
async fn dates_of_birth_are_found_by_range_with_both_ends() {
    let api = Ward::shared().user().await;
    let prefix = unique_name("Range");
    for day in ["1950-01-01", "1950-01-02", "1950-01-03"] {
        let name = format!("{prefix} {day}");
        let patient = Patient { name, date_of_birth: day.into(), ..Patient::unique() };
        api.created(&patient.json()).await;
    }
    let count = async |from: Option<&str>, to: Option<&str>| {
        let range = json!({"name": prefix, "dateOfBirthFrom": from, "dateOfBirthTo": to});
        ids(&api, range).await.len()
    };
    assert_eq!(count(None, None).await, 3);
    assert_eq!(count(Some("1950-01-02"), None).await, 2);
    assert_eq!(count(None, Some("1950-01-02")).await, 2);
    assert_eq!(count(Some("1950-01-02"), Some("1950-01-02")).await, 1);
    // Nobody can be born then, and an empty list would say that nobody was.
    let nobodys = json!({"dateOfBirthFrom": "1950-01-03", "dateOfBirthTo": "1950-01-01"});
    let answer = api.search(&nobodys).await;
    assert_eq!(answer.failing_fields(), ["/dateOfBirthTo"]);
}

#[tokio::test]
async fn what_is_wrong_in_a_search_is_400() {
    let api = Ward::shared().user().await;
    for (field, value) in [
        ("name", json!("")),
        ("name", json!(" ")),
        ("name", json!("\u{200b}")),
        ("email", json!("nobody")),
        ("dateOfBirthFrom", json!("1985-02-30")),
        ("dateOfBirthTo", json!(1985)),
        ("limit", json!(0)),
        ("limit", json!("1")),
        ("sort", json!("email")),
        ("surprise", json!(1)),
    ] {
        let answer = api.search(&json!({field: value})).await;
        assert_eq!(answer.failing_fields(), [format!("/{field}")], "{value}");
    }
    let answer = api.send_json("POST", "/api/patients/search?name=a", &json!({})).await;
    assert_eq!(answer.problem(400)["errors"][0]["parameter"], "name");
}

#[tokio::test]
async fn filters_stay_out_of_urls() {
    let api = Ward::shared().user().await;
    for filter in ["name=a", "email=a@b.cd", "dateOfBirthFrom=1950-01-01", "dateOfBirthTo=x"] {
        let problem = api.get(&format!("/api/patients?{filter}")).await.problem(400);
        let detail = problem["errors"][0]["detail"].as_str().expect("a detail");
        assert!(detail.contains("POST /api/patients/search"), "{problem}");
    }
}

#[tokio::test]
async fn bad_parameters_are_400() {
    let api = Ward::shared().user().await;
    for query in [
        "limit=0",
        "limit=-1",
        "limit=501",
        "limit=many",
        "limit=",
        "limit=1e2",
        "limit=99999999999999999999",
        "sort=email",
        "sort=name;DROP",
        "sort=",
        "after=not-a-cursor",
        "after=AAAA",
        "after=%00",
        "surprise=1",
        "limit=1&limit=2",
    ] {
        let answer = api.get(&format!("/api/patients?{query}")).await;
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
        answer.problem(400);
    }
}

#[tokio::test]
async fn limits_at_both_ends_pass() {
    let api = Ward::shared().user().await;
    for limit in [1, 500] {
        let answer = api.get(&format!("/api/patients?limit={limit}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

#[tokio::test]
async fn a_cursor_of_another_order_is_refused() {
    let api = Ward::shared().user().await;
    let next = api.get("/api/patients?sort=name&limit=1").await.next_link().expect("a next page");
    let crossed = next.replace("sort=name", "sort=dateOfBirth");
    assert_ne!(crossed, next, "the next link keeps its order");
    api.get(&crossed).await.problem(400);
}

#[tokio::test]
async fn a_cursor_carries_no_patient_data_in_the_clear() {
    let api = Ward::shared().user().await;
    let prefix = unique_name("Hidden");
    crowd(&api, &prefix, 3).await;
    let search = json!({"name": prefix, "sort": "name", "limit": 1});
    let next = api.search(&search).await.next_link().expect("a next page");
    let after = next.strip_prefix("/api/patients/search?after=").expect("a cursor and no more");
    assert!(!after.contains(['&', '=']), "{after}");
    assert!(!after.contains(prefix.split(' ').nth(1).expect("a tail")), "{after}");
    // It is for this search, and for no other.
    assert_eq!(api.send_json("POST", &next, &search).await.status, 200);
    api.send_json("POST", &next, &json!({"name": "a", "limit": 1})).await.problem(400);
    api.get(&next).await.problem(405);
}

/// What following the links from a first page gives.
struct Walk {
    pages: usize,
    ids: Vec<String>,
    keys: Vec<String>,
}

impl Walk {
    async fn of(api: &Api, prefix: &str, sort: &str, limit: usize) -> Walk {
        let pages = api.searched(&json!({"name": prefix, "sort": sort, "limit": limit})).await;
        let mut walk = Walk { pages: pages.len(), ids: Vec::new(), keys: Vec::new() };
        for page in pages {
            for patient in page.json().as_array().expect("an array") {
                walk.ids.push(text(patient, "id"));
                walk.keys.push(text(patient, sort));
            }
        }
        walk
    }
}

/// Creates patients named `<prefix> <number>` and returns their ids. Dates repeat, so that pages
/// end between rows that are equal in the sorted column.
async fn crowd(api: &Api, prefix: &str, count: usize) -> BTreeSet<String> {
    let create = |number: usize| {
        let patient = Patient {
            name: format!("{prefix} {number:05}"),
            date_of_birth: format!("19{:02}-01-01", number % 7 + 50),
            registered_date: format!("2024-01-{:02}", number % 5 + 1),
            ..Patient::unique()
        };
        async move { text(&api.created(&patient.json()).await, "id") }
    };
    futures::stream::iter(0..count).map(create).buffer_unordered(16).collect().await
}

async fn ids(api: &Api, search: Value) -> Vec<String> {
    let answer = api.search(&search).await;
    assert_eq!(answer.status, 200, "{search}: {answer:?}");
    answer.json().as_array().expect("an array").iter().map(|p| text(p, "id")).collect()
}

fn text(patient: &Value, member: &str) -> String {
    patient[member].as_str().unwrap_or_else(|| panic!("{member} in {patient}")).to_owned()
}
