//! What a start makes of the manifest's wishes: which variables Ward fills in when nobody has given
//! them a value, and what it prints when the application is ready. Plain data that has passed every
//! check, like the rest of [`App`](crate::App).

use std::collections::BTreeMap;

use crate::template::Template;

/// Two variables that are given the halves of one Ed25519 key pair, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// The variable with the private key (PKCS#8). It is a secret one.
    pub private_key: String,
    /// The variable with the public key.
    pub public_key: String,
}

/// `users`: where the application keeps its users, for `ward user`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Users {
    /// The trigger with a private route whose component answers.
    pub trigger: String,
    /// Where the collection is.
    pub path: String,
    /// Headers that say who asks.
    pub headers: BTreeMap<String, String>,
}

/// A text for whoever has started the application, with addresses to be filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guide(String);

/// Where the application is served, as a guide says it.
#[derive(Debug, Clone, Copy)]
pub struct Addresses<'a> {
    /// `{{ gateway }}`, such as `http://127.0.0.1:4004`.
    pub gateway: &'a str,
    /// `{{ grpc }}`, such as `127.0.0.1:9001`.
    pub grpc: &'a str,
}

/// The name of the gateway in a guide.
const GATEWAY: &str = "gateway";
/// The name of the gRPC listener in a guide.
const GRPC: &str = "grpc";

impl Guide {
    /// Takes a text; the error is a sentence about it, with the line.
    pub(crate) fn read(text: String) -> Result<Guide, String> {
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            let template = Template::parse(line)
                .map_err(|_| format!("has a `{{{{` without its `}}}}` in line {number}"))?;
            if let Some(name) = template.names().find(|name| ![GATEWAY, GRPC].contains(name)) {
                return Err(format!(
                    "names `{{{{ {name} }}}}` in line {number}; there is `{{{{ {GATEWAY} }}}}` and \
                     `{{{{ {GRPC} }}}}`"
                ));
            }
        }
        Ok(Guide(text))
    }

    /// Whether the text needs an address of gRPC.
    pub(crate) fn names_grpc(&self) -> bool {
        Template::parse(&self.0).is_ok_and(|template| template.names().any(|name| name == GRPC))
    }

    /// The text with the addresses in it. It ends with a newline.
    #[must_use]
    pub fn text(&self, addresses: Addresses<'_>) -> String {
        let address = |name: &str| {
            let address = if name == GRPC { addresses.grpc } else { addresses.gateway };
            Ok::<_, std::convert::Infallible>(address.to_owned())
        };
        let filled =
            Template::parse(&self.0).ok().and_then(|template| template.expand(address).ok());
        let mut text = filled.unwrap_or_default();
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{Addresses, Guide};

    const ADDRESSES: Addresses<'_> = Addresses { gateway: "http://g", grpc: "h:1" };

    #[test]
    fn addresses_are_filled_in_and_braces_of_json_stay() {
        let guide =
            Guide::read("a {{gateway}}/b -d '{\"c\":{\"d\":1}}'\n{{ grpc }}".to_owned()).unwrap();
        assert!(guide.names_grpc());
        assert_eq!(guide.text(ADDRESSES), "a http://g/b -d '{\"c\":{\"d\":1}}'\nh:1\n");
        assert!(!Guide::read("{{ gateway }} grpc\n".to_owned()).unwrap().names_grpc());
    }

    #[test]
    fn what_cannot_be_filled_in_is_refused_with_its_line() {
        let check = |text: &str, expected: &str| {
            assert_eq!(Guide::read(text.to_owned()).unwrap_err(), expected);
        };
        check(
            "one\n{{ url }}",
            "names `{{ url }}` in line 2; there is `{{ gateway }}` and `{{ grpc }}`",
        );
        check("{{ gateway\n}}", "has a `{{` without its `}}` in line 1");
    }
}
