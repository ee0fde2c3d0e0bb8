//! No text makes the reader panic, and no message has a piece of the password in it: not of an
//! address that is right, nor of one in which a character is missing, doubled or another.

use proptest::prelude::*;
use ward_postgres::Address;

/// In every password, several times.
const MARK: &str = "hunter";

fn password() -> impl Strategy<Value = String> {
    let separators = prop::collection::vec("[ -~é]{0,2}", 1..4);
    separators.prop_map(|separators| {
        separators.iter().fold(MARK.to_owned(), |text, separator| text + separator + MARK)
    })
}

fn parameter() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("sslmode"),
        Just("sslrootcert"),
        Just("connect_timeout"),
        Just("target_session_attrs"),
        Just("schema"),
        Just("sslcert"),
        Just("port"),
        Just("keepalives_idle"),
    ];
    let value = prop_oneof![Just("require"), Just("verify-ca"), Just("7"), Just(""), Just("-1")];
    (name, value).prop_map(|(name, value)| format!("{name}={value}"))
}

/// Both forms, with the password as it is, which may not be as it has to be written.
fn address() -> impl Strategy<Value = String> {
    let host = prop_oneof![
        Just("h".to_owned()),
        Just("a,b".to_owned()),
        Just("[::1]:5".to_owned()),
        Just("%2Frun".to_owned()),
        Just(String::new()),
    ];
    (password(), host, prop::collection::vec(parameter(), 0..4)).prop_flat_map(
        |(password, host, parameters)| {
            let query = parameters.join("&");
            let list = parameters.join(" ");
            let quoted = password.replace('\\', "\\\\").replace('\'', "\\'");
            prop_oneof![
                Just(format!("postgres://u:{password}@{host}/d?{query}")),
                Just(format!("postgresql://{host}/d?user=u&password={password}&{query}")),
                Just(format!("host=h user=u password={password} {list}")),
                Just(format!("password='{quoted}' {list} host=h")),
                Just(format!("password='{password}' host=h {list}")),
            ]
        },
    )
}

/// What is seen of an address: its error, or all that is ever printed of one that was read.
fn seen(text: &str) -> String {
    match Address::parse(text) {
        Err(error) => format!("{error} {error:?}"),
        Ok(address) => format!("{address:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn no_address_panics_or_tells(text in address()) {
        let seen = seen(&text);
        prop_assert!(!seen.contains(MARK), "{text}: {seen}");
    }

    /// One character taken out, doubled, or replaced by one that means something.
    #[test]
    fn nor_does_one_with_a_slip(
        text in address(),
        at in any::<prop::sample::Index>(),
        slip in prop_oneof![
            Just(None),
            Just(Some(None)),
            "[@:/?&=' %\\\\,\\[]".prop_map(|s| Some(Some(s))),
        ],
    ) {
        let mut letters: Vec<char> = text.chars().collect();
        let at = at.index(letters.len());
        match slip {
            None => drop(letters.remove(at)),
            Some(None) => letters.insert(at, letters[at]),
            Some(Some(other)) => letters[at] = other.chars().next().unwrap(),
        }
        let text: String = letters.into_iter().collect();
        // Whoever leaves the mark whole in place of a host has written a host.
        if let Err(error) = Address::parse(&text) {
            let seen = format!("{error} {error:?}");
            prop_assert!(!seen.contains(MARK), "{text}: {seen}");
        }
    }

    #[test]
    fn nor_does_anything_at_all(text in any::<String>(), head in "(postgres://|host=|)") {
        drop(seen(&format!("{head}{text}")));
    }

    /// What was read can be written and read again.
    #[test]
    fn a_roles_address_can_be_read(text in address(), name in "[a-z_]{1,9}", secret in ".{0,9}") {
        if let Ok(address) = Address::parse(&text) {
            let secret = secret.replace('\0', "");
            let role = Address::parse(&address.for_role(&name, &secret)).unwrap();
            prop_assert_eq!(role.endpoints(), address.endpoints());
            prop_assert_eq!(role.target().user(), Some(name.as_str()));
        }
    }
}
