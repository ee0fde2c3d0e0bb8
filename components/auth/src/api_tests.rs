//! The API in words: what the table and the readers cannot say. The document that comes of it is
//! `docs/api/auth.json`, which this test keeps.

use kit::describe::asked;
use openapi::{About, Api};
use serde_json::json;

use crate::Handler;
use crate::login::{self, Granted};
use crate::validate::Valid;

const TOKEN: &str = "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.e30.c2lnbmF0dXJl";

fn api() -> Api {
    let about = "Who one is: a login gives a token, which every other service takes.";
    Api::new("Ward: authentication", about)
        .body(
            "Credentials",
            &asked(|| login::read(json!({}))),
            &[],
            json!({ "email": "testuser@test.com", "password": "password123" }),
        )
        .answer::<Granted<'_>>(
            "Granted",
            json!({ "token": TOKEN, "tokenType": "Bearer", "expiresIn": 900 }),
        )
        .answer::<Valid>(
            "Valid",
            json!({
                "subject": "223e4567-e89b-12d3-a456-426614174006",
                "role": "ADMIN",
                "tokenId": "123e4567-e89b-12d3-a456-426614174000",
                "issuedAt": "2027-01-15T08:00:00Z",
                "expiresAt": "2027-01-15T08:15:00Z",
            }),
        )
        .operation(
            "auth.login",
            About::new(
                "Log in",
                "An e-mail address and a password for a token. Wrong passwords, unknown addresses \
                 and disabled users are answered alike.",
            )
            .refuses(&[401]),
        )
        .operation(
            "auth.validate",
            About::new("Read a token", "What the token says that comes along, if it is good.")
                .own_token(),
        )
}

#[test]
fn the_document_is_what_there_is() {
    let text = api().document(Handler::TABLE.operations()).unwrap();
    expect_test::expect_file!["../../../docs/api/auth.json"].assert_eq(&text);
}
