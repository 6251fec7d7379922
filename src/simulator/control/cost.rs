//! Cost Explorer, as far as it activates cost allocation tags (ce service model 2017-10-25).

use super::super::calls::merge;
use super::super::others::timestamp;
use super::super::refusal::Refusal;
use super::estate::Estate;
use super::gate::Trouble;
use super::patterns::required;
use super::{ControlPlane, Order};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// The most entries of an `UpdateCostAllocationTagsStatus` request.
const MAX_UPDATES: usize = 20;
/// How long after a backfill the next may be asked for (Billing user guide, "Backfill cost allocation tags").
const BETWEEN_BACKFILLS: Duration = Duration::from_hours(24);
/// How far back a backfill may reach, in months (the same).
const MAX_MONTHS_BACK: i32 = 12;

/// What is known of tags in one account's bills.
#[derive(Debug, Clone, Default)]
pub(super) struct Billing {
    /// What has become of a tag key, and when, since the Unix epoch.
    keys: BTreeMap<String, (Status, Duration)>,
    /// From when on, and when that was asked for.
    backfills: Vec<(String, Duration)>,
}

impl Billing {
    /// Learns the tag keys that an account's profiles have.
    fn learn(&mut self, estate: &Estate, account: &str, now: Duration) {
        let own = estate.all().filter(|profile| profile.arn.account() == account);
        for key in own.flat_map(|profile| profile.tags.keys()) {
            if !self.keys.contains_key(key) {
                self.keys.insert(key.clone(), (Status::Inactive, now));
            }
        }
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal { status: 400, kind: "ValidationException", message: message.into() }
}

/// `CostAllocationTagStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Active,
    Inactive,
}

impl Status {
    fn parse(name: &str) -> Result<Self, Refusal> {
        match name {
            "Active" => Ok(Self::Active),
            "Inactive" => Ok(Self::Inactive),
            _ => Err(invalid(format!("Status {name} is neither Active nor Inactive"))),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Inactive => "Inactive",
        }
    }
}

impl ControlPlane {
    /// Returns the cost allocation tags of an account that are active.
    pub fn active_cost_tags(&self, account: &str) -> Vec<String> {
        let all = self.billing();
        let keys = all.get(account).into_iter().flat_map(|billing| &billing.keys);
        keys.filter(|(_, (status, _))| *status == Status::Active).map(|(key, _)| key.clone()).collect()
    }

    /// Returns from when on an account asked for backfills, in the order of asking.
    pub fn backfills(&self, account: &str) -> Vec<String> {
        let all = self.billing();
        all.get(account).into_iter().flat_map(|billing| &billing.backfills).map(|b| b.0.clone()).collect()
    }

    /// Changes what is known of the caller's bills, after new tag keys have been learnt.
    fn with_billing<T>(&self, order: &Order<'_>, change: impl FnOnce(&mut Billing) -> T) -> T {
        let is_late = self.is(Trouble::CostTagsLate);
        let mut all = self.billing();
        let billing = all.entry(order.account().to_owned()).or_default();
        if !is_late {
            billing.learn(&self.estate(), order.account(), order.now);
        }
        change(billing)
    }

    pub(super) fn list_cost_tags(&self, order: &Order<'_>) -> Result<Value, Refusal> {
        let request = order.call.json()?;
        let wanted = |member: &str, value: &str| {
            request.get(member).and_then(Value::as_str).is_none_or(|asked| asked == value)
        };
        let keys = request.get("TagKeys").and_then(Value::as_array);
        let number = |member: &str, text: Option<&str>, default: usize| match text {
            Some(text) => text.parse().map_err(|_| invalid(format!("{member} is invalid"))),
            None => Ok(default),
        };
        let start = number("NextToken", request.get("NextToken").and_then(Value::as_str), 0)?;
        let size = request.get("MaxResults").map(Value::to_string);
        let size = number("MaxResults", size.as_deref(), 100)?;
        if !(1..=1000).contains(&size) {
            return Err(invalid("MaxResults must be between 1 and 1000"));
        }
        let billing = self.with_billing(order, |billing| billing.clone());
        let mut found = billing.keys.iter().filter(|(key, (status, _))| {
            let is_named = keys.is_none_or(|keys| keys.iter().any(|asked| asked == key.as_str()));
            is_named && wanted("Type", "UserDefined") && wanted("Status", status.name())
        });
        let page = found.by_ref().skip(start).take(size);
        let page: Vec<Value> = page
            .map(|(key, (status, at))| {
                let at = timestamp(*at);
                json!({
                    "TagKey": key,
                    "Type": "UserDefined",
                    "Status": status.name(),
                    "LastUpdatedDate": at,
                    "LastUsedDate": at,
                })
            })
            .collect();
        let mut answer = json!({ "CostAllocationTags": page });
        if found.next().is_some() {
            merge(&mut answer, json!({ "NextToken": start.saturating_add(size).to_string() }));
        }
        Ok(answer)
    }

    pub(super) fn update_cost_tags(&self, order: &Order<'_>) -> Result<Value, Refusal> {
        let request = order.call.json()?;
        let entries = request.get("CostAllocationTagsStatus").and_then(Value::as_array);
        let entries = entries.ok_or_else(|| invalid("CostAllocationTagsStatus must be a list"))?;
        if !(1..=MAX_UPDATES).contains(&entries.len()) {
            return Err(invalid("CostAllocationTagsStatus must have 1 to 20 entries"));
        }
        let mut wanted = Vec::new();
        for entry in entries {
            let status = Status::parse(required(entry, "Status")?)?;
            wanted.push((required(entry, "TagKey")?, status));
        }
        let errors = self.with_billing(order, |billing| {
            let mut errors = Vec::new();
            for (key, status) in wanted {
                match billing.keys.get_mut(key) {
                    Some(known) => *known = (status, order.now),
                    None => errors.push(json!({
                        "TagKey": key,
                        "Code": "TagKeysNotFoundException",
                        "Message": "Tag keys not found",
                    })),
                }
            }
            errors
        });
        Ok(json!({ "Errors": errors }))
    }

    pub(super) fn start_backfill(&self, order: &Order<'_>) -> Result<Value, Refusal> {
        let request = order.call.json()?;
        let from = required(&request, "BackfillFrom")?;
        check_backfill(from, order.now)?;
        self.with_billing(order, |billing| {
            let last = billing.backfills.last().map(|(_, at)| at.saturating_add(BETWEEN_BACKFILLS));
            if last.is_some_and(|next| next > order.now) {
                return Err(Refusal {
                    status: 400,
                    kind: "BackfillLimitExceededException",
                    message: "A backfill can be requested once every 24 hours.".to_owned(),
                });
            }
            billing.backfills.push((from.to_owned(), order.now));
            let now = timestamp(order.now);
            Ok(json!({ "BackfillRequest": {
                "BackfillFrom": from,
                "RequestedAt": now,
                "BackfillStatus": "PROCESSING",
                "LastUpdatedAt": now,
            } }))
        })
    }
}

/// Refuses what is not the first of one of the last twelve months, at midnight UTC.
fn check_backfill(from: &str, now: Duration) -> Result<(), Refusal> {
    let at = OffsetDateTime::parse(from, &Rfc3339)
        .map_err(|_| invalid("BackfillFrom must be a time with seconds and an offset"))?
        .to_offset(UtcOffset::UTC);
    let now = OffsetDateTime::UNIX_EPOCH + now;
    let months = |at: OffsetDateTime| at.year() * 12 + i32::from(u8::from(at.month()));
    let is_first = at.day() == 1 && at.time() == time::Time::MIDNIGHT;
    if is_first && at <= now && months(now) - months(at) <= MAX_MONTHS_BACK {
        return Ok(());
    }
    Err(invalid("BackfillFrom must be the first day of a month, at most twelve months ago"))
}
