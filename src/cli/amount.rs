//! Money for reading: rounded, with as many digits as tell the amounts apart. Data formats never round.

use super::grid::thousands;
use crate::domain::Money;

/// How many decimals are shown at least, and at most.
const FEWEST: u32 = 2;
const MOST: u32 = 6;

/// 10^-12 USD, of which money is made, has that many decimals.
const EXACT: u32 = 12;

/// How amounts of one table are shown: all with the same number of decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimals(u32);

impl Decimals {
    /// As many as there are at most.
    pub(super) const MOST: Self = Self(MOST);

    /// Returns as many, from 2 to 6, as show two digits of the smallest amount that is not zero.
    pub(super) fn of(amounts: impl IntoIterator<Item = Money>) -> Self {
        let sizes = amounts.into_iter().map(|amount| amount.picos().unsigned_abs());
        let smallest = sizes.filter(|size| *size > 0).min().unwrap_or(u128::MAX);
        let shows = |decimals: &u32| smallest >= 10_u128.pow(EXACT - decimals + 1);
        Self((FEWEST..MOST).find(shows).unwrap_or(MOST))
    }

    /// Returns an amount rounded half to even; one that would vanish is shown as less than what can be shown.
    pub(super) fn show(self, amount: Money) -> String {
        let unit = 10_u64.pow(EXACT - self.0);
        let Some(rounded) = amount.scaled(1, unit) else { return amount.to_string() };
        if rounded == Money::ZERO && amount > Money::ZERO {
            return format!("<0.{:0>1$}", 1, self.width());
        }
        let sign = if rounded < Money::ZERO { "-" } else { "" };
        let (digits, scale) = (rounded.picos().unsigned_abs(), 10_u128.pow(self.0));
        thousands(&format!("{sign}{}.{:0>width$}", digits / scale, digits % scale, width = self.width()))
    }

    fn width(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(amounts: &[&str]) -> Vec<String> {
        let amounts: Vec<Money> = amounts.iter().map(|text| Money::parse(text).unwrap()).collect();
        let decimals = Decimals::of(amounts.iter().copied());
        amounts.into_iter().map(|amount| decimals.show(amount)).collect()
    }

    #[test]
    fn as_many_digits_as_the_smallest_amount_needs() {
        assert_eq!(shown(&["1234567.891", "0", "3"]), ["1,234,567.89", "0.00", "3.00"]);
        assert_eq!(shown(&["12.345", "0.0125"]), ["12.345", "0.012"]);
        assert_eq!(shown(&["12.5", "0.00012345"]), ["12.50000", "0.00012"]);
        assert_eq!(shown(&["0.000000000001", "0.0000016"]), ["<0.000001", "0.000002"]);
        assert_eq!(shown(&["0"]), ["0.00"]);
        assert_eq!(shown(&["-1234.5"]), ["-1,234.50"]);
    }
}
