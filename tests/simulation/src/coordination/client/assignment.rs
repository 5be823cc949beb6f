//! How a group's leader shares the input partitions out, and how that is written.

use bytes::Bytes;
use gregor_coordinator::MemberId;
use gregor_coordinator::group::request::JoinedMember;

/// Every input partition goes to one member, in turn; each assignment is a byte per partition.
pub fn share(members: &[JoinedMember], inputs: u8) -> Vec<(MemberId, Bytes)> {
    let mut ids: Vec<&MemberId> = members.iter().map(|member| &member.member).collect();
    ids.sort();
    let count = ids.len().max(1);
    let owned =
        |index: usize| (0..inputs).filter(|input| usize::from(*input) % count == index).collect::<Vec<u8>>();
    ids.into_iter().enumerate().map(|(index, id)| (id.clone(), Bytes::from(owned(index)))).collect()
}
