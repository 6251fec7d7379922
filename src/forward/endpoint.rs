//! Which host serves the Bedrock runtime of a region, by the AWS SDK's own rules.

use super::Endpoint;
use crate::config::Upstream;
use crate::domain::Region;
use aws_sdk_bedrockruntime::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use http::{HeaderValue, Uri};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The endpoints of the regions that calls go to.
#[derive(Debug)]
pub struct Endpoints {
    /// The configured endpoint, which serves every region.
    fixed: Option<Arc<Endpoint>>,
    by_region: HashMap<Region, Arc<Endpoint>>,
}

/// A region whose Bedrock runtime has no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no Bedrock runtime endpoint for region '{region}': {cause}")]
pub struct EndpointError {
    region: Region,
    cause: String,
}

impl Endpoints {
    /// Finds the endpoint of each region.
    pub async fn resolve(upstream: &Upstream, regions: BTreeSet<Region>) -> Result<Self, EndpointError> {
        if let Some(uri) = &upstream.endpoint {
            let error = |cause| EndpointError { region: upstream.region.clone(), cause };
            let fixed = Some(Arc::new(parse(uri).map_err(error)?));
            return Ok(Self { fixed, by_region: HashMap::new() });
        }
        let mut by_region = HashMap::new();
        for region in regions {
            let error = |cause| EndpointError { region: region.clone(), cause };
            let uri = default_uri(upstream, &region).await.map_err(error)?;
            let endpoint = parse(&uri).map_err(error)?;
            by_region.insert(region, Arc::new(endpoint));
        }
        Ok(Self { fixed: None, by_region })
    }

    /// Returns the endpoint that serves a region.
    pub fn of(&self, region: &Region) -> Result<Arc<Endpoint>, EndpointError> {
        let endpoint = self.fixed.as_ref().or_else(|| self.by_region.get(region));
        endpoint.cloned().ok_or_else(|| EndpointError {
            region: region.clone(),
            cause: "no profile of the catalog is in it".to_owned(),
        })
    }
}

async fn default_uri(upstream: &Upstream, region: &Region) -> Result<Uri, String> {
    let params = Params::builder()
        .region(region.as_str().to_owned())
        .use_fips(upstream.use_fips)
        .use_dual_stack(upstream.use_dual_stack)
        .build()
        .map_err(|error| error.to_string())?;
    let endpoint =
        DefaultResolver::new().resolve_endpoint(&params).await.map_err(|error| error.to_string())?;
    endpoint.url().parse().map_err(|error: http::uri::InvalidUri| error.to_string())
}

fn parse(uri: &Uri) -> Result<Endpoint, String> {
    let missing = || format!("'{uri}' is no http or https URL");
    let scheme = uri.scheme().cloned().ok_or_else(missing)?;
    let authority = uri.authority().cloned().ok_or_else(missing)?;
    let default_port = if scheme.as_str() == "https" { 443 } else { 80 };
    let host = match authority.port_u16() {
        Some(port) if port != default_port => format!("{}:{port}", authority.host()),
        Some(_) | None => authority.host().to_owned(),
    };
    let host = HeaderValue::from_str(&host).map_err(|error| error.to_string())?;
    let origin = format!("{scheme}://{authority}").to_lowercase();
    let uri = origin.parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
    Ok(Endpoint { uri, origin: origin.into(), host })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn host(region: &str, change: impl FnOnce(&mut Upstream)) -> String {
        let mut upstream = crate::config::Config::default().upstream;
        change(&mut upstream);
        let region = Region::parse(region).unwrap();
        let endpoints = Endpoints::resolve(&upstream, BTreeSet::from([region.clone()])).await.unwrap();
        let endpoint = endpoints.of(&region).unwrap();
        endpoint.host.to_str().unwrap().to_owned()
    }

    #[tokio::test]
    async fn regions_have_the_hosts_of_the_sdk() {
        let none = |_: &mut Upstream| {};
        assert_eq!(host("us-west-2", none).await, "bedrock-runtime.us-west-2.amazonaws.com");
        assert_eq!(host("cn-north-1", none).await, "bedrock-runtime.cn-north-1.amazonaws.com.cn");
        let fips = host("us-east-1", |upstream| upstream.use_fips = true).await;
        assert_eq!(fips, "bedrock-runtime-fips.us-east-1.amazonaws.com");
        let dual = host("us-east-1", |upstream| upstream.use_dual_stack = true).await;
        assert_eq!(dual, "bedrock-runtime.us-east-1.api.aws");
    }

    #[tokio::test]
    async fn a_configured_endpoint_serves_every_region() {
        let fixed = |upstream: &mut Upstream| upstream.endpoint = Some("http://a.b:81".parse().unwrap());
        assert_eq!(host("eu-west-1", fixed).await, "a.b:81");
    }
}
