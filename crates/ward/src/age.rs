//! How old something has to be, as people write it: `6y`, `2200d`.

use std::fmt;
use std::str::FromStr;

/// The longest that is read: nothing here is older.
const YEARS_MAX: u32 = 1000;
const DAYS_PER_YEAR: f64 = 365.2425;

/// An age in years or days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    Years(u32),
    Days(u32),
}

impl Age {
    /// Whether it is shorter than so many years.
    pub(crate) fn is_less_than_years(self, years: u32) -> bool {
        match self {
            Self::Years(own) => own < years,
            Self::Days(days) => f64::from(days) < f64::from(years) * DAYS_PER_YEAR,
        }
    }
}

impl FromStr for Age {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "write years or days, such as 6y or 2200d".to_owned();
        let (number, unit) =
            text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(expected)?;
        let number: u32 = number.parse().map_err(|_| expected())?;
        match unit {
            "y" if number <= YEARS_MAX => Ok(Self::Years(number)),
            "d" if number <= YEARS_MAX * 366 => Ok(Self::Days(number)),
            _ => Err(expected()),
        }
    }
}

/// As PostgreSQL reads it.
impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Years(years) => write!(f, "{years} years"),
            Self::Days(days) => write!(f, "{days} days"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Age;

    #[test]
    fn ages() {
        for (text, shown) in [("6y", "6 years"), ("2200d", "2200 days"), ("0d", "0 days")] {
            assert_eq!(text.parse::<Age>().unwrap().to_string(), shown);
        }
        for wrong in ["", "6", "y", "6w", "-1y", "1.5y", "6 y", "2000y", "999999d", "6\u{e9}"] {
            assert!(wrong.parse::<Age>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn six_years_are_six_years_in_days_as_well() {
        for (text, less) in [("5y", true), ("6y", false), ("2191d", true), ("2192d", false)] {
            assert_eq!(text.parse::<Age>().unwrap().is_less_than_years(6), less, "{text}");
        }
    }
}
