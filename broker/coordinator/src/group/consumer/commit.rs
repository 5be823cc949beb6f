//! Who may commit and fetch offsets of a consumer group.

use super::super::GroupError;
use super::super::request::Commit;
use super::state::ConsumerGroup;
use crate::MemberId;

impl ConsumerGroup {
    /// `validateOffsetCommit`: members name their epoch; who names none may commit while there are no members.
    ///
    /// # Errors
    /// The claim does not hold.
    pub(in crate::group) fn check_commit(&self, commit: &Commit) -> Result<(), GroupError> {
        let claim = &commit.claim;
        if claim.generation < 0 && self.size() == 0 {
            return Ok(());
        }
        let about = self.member(&claim.member).ok_or(GroupError::UnknownMemberId)?;
        let transactional = commit.producer.is_some();
        if !transactional && about.classic.is_none() && !commit.member_epoch_known {
            return Err(GroupError::UnsupportedVersion);
        }
        match self.check_epoch(&claim.member, claim.generation) {
            // TxnOffsetCommit knows no epochs.
            Err(GroupError::StaleMemberEpoch) if transactional => Err(GroupError::IllegalGeneration),
            result => result,
        }
    }

    /// `validateOffsetFetch`: a member that names its epoch must name the present one.
    ///
    /// # Errors
    /// The claim does not hold.
    pub(in crate::group) fn check_fetch(
        &self,
        member: Option<&MemberId>,
        epoch: i32,
    ) -> Result<(), GroupError> {
        match member {
            None if epoch < 0 => Ok(()),
            Some(id) if self.member(id).is_some() => self.check_epoch(id, epoch),
            None | Some(_) => Err(GroupError::UnknownMemberId),
        }
    }

    fn check_epoch(&self, id: &MemberId, epoch: i32) -> Result<(), GroupError> {
        let classic = self.member(id).is_some_and(|about| about.classic.is_some());
        match self.current(id).epoch == epoch {
            true => Ok(()),
            false if classic => Err(GroupError::IllegalGeneration),
            false => Err(GroupError::StaleMemberEpoch),
        }
    }
}
