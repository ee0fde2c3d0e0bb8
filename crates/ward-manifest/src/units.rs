//! Sizes and durations as people write them: `"64MiB"`, `"500ms"`. A number without a unit is
//! refused in strings, since nobody remembers which unit it would have.

use std::time::Duration;

/// Parts `"64 MiB"` into the number and the unit; the number has no sign and no fraction.
fn parts(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    Some((number.replace('_', "").parse().ok()?, unit.trim()))
}

/// Bytes of a size; `None` when it is none, or too large for 64 bits.
pub(crate) fn size_bytes(text: &str) -> Option<u64> {
    let (number, unit) = parts(text)?;
    let bytes: u64 = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "KB" | "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return None,
    };
    number.checked_mul(bytes)
}

/// A duration; `None` when it is none.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = parts(text)?;
    let seconds = |factor: u64| number.checked_mul(factor).map(Duration::from_secs);
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => seconds(1),
        "m" | "min" => seconds(60),
        "h" => seconds(3600),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{duration, size_bytes};

    #[test]
    fn sizes_and_durations_need_a_unit_and_fit() {
        let sizes = ["64MiB", "1 GiB", "512KiB", "10B", "1kB", "64", "MiB", "-1MiB", "1.5GiB"];
        let read: Vec<_> = sizes.into_iter().map(size_bytes).collect();
        let none = None;
        let expected = [67_108_864, 1 << 30, 524_288, 10, 1000].map(Some);
        assert_eq!(read, [&expected[..], &[none; 4]].concat());
        assert_eq!(size_bytes("99999999999999GiB"), None);

        let durations = ["30s", "500ms", "2m", "1 h", "5", "s", "1d", "-3s"];
        let read: Vec<_> =
            durations.into_iter().map(|d| duration(d).map(|d| d.as_millis())).collect();
        let expected =
            [Some(30_000), Some(500), Some(120_000), Some(3_600_000), None, None, None, None];
        assert_eq!(read, expected);
    }
}
