//! In place of `events`, without feature `tracing`: nothing is told.

use std::sync::Arc;

use crate::sys::Adopted;

pub(super) fn now_runs(_: Option<u64>) {}

pub(super) fn send_up_to(_: u8, _: &Arc<Adopted>) {}
