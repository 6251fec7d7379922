//! Inference profiles and their tags, and who asks.

use super::{Action, Aws, AwsError, ErrorKind, Site};
use crate::domain::ProfileArn;
use crate::inventory::{FoundProfile, SystemProfile};
use aws_sdk_bedrock::operation::get_inference_profile::GetInferenceProfileOutput;
use aws_sdk_bedrock::types::{
    InferenceProfileModel, InferenceProfileModelSource, InferenceProfileSummary, InferenceProfileType, Tag,
};
use aws_smithy_types::DateTime;
use aws_smithy_types::error::operation::BuildError;
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// The most profiles that a page may have (bedrock service model 2023-04-20, `MaxResults`).
const PAGE: i32 = 1000;

/// The most pages of a listing; beyond that something gives out the same ones again and again.
const MAX_PAGES: usize = 10_000;

/// One listing of a site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// The application inference profiles; their tags are not listed.
    pub profiles: BTreeMap<ProfileArn, FoundProfile>,
    /// The system-defined profiles, by ARN.
    pub systems: BTreeMap<String, SystemProfile>,
}

/// A profile that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewProfile {
    /// Its name: 1 to 64 characters, `([0-9a-zA-Z][ _-]?)+`. Need not be unique.
    pub name: String,
    /// What it says of itself, 1 to 200 characters, `([0-9a-zA-Z:.][ _-]?)+`.
    pub description: Option<String>,
    /// The ARN of the foundation model, or of the system-defined profile of that region, to copy from.
    pub copy_from: String,
    /// What makes two requests the same one: `[a-zA-Z0-9](-*[a-zA-Z0-9])*`, up to 256 characters.
    pub token: String,
    /// Its tags, at most 50.
    pub tags: BTreeMap<String, String>,
}

impl Aws {
    /// Lists the application inference profiles of a site, all pages, without their tags.
    pub async fn profiles(&self, site: &Site) -> Result<BTreeMap<ProfileArn, FoundProfile>, AwsError> {
        Ok(self.list(site, &InferenceProfileType::Application).await?.profiles)
    }

    /// Lists the system-defined profiles of a site, all pages, by ARN.
    pub async fn systems(&self, site: &Site) -> Result<BTreeMap<String, SystemProfile>, AwsError> {
        Ok(self.list(site, &InferenceProfileType::SystemDefined).await?.systems)
    }

    /// Lists the profiles of one type. What comes of the other type, where an endpoint ignores the filter, is dropped.
    async fn list(&self, site: &Site, only: &InferenceProfileType) -> Result<Listed, AwsError> {
        let (desk, action) = (self.desk(site), Action::ListInferenceProfiles);
        let mut listed = Listed::default();
        let mut next: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let request = desk.bedrock.list_inference_profiles().max_results(PAGE);
            let request = request.type_equals(only.clone()).set_next_token(next.clone());
            let page = desk.ask(action, None, || request.clone().send()).await?;
            for summary in page.inference_profile_summaries() {
                if summary.r#type() == only {
                    listed.add(site, summary).map_err(|kind| desk.error(action, None, kind))?;
                }
            }
            match page.next_token() {
                Some(token) if next.as_deref() == Some(token) => {
                    let cause = "the listing's next page is the same one again".to_owned();
                    return Err(desk.error(action, None, ErrorKind::Unexpected { cause }));
                }
                Some(token) => next = Some(token.to_owned()),
                None => return Ok(listed),
            }
        }
        let cause = format!("the listing does not end after {MAX_PAGES} pages");
        Err(desk.error(action, None, ErrorKind::Unexpected { cause }))
    }

    /// Returns the tags of a profile.
    pub async fn tags(&self, site: &Site, arn: &ProfileArn) -> Result<BTreeMap<String, String>, AwsError> {
        let (desk, arn) = (self.desk(site), arn.as_str());
        let request = desk.bedrock.list_tags_for_resource().resource_arn(arn);
        let answer = desk.ask(Action::ListTagsForResource, Some(arn), || request.clone().send()).await?;
        Ok(answer.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect())
    }

    /// Returns a profile by its ARN, without its tags.
    ///
    /// AWS takes ids and ARNs alike; some that stand in for it know ids alone.
    pub async fn profile(&self, site: &Site, arn: &ProfileArn) -> Result<FoundProfile, AwsError> {
        let desk = self.desk(site);
        let request = desk.bedrock.get_inference_profile().inference_profile_identifier(arn.id());
        let (action, arn) = (Action::GetInferenceProfile, arn.as_str());
        let answer = desk.ask(action, Some(arn), || request.clone().send()).await?;
        Ok(found(&answer))
    }

    /// Makes a profile, and returns its ARN. Asking twice with one token makes one.
    pub async fn create(&self, site: &Site, new: &NewProfile) -> Result<ProfileArn, AwsError> {
        let (desk, action) = (self.desk(site), Action::CreateInferenceProfile);
        let invalid = |error: BuildError| desk.error(action, None, invalid(&error));
        let tags = sdk_tags(&new.tags).map_err(invalid)?;
        let request = desk
            .bedrock
            .create_inference_profile()
            .inference_profile_name(&new.name)
            .set_description(new.description.clone())
            .client_request_token(&new.token)
            .model_source(InferenceProfileModelSource::CopyFrom(new.copy_from.clone()))
            .set_tags((!tags.is_empty()).then_some(tags));
        let answer = desk.ask(action, Some(&new.copy_from), || request.clone().send()).await?;
        let arn = answer.inference_profile_arn();
        ProfileArn::parse(arn).map_err(|error| {
            let cause = format!("it made '{arn}', which is {error}");
            desk.error(action, None, ErrorKind::Unexpected { cause })
        })
    }

    /// Deletes a profile; one that is gone already counts as deleted.
    pub async fn delete(&self, site: &Site, arn: &ProfileArn) -> Result<(), AwsError> {
        let desk = self.desk(site);
        let request = desk.bedrock.delete_inference_profile().inference_profile_identifier(arn.id());
        let (action, arn) = (Action::DeleteInferenceProfile, arn.as_str());
        match desk.ask(action, Some(arn), || request.clone().send()).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Gives a profile tags; its other tags stay.
    pub async fn tag(
        &self,
        site: &Site,
        arn: &ProfileArn,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), AwsError> {
        let (desk, arn, action) = (self.desk(site), arn.as_str(), Action::TagResource);
        let tags = sdk_tags(tags).map_err(|error| desk.error(action, Some(arn), invalid(&error)))?;
        let request = desk.bedrock.tag_resource().resource_arn(arn).set_tags(Some(tags));
        desk.ask(action, Some(arn), || request.clone().send()).await?;
        Ok(())
    }

    /// Returns who signs at a site: the account, and the ARN by which AWS calls them.
    pub async fn caller(&self, site: &Site) -> Result<(String, String), AwsError> {
        let (desk, action) = (self.desk(site), Action::GetCallerIdentity);
        let answer = desk.ask(action, None, || desk.sts.get_caller_identity().send()).await?;
        if let (Some(account), Some(arn)) = (answer.account(), answer.arn()) {
            return Ok((account.to_owned(), arn.to_owned()));
        }
        let cause = "the answer names no account".to_owned();
        Err(desk.error(action, None, ErrorKind::Unexpected { cause }))
    }

    /// Returns the account that a site belongs to: 12 digits.
    pub async fn account(&self, site: &Site) -> Result<String, AwsError> {
        if let Some(role) = &site.role {
            return Ok(role.account().to_owned());
        }
        let asking = async || Ok(self.caller(&self.home()).await?.0);
        self.0.account.get_or_try_init(asking).await.cloned()
    }
}

impl Listed {
    fn add(&mut self, site: &Site, summary: &InferenceProfileSummary) -> Result<(), ErrorKind> {
        let arn = summary.inference_profile_arn();
        let models = models(summary.models());
        if *summary.r#type() == InferenceProfileType::SystemDefined {
            let id = summary.inference_profile_id().to_owned();
            let system = SystemProfile { id, region: site.region.clone(), models };
            self.systems.insert(arn.to_owned(), system);
            return Ok(());
        }
        let parsed = ProfileArn::parse(arn).map_err(|error| ErrorKind::Unexpected {
            cause: format!("it lists '{arn}', which is {error}"),
        })?;
        let profile = FoundProfile {
            name: summary.inference_profile_name().to_owned(),
            status: summary.status().as_str().to_owned(),
            models,
            tags: None,
            created_at: summary.created_at().and_then(time_of),
        };
        self.profiles.insert(parsed, profile);
        Ok(())
    }
}

fn found(answer: &GetInferenceProfileOutput) -> FoundProfile {
    FoundProfile {
        name: answer.inference_profile_name().to_owned(),
        status: answer.status().as_str().to_owned(),
        models: models(answer.models()),
        tags: None,
        created_at: answer.created_at().and_then(time_of),
    }
}

fn models(models: &[InferenceProfileModel]) -> Vec<String> {
    models.iter().filter_map(InferenceProfileModel::model_arn).map(ToOwned::to_owned).collect()
}

fn time_of(at: &DateTime) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(at.as_nanos()).ok()
}

fn sdk_tags(tags: &BTreeMap<String, String>) -> Result<Vec<Tag>, BuildError> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

fn invalid(error: &BuildError) -> ErrorKind {
    ErrorKind::Invalid { message: error.to_string() }
}
