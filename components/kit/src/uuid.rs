//! UUIDs as text. Components never make any (PostgreSQL's `gen_random_uuid()` does), so reading the
//! canonical form is all there is to it, and no generator has to be linked.

/// The canonical lower-case form, or `None` for anything but `8-4-4-4-12` hexadecimal digits.
///
/// PostgreSQL would take braces, missing hyphens and more; one spelling per resource is enough.
pub fn parse(text: &str) -> Option<String> {
    let shape = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    (text.len() == 36 && text.bytes().enumerate().all(shape)).then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_shape() {
        let check =
            |text: &str, expected: Option<&str>| assert_eq!(parse(text).as_deref(), expected);
        let id = "123e4567-e89b-12d3-a456-426614174000";
        check(id, Some(id));
        check("123E4567-E89B-12D3-A456-426614174000", Some(id));
        check("00000000-0000-0000-0000-000000000000", Some("00000000-0000-0000-0000-000000000000"));
        check("", None);
        check("123e4567e89b12d3a456426614174000", None);
        check("{123e4567-e89b-12d3-a456-426614174000}", None);
        check("123e4567-e89b-12d3-a456-42661417400", None);
        check("123e4567-e89b-12d3-a456-42661417400g", None);
        check("123e4567-e89b-12d3-a456-4266141740é", None);
        check("123e4567-e89b-12d3-a456-426614174000 ", None);
    }
}
