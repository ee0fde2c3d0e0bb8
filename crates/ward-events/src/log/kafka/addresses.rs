//! The addresses of brokers as people write them: `host:port` with commas between, a port that is
//! left out being Kafka's own. What cannot be one is refused without being repeated, because it
//! may be an address with a password in it.

/// Kafka's port.
const PORT: u16 = 9092;

/// What librdkafka takes before `://`.
const PROTOCOLS: [&str; 4] = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];

/// The list as the client takes it, with every port; the error is what is wrong with it.
pub(super) fn read(list: &str) -> Result<String, &'static str> {
    let parts = list.split(',').map(str::trim).filter(|part| !part.is_empty());
    let read: Result<Vec<String>, &'static str> = parts.map(address).collect();
    Ok(read?.join(","))
}

fn address(text: &str) -> Result<String, &'static str> {
    if text.contains('@') {
        return Err("has a user or a password in it; they belong into `client`");
    }
    let (protocol, rest) = match text.split_once("://") {
        None => ("", text),
        Some((protocol, rest)) => {
            if !PROTOCOLS.iter().any(|own| own.eq_ignore_ascii_case(protocol)) {
                return Err("begins with a protocol that is none of Kafka's");
            }
            (text.get(..protocol.len() + 3).unwrap_or_default(), rest)
        }
    };
    let (host, port) = match rest.rsplit_once(':') {
        // The colon of a bare IPv6 address.
        Some((host, _)) if host.contains(':') && !host.ends_with(']') => {
            match rest.ends_with(']') {
                true => (rest, PORT),
                false => return Err("has too many colons; an IPv6 address is written [::1]:9092"),
            }
        }
        Some((host, port)) => (host, port.parse().map_err(|_| "has a port that is no number")?),
        None => (rest, PORT),
    };
    let is_part = |c: char| c.is_alphanumeric() || "-_.[]:%".contains(c);
    if host.is_empty() || !host.chars().all(is_part) {
        return Err("has no host in it");
    }
    if port == 0 {
        return Err("has port 0");
    }
    Ok(format!("{protocol}{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_port_that_is_left_out_is_kafkas() {
        for (written, meant) in [
            ("kafka.example.org", "kafka.example.org:9092"),
            (" a:1 , b ,", "a:1,b:9092"),
            ("PLAINTEXT://127.0.0.1:1", "PLAINTEXT://127.0.0.1:1"),
            ("sasl_ssl://k", "sasl_ssl://k:9092"),
            ("[::1]", "[::1]:9092"),
            ("[::1]:7", "[::1]:7"),
            ("", ""),
        ] {
            assert_eq!(read(written).as_deref(), Ok(meant), "{written}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for wrong in [
            "kafka://u:hunter2@127.0.0.1:1",
            "u:hunter2@h:1",
            "kafka://127.0.0.1:1",
            "h:hunter2",
            "h:70000",
            "h:0",
            "::1",
            ":9092",
            "a b:1",
            "h/x:1",
        ] {
            let error = read(wrong).unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
