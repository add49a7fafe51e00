//! Being a zygote: forking children of one's own parent, which then go on as any child. The other half is `launch/zygote`; how
//! a copy becomes what an executed process is, is for `sys`.

use std::process::exit;

use super::boot::{EXIT_ABANDONED, receive};
use super::invoke::{self, EXIT_REFUSED};
use super::reply;
use crate::error::{Error, ErrorKind};
use crate::link::Frame;
use crate::sys::{Adopted, Forker};
use crate::wire::{CallHead, Kind, Packed};

/// Waits for requests as long as the parent lives. Returns in each process that is forked for one, with its connection.
///
/// In between, nothing may be computed that processes should not have in common, as random numbers are.
pub(super) fn serve(order: &Frame, adopted: Adopted) -> Adopted {
    let head = CallHead::decode(&order.items).map(|(head, _)| head);
    let damaged = || Error::new(ErrorKind::Protocol, "its orders cannot be read");
    if let Err(error) = head.ok_or_else(damaged).and_then(|head| {
        invoke::check_build(&head)?;
        invoke::enter_surroundings(&head)
    }) {
        refuse(&error, &adopted);
    }
    let forker = Forker::new(&adopted).unwrap_or_else(|reason| refuse(&Error::new(ErrorKind::Spawn, reason), &adopted));
    // Once here, and not in each copy: finding functions of shared libraries, above all.
    invoke::rehearse();
    reply::send(Kind::Value, &[], Packed::default(), &adopted);
    let Some(newborn) = forker.next(adopted) else { exit(0) };
    if newborn.is_orphan() {
        exit(EXIT_ABANDONED);
    }
    // A parent that has no use for it any more closes the connection.
    let Some(surroundings) = receive(newborn.adopted(), &[Kind::Surroundings]) else { exit(EXIT_ABANDONED) };
    let (adopted, settled) = newborn.settle(surroundings.items);
    if let Err(error) = settled {
        let message = format!(
            "the process that the zygote has forked cannot be given what its parent has (directory, streams, priority, \
             processors, process group): {error}; use `StartMethod::Exec` here"
        );
        reply::answer(
            Kind::Failure,
            reply::pack_error(&Error::new(ErrorKind::Spawn, message).with_source(error)),
            &adopted,
        );
        exit(EXIT_REFUSED);
    }
    adopted
}

fn refuse(error: &Error, adopted: &Adopted) -> ! {
    reply::send(Kind::Failure, &[], reply::pack_error(error), adopted);
    exit(EXIT_REFUSED);
}
