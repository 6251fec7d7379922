//! A gateway in front of an upstream that does what a test says, and calls that are cut or held at every place.

use crate::books::sum;
use crate::gateway::{TestGateway, until};
use crate::samples::Sample;
use crate::socket::Ask;
use crate::upstream::{Framing, Step, Upstream};
use serde_json::Value;

/// A gateway and its upstream.
pub(crate) struct Held {
    pub(crate) upstream: Upstream,
    pub(crate) gateway: TestGateway,
}

/// A call whose answer something happens to at a place.
#[derive(Debug)]
pub(crate) struct Case<'a> {
    pub(crate) name: String,
    pub(crate) sample: &'a Sample,
    pub(crate) place: usize,
}

impl Held {
    /// Starts both.
    pub(crate) async fn start(overrides: &[(&str, &str)]) -> Self {
        let upstream = Upstream::start();
        let endpoint = upstream.endpoint();
        let own = [("UPSTREAM__ENDPOINT", endpoint.as_str())];
        let overrides: Vec<_> = own.into_iter().chain(overrides.iter().copied()).collect();
        Self { gateway: TestGateway::start_with(&overrides).await, upstream }
    }

    /// Says that every sample's answer stops for a step at every place, and returns a case for each.
    pub(crate) fn everywhere<'a>(
        &self,
        samples: &'a [Sample],
        framing: Framing,
        step: &Step,
    ) -> Vec<Case<'a>> {
        let mut cases = Vec::new();
        for (number, sample) in samples.iter().enumerate() {
            let mut places = sample.places();
            if framing == Framing::Length {
                // With its last byte the answer is over: nothing can happen to it any more.
                places.remove(&sample.body.len());
            }
            for place in places {
                let case = Case { name: format!("{number}-{place}"), sample, place };
                self.upstream.script(&case.name, sample.script(framing, place, step.clone()));
                cases.push(case);
            }
        }
        cases
    }

    /// Says that every sample's answer is held before its head, and returns a case for each.
    pub(crate) fn before_the_head<'a>(&self, samples: &'a [Sample]) -> Vec<Case<'a>> {
        let named = samples.iter().enumerate();
        let cases = named.map(|(number, sample)| Case { name: number.to_string(), sample, place: 0 });
        let cases: Vec<Case<'a>> = cases.collect();
        for Case { name, sample, .. } in &cases {
            let mut script = sample.script(Framing::Chunks, 0, Step::Hold);
            script.swap(0, 2);
            self.upstream.script(name, script);
        }
        cases
    }

    /// Waits until the gateway has noticed that so many clients left.
    pub(crate) async fn noticed(&self, count: usize, action: &str) {
        let (count, action) = (u64::try_from(count).unwrap(), format!(r#"action="{action}""#));
        let metrics = &self.gateway.server.gateway().metrics;
        let all = || sum(metrics, "tollgate_client_gone_total", &[&action]) >= count;
        until(|| all().then_some(())).await;
    }

    /// Stops both, and returns the records.
    pub(crate) async fn stop(self) -> Vec<Value> {
        let records = self.gateway.stop().await;
        self.upstream.stop().await;
        records
    }
}

impl Case<'_> {
    /// Returns the request.
    pub(crate) fn ask(&self) -> Ask {
        Ask::new(&self.sample.path, &self.name)
    }
}
