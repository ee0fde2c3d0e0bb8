//! Users as administrators keep them, and as they keep themselves.

use crate::sessions::User;
use serde_json::{Value, json};
use ward_tests::{Api, DEMO_PASSWORD, Ward, unique_email, unique_name};

const PASSWORD: &str = "four words nobody guesses";

fn nurse() -> Value {
    json!({
        "email": unique_email("nurse"),
        "name": unique_name("Nils"),
        "role": "NURSE",
        "password": PASSWORD,
    })
}

/// A user whom an administrator has made: the document that came back.
async fn made(admin: &Api) -> Value {
    let answer = admin.send_json("POST", "/auth/users", &nurse()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

fn path(user: &Value) -> String {
    format!("/auth/users/{}", user["id"].as_str().expect("an id"))
}

fn email(user: &Value) -> &str {
    user["email"].as_str().expect("an address")
}

async fn is_good(api: &Api) -> bool {
    api.get("/auth/me").await.status == 200
}

#[tokio::test]
async fn an_administrator_makes_a_user_who_can_log_in() {
    let ward = Ward::shared();
    let admin = ward.user().await;
    let mut document = nurse();
    document["email"] = json!(email(&document).to_uppercase());
    let answer = admin.send_json("POST", "/auth/users", &document).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let user = answer.json();
    assert_eq!(answer.header("location"), path(&user));
    assert_eq!(email(&user), email(&document).to_lowercase());
    assert_eq!((&user["role"], &user["disabled"]), (&json!("NURSE"), &json!(false)));
    assert_eq!(user.as_object().map(|members| members.len()), Some(7), "{user}");
    assert!(!answer.body.contains("argon2"), "{answer:?}");
    let read = admin.get(&path(&user)).await;
    assert_eq!((read.json(), read.header("etag")), (user.clone(), "\"1\""));
    let (nurse, _) = ward.api().session(email(&user), PASSWORD).await;
    assert_eq!(nurse.get("/auth/me").await.json(), user);
    let scopes = ward_tests::claims_in(nurse.token())["scope"].clone();
    assert_eq!(scopes, "patient.read patient.write");
    nurse.get("/auth/users").await.problem(403);
    nurse.get(&path(&user)).await.problem(403);
}

#[tokio::test]
async fn what_is_wrong_with_a_user_is_named() {
    let admin = Ward::shared().user().await;
    let address = unique_email("own");
    for (member, value) in [
        ("email", json!("nobody")),
        ("email", json!("m\u{fc}ller@example.com")),
        ("email", Value::Null),
        ("name", json!(" ")),
        ("name", json!("x".repeat(101))),
        ("role", json!("nurse")),
        ("role", json!("OWNER")),
        ("password", json!("k7#Lq2z")),
        ("password", json!("x".repeat(257))),
        ("password", json!("Password123")),
        ("password", json!(address)),
        ("disabled", json!(false)),
        ("id", json!("123e4567-e89b-12d3-a456-426614174000")),
    ] {
        let mut document = nurse();
        document["email"] = json!(address);
        document[member] = value.clone();
        let answer = admin.send_json("POST", "/auth/users", &document).await;
        assert_eq!(answer.failing_fields(), [format!("/{member}")], "{value}");
    }
}

#[tokio::test]
async fn an_address_has_one_user_whatever_its_case() {
    let admin = Ward::shared().user().await;
    let (first, second) = (made(&admin).await, made(&admin).await);
    let mut document = nurse();
    document["email"] = json!(email(&first).to_uppercase());
    admin.send_json("POST", "/auth/users", &document).await.problem(409);
    let mut changed = second.clone();
    changed["email"] = first["email"].clone();
    admin.send_json("PUT", &path(&second), &changed).await.problem(409);
    assert_eq!(admin.get(&path(&second)).await.json(), second);
}

#[tokio::test]
async fn users_are_listed_page_by_page_and_filtered() {
    let ward = Ward::shared();
    let admin = ward.user().await;
    for _ in 0..3 {
        made(&admin).await;
    }
    let mut next = Some("/auth/users?role=NURSE&disabled=false&limit=2".to_owned());
    let mut ids = Vec::new();
    while let Some(link) = next {
        let answer = admin.get(&link).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let users = answer.json();
        let users = users.as_array().expect("a list");
        assert!(users.len() <= 2);
        for user in users {
            assert_eq!((&user["role"], &user["disabled"]), (&json!("NURSE"), &json!(false)));
            ids.push(user["id"].as_str().expect("an id").to_owned());
        }
        next = answer.next_link();
    }
    assert!(ids.len() >= 3 && ids.is_sorted(), "{ids:?}");
    let user = made(&admin).await;
    let found = admin.get(&format!("/auth/users?email={}", email(&user).to_uppercase())).await;
    assert_eq!(found.json(), json!([user]));
    for query in ["role=nurse", "disabled=1", "email=nobody", "limit=0", "name=x", "after=x"] {
        admin.get(&format!("/auth/users?{query}")).await.problem(400);
    }
}

#[tokio::test]
async fn a_change_says_which_version_it_is_of_if_it_wants_to() {
    let admin = Ward::shared().user().await;
    let user = made(&admin).await;
    let mut changed = user.clone();
    changed["name"] = json!("Another Name");
    let put = async |tag: &str, changed: &Value| {
        let request = admin.request("PUT", &path(&user)).header("if-match", tag).json(changed);
        ward_tests::Answer::of(request).await
    };
    put("\"7\"", &changed).await.problem(412);
    let answer = put("\"1\"", &changed).await;
    assert_eq!((answer.status, answer.header("etag")), (200, "\"2\""), "{answer:?}");
    put("\"1\"", &changed).await.problem(412);
    assert_eq!(admin.send_json("PUT", &path(&user), &changed).await.status, 200);
    let nobody = format!("/auth/users/{}", uuid::Uuid::new_v4());
    // Of another, and then of nobody in particular.
    admin.send_json("PUT", &nobody, &changed).await.problem(400);
    changed.as_object_mut().expect("an object").remove("id");
    admin.send_json("PUT", &nobody, &changed).await.problem(404);
    admin.get(&nobody).await.problem(404);
    admin.send("DELETE", &nobody).await.problem(404);
}

#[tokio::test]
async fn what_an_administrator_takes_away_is_gone_at_once() {
    let ward = Ward::shared();
    let admin = ward.user().await;
    for (member, value) in
        [("disabled", json!(true)), ("role", json!("BILLING")), ("password", json!("other words"))]
    {
        let user = made(&admin).await;
        let (nurse, refresh) = ward.api().session(email(&user), PASSWORD).await;
        assert!(is_good(&nurse).await);
        let mut changed = user.clone();
        changed[member] = value.clone();
        let answer = admin.send_json("PUT", &path(&user), &changed).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(!is_good(&nurse).await, "{member}");
        nurse.get("/api/patients?limit=1").await.problem(401);
        ward.api().refresh(&refresh).await.problem(401);
        let again = ward.api().login(email(&user), PASSWORD).await;
        assert_eq!(again.status == 200, member == "role", "{member}: {again:?}");
    }
    // What takes nothing away ends nothing.
    let user = made(&admin).await;
    let (nurse, _) = ward.api().session(email(&user), PASSWORD).await;
    let mut changed = user.clone();
    (changed["name"], changed["email"]) = (json!("Nils"), json!(unique_email("other")));
    assert_eq!(admin.send_json("PUT", &path(&user), &changed).await.status, 200);
    assert!(is_good(&nurse).await);
}

/// A stolen token would otherwise be as good as the password.
#[tokio::test]
async fn an_administrator_changes_their_own_password_as_everybody_does() {
    let ward = Ward::shared();
    let mut user = made(&ward.user().await).await;
    user["role"] = json!("ADMIN");
    let answer = ward.user().await.send_json("PUT", &path(&user), &user).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let (own, _) = ward.api().session(email(&user), PASSWORD).await;
    let mut changed = answer.json();
    changed["password"] = json!("four words of mine");
    let problem = own.send_json("PUT", &path(&user), &changed).await.problem(409);
    assert_eq!(problem["errors"][0]["pointer"], "/password");
    assert!(is_good(&own).await);
    assert_eq!(ward.api().login(email(&user), PASSWORD).await.status, 200);
}

#[tokio::test]
async fn who_is_deleted_is_gone_and_the_address_is_free() {
    let ward = Ward::shared();
    let admin = ward.user().await;
    let user = made(&admin).await;
    let (nurse, _) = ward.api().session(email(&user), PASSWORD).await;
    assert_eq!(admin.send("DELETE", &path(&user)).await.status, 204);
    assert!(!is_good(&nurse).await);
    admin.get(&path(&user)).await.problem(404);
    admin.send("DELETE", &path(&user)).await.problem(404);
    let listed = admin.get(&format!("/auth/users?email={}", email(&user))).await;
    assert_eq!(listed.json(), json!([]));
    ward.api().login(email(&user), PASSWORD).await.problem(401);
    let mut again = nurse_at(email(&user));
    again["password"] = json!("new words for another");
    assert_eq!(admin.send_json("POST", "/auth/users", &again).await.status, 201);
    assert_eq!(ward.api().login(email(&user), "new words for another").await.status, 200);
    ward.api().login(email(&user), PASSWORD).await.problem(401);
}

fn nurse_at(address: &str) -> Value {
    let mut document = nurse();
    document["email"] = json!(address);
    document
}

#[tokio::test]
async fn an_administrator_there_always_is() {
    let database = Ward::shared().database("auth").await;
    for change in ["disabled = true", "role = 'NURSE'"] {
        let all = format!("UPDATE users SET {change} WHERE role = 'ADMIN' AND NOT disabled");
        let refused = database.run(&all, &[]).await.expect_err("nobody would be left");
        assert!(refused.contains("WA001"), "{refused}");
    }
}

#[tokio::test]
async fn users_change_their_own_name_and_nothing_else() {
    let ward = Ward::shared();
    let user = User::new(ward, "NURSE").await;
    let (api, _) = user.session(ward).await;
    let answer = api.send_json("PUT", "/auth/me", &json!({"name": "  Nils  Nurse "})).await;
    assert_eq!((answer.status, &answer.json()["name"]), (200, &json!("Nils Nurse")), "{answer:?}");
    for member in ["role", "email", "disabled", "id", "password"] {
        let mut document = json!({"name": "Nils"});
        document[member] = json!("ADMIN");
        let answer = api.send_json("PUT", "/auth/me", &document).await;
        assert_eq!(answer.failing_fields(), [format!("/{member}")]);
    }
    let me = api.get("/auth/me").await;
    assert_eq!((&me.json()["name"], &me.json()["role"]), (&json!("Nils Nurse"), &json!("NURSE")));
    let tag = me.header("etag").to_owned();
    let request = api.request("GET", "/auth/me").header("if-none-match", tag);
    assert_eq!(ward_tests::Answer::of(request).await.status, 304);
}

/// X3: what GET answers can be PUT back, with a change in it; what cannot be changed is said.
#[tokio::test]
async fn what_was_read_of_a_user_can_be_sent_back() {
    let ward = Ward::shared();
    let (admin, user) = (ward.user().await, User::new(ward, "NURSE").await);
    let (own, _) = user.session(ward).await;
    let theirs = format!("/auth/users/{}", user.id);
    for (api, path) in [(&own, "/auth/me"), (&admin, theirs.as_str())] {
        let mut read = api.get(path).await.json();
        read["name"] = json!("Another Name");
        let answer = api.send_json("PUT", path, &read).await;
        assert_eq!((answer.status, &answer.json()["name"]), (200, &read["name"]), "{answer:?}");
        let read = answer.json();
        for (member, value) in [
            ("id", json!(uuid::Uuid::new_v4())),
            ("createdAt", json!("2020-01-01T00:00:00Z")),
            ("createdAt", json!("yesterday")),
        ] {
            let mut other = read.clone();
            other[member] = value;
            let answer = api.send_json("PUT", path, &other).await;
            assert_eq!((answer.status, answer.failing_fields()), (400, vec![format!("/{member}")]));
        }
        assert_eq!(api.get(path).await.json(), read, "nothing has changed");
    }
}

/// Users who came from elsewhere have names that nobody could be given here, and no other name.
#[tokio::test]
async fn who_can_log_in_is_found_and_changed() {
    let ward = Ward::shared();
    let (admin, database) = (ward.user().await, ward.database("auth").await);
    let tail = unique_email("").replace(['@', '.', '-'], "");
    for (name, in_query) in [
        ("admin@localhost", "Admin@LOCALHOST"),
        ("m\u{fc}ller@example.com", "mu%CC%88ller@example.com"),
        ("a@b.cd.", "a@b.cd."),
        ("admin", ""),
    ] {
        let name = format!("{tail}{name}");
        let id = uuid::Uuid::new_v4().to_string();
        let insert = "INSERT INTO users (id, email, password_hash, role) \
                      SELECT $1::text::uuid, $2, password_hash, 'NURSE' FROM users \
                      WHERE email = $3";
        database.run(insert, &[&id, &name, &ward_tests::DEMO_EMAIL]).await.expect("a user");
        let path = format!("/auth/users/{id}");
        let read = admin.get(&path).await.json();
        assert_eq!((email(&read), &read["name"]), (name.as_str(), &Value::Null));
        if !in_query.is_empty() {
            let found = admin.get(&format!("/auth/users?email={tail}{in_query}")).await;
            assert_eq!(found.json(), json!([read]), "{name}");
        }
        let answer = admin.send_json("PUT", &path, &read).await;
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
        let mut other = answer.json();
        other["email"] = json!("nobody");
        let answer = admin.send_json("PUT", &path, &other).await;
        assert_eq!((answer.status, answer.failing_fields()), (400, vec!["/email".to_owned()]));
        assert_eq!(ward.api().login(&name, DEMO_PASSWORD).await.status, 200);
    }
}

#[tokio::test]
async fn an_address_may_be_one_within_a_house() {
    let (ward, mut user) = (Ward::shared(), nurse());
    let name = unique_email("").replace(['@', '.', '-'], "") + "@localhost";
    user["email"] = json!(name);
    let answer = ward.user().await.send_json("POST", "/auth/users", &user).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(ward.api().login(&name, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_new_password_takes_the_old_one_and_ends_the_other_sessions() {
    let ward = Ward::shared();
    let user = User::new(ward, "NURSE").await;
    let ((own, refresh), (other, _)) = (user.session(ward).await, user.session(ward).await);
    let change = async |old: &str, new: &str| {
        let document = json!({"oldPassword": old, "newPassword": new});
        own.send_json("PUT", "/auth/me/password", &document).await
    };
    assert_eq!(change("not the old one", PASSWORD).await.failing_fields(), ["/oldPassword"]);
    for refused in ["short", "password123", user.email.as_str()] {
        assert_eq!(change(DEMO_PASSWORD, refused).await.failing_fields(), ["/newPassword"]);
    }
    assert!(is_good(&other).await, "nothing has changed yet");
    assert_eq!(change(DEMO_PASSWORD, PASSWORD).await.status, 204);
    assert!(is_good(&own).await && !is_good(&other).await);
    assert_eq!(ward.api().refresh(&refresh).await.status, 200);
    ward.api().login(&user.email, DEMO_PASSWORD).await.problem(401);
    assert_eq!(ward.api().login(&user.email, PASSWORD).await.status, 200);
}

/// A name in a form that no login looks for would be a user who can never come in.
#[tokio::test]
async fn no_name_is_stored_that_nobody_could_log_in_with() {
    let database = Ward::shared().database("auth").await;
    let insert = "INSERT INTO users (id, email, password_hash, role) \
                  VALUES (gen_random_uuid(), $1, '$x', 'NURSE')";
    let name = unique_email("name");
    let [wide, decomposed] = [format!("a  {name}"), format!("mu\u{308}ller{name}")];
    let upper = name.to_uppercase();
    for name in
        [format!(" {name}"), format!("{name} "), format!("a\t{name}"), wide, decomposed, upper]
    {
        let refused = database.run(insert, &[&name]).await.expect_err("nobody could come in");
        assert!(refused.contains("23514"), "{name:?}: {refused}");
    }
}

#[tokio::test]
async fn who_changed_users_is_written_down() {
    let ward = Ward::shared();
    let (admin_user, database) = (User::new(ward, "ADMIN").await, ward.database("auth").await);
    let (admin, _) = admin_user.session(ward).await;
    let user = made(&admin).await;
    admin.send_json("PUT", &path(&user), &user).await;
    let request = admin.request("DELETE", &path(&user)).header("if-match", "\"7\"");
    ward_tests::Answer::of(request).await.problem(412);
    admin.send("DELETE", &path(&user)).await;
    let rows = "SELECT action, outcome FROM audit_log WHERE actor = $1::text::uuid \
                AND target = $2::text::uuid ORDER BY seq";
    let id = user["id"].as_str().expect("an id");
    let rows = database.rows(rows, &[&admin_user.id, &id]).await;
    let said: Vec<String> = rows
        .iter()
        .map(|row| format!("{} {}", row["action"], row["outcome"]).replace('"', ""))
        .collect();
    let expected = [
        "USER_CREATE SUCCESS",
        "USER_UPDATE SUCCESS",
        "USER_DELETE FAILURE",
        "USER_DELETE SUCCESS",
    ];
    assert_eq!(said, expected);
}
