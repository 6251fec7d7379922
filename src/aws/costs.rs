//! Cost allocation tags: whether AWS's bill shows a tag, by the gateway's own account.

use super::{Action, Aws, AwsError, ErrorKind};
use aws_sdk_costexplorer::types::{
    CostAllocationTag, CostAllocationTagStatus as Status, CostAllocationTagStatusEntry, CostAllocationTagType,
};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, Time};

/// Whether the bill shows a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CostTagStatus {
    /// It does, for what was used since it was activated, or since the start of a backfill.
    Active,
    /// It does not, until it is activated.
    Inactive,
    /// AWS's billing has not seen the key yet: that takes up to a day after its first use.
    Unknown,
}

impl Aws {
    /// Returns whether the bill shows the tag with that key.
    pub async fn cost_tag(&self, key: &str) -> Result<CostTagStatus, AwsError> {
        let (desk, action) = (self.desk(&self.home()), Action::ListCostAllocationTags);
        let request = desk.cost.list_cost_allocation_tags().tag_keys(key);
        let request = request.r#type(CostAllocationTagType::UserDefined);
        let answer = desk.ask(action, None, || request.clone().send()).await?;
        let found = answer.cost_allocation_tags().iter().find(|tag| tag.tag_key() == key);
        Ok(match found.map(CostAllocationTag::status) {
            Some(Status::Active) => CostTagStatus::Active,
            Some(_) => CostTagStatus::Inactive,
            None => CostTagStatus::Unknown,
        })
    }

    /// Has the bill show the tag with that key from now on; takes up to a day. A key that the billing has not seen yet
    /// is an error that says so.
    pub async fn activate_cost_tag(&self, key: &str) -> Result<(), AwsError> {
        let (desk, action) = (self.desk(&self.home()), Action::UpdateCostAllocationTagsStatus);
        let entry = CostAllocationTagStatusEntry::builder().tag_key(key).status(Status::Active).build();
        let invalid = |message: String| desk.error(action, None, ErrorKind::Invalid { message });
        let entry = entry.map_err(|error| invalid(error.to_string()))?;
        let request = desk.cost.update_cost_allocation_tags_status().cost_allocation_tags_status(entry);
        let answer = desk.ask(action, None, || request.clone().send()).await?;
        // What fails for single keys comes with a 200.
        match answer.errors().first() {
            None => Ok(()),
            Some(error) => {
                let code = error.code().unwrap_or("no code");
                Err(invalid(format!("tag {key}: {} ({code})", error.message().unwrap_or("no message"))))
            }
        }
    }

    /// Has the bill of past months show the active tags as well, from the first day of the month that `from` is in; at
    /// most twelve months back, and once a day. Takes hours.
    pub async fn backfill_cost_tags(&self, from: OffsetDateTime) -> Result<(), AwsError> {
        let (desk, action) = (self.desk(&self.home()), Action::StartCostAllocationTagBackfill);
        let utc = from.to_offset(time::UtcOffset::UTC);
        let first = utc.replace_day(1).map(|day| day.replace_time(Time::MIDNIGHT).format(&Rfc3339));
        let Ok(Ok(first)) = first else {
            let message = format!("{from} is out of range");
            return Err(desk.error(action, None, ErrorKind::Invalid { message }));
        };
        let request = desk.cost.start_cost_allocation_tag_backfill().backfill_from(first);
        desk.ask(action, None, || request.clone().send()).await?;
        Ok(())
    }
}
