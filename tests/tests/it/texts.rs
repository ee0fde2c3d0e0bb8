//! What people are called and where they live: taken as it is written, found as it is asked, and
//! refused where nobody could read it.

use serde_json::{Value, json};
use ward_tests::{Api, Patient, Ward, unique_email};

/// A tail that no other test's names have.
fn tail() -> String {
    unique_email("").chars().filter(char::is_ascii_hexdigit).take(20).collect()
}

async fn create(api: &Api, name: &str) -> Value {
    api.created(&Patient::unique().with("name", name)).await
}

/// The names found by a beginning.
async fn found(api: &Api, beginning: &str) -> Vec<String> {
    let answer = api.search(&json!({"name": beginning})).await;
    assert_eq!(answer.status, 200, "{beginning}: {answer:?}");
    let name = |patient: &Value| patient["name"].as_str().expect("a name").to_owned();
    answer.json().as_array().expect("an array").iter().map(name).collect()
}

#[tokio::test]
async fn a_name_is_found_however_it_is_written() {
    let api = Ward::shared().user().await;
    let cases: [(&str, &[&str]); 12] = [
        ("José Núñez", &["José", "Jose\u{301}", "Jose", "JOSÉ", "JOSE\u{301} NUN", "Ｊｏｓé"]),
        ("Rene\u{301}e", &["Renée", "RENE", "rene\u{301}"]),
        ("Γιώργος Παπαδόπουλος", &["ΓΙΏΡΓΟΣ", "ΓΙΩΡΓΟΣ Π", "Γιώργοσ", "γιώργος παπαδόπουλος"]),
        ("Straße", &["STRASSE", "strasse", "Stra", "STRAẞE", "stras"]),
        ("ﬁnn", &["FINN", "fi"]),
        ("İpek", &["ipek", "IPEK", "İPEK", "Ipek"]),
        ("Işık", &["ışık", "IŞIK", "isik", "Işik"]),
        ("Øyvind Łukasz", &["øyvind ł", "OYVIND L", "Øyvind L"]),
        ("O’Brien", &["o'brien", "O’B", "Oʼbrien"]),
        ("أحمد", &["احمد", "أحم"]),
        ("نیک\u{200c}فر", &["نیک", "نیک\u{200c}", "نیکفر"]),
        ("山田\u{3000}太郎", &["山田 太", "山田\u{3000}太郎"]),
    ];
    for (name, beginnings) in cases {
        // In front, so that nobody else's patients begin alike.
        let front = tail();
        create(&api, &format!("{front} {name}")).await;
        for beginning in beginnings {
            let names = found(&api, &format!("{front} {beginning}")).await;
            assert_eq!(names.len(), 1, "{name} by {beginning}: {names:?}");
        }
    }
}

#[tokio::test]
async fn accents_do_not_send_anybody_behind_z() {
    let api = Ward::shared().user().await;
    let front = tail();
    for name in ["Zoe", "Émile", "Eva", "Šimon", "Tom", "Øre", "Paul", "Çelik", "Dan", "Élan"]
    {
        create(&api, &format!("{front} {name}")).await;
    }
    let names = found(&api, &front).await;
    let names: Vec<&str> = names.iter().filter_map(|name| name.split(' ').nth(1)).collect();
    let expected = ["Çelik", "Dan", "Élan", "Émile", "Eva", "Øre", "Paul", "Šimon", "Tom", "Zoe"];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn what_is_stored_is_composed_and_has_single_blanks() {
    let api = Ward::shared().user().await;
    let front = tail();
    let created = create(&api, &format!(" {front}\u{a0} Jose\u{301}\t Nu\u{303}n ")).await;
    assert_eq!(created["name"], format!("{front} José Nũn"));
    assert_eq!(found(&api, &format!(" {front}  jose  nun")).await.len(), 1);
    assert_eq!(found(&api, &format!("{front} José ")).await.len(), 1);
}

#[tokio::test]
async fn addresses_have_lines() {
    let api = Ward::shared().user().await;
    for sent in [
        "12 Main St\nApt 4\nSpringfield",
        "12 Main St\r\nApt 4\r\nSpringfield\r\n",
        "12 Main St\u{2028} Apt 4\u{85}\u{85}Springfield",
    ] {
        let created = api.created(&Patient::unique().with("address", sent)).await;
        assert_eq!(created["address"], "12 Main St\nApt 4\nSpringfield");
    }
    let answer = api.create(&Patient::unique().with("name", "Two\nLines")).await;
    assert_eq!(answer.problem(400)["errors"][0]["detail"], "must be on one line");
}

#[tokio::test]
async fn nobody_is_called_what_cannot_be_seen() {
    let api = Ward::shared().user().await;
    let invisible = [
        "\u{200b}",
        "\u{2800}",
        "\u{3164}",
        "\u{202e}\u{2066}",
        "\u{115f}",
        "\u{ad}",
        "\u{feff}",
        "\u{200d}",
        "\u{2060}",
        "\u{180e}",
        "\u{fe0f}",
        "\u{34f}",
        "\u{200e}",
        "\u{ffff}",
        "\u{fffe}",
        "\u{e000}",
        "\u{e0041}",
        "\u{a0}",
        "\u{3000}",
    ];
    for text in invisible {
        for field in ["name", "address"] {
            let answer = api.create(&Patient::unique().with(field, text)).await;
            let problem = answer.problem(400);
            assert_eq!(problem["errors"][0]["detail"], "must not be blank", "{text:?}");
        }
    }
    for text in ["John\u{200b} Doe", "\u{202e}eoD nhoJ", "John\u{2066} Doe", "John \u{e000}"] {
        let answer = api.create(&Patient::unique().with("name", text)).await;
        assert_eq!(answer.failing_fields(), ["/name"], "{text:?}");
    }
}

/// Billing has texts, too: names of who gets an account, and what an entry is for.
#[tokio::test]
async fn billing_has_the_same_rules() {
    let api = Ward::shared().user().await;
    let id = || uuid::Uuid::new_v4().to_string();
    let opening = json!({"patientId": id(), "name": "\u{200b}", "email": unique_email("pat")});
    let answer = api.send_json("POST", "/api/billing/accounts", &opening).await;
    assert_eq!(answer.failing_fields(), ["/name"]);
    let created = api.create(&Patient::unique().json()).await.json();
    let account = created["billing"]["accountId"].as_str().expect("an id");
    let path = format!("/api/billing/accounts/{account}/charges");
    let charge = |description: &str| {
        let amount = json!({"minorUnits": 100, "currency": "EUR"});
        json!({"id": id(), "amount": amount, "description": description})
    };
    for description in ["\u{2800}", "a\nb", "turned \u{202e}around", "\u{e000}"] {
        let answer = api.send_json("POST", &path, &charge(description)).await;
        assert_eq!(answer.failing_fields(), ["/description"], "{description:?}");
    }
    let answer = api.send_json("POST", &path, &charge(" Cafe\u{301} \u{a0} visit\n")).await;
    assert_eq!(answer.json()["description"], "Café visit", "{answer:?}");
}

/// Rows that were written before there were these rules, or by a ward of the last release.
#[tokio::test]
async fn who_was_there_before_is_found() {
    let ward = Ward::shared();
    let (api, database) = (ward.user().await, ward.database("patients").await);
    let front = tail();
    for (name, beginning) in [
        ("Jose\u{301}", "JOSÉ"),
        ("Γιώργος", "ΓΙΏΡΓΟΣ"),
        ("Straße", "strasse"),
        ("John\u{200d} Doe", "john doe"),
        ("Ada  Plus", "Ada Plus"),
    ] {
        let name = format!("{front} {name}");
        // Lower case as that ward made it.
        let key: String = name.chars().flat_map(char::to_lowercase).collect();
        let insert = "INSERT INTO patients (name, name_key, email, address, date_of_birth, \
            registered_date) VALUES ($1, $2, $3, 'x', '1980-01-01', '2024-01-01')";
        let email = unique_email("before");
        assert_eq!(database.run(insert, &[&name, &key, &email]).await, Ok(1));
        assert_eq!(found(&api, &format!("{front} {beginning}")).await, [name]);
    }
}

/// An index takes no rows above 2700 bytes, and some characters are eighteen once taken apart.
#[tokio::test]
async fn the_longest_names_are_stored_found_and_paged() {
    let api = Ward::shared().user().await;
    let front = tail();
    let long = |char: char| format!("{front}{}", char.to_string().repeat(80));
    for name in [long('\u{fdfa}'), long('\u{d55c}'), long('𐍈'), long('ΐ')] {
        create(&api, &name).await;
        assert_eq!(found(&api, &name).await.len(), 1, "{name}");
    }
    let pages = api.searched(&json!({"name": front, "limit": 1})).await;
    assert_eq!(pages.len(), 4);
}
