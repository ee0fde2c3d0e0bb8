//! Pages while patients come, go, and change what they are sorted by: a model of the table says
//! which patients the next page has, whatever happened since the last one.

use serde_json::{Value, json};
use ward_tests::{Api, Patient, Random, Ward, unique_name};

/// Every order there is.
const SORTS: [&str; 6] =
    ["name", "-name", "registeredDate", "-registeredDate", "dateOfBirth", "-dateOfBirth"];

/// Patients at the beginning of a walk.
const PATIENTS: usize = 14;

/// Walks of each order; every one with other changes and other filters.
const WALKS: usize = 6;

#[tokio::test]
async fn the_next_page_is_what_comes_after_the_last_one_whatever_has_moved() {
    let api = Ward::shared().user().await;
    let mut random = Random::seeded("pages");
    for sort in SORTS {
        for _ in 0..WALKS {
            let mut model = Model::filled(&api, &mut random).await;
            walk(&api, &mut model, sort, &mut random).await;
        }
    }
}

/// The one case that everybody has: a marriage between two pages.
#[tokio::test]
async fn who_is_renamed_takes_nobody_along() {
    let api = Ward::shared().user().await;
    for (sort, to) in [("name", "Z"), ("name", "0"), ("-name", "0"), ("-name", "Z")] {
        let prefix = unique_name("Wed");
        let mut model = Model { prefix, rows: Vec::new() };
        for letter in ["A", "B", "C", "D", "E", "F"] {
            model.insert(&api, letter, "1980-01-01", "2024-01-01").await;
        }
        let search = json!({"name": model.prefix, "sort": sort, "limit": 2});
        let answer = api.search(&search).await;
        let last = ids(&answer.json()).pop().expect("two patients");
        model.change(&api, &last, |row| row.name = to.into()).await;
        let mut link = answer.next_link();
        let mut rest = Vec::new();
        while let Some(path) = link {
            let answer = api.send_json("POST", &path, &search).await;
            rest.extend(names(&answer.json()));
            link = answer.next_link();
        }
        let letter = |name: &String| name.rsplit(' ').next().expect("a letter").to_owned();
        let rest: Vec<String> = rest.iter().map(letter).filter(|letter| letter != to).collect();
        let expected = if sort == "name" { ["C", "D", "E", "F"] } else { ["D", "C", "B", "A"] };
        assert_eq!(rest, expected, "{sort}, renamed to {to}");
    }
}

/// A patient as the model knows one.
#[derive(Debug, Clone)]
struct Row {
    id: String,
    /// What follows the model's prefix.
    name: String,
    born: String,
    registered: String,
    email: String,
}

impl Row {
    fn key(&self, sort: &str) -> (String, String) {
        let key = match sort.trim_start_matches('-') {
            "name" => self.name.to_lowercase(),
            "registeredDate" => self.registered.clone(),
            _ => self.born.clone(),
        };
        (key, self.id.clone())
    }
}

/// The living patients of one test.
struct Model {
    prefix: String,
    rows: Vec<Row>,
}

/// Which patients a walk is about.
struct Filter {
    name: &'static str,
    born_from: Option<&'static str>,
}

impl Model {
    async fn filled(api: &Api, random: &mut Random) -> Model {
        let mut model = Model { prefix: unique_name("Walk"), rows: Vec::new() };
        for _ in 0..PATIENTS {
            model.insert_any(api, random).await;
        }
        model
    }

    async fn insert_any(&mut self, api: &Api, random: &mut Random) {
        let (name, born) = (any_name(random), any_day(random, 1950));
        self.insert(api, &name, &born, &any_day(random, 2020)).await;
    }

    async fn insert(&mut self, api: &Api, name: &str, born: &str, registered: &str) {
        let patient = Patient {
            name: format!("{} {name}", self.prefix),
            date_of_birth: born.into(),
            registered_date: registered.into(),
            ..Patient::unique()
        };
        let created = api.created(&patient.json()).await;
        let id = created["id"].as_str().expect("an id").to_owned();
        let (name, born, registered) = (name.into(), born.into(), registered.into());
        self.rows.push(Row { id, name, born, registered, email: patient.email });
    }

    async fn change(&mut self, api: &Api, id: &str, change: impl FnOnce(&mut Row)) {
        let row = self.rows.iter_mut().find(|row| row.id == id).expect("a patient of ours");
        change(row);
        let patient = Patient {
            name: format!("{} {}", self.prefix, row.name),
            email: row.email.clone(),
            date_of_birth: row.born.clone(),
            registered_date: row.registered.clone(),
            ..Patient::unique()
        };
        let answer = api.replace(&format!("/api/patients/{id}"), &patient.json()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// One thing that happens between two pages. `last` was the last patient shown, to whom most
    /// of it happens.
    async fn disturb(&mut self, api: &Api, last: &str, random: &mut Random) {
        let present = self.rows.iter().any(|row| row.id == last);
        let any = |random: &mut Random, rows: &[Row]| {
            let at = usize::try_from(random.below(rows.len() as u64)).expect("a small number");
            rows[at].id.clone()
        };
        let id = match random.below(2) {
            0 if present => last.to_owned(),
            _ => any(random, &self.rows),
        };
        match random.below(4) {
            0 => self.insert_any(api, random).await,
            1 if self.rows.len() > 3 => {
                let answer = api.delete(&format!("/api/patients/{id}")).await;
                assert_eq!(answer.status, 204, "{answer:?}");
                self.rows.retain(|row| row.id != id);
            }
            2 => {
                let born = any_day(random, 1950);
                self.change(api, &id, |row| row.born = born).await;
            }
            _ => {
                let name = any_name(random);
                self.change(api, &id, |row| row.name = name).await;
            }
        }
    }

    /// The ids of all that match, in order, after a position.
    fn after(&self, sort: &str, filter: &Filter, last: Option<&(String, String)>) -> Vec<Row> {
        let descending = sort.starts_with('-');
        let beyond = |key: &(String, String)| {
            last.is_none_or(|last| if descending { key < last } else { key > last })
        };
        let mut rows: Vec<Row> = self
            .rows
            .iter()
            .filter(|row| row.name.to_lowercase().starts_with(&filter.name.to_lowercase()))
            .filter(|row| filter.born_from.is_none_or(|from| row.born.as_str() >= from))
            .filter(|row| beyond(&row.key(sort)))
            .cloned()
            .collect();
        rows.sort_by_key(|row| row.key(sort));
        if descending {
            rows.reverse();
        }
        rows
    }
}

async fn walk(api: &Api, model: &mut Model, sort: &str, random: &mut Random) {
    let limit = usize::try_from(random.below(4) + 1).expect("a small number");
    let filter = Filter {
        name: ["", "a", "B"][usize::try_from(random.below(3)).expect("a small number")],
        born_from: [None, Some("1950-02-10")][usize::try_from(random.below(2)).expect("0 or 1")],
    };
    let search = json!({
        "sort": sort,
        "limit": limit,
        "name": format!("{} {}", model.prefix, filter.name).trim_end(),
        "dateOfBirthFrom": filter.born_from,
    });
    let (mut next, mut last) = (Some("/api/patients/search".to_owned()), None);
    while let Some(path) = next {
        let answer = api.send_json("POST", &path, &search).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let expected = model.after(sort, &filter, last.as_ref());
        let shown: Vec<&str> = expected.iter().take(limit).map(|row| row.id.as_str()).collect();
        assert_eq!(ids(&answer.json()), shown, "{search} after {last:?} of {:#?}", model.rows);
        next = answer.next_link();
        assert_eq!(next.is_some(), expected.len() > limit, "{search}");
        let Some(end) = expected.into_iter().take(limit).next_back() else { break };
        last = Some(end.key(sort));
        for _ in 0..random.below(3) {
            model.disturb(api, &end.id, random).await;
        }
    }
}

/// Few names and days, so that there are equals to be told apart.
fn any_name(random: &mut Random) -> String {
    ["A", "a", "Ab", "B", "b", "C", "0", "Zz"][usize::try_from(random.below(8)).expect("small")]
        .to_owned()
}

fn any_day(random: &mut Random, year: u64) -> String {
    format!("{year}-{:02}-{:02}", random.below(3) + 1, random.below(4) * 9 + 1)
}

fn ids(page: &Value) -> Vec<String> {
    texts(page, "id")
}

fn names(page: &Value) -> Vec<String> {
    texts(page, "name")
}

fn texts(page: &Value, member: &str) -> Vec<String> {
    let text = |patient: &Value| patient[member].as_str().expect("a text").to_owned();
    page.as_array().expect("an array").iter().map(text).collect()
}
