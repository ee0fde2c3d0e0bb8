//! Every limit on what billing takes. Those on money are in the tables' constraints as well, so
//! that no other writer can pass them.

/// The largest amount of one entry, in minor units: a thousand million euros. Nothing real comes
/// near; a slip of the keyboard does.
pub(crate) const AMOUNT_MAX_MINOR_UNITS: i64 = 100_000_000_000;

/// How far from zero a balance may be, in minor units. A balance and one more amount stay far from
/// the ends of 64 bits, so that no sum on the way can overflow; and from 2^53, up to which every
/// reader of JSON is exact.
pub(crate) const BALANCE_MAX_MINOR_UNITS: i64 = 1_000_000_000_000;

/// Longest description of an entry, in characters.
pub(crate) const DESCRIPTION_MAX_CHARS: usize = 200;

/// Longest name of a patient, in characters: as long as patients' own.
pub(crate) const NAME_MAX_CHARS: usize = 100;

const _: () = {
    assert!(BALANCE_MAX_MINOR_UNITS >= AMOUNT_MAX_MINOR_UNITS);
    assert!(BALANCE_MAX_MINOR_UNITS + AMOUNT_MAX_MINOR_UNITS < 1 << 53);
};

/// When events should come again that found the database away, in milliseconds: starting
/// PostgreSQL takes about a second.
pub(crate) const RETRY_AWAY_MS: u32 = 500;

/// When events should come again that met a mistake of ours, in milliseconds: only people mend it.
pub(crate) const RETRY_BROKEN_MS: u32 = 5000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_have_the_same_limits() {
        let tables = include_str!("../migrations/V1__billing.sql");
        let count = |text: &str| tables.matches(text).count();
        let between = |max: i64| format!("BETWEEN -{max} AND {max})");
        assert_eq!(count(&format!("(balance {}", between(BALANCE_MAX_MINOR_UNITS))), 1);
        assert_eq!(count(&format!("(balance_after {}", between(BALANCE_MAX_MINOR_UNITS))), 1);
        assert_eq!(count(&format!("AND amount {}", between(AMOUNT_MAX_MINOR_UNITS))), 1);
        let description =
            format!("(char_length(description) BETWEEN 1 AND {DESCRIPTION_MAX_CHARS})");
        assert_eq!(count(&description), 1);
    }
}
