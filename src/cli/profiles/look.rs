//! Asking AWS what there is.

use crate::aws::{Access, Aws, Effort, Look, Site};
use crate::cli::progress::Progress;
use crate::cli::{Failure, serve};
use crate::clock::Clock;
use crate::config::{Config, Egress};
use crate::discovery::Place;
use crate::domain::Region;
use std::collections::BTreeSet;
use std::io::{self, Write};
use tokio::runtime::{Builder, Runtime};

/// AWS, and the one thread that waits for it.
pub(in crate::cli) struct Asking {
    pub(in crate::cli) runtime: Runtime,
    pub(in crate::cli) aws: Aws,
}

impl Asking {
    /// Makes ready to ask AWS as the config says; asks nothing yet.
    pub(in crate::cli) fn new(config: &Config, egress: &Egress) -> Result<Self, Failure> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let aws = runtime.block_on(async {
            let chain = serve::default_chain(&config.upstream, egress).await?;
            let access = Access::new(chain, egress, Clock::system())?;
            Ok::<_, Failure>(Aws::new(&access, &config.upstream))
        })?;
        Ok(Self { runtime, aws })
    }

    /// Reads all profiles of sites with their tags.
    pub(super) fn look(&self, sites: &[Site]) -> Look {
        let progress = Progress::begin("reading the profiles' tags");
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let tell = |read: crate::aws::TagsRead| progress.at(count(read.done), count(read.of));
        self.runtime.block_on(self.aws.read(sites, &Effort::default(), &tell))
    }

    /// Reads all profiles of the gateway's own account in regions, whose listings must all succeed, and returns with
    /// them the places that this covers, in the regions' order.
    pub(super) fn look_whole(&self, regions: &[Region]) -> Result<(Look, Vec<Place>), Failure> {
        let sites: BTreeSet<Site> = regions.iter().cloned().map(Site::own).collect();
        let look = self.look(&Vec::from_iter(sites));
        // What is not known for a passing reason may be known at the next try; what is forbidden stays unknown.
        let seen: BTreeSet<&Region> = look.complete.iter().map(|place| &place.region).collect();
        let is_fatal =
            |error: &&crate::aws::AwsError| error.is_transient() || !seen.contains(&error.site.region);
        if let Some(error) = look.failures.iter().find(is_fatal) {
            return Err(error.clone().into());
        }
        let place = |region: &Region| look.complete.iter().find(|place| place.region == *region).cloned();
        let places = regions.iter().filter_map(place).collect();
        Ok((look, places))
    }
}

/// Says on the standard error what could not be read.
pub(super) fn warn_of_failures(look: &Look) {
    for error in &look.failures {
        // Nothing can be told to someone whose terminal is gone.
        drop(writeln!(io::stderr(), "warning: {error}\nhint: {}", error.hint()));
    }
}
