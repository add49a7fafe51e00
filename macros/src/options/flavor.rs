//! `flavor` and `worker_threads`: the runtime of an `async` entry, in the words of `#[tokio::main]`.

use syn::parse::ParseStream;
use syn::{Ident, LitInt, LitStr};

use super::at;
use crate::messages;
use crate::report::Report;

/// Which runtime an `async` entry runs on.
#[derive(Default)]
pub(crate) struct Flavor {
    kind: Option<(Ident, LitStr)>,
    workers: Option<(Ident, LitInt)>,
}

impl Flavor {
    /// Says whether it was given before.
    pub(super) fn parse_kind(
        &mut self,
        option: &Ident,
        input: ParseStream<'_>,
        report: &mut Report,
    ) -> syn::Result<bool> {
        let kind: LitStr = input.parse().map_err(|error| at(&error, messages::FLAVOR_UNKNOWN))?;
        if !["current_thread", "multi_thread"].contains(&kind.value().as_str()) {
            report.at(&kind, messages::FLAVOR_UNKNOWN);
        }
        Ok(self.kind.replace((option.clone(), kind)).is_some())
    }

    /// Says whether they were given before.
    pub(super) fn parse_workers(
        &mut self,
        option: &Ident,
        input: ParseStream<'_>,
        report: &mut Report,
    ) -> syn::Result<bool> {
        let workers: LitInt = input.parse().map_err(|error| at(&error, messages::WORKERS_ARE_NO_NUMBER))?;
        if !workers.base10_parse::<u16>().is_ok_and(|workers| workers > 0) {
            report.at(&workers, messages::WORKERS_ARE_NO_NUMBER);
        }
        Ok(self.workers.replace((option.clone(), workers)).is_some())
    }

    /// Whether it is the one with several threads.
    pub(crate) fn is_multi_thread(&self) -> bool {
        self.kind.as_ref().is_some_and(|(_, kind)| kind.value() == "multi_thread")
    }

    /// How many threads it has, if that is said.
    pub(crate) fn workers(&self) -> Option<&LitInt> {
        self.workers.as_ref().map(|(_, workers)| workers)
    }

    /// What fits neither the function nor the other option.
    pub(crate) fn check(&self, is_async: bool, report: &mut Report) {
        for option in self.kind.iter().map(|(option, _)| option).chain(self.workers.iter().map(|(option, _)| option)) {
            if !is_async {
                report.at(option, messages::flavor_of_plain_function(option));
            }
        }
        // A flavor that there is not has been reported.
        let is_single = self.kind.as_ref().is_none_or(|(_, kind)| kind.value() == "current_thread");
        if let (true, true, Some((option, _))) = (is_async, is_single, &self.workers) {
            report.at(option, messages::WORKERS_OF_ONE_THREAD);
        }
    }
}
