//! Tokens nobody may get in with, and the few that are good. Each hostile token is one line: what
//! is signed, and why it is refused. "Signed" means with our own key, so that the claims' checks
//! are reached; an attacker cannot do that, a bug elsewhere could.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::prelude::{Claims, Duration, Ed25519KeyPair, EdDSAKeyPairLike, HS256Key, MACLike};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    CLOCK_LEEWAY_SECONDS, Grant, Identity, LIFETIME_SECONDS, Rejection, Role, Scopes, Signer,
    TOKEN_BYTES_MAX, Verifier, keys,
};

const NOW: u64 = 1_800_000_000;
const SUBJECT: Uuid = Uuid::from_u128(7);
const SESSION: Uuid = Uuid::from_u128(8);

struct Fixture {
    key: Ed25519KeyPair,
    verifier: Verifier,
    signer: Signer,
}

fn fixture() -> Fixture {
    let key = Ed25519KeyPair::generate();
    let verifier = Verifier::new(&key.public_key().to_pem(), "issuer", "ward").unwrap();
    let signer = Signer::new(&key.to_pem(), "issuer", "ward").unwrap();
    Fixture { key, verifier, signer }
}

/// The claims of a good token; a case changes one of them.
fn claims() -> Value {
    json!({
        "iss": "issuer", "aud": "ward", "sub": SUBJECT, "role": "ADMIN", "jti": Uuid::from_u128(9),
        "sid": SESSION, "scope": "patient.read billing.write",
        "iat": NOW, "exp": NOW + LIFETIME_SECONDS,
    })
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Fixture {
    fn kid(&self) -> String {
        keys::id(&self.key.public_key())
    }

    /// The one header that is good.
    fn header(&self) -> String {
        json!({"alg": "EdDSA", "typ": "JWT", "kid": self.kid()}).to_string()
    }

    fn well_headed(&self, claims: &str) -> String {
        self.signed(&self.header(), claims)
    }

    fn signed(&self, header: &str, claims: &str) -> String {
        let content = format!("{}.{}", encoded(header), encoded(claims));
        let signature = self.key.key_pair().as_ref().sk.sign(&content, None);
        format!("{content}.{}", encoded(&signature[..]))
    }

    fn verify(&self, token: &str) -> Result<Identity, Rejection> {
        self.verifier.verify(token, NOW)
    }

    /// The good token with one claim set, or taken away where `value` is null.
    fn with_claim(&self, name: &str, value: Value) -> Result<Identity, Rejection> {
        let mut claims = claims();
        let fields = claims.as_object_mut().unwrap();
        fields.remove(name);
        if !value.is_null() {
            fields.insert(name.to_owned(), value);
        }
        self.verify(&self.well_headed(&claims.to_string()))
    }
}

#[test]
fn what_is_issued_is_accepted_until_it_expires() {
    let fixture = fixture();
    let grant = Grant {
        subject: SUBJECT,
        role: Role::parse("ADMIN").unwrap(),
        scopes: Scopes::parse("patient.read").unwrap(),
        session: SESSION,
        token_id: Uuid::from_u128(9),
    };
    let (token, identity) = fixture.signer.sign(grant, NOW).unwrap();
    assert_eq!((identity.session, identity.scopes.as_str()), (SESSION, "patient.read"));
    assert_eq!(identity.expires_at, NOW + LIFETIME_SECONDS);
    let end = NOW + LIFETIME_SECONDS + CLOCK_LEEWAY_SECONDS;
    for now in [NOW, NOW - CLOCK_LEEWAY_SECONDS, end - 1] {
        assert_eq!(fixture.verifier.verify(&token, now).as_ref(), Ok(&identity), "{now}");
    }
    assert!(fixture.verifier.knows(fixture.signer.key_id()));
    assert!(!fixture.verifier.knows(""));
    let refused = [
        (end, Rejection::Expired),
        (NOW + 10 * LIFETIME_SECONDS, Rejection::Expired),
        (NOW - CLOCK_LEEWAY_SECONDS - 1, Rejection::Early),
        (0, Rejection::Early),
        (u64::MAX, Rejection::Expired),
    ];
    for (now, why) in refused {
        assert_eq!(fixture.verifier.verify(&token, now), Err(why), "{now}");
    }
}

#[test]
fn headers() {
    let fixture = fixture();
    let body = claims().to_string();
    assert!(fixture.verify(&fixture.well_headed(&body)).is_ok());
    let no_key_of_ours = [
        r#"{"alg":"EdDSA","typ":"JWT","kid":""}"#,
        r#"{"alg":"EdDSA","typ":"JWT","kid":"../../../../dev/null"}"#,
        r#"{"alg":"EdDSA","typ":"JWT","kid":"' UNION SELECT 'key"}"#,
        r#"{"alg":"EdDSA","typ":"JWT","kid":"https://evil.example/keys"}"#,
    ];
    for header in no_key_of_ours {
        let token = fixture.signed(header, &body);
        assert_eq!(fixture.verify(&token), Err(Rejection::Signature), "{header}");
    }
    let refused = [
        r#"{"alg":"none","typ":"JWT","kid":"KID"}"#,
        r#"{"alg":"None","typ":"JWT","kid":"KID"}"#,
        r#"{"alg":"nOnE","typ":"JWT","kid":"KID"}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":"KID"}"#,
        r#"{"alg":"RS256","typ":"JWT","kid":"KID"}"#,
        r#"{"alg":"ES256","typ":"JWT","kid":"KID"}"#,
        r#"{"alg":"Ed25519","typ":"JWT","kid":"KID"}"#,
        r#"{"alg":"eddsa","typ":"JWT","kid":"KID"}"#,
        r#"{"alg":"EdDSA","kid":"KID"}"#,
        r#"{"typ":"JWT","kid":"KID"}"#,
        r#"{"alg":"EdDSA","typ":"refresh+jwt","kid":"KID"}"#,
        r#"{"alg":"EdDSA","typ":"JWT"}"#,
        r#"{"alg":"EdDSA","typ":"JWT","kid":null}"#,
        r#"{"alg":"EdDSA","typ":"JWT","kid":["KID"]}"#,
        r#"{"alg":"EdDSA","typ":"JWT","kid":"KID","alg":"EdDSA"}"#,
        r#"{"alg":"EdDSA","typ":"JWT","kid":"KID","kid":"KID"}"#,
        r#"{"alg":"EdDSA","typ":"JWT","kid":"KID","jku":"https://evil.example/keys"}"#,
        r#"{"alg":"EdDSA","typ":"JWT","kid":"KID","x5u":"https://evil.example/key"}"#,
        r#"{"alg":"EdDSA","typ":"JWT","kid":"KID","x5c":[]}"#,
        r#"{"alg":"EdDSA","typ":"JWT","kid":"KID","jwk":{"kty":"OKP"}}"#,
        r#"{"alg":"EdDSA","typ":"JWT","kid":"KID","crit":["exp"]}"#,
        r#"{"alg":"EdDSA","typ":"JWT","kid":"KID","crit":[]}"#,
        r#"{"alg":"EdDSA","typ":"JWT","kid":"KID","cty":"JWT"}"#,
        r#"["EdDSA","JWT","KID","x"]"#,
        "null",
        "",
    ];
    for header in refused {
        let named = header.replace("KID", &fixture.kid());
        let token = fixture.signed(&named, &body);
        assert_eq!(fixture.verify(&token), Err(Rejection::Form), "{header}");
    }
}

#[test]
fn signatures() {
    let fixture = fixture();
    let good = fixture.well_headed(&claims().to_string());
    let (content, signature) = good.rsplit_once('.').unwrap();
    let mut high = URL_SAFE_NO_PAD.decode(signature).unwrap();
    high[63] |= 0xe0;
    let other = Ed25519KeyPair::generate();
    let by_other = other.key_pair().as_ref().sk.sign(content, None);
    let refused = [
        String::new(),
        encoded([0_u8; 64]),
        encoded([0xff_u8; 64]),
        encoded([0_u8; 63]),
        encoded(&high),
        encoded(&by_other[..]),
        format!("{signature}AA"),
        format!("{signature}="),
    ];
    for signature in refused {
        let refused = fixture.verify(&format!("{content}.{signature}"));
        let why = refused.unwrap_err();
        assert!(matches!(why, Rejection::Signature | Rejection::Claims), "{signature}: {why:?}");
    }
    let changed = claims().to_string().replace("ADMIN", "OWNER");
    let swapped = format!("{}.{}.{signature}", encoded(fixture.header()), encoded(changed));
    assert_eq!(fixture.verify(&swapped), Err(Rejection::Signature));
}

#[test]
fn the_public_key_is_no_hmac_secret() {
    let fixture = fixture();
    let pem = fixture.key.public_key().to_pem();
    let secrets = [pem.as_bytes(), pem.trim().as_bytes(), &fixture.key.public_key().to_bytes()];
    for secret in secrets {
        let claims = Claims::create(Duration::from_mins(10)).with_issuer("issuer");
        let token = HS256Key::from_bytes(secret).authenticate(claims).unwrap();
        assert_eq!(fixture.verify(&token), Err(Rejection::Form));
        let (content, tag) = token.rsplit_once('.').unwrap();
        let claims = content.split_once('.').unwrap().1;
        let relabelled = format!("{}.{claims}.{tag}", encoded(fixture.header()));
        assert!(fixture.verify(&relabelled).is_err());
    }
}

#[test]
fn claims_one_at_a_time() {
    use Rejection::{Claims, Early, Lifetime, Party};
    let fixture = fixture();
    let refused = [
        ("iss", json!("https://evil.example"), Party),
        ("iss", json!("issuer "), Party),
        ("iss", Value::Null, Claims),
        ("aud", json!("billing"), Party),
        ("aud", json!(["billing", "ward "]), Party),
        ("aud", json!([]), Party),
        ("aud", json!(["ward", 7]), Claims),
        ("aud", json!({"ward": true}), Claims),
        ("aud", Value::Null, Claims),
        ("sub", json!("admin"), Claims),
        ("sub", json!(7), Claims),
        ("sub", Value::Null, Claims),
        ("role", json!("admin"), Claims),
        ("role", json!("ADMIN\r\nward-user-id: x"), Claims),
        ("role", json!(["ADMIN"]), Claims),
        ("role", Value::Null, Claims),
        ("jti", json!("x"), Claims),
        ("jti", Value::Null, Claims),
        ("sid", json!("x"), Claims),
        ("sid", json!(8), Claims),
        ("sid", Value::Null, Claims),
        ("scope", json!(["patient.read"]), Claims),
        ("scope", json!("patient.read\r\nward-user-id: x"), Claims),
        ("scope", json!("a".repeat(4096)), Claims),
        ("scope", Value::Null, Claims),
        ("iat", Value::Null, Claims),
        ("iat", json!(NOW + CLOCK_LEEWAY_SECONDS + 1), Early),
        ("iat", json!(0), Lifetime),
        ("exp", json!((NOW + 10).to_string()), Claims),
        ("exp", json!(NOW as f64 + 10.5), Claims),
        ("exp", json!(-1), Claims),
        ("exp", json!(u64::MAX), Lifetime),
        ("exp", json!(NOW + LIFETIME_SECONDS + 1), Lifetime),
        ("exp", json!(NOW - CLOCK_LEEWAY_SECONDS), Lifetime),
        ("exp", Value::Null, Claims),
        ("nbf", json!(NOW + 60), Early),
        ("nbf", json!(u64::MAX), Early),
        ("nbf", json!("0"), Claims),
    ];
    for (name, value, why) in refused {
        let text = format!("{name} = {value}");
        assert_eq!(fixture.with_claim(name, value), Err(why), "{text}");
    }
    assert!(fixture.with_claim("nbf", json!(NOW)).is_ok());
    assert!(fixture.with_claim("aud", json!(["billing", "ward"])).is_ok());
    assert!(fixture.with_claim("tenant", json!("later")).is_ok());
}

#[test]
fn claims_given_twice() {
    let fixture = fixture();
    for name in ["iss", "aud", "sub", "role", "scope", "sid", "jti", "iat", "exp"] {
        let body = claims().to_string();
        let value = claims()[name].to_string();
        let twice = format!("{{\"{name}\":{value},{}", body.strip_prefix('{').unwrap());
        let token = fixture.well_headed(&twice);
        assert_eq!(fixture.verify(&token), Err(Rejection::Claims), "{name}");
    }
}

#[test]
fn shapes() {
    let fixture = fixture();
    let good = fixture.well_headed(&claims().to_string());
    let nested = fixture.well_headed(&format!("\"{good}\""));
    assert_eq!(fixture.verify(&nested), Err(Rejection::Claims));
    for token in ["", ".", "..", "...", "a.b", "a.b.c", &format!("{good}.x"), "\u{0}.\u{0}.\u{0}"] {
        assert_eq!(fixture.verify(token), Err(Rejection::Form), "{token:?}");
    }
    let mut long = claims();
    long["padding"] = json!("x".repeat(48 * 1024));
    let long = fixture.well_headed(&long.to_string());
    assert!(long.len() > 64 * 1024);
    assert_eq!(fixture.verify(&long), Err(Rejection::TooLong));
    assert_eq!(fixture.verify(&"a".repeat(TOKEN_BYTES_MAX)), Err(Rejection::Form));
    assert_eq!(fixture.verify(&"a".repeat(TOKEN_BYTES_MAX + 1)), Err(Rejection::TooLong));
}

#[test]
fn keys_that_are_none() {
    let fixture = fixture();
    let private = fixture.key.to_pem();
    let public = fixture.key.public_key().to_pem();
    for pem in ["", "key", &private] {
        assert!(Verifier::new(pem, "issuer", "ward").is_err());
    }
    for pem in ["", "key", &public] {
        assert!(Signer::new(pem, "issuer", "ward").is_err());
    }
}
