//! What calls cost: a price table that is built in, what a company's own file says beside it, and exact sums.
//!
//! [`PriceTable`] holds the rows; [`PriceTable::rates`] resolves them once for a service, a model and a region;
//! [`Rates::charge`] prices a call, and [`Charging`] many records. Pure: it knows nothing of where calls come from.

mod built_in;
mod charging;
mod discount;
mod file;
mod meter;
mod overlap;
mod rates;
mod routing;
mod row;
mod table;
#[cfg(test)]
mod tests;
mod timeline;
mod values;

pub use charging::Charging;
pub use discount::{Discount, Models, Percent};
pub use meter::Meter;
pub use rates::{Rates, Used};
pub use row::{Days, ImagePrice, Origin, Prices, Row, Sold, Tier};
pub use table::PriceTable;
pub use timeline::{InForce, Way};
pub(crate) use values::date;
