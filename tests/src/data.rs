//! Test data: patients that no other test has, and random numbers whose seed is printed.

use serde_json::{Value, json};
use uuid::Uuid;

/// A patient as a client writes it; a field set to `None` is left out of the JSON.
#[derive(Debug, Clone)]
pub struct Patient {
    /// `name`.
    pub name: String,
    /// `email`.
    pub email: String,
    /// `address`.
    pub address: String,
    /// `dateOfBirth`, `YYYY-MM-DD`.
    pub date_of_birth: String,
    /// `registeredDate`, `YYYY-MM-DD`.
    pub registered_date: String,
}

impl Patient {
    /// A valid patient with a name and an e-mail of its own.
    pub fn unique() -> Patient {
        Patient {
            name: unique_name("Pat"),
            email: unique_email("pat"),
            address: "1 Test Street".into(),
            date_of_birth: "1985-06-15".into(),
            registered_date: "2024-01-10".into(),
        }
    }

    /// As the JSON object a client sends.
    pub fn json(&self) -> Value {
        json!({
            "name": self.name,
            "email": self.email,
            "address": self.address,
            "dateOfBirth": self.date_of_birth,
            "registeredDate": self.registered_date,
        })
    }

    /// The JSON object with one member replaced.
    pub fn with(&self, member: &str, value: impl Into<Value>) -> Value {
        let mut body = self.json();
        body[member] = value.into();
        body
    }

    /// The JSON object without one member.
    pub fn without(&self, member: &str) -> Value {
        let mut body = self.json();
        body.as_object_mut().expect("an object").remove(member);
        body
    }
}

/// `<prefix>-<32 hex digits>@example.test`.
pub fn unique_email(prefix: &str) -> String {
    format!("{prefix}-{}@example.test", Uuid::new_v4().simple())
}

/// `<prefix> <32 hex digits>`.
pub fn unique_name(prefix: &str) -> String {
    format!("{prefix} {}", Uuid::new_v4().simple())
}

/// A small generator (SplitMix64) that prints its seed, so that a failure can be repeated with
/// `WARD_TEST_SEED`.
#[derive(Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// Takes `WARD_TEST_SEED`, or a fresh seed, and prints it.
    pub fn seeded(test: &str) -> Random {
        let fresh = || Uuid::new_v4().as_u64_pair().0;
        let given = std::env::var("WARD_TEST_SEED").ok().and_then(|text| text.parse().ok());
        let state = given.unwrap_or_else(fresh);
        println!("{test}: WARD_TEST_SEED={state}");
        Random { state }
    }

    /// Another generator, whose numbers follow from this one's.
    pub fn split(&mut self) -> Random {
        Random { state: self.below(u64::MAX) }
    }

    /// A number below `bound`, which is above zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}
