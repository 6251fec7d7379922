//! Exact money.

use std::fmt;
use std::iter::Sum;

/// Digits after the decimal point of one US dollar.
const DECIMALS: usize = 12;

/// Units of 10^-12 USD in one US dollar.
const DOLLAR: u128 = 1_000_000_000_000;

/// An amount of US dollars: an integer of 10^-12 USD. No float ever holds money.
///
/// Prints every digit, without exponent and without trailing zeros: `0.01245805`, `3`, `-0.5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(i128);

/// Why a text is no amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not an amount in US dollars: write digits with at most 12 after the point and no exponent, as in 0.0000033"
)]
pub struct InvalidMoney;

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Returns the amount of so many 10^-12 USD.
    pub const fn from_picos(picos: i128) -> Self {
        Self(picos)
    }

    /// Returns the amount in 10^-12 USD.
    pub const fn picos(self) -> i128 {
        self.0
    }

    /// How long the longest text of an amount is, in bytes.
    pub const LEN: usize = 41;

    /// Writes the amount, as it prints, into `buffer`, and returns it.
    pub fn encode(self, buffer: &mut [u8; Self::LEN]) -> &str {
        let mut at = Self::LEN;
        let mut put = |byte| {
            at = at.saturating_sub(1);
            if let Some(place) = buffer.get_mut(at) {
                *place = byte;
            }
        };
        let (mut whole, mut fraction) = parts(self.0.unsigned_abs());
        if fraction > 0 {
            let mut decimals = DECIMALS;
            while fraction.is_multiple_of(10) {
                fraction /= 10;
                decimals -= 1;
            }
            for _ in 0..decimals {
                put(ascii(fraction % 10));
                fraction /= 10;
            }
            put(b'.');
        }
        while whole >= 10 {
            put(ascii(u64::try_from(whole % 10).unwrap_or(0)));
            whole /= 10;
        }
        put(ascii(u64::try_from(whole).unwrap_or(0)));
        if self.0 < 0 {
            put(b'-');
        }
        buffer.get(at..).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
    }

    /// Returns the amount that a decimal number of dollars states, with at most 12 decimals.
    pub fn parse(text: &str) -> Result<Self, InvalidMoney> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !all_digits(whole) || !all_digits(fraction) || fraction.len() > DECIMALS {
            return Err(InvalidMoney);
        }
        let whole: i128 = whole.parse().map_err(|_| InvalidMoney)?;
        let fraction: i128 = format!("{fraction:0<DECIMALS$}").parse().map_err(|_| InvalidMoney)?;
        let dollar = i128::try_from(DOLLAR).map_err(|_| InvalidMoney)?;
        let picos = whole.checked_mul(dollar).and_then(|picos| picos.checked_add(fraction));
        let picos = picos.ok_or(InvalidMoney)?;
        Ok(Self(if negative { picos.saturating_neg() } else { picos }))
    }

    /// Returns the sum, or `None` where it is beyond 128 bits.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// Returns the amount so many times over, or `None` where that is beyond 128 bits.
    pub fn checked_mul(self, times: u64) -> Option<Self> {
        self.0.checked_mul(i128::from(times)).map(Self)
    }

    /// Returns the amount times `numerator / denominator`, rounded half to even once, or `None` where that is beyond
    /// 128 bits or `denominator` is zero.
    pub fn scaled(self, numerator: u64, denominator: u64) -> Option<Self> {
        let product = self.0.checked_mul(i128::from(numerator))?;
        let by = i128::from(denominator);
        let (floor, rest) = (product.checked_div_euclid(by)?, product.checked_rem_euclid(by)?);
        let up = match rest.saturating_mul(2).cmp(&by) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Equal => floor.rem_euclid(2),
            std::cmp::Ordering::Greater => 1,
        };
        floor.checked_add(up).map(Self)
    }
}

/// Takes an amount apart: dollars, and what is left of one.
fn parts(picos: u128) -> (u128, u64) {
    // What one call costs fits into 64 bits, which are divided sooner.
    match (u64::try_from(picos), u64::try_from(DOLLAR)) {
        (Ok(picos), Ok(dollar)) => (u128::from(picos / dollar), picos % dollar),
        (Err(_), _) | (_, Err(_)) => (picos / DOLLAR, u64::try_from(picos % DOLLAR).unwrap_or(0)),
    }
}

fn ascii(digit: u64) -> u8 {
    u8::try_from(digit).map_or(b'0', |digit| b'0'.saturating_add(digit))
}

impl std::ops::Add for Money {
    type Output = Self;

    /// Adds; what no ledger can reach, the end of 128 bits, is where it stops.
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl std::ops::Sub for Money {
    type Output = Self;

    /// Subtracts; what no ledger can reach, the end of 128 bits, is where it stops.
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl std::ops::AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, std::ops::Add::add)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.encode(&mut [0; Self::LEN]))
    }
}

impl std::str::FromStr for Money {
    type Err = InvalidMoney;

    fn from_str(text: &str) -> Result<Self, InvalidMoney> {
        Self::parse(text)
    }
}

impl serde::Serialize for Money {
    /// As a decimal string.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_digit_is_printed_and_no_zero_behind() {
        for text in ["0", "3", "0.01245805", "0.000000000001", "-0.5", "120.000001"] {
            assert_eq!(Money::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Money::parse("1.50").unwrap().to_string(), "1.5");
        assert_eq!(Money::parse("-0").unwrap().to_string(), "0");
    }

    #[test]
    fn what_is_no_plain_decimal_is_refused() {
        for bad in ["", ".", "1.", ".5", "1e-6", "+1", "1,5", "0.0000000000001", "--1", " 1", "\u{661}"] {
            assert_eq!(Money::parse(bad), Err(InvalidMoney), "{bad:?}");
        }
        assert_eq!(Money::parse(&"9".repeat(40)), Err(InvalidMoney));
    }

    #[test]
    fn halves_go_to_the_even_neighbour() {
        let half = |picos| Money::from_picos(picos).scaled(1, 2).unwrap().picos();
        assert_eq!([1, 3, 5, -1, -3].map(half), [0, 2, 2, 0, -2]);
        assert_eq!(Money::from_picos(10).scaled(1, 0), None);
    }

    #[test]
    fn the_longest_amount_has_its_room() {
        let least = Money::from_picos(i128::MIN).to_string();
        assert_eq!(least, "-170141183460469231731687303.715884105728");
        assert_eq!(least.len(), Money::LEN);
    }

    proptest! {
        #[test]
        fn text_and_amount_are_the_same(picos in prop_oneof![any::<i64>().prop_map(i128::from), -(1 << 126)..1_i128 << 126]) {
            let money = Money::from_picos(picos);
            prop_assert_eq!(Money::parse(&money.to_string()).unwrap(), money);
        }
    }
}
