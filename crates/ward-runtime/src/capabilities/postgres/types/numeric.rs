//! NUMERIC's binary form and decimal text, without loss: up to 131072 digits before the point and
//! 16383 after it. The binary form is digits of base 10000 with the weight of the first, the sign,
//! and how many decimal digits follow the point.

/// Digits of one base-10000 digit.
const GROUP: usize = 4;
/// The most digits PostgreSQL keeps after the point.
const SCALE_MAX: usize = 16_383;
/// The most digits PostgreSQL keeps before the point.
const WHOLE_MAX: usize = 131_072;

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xC000;
const INFINITY: u16 = 0xD000;
const NEGATIVE_INFINITY: u16 = 0xF000;

/// Decimal text of a NUMERIC, as PostgreSQL itself would print it; `None` if the bytes are not one.
pub(super) fn to_text(raw: &[u8]) -> Option<String> {
    let (head, digits) = raw.split_first_chunk::<8>()?;
    let [c0, c1, w0, w1, s0, s1, d0, d1] = *head;
    let count = usize::from(u16::from_be_bytes([c0, c1]));
    let weight = i16::from_be_bytes([w0, w1]);
    let scale = usize::from(u16::from_be_bytes([d0, d1]));
    let sign = match u16::from_be_bytes([s0, s1]) {
        0 => "",
        NEGATIVE => "-",
        NAN => return Some("NaN".to_owned()),
        INFINITY => return Some("Infinity".to_owned()),
        NEGATIVE_INFINITY => return Some("-Infinity".to_owned()),
        _ => return None,
    };
    if digits.len() != count * 2 || scale > SCALE_MAX {
        return None;
    }
    let groups: Vec<u16> = digits.chunks_exact(2).map(be16).collect();
    if groups.iter().any(|group| *group > 9999) {
        return None;
    }
    let group = |index: i32| -> u16 {
        usize::try_from(index).ok().and_then(|index| groups.get(index)).copied().unwrap_or(0)
    };

    let mut text = String::from(sign);
    let mut whole = String::new();
    for index in 0..=i32::from(weight) {
        whole.push_str(&format!("{:04}", group(index)));
    }
    let whole = whole.trim_start_matches('0');
    text.push_str(if whole.is_empty() { "0" } else { whole });
    if scale > 0 {
        let mut fraction = String::with_capacity(scale + GROUP);
        let mut index = i32::from(weight) + 1;
        if index < 0 {
            let missing = usize::try_from(-index).ok()?;
            fraction.push_str(&"0000".repeat(missing));
            index = 0;
        }
        // A value below one has its first group `-weight - 1` groups after the point.
        while fraction.len() < scale {
            fraction.push_str(&format!("{:04}", group(index)));
            index += 1;
        }
        fraction.truncate(scale);
        text.push('.');
        text.push_str(&fraction);
    }
    Some(text)
}

fn be16(pair: &[u8]) -> u16 {
    pair.iter().fold(0, |value, byte| value << 8 | u16::from(*byte))
}

/// The binary form of decimal text: a sign, digits with or without a point, an exponent; or `NaN`,
/// `Infinity`, `-Infinity`. `None` for any other text and for more digits than a NUMERIC has.
pub(super) fn from_text(text: &str) -> Option<Vec<u8>> {
    let special = |sign| Some(binary(&[], 0, sign, 0));
    match text {
        "NaN" => return special(NAN),
        "Infinity" => return special(INFINITY),
        "-Infinity" => return special(NEGATIVE_INFINITY),
        _ => {}
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (NEGATIVE, rest),
        None => (0, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // Where the point is, in digits from the start of `digits`; may lie outside of them.
    let point = i64::try_from(whole.len()).ok()? + i64::from(exponent);
    let scale = usize::try_from((i64::try_from(digits.len()).ok()? - point).max(0)).ok()?;
    if scale > SCALE_MAX || point > i64::try_from(WHOLE_MAX).ok()? {
        return None;
    }
    let (groups, weight) = group_digits(&digits, point)?;
    let sign = if groups.is_empty() { 0 } else { sign };
    Some(binary(&groups, weight, sign, u16::try_from(scale).ok()?))
}

/// Groups of four digits aligned to the point, without zero groups at either end, and the weight
/// of the first.
fn group_digits(digits: &[u8], point: i64) -> Option<(Vec<u16>, i16)> {
    let size = i64::try_from(GROUP).ok()?;
    let first = point.rem_euclid(size);
    let pad = usize::try_from((size - first) % size).ok()?;
    let mut padded = vec![b'0'; pad];
    padded.extend_from_slice(digits);
    padded.resize(padded.len().div_ceil(GROUP) * GROUP, b'0');
    let mut groups: Vec<u16> = padded
        .chunks_exact(GROUP)
        .map(|group| group.iter().fold(0, |value, digit| value * 10 + u16::from(digit - b'0')))
        .collect();
    let mut weight = (point + i64::try_from(pad).ok()?) / size - 1;
    let leading = groups.iter().take_while(|group| **group == 0).count();
    groups.drain(..leading);
    weight -= i64::try_from(leading).ok()?;
    while groups.last() == Some(&0) {
        groups.pop();
    }
    if groups.is_empty() {
        weight = 0;
    }
    Some((groups, i16::try_from(weight).ok()?))
}

fn binary(groups: &[u16], weight: i16, sign: u16, scale: u16) -> Vec<u8> {
    let mut raw = Vec::with_capacity(8 + groups.len() * 2);
    // At most (WHOLE_MAX + SCALE_MAX) / 4 + 1 groups, which fits.
    let count = u16::try_from(groups.len()).unwrap_or(u16::MAX);
    raw.extend_from_slice(&count.to_be_bytes());
    raw.extend_from_slice(&weight.to_be_bytes());
    raw.extend_from_slice(&sign.to_be_bytes());
    raw.extend_from_slice(&scale.to_be_bytes());
    groups.iter().for_each(|group| raw.extend_from_slice(&group.to_be_bytes()));
    raw
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_back_as_postgresql_prints_it() {
        for (text, printed) in [
            ("0", "0"),
            ("-0", "0"),
            ("0.00", "0.00"),
            ("1", "1"),
            ("+10000", "10000"),
            ("-12345.6789", "-12345.6789"),
            ("0.00001", "0.00001"),
            (
                "1234567890123456789012345678901234567890.5",
                "1234567890123456789012345678901234567890.5",
            ),
            ("1e10", "10000000000"),
            ("1.50E-3", "0.00150"),
            ("00012.3400", "12.3400"),
            (".5", "0.5"),
            ("5.", "5"),
            ("NaN", "NaN"),
            ("-Infinity", "-Infinity"),
        ] {
            let raw = from_text(text).unwrap();
            assert_eq!(to_text(&raw).as_deref(), Some(printed), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "-", ".", "1.2.3", "1,5", "0x10", "1e", "1e99999999999", "١", "1 "] {
            assert_eq!(from_text(text), None, "{text}");
        }
        assert_eq!(from_text("1e131072"), None);
        assert!(from_text("1e131071").is_some());
        assert!(from_text("1e-16383").is_some());
        assert_eq!(from_text("1e-16384"), None);
    }

    #[test]
    fn bytes_that_are_no_numeric_are_refused() {
        for raw in [&[][..], &[0; 7], &[0, 1, 0, 0, 0, 0, 0, 0], &[0, 0, 0, 0, 0x11, 0, 0, 0]] {
            assert_eq!(to_text(raw), None);
        }
    }
}
