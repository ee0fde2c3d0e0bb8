//! The API in words: what the table and the readers cannot say. The document that comes of it is
//! `docs/api/auth.json`, which this test keeps.

use kit::describe::{Asked, asked};
use openapi::{About, Api, Parameter};
use schemars::JsonSchema;
use serde_json::{Value, json};
use token::KeySet;

use crate::bodies::{Changes, NewUser, Passwords, Profile};
use crate::issue::Granted;
use crate::password::rule;
use crate::store::sessions::Session;
use crate::store::users::User;
use crate::validate::Valid;
use crate::{Handler, TRAIL, login, names, refresh, users};

const TOKEN: &str = "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.e30.c2lnbmF0dXJl";
const REFRESH_TOKEN: &str = "bm90LWEtdG9rZW4tdGhhdC1hbnlib2R5LWhhcy11c2U";
const USER: &str = "223e4567-e89b-12d3-a456-426614174006";
const SESSION: &str = "323e4567-e89b-12d3-a456-426614174000";
const MOMENT: &str = "2027-01-15T08:00:00Z";
const PASSWORD: &str = "four words of mine";
const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEAxJHo+wFuOVd6oAflaDLcZ+m5rFJYRW+d1WX3gQRzxdA=\n-----END PUBLIC KEY-----";

/// The keys that tokens may be signed with (RFC 7517), as [`KeySet`] writes them.
#[derive(JsonSchema)]
#[schemars(rename = "KeySet", deny_unknown_fields)]
#[expect(dead_code, reason = "it is there for its schema")]
struct Keys {
    keys: Vec<Jwk>,
}

/// A public key (RFC 8037).
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "it is there for its schema")]
struct Jwk {
    kty: String,
    crv: String,
    alg: String,
    r#use: String,
    kid: String,
    x: String,
}

fn user() -> Value {
    json!({
        "id": USER, "email": "ann.lee@example.com", "name": "Ann Lee", "role": "NURSE",
        "disabled": false, "createdAt": MOMENT, "updatedAt": MOMENT,
    })
}

fn new_user() -> Value {
    json!({
        "email": "ann.lee@example.com", "name": "Ann Lee", "role": "NURSE", "password": PASSWORD,
    })
}

fn changed_user() -> Value {
    json!({
        "email": "ann.lee@example.com", "name": "Ann Lee", "role": "DOCTOR", "disabled": false,
    })
}

fn answers(api: Api) -> Api {
    let session = json!({
        "id": SESSION, "current": true, "startedAt": MOMENT, "refreshedAt": MOMENT,
        "expiresAt": "2027-01-15T20:00:00Z", "address": "192.0.2.7",
    });
    api.answer::<Granted>(
        "Granted",
        json!({
            "token": TOKEN, "tokenType": "Bearer", "expiresIn": 900,
            "refreshToken": REFRESH_TOKEN, "refreshExpiresIn": 43200,
        }),
    )
    .answer::<Valid>(
        "Valid",
        json!({
            "subject": USER, "role": "NURSE", "scope": policy::scopes("NURSE").join(" "),
            "sessionId": SESSION, "tokenId": "123e4567-e89b-12d3-a456-426614174000",
            "issuedAt": MOMENT, "expiresAt": "2027-01-15T08:15:00Z",
        }),
    )
    .answer::<Keys>("KeySet", key_set())
    .answer::<Vec<Session>>("Sessions", json!([session]))
    .answer::<User>("User", user())
    .answer::<Vec<User>>("Users", json!([user()]))
}

fn key_set() -> Value {
    serde_json::to_value(KeySet::new(PUBLIC_KEY).unwrap()).unwrap()
}

fn email() -> Value {
    json!({ "format": "email", "minLength": 1, "maxLength": names::MAX_CHARS })
}

fn role() -> Value {
    let names: Vec<&str> = policy::roles::ALL.iter().map(|role| role.name).collect();
    json!({ "enum": names })
}

fn bodies(api: Api) -> Api {
    let right = "None of the commonest, and not the e-mail address.";
    let password = |description: &str| {
        let (min, max) = (rule::CHARS.start(), rule::CHARS.end());
        json!({ "minLength": min, "maxLength": max, "description": description })
    };
    let another = password(&format!("Another one. {right}"));
    let kept = "What was read, or nothing: it cannot be changed.";
    let id = ("id", json!({ "format": "uuid", "description": kept }));
    let moments = [
        ("createdAt", json!({ "format": "date-time", "description": kept })),
        ("updatedAt", json!({ "description": "Passed over." })),
    ];
    let own = [
        ("email", json!({ "format": "email", "description": kept })),
        ("role", json!({ "description": kept })),
        ("disabled", json!({ "description": kept })),
    ];
    api.body(
        "Credentials",
        &asked(|| login::read(json!({}))),
        &[],
        json!({ "email": "testuser@test.com", "password": "password123" }),
    )
    .body(
        "RefreshToken",
        &asked(|| refresh::read(json!({}))),
        &[],
        json!({ "refreshToken": REFRESH_TOKEN }),
    )
    .body(
        "Profile",
        &asked(|| Profile::read(json!({}), USER, "NURSE")),
        &[own.as_slice(), std::slice::from_ref(&id), &moments].concat(),
        json!({ "name": "Ann Lee" }),
    )
    .body(
        "Passwords",
        &asked(|| Passwords::read(json!({}))),
        &[("newPassword", password(right))],
        json!({ "oldPassword": "password123", "newPassword": PASSWORD }),
    )
    .body(
        "NewUser",
        &asked(|| NewUser::read(json!({}))),
        &[("email", email()), ("role", role()), ("password", password(right))],
        new_user(),
    )
    .body(
        "ChangedUser",
        &asked(|| Changes::read(json!({}), USER)),
        &[moments.as_slice(), &[("email", email()), ("role", role()), ("password", another), id]]
            .concat(),
        changed_user(),
    )
}

fn tokens(api: Api) -> Api {
    api.operation(
        "auth.login",
        About::new(
            "Log in",
            "An e-mail address and a password for a token and a refresh token: a session begins. \
             Wrong passwords, unknown addresses and disabled users are answered alike; after too \
             many of them it is 429.",
        )
        .refuses(&[401, 429]),
    )
    .operation(
        "auth.refresh",
        About::new(
            "Go on with a session",
            "A refresh token, which is good once, for another pair. 409 when another request with \
             the same one came first; an older one ends the session.",
        )
        .refuses(&[401, 409]),
    )
    .operation(
        "auth.validate",
        About::new("Read a token", "What the token says that comes along, if it is good.")
            .own_token(),
    )
    .operation(
        "auth.keys",
        About::new("Read the keys", "The public keys of tokens, for whoever verifies them."),
    )
}

fn own(api: Api) -> Api {
    let gone = &[404];
    api.operation("auth.logout", About::new("Log out", "The session of the token ends."))
        .operation("auth.sessions", About::new("List sessions", "One's own that go on."))
        .operation(
            "auth.end-session",
            About::new("End a session", "One of one's own, such as of a device that was lost."),
        )
        .operation("auth.me", About::new("Read oneself", "One's own user.").tagged().refuses(gone))
        .operation(
            "auth.change-me",
            About::new(
                "Change oneself",
                "One's own name, if the version is one that is expected. What was read can be sent \
                 back with another name in it.",
            )
            .tagged()
            .conditional()
            .refuses(gone),
        )
        .operation(
            "auth.change-password",
            About::new(
                "Change one's password",
                "All other sessions end. The old password is guessed at as slowly as in a login.",
            )
            .refuses(&[429]),
        )
}

fn listed() -> Vec<Asked> {
    asked(|| users::question(""))
}

fn administration(api: Api) -> Api {
    let mut role = role();
    role["type"] = "string".into();
    let email = json!({ "type": "string", "format": "email" });
    let parameters = vec![
        Parameter::new("email", "The whole address; `+` is written `%2B`.", email),
        Parameter::new("role", "Their role.", role),
        Parameter::new("disabled", "Whether they may not log in.", json!({ "type": "boolean" })),
    ];
    api.operation(
        "auth.list-users",
        About::new("List users", "A page of users who are not deleted.")
            .paged()
            .query(listed(), parameters),
    )
    .operation("auth.create-user", About::new("Create a user", "One.").tagged().refuses(&[409]))
    .operation("auth.read-user", About::new("Read a user", "One user.").tagged())
    .operation(
        "auth.replace-user",
        About::new(
            "Replace a user",
            "Who is disabled, gets another role or another password has no session any more. 409 \
             for the last administrator, who stays one.",
        )
        .tagged()
        .conditional()
        .refuses(&[409]),
    )
    .operation(
        "auth.delete-user",
        About::new("Delete a user", "And end their sessions. 409 for the last administrator.")
            .conditional()
            .refuses(&[409]),
    )
}

fn api() -> Api {
    let about = "Who one is: a login begins a session, whose tokens every other service takes; and \
        the users themselves.";
    let target = json!({
        "type": "string", "format": "uuid",
        "description": "The user, the session or the token that it was about.",
    });
    let api = bodies(answers(Api::new("Ward: authentication", about)));
    administration(own(tokens(api))).trail("auth.audit", &TRAIL, &[("target", target)])
}

#[test]
fn the_document_is_what_there_is() {
    let text = api().document(Handler::TABLE.operations()).unwrap();
    expect_test::expect_file!["../../../docs/api/auth.json"].assert_eq(&text);
}

#[test]
fn keys_are_what_the_schema_says() {
    let schema = schemars::schema_for!(Jwk).to_value();
    let names = |object: &Value| object.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&key_set()["keys"][0]), names(&schema["properties"]));
}
