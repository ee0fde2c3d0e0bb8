//! Days and microseconds since 2000-01-01, as PostgreSQL counts, to civil dates and back, over the
//! whole range of its DATE (4713 BC to 5874897 AD), which no date library here covers.

/// Microseconds of a day.
pub(super) const DAY_MICROS: i64 = 86_400_000_000;

/// Seconds from 1970-01-01 to 2000-01-01.
pub(super) const EPOCH_SHIFT_SECONDS: i64 = 946_684_800;

/// Days from 0000-03-01 to 2000-01-01 in the proleptic Gregorian calendar.
const SHIFT_DAYS: i64 = 730_425;

/// Days in 400 years, after which the Gregorian calendar repeats.
const ERA_DAYS: i64 = 146_097;

/// Year, month and day, `days` after 2000-01-01. Years are astronomical: 0 is 1 BC.
pub(super) fn date_of(days: i64) -> Option<(i32, u8, u8)> {
    // Counting years from March puts the leap day last, so months follow one formula.
    let shifted = days.checked_add(SHIFT_DAYS)?;
    let (era, day_of_era) = (shifted.div_euclid(ERA_DAYS), shifted.rem_euclid(ERA_DAYS));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    Some((year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?))
}

/// Days after 2000-01-01, or `None` for a date that does not exist.
pub(super) fn days_of(year: i32, month: u8, day: u8) -> Option<i64> {
    let (month, day) = (i64::from(month), i64::from(day));
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let march_year = i64::from(year) - i64::from(month <= 2);
    let march_month = if month > 2 { month - 3 } else { month + 9 };
    let (era, year_of_era) = (march_year.div_euclid(400), march_year.rem_euclid(400));
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * ERA_DAYS + day_of_era - SHIFT_DAYS;
    // The 31st of a shorter month lands in the next one; asking back finds it out.
    (date_of(days)? == (year, u8::try_from(month).ok()?, u8::try_from(day).ok()?)).then_some(days)
}

/// Hour, minute, second and nanosecond, `micros` after midnight.
pub(super) fn time_of(micros: i64) -> Option<(u8, u8, u8, u32)> {
    // 24:00:00 is a time to PostgreSQL, the end of the day.
    if !(0..=DAY_MICROS).contains(&micros) {
        return None;
    }
    let (seconds, rest) = (micros / 1_000_000, micros % 1_000_000);
    Some((
        u8::try_from(seconds / 3600).ok()?,
        u8::try_from(seconds / 60 % 60).ok()?,
        u8::try_from(seconds % 60).ok()?,
        u32::try_from(rest * 1000).ok()?,
    ))
}

/// Microseconds after midnight; what is finer than a microsecond is cut off, as PostgreSQL stores
/// no more. `None` for a time that does not exist.
pub(super) fn micros_of(hour: u8, minute: u8, second: u8, nanosecond: u32) -> Option<i64> {
    let end_of_day = (hour, minute, second, nanosecond) == (24, 0, 0, 0);
    if !end_of_day && (hour > 23 || minute > 59 || second > 59 || nanosecond > 999_999_999) {
        return None;
    }
    let seconds = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    Some(seconds * 1_000_000 + i64::from(nanosecond / 1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days() {
        for (days, date) in [
            (0, (2000, 1, 1)),
            (-1, (1999, 12, 31)),
            (59, (2000, 2, 29)),
            (-10_957, (1970, 1, 1)),
            (366, (2001, 1, 1)),
            (2_145_031_948, (5_874_897, 12, 31)),
            (-2_451_507, (-4712, 1, 1)),
        ] {
            assert_eq!(date_of(days), Some(date));
            assert_eq!(days_of(date.0, date.1, date.2), Some(days));
        }
    }

    #[test]
    fn dates_that_do_not_exist() {
        for (year, month, day) in
            [(2023, 2, 29), (1900, 2, 29), (2024, 4, 31), (2024, 13, 1), (2024, 1, 0), (1, 0, 1)]
        {
            assert_eq!(days_of(year, month, day), None, "{year}-{month}-{day}");
        }
        assert_eq!(micros_of(24, 0, 0, 1000), None);
        assert_eq!(micros_of(0, 60, 0, 0), None);
        assert_eq!(time_of(DAY_MICROS), Some((24, 0, 0, 0)));
        assert_eq!(time_of(DAY_MICROS + 1), None);
    }
}
