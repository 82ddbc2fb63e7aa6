//! The rules, a file for each family.

mod addresses;
mod datagrams;
mod descriptors;
mod ends;
mod found;
mod ignored;
mod options;
mod processes;
mod receives;
mod sends;
mod waiting;
mod waits;

use super::finding::Finding;
use super::model::Model;
use found::Found;

/// What all rules find.
pub(crate) fn all(model: &Model<'_>) -> Vec<Finding> {
    let rules: &[fn(&Model<'_>, &mut Found)] = &[
        descriptors::error_as_descriptor,
        descriptors::not_a_socket,
        ignored::error_ignored,
        addresses::bad_address_length,
        addresses::port_byte_order,
        addresses::address_in_use,
        addresses::wrong_address,
        options::ored_options,
        datagrams::datagram_cut,
        datagrams::unanswered_datagram,
        receives::short_recv,
        sends::merged_sends,
        sends::short_send,
        sends::length_in_characters,
        ends::end_ignored,
        ends::reset_by_unread,
        ends::dead_peer,
        ends::again_as_end,
        waits::busy_loop,
        processes::descriptor_leak,
        waits::blocked_behind,
        waits::mutual_wait,
        processes::zombies,
    ];
    let mut found = Found::new(model);
    for rule in rules {
        rule(model, &mut found);
    }
    found.findings
}
