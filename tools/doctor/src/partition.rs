//! One partition: its segments in order, with the producers and leader epochs that its batches tell of. Pure; what files hold
//! is fed to it.
//!
//! Damage in a `.log` ends what is kept, or is taken out of it, as [`Policy`] says; indexes, snapshots, epochs and
//! checkpoints are then planned for the log as it would be.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use gregor_log::stored::{
    BadSnapshot, FileKind, FileName, FileState, ProducerEntry, ProducerFold, decode_snapshot, leader_epochs,
    partition_metadata,
};
use gregor_model::{LeaderEpoch, Offset, TopicId, TopicPartition};
use gregor_records::{BatchRef, Limits, Magic};

use crate::epochs;
use crate::finding::{Finding, Kind, Repair};
use crate::internal_record;
use crate::loss::{Loss, LostRecords};
use crate::scan::Damaged;
use crate::segment::{SegmentFold, SideFiles};
use crate::step::Step;

/// So many unreadable records are told one by one.
const RECORDS_TOLD: usize = 10;

/// What is done about damage inside a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// The log is cut there: it is a prefix of what was written, and a follower fetches the rest again.
    #[default]
    Cut,
    /// Only the damaged bytes go; their offsets are missing then, and nobody fetches them again.
    Drop,
}

/// What was found in a partition's directory, but for its segments.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Files that belong to segments, and snapshots; with their sizes.
    pub(crate) files: Vec<(FileName, u64)>,
    /// All others, by name.
    pub(crate) others: Vec<String>,
    /// Snapshots of producers.
    pub(crate) snapshots: BTreeMap<Offset, Vec<u8>>,
    /// `leader-epoch-checkpoint`.
    pub(crate) epochs: Option<Vec<u8>>,
    /// `partition.metadata`.
    pub(crate) metadata: Option<Vec<u8>>,
}

impl Listing {
    /// The base offsets of the segments, in order.
    pub(crate) fn bases(&self) -> Vec<Offset> {
        let logs = self
            .files
            .iter()
            .filter(|(name, _)| name.kind == FileKind::Log && name.state == FileState::Plain);
        let bases: BTreeSet<Offset> = logs.map(|(name, _)| name.base).collect();
        bases.into_iter().collect()
    }
}

/// What a partition is after its examination.
#[derive(Debug)]
pub(crate) struct Examined {
    pub(crate) partition: TopicPartition,
    pub(crate) dir: PathBuf,
    /// Where it ends once it is repaired.
    pub(crate) end: Offset,
    pub(crate) topic_id: Option<TopicId>,
    /// It is a copy that is not in use yet.
    pub(crate) is_future: bool,
    pub(crate) findings: Vec<Finding>,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

/// A partition being read.
pub(crate) struct PartitionFold {
    dir: PathBuf,
    partition: TopicPartition,
    listing: Listing,
    policy: Policy,
    clean: bool,
    deep: bool,
    producers: ProducerFold,
    /// Snapshots as they should be where segments begin, and at the end.
    snapshots: BTreeMap<Offset, Vec<u8>>,
    /// What the producers were where stored snapshots stand.
    states: BTreeMap<Offset, Vec<ProducerEntry>>,
    epochs: Vec<(LeaderEpoch, Offset)>,
    next_offset: Offset,
    segment: Option<SegmentFold>,
    findings: Vec<Finding>,
    /// The damage at which the log is cut: its finding, and what goes.
    cut: Option<Cut>,
    /// The rest of the segment being read is in the next one, too.
    overlapping: bool,
    /// The first finding whose repair rewrites the segment being read.
    damaged_at: Option<usize>,
    /// The finding whose lost offsets end where the next batch begins.
    gap_at: Option<usize>,
    records: u64,
    bytes: u64,
    unreadable: usize,
}

struct Cut {
    finding: Finding,
    lost: LostRecords,
    steps: Vec<Step>,
}

impl PartitionFold {
    pub(crate) fn new(
        dir: &Path,
        partition: TopicPartition,
        listing: Listing,
        policy: Policy,
        clean: bool,
        deep: bool,
    ) -> PartitionFold {
        let start = listing.bases().first().copied().unwrap_or(Offset::ZERO);
        // Producers whose batches are gone are known from a snapshot at the start of the log alone.
        let known =
            listing.snapshots.get(&start).and_then(|bytes| decode_snapshot(bytes).ok()).unwrap_or_default();
        PartitionFold {
            dir: dir.to_owned(),
            deep: deep || partition.topic.is_internal(),
            partition,
            listing,
            policy,
            clean,
            producers: ProducerFold::new(start, known),
            snapshots: BTreeMap::new(),
            states: BTreeMap::new(),
            epochs: Vec::new(),
            next_offset: start,
            segment: None,
            findings: Vec::new(),
            cut: None,
            overlapping: false,
            damaged_at: None,
            gap_at: None,
            records: 0,
            bytes: 0,
            unreadable: 0,
        }
    }

    fn path(&self, base: Offset, kind: FileKind) -> PathBuf {
        self.dir.join(kind.name(base, FileState::Plain))
    }

    fn place(&self, base: Offset, kind: FileKind) -> String {
        self.path(base, kind).display().to_string()
    }

    /// The segment at `base` begins; `last` if none follows.
    pub(crate) fn begin_segment(&mut self, base: Offset, files: SideFiles, last: bool) {
        if self.cut.is_some() {
            return;
        }
        if base > self.next_offset {
            let place = self.place(base, FileKind::Log);
            let what = format!(
                "offsets {} to {} are missing before it, which is as it should be in a compacted topic only",
                self.next_offset,
                base.0 - 1
            );
            self.findings.push(Finding::new(place, Kind::MissingOffsets, what));
        }
        self.next_offset = self.next_offset.max(base);
        self.note_state(base);
        self.segment = Some(SegmentFold::new(&self.dir, base, files, last && !self.clean));
    }

    /// Remembers the producers where a snapshot may stand.
    fn note_state(&mut self, at: Offset) {
        self.snapshots.insert(at, self.producers.snapshot());
        if self.listing.snapshots.contains_key(&at) {
            self.states.insert(at, self.producers.producers().into_iter().cloned().collect());
        }
    }

    /// A sound batch, at `position` of the segment at `base`; `limit` is the base of the next segment.
    pub(crate) fn batch(&mut self, base: Offset, position: u64, batch: &BatchRef<'_>, limit: Option<Offset>) {
        let bytes = batch.size_in_bytes as u64;
        self.bytes += bytes;
        if self.is_lost(position, bytes) {
            return self.add_loss(bytes, record_count(batch), Some(batch.next_offset()));
        }
        let (first, last) = (batch.base_offset(), batch.last_offset());
        if last < first || first < self.next_offset {
            let what = format!("a batch of offsets {first} to {last} where {} was next", self.next_offset);
            let damaged = Damaged { kind: Kind::OffsetsOutOfOrder, what, bytes, to_the_end: false };
            return self.lose(base, position, &damaged, record_count(batch), None);
        }
        if let Some(limit) = limit.filter(|limit| last >= *limit) {
            let what =
                format!("a batch of offsets {first} to {last}, and the next segment begins with {limit}");
            let damaged = Damaged { kind: Kind::OverlappingSegments, what, bytes, to_the_end: false };
            return self.lose(base, position, &damaged, record_count(batch), Some(batch.next_offset()));
        }
        if last.0 - base.0 > i64::from(i32::MAX) {
            let place = self.place(base, FileKind::Log);
            let what = format!(
                "offset {last} is too far from the first one: a broker splits the segment when it starts"
            );
            self.findings.push(Finding::new(place, Kind::OffsetOverflow, what));
        }
        if let Some(Loss::Records(lost)) = self.gap_at.take().and_then(|at| self.loses_mut(at)) {
            lost.to = Some(first);
        }
        self.records += record_count(batch);
        if self.deep {
            self.read_records(base, position, batch);
        }
        let aborted = self.producers.apply(batch).unwrap_or_default();
        if batch.magic == Magic::V2
            && let Some(epoch) = batch.partition_leader_epoch
            && self.epochs.last().is_none_or(|(latest, _)| epoch > *latest)
        {
            self.epochs.push((epoch, first));
        }
        self.next_offset = batch.next_offset();
        if let Some(segment) = &mut self.segment {
            segment.keep(position, batch, aborted);
        }
    }

    /// Bytes that are no batch.
    pub(crate) fn damaged(&mut self, base: Offset, position: u64, damaged: &Damaged) {
        self.bytes += damaged.bytes;
        if self.is_lost(position, damaged.bytes) {
            return self.add_loss(damaged.bytes, 0, None);
        }
        self.lose(base, position, damaged, 0, None);
    }

    /// Whether these bytes go because of something before them: then they are taken out of their segment.
    fn is_lost(&mut self, position: u64, bytes: u64) -> bool {
        let lost = self.cut.is_some() || self.overlapping;
        if let Some(segment) = self.segment.as_mut().filter(|_| lost) {
            segment.remove(position..position + bytes);
        }
        lost
    }

    /// What the repair of a finding loses.
    fn loses_mut(&mut self, at: usize) -> Option<&mut Loss> {
        Some(&mut self.findings.get_mut(at)?.repair.as_mut()?.loses)
    }

    /// Adds to what goes.
    fn add_loss(&mut self, bytes: u64, readable: u64, to: Option<Offset>) {
        let lost = match &mut self.cut {
            Some(cut) => Some(&mut cut.lost),
            None => match self.findings.len().checked_sub(1).and_then(|at| self.loses_mut(at)) {
                Some(Loss::Records(lost)) => Some(lost),
                _ => None,
            },
        };
        if let Some(lost) = lost {
            lost.bytes += bytes;
            lost.readable_records += readable;
            lost.damaged_bytes += if readable == 0 { bytes } else { 0 };
            lost.to = lost.to.max(to);
        }
    }

    /// Something has to go: `readable` records of it could still be read, up to offset `to`.
    fn lose(&mut self, base: Offset, position: u64, damaged: &Damaged, readable: u64, to: Option<Offset>) {
        let place = self.place(base, FileKind::Log);
        let what = format!("byte {position}, at offset {}: {}", self.next_offset, damaged.what);
        let finding = Finding::new(place, damaged.kind, what);
        let lost = LostRecords {
            from: self.next_offset,
            to,
            readable_records: readable,
            damaged_bytes: if readable == 0 { damaged.bytes } else { 0 },
            bytes: damaged.bytes,
        };
        if let Some(segment) = &mut self.segment {
            segment.remove(position..position + damaged.bytes);
        }
        // What the next segment has, too, is taken out whatever is asked for.
        self.overlapping = damaged.kind == Kind::OverlappingSegments;
        if !self.overlapping && self.policy == Policy::Cut {
            self.cut = Some(Cut { finding, lost, steps: Vec::new() });
            return;
        }
        let does = if self.overlapping {
            "takes the rest of this segment away: reading goes on in the next one"
        } else {
            "takes these bytes out and keeps what follows"
        };
        let repair = Repair { does: does.to_owned(), loses: loss_of(damaged.kind, lost), steps: Vec::new() };
        self.damaged_at.get_or_insert(self.findings.len());
        self.gap_at = (!self.overlapping).then_some(self.findings.len());
        self.findings.push(finding.repaired_by(repair));
    }

    fn read_records(&mut self, base: Offset, position: u64, batch: &BatchRef<'_>) {
        let mut problems = Vec::new();
        let outcome = batch.records(Limits::for_batch(batch)).and_then(|mut records| {
            while let Some(record) = records.next_record()? {
                if !batch.is_control()
                    && let Some(what) = internal_record::problem(&self.partition.topic, &record)
                {
                    problems
                        .push((Kind::UnreadableInternalRecord, format!("offset {}: {what}", record.offset)));
                }
            }
            Ok(())
        });
        if let Err(error) = outcome {
            let what = format!("byte {position}, at offset {}: {error}", batch.base_offset());
            problems.push((Kind::UnreadableRecords, what));
        }
        let place = self.place(base, FileKind::Log);
        for (kind, what) in problems {
            self.unreadable += 1;
            if self.unreadable <= RECORDS_TOLD {
                self.findings.push(Finding::new(place.clone(), kind, what));
            }
        }
    }

    /// The segment at `base` ends, at `size` bytes.
    pub(crate) fn end_segment(&mut self, base: Offset, size: u64) {
        self.overlapping = false;
        let damaged_at = self.damaged_at.take();
        let Some(segment) = self.segment.take() else {
            // Everything behind the cut goes.
            let files = self.listing.files.iter().filter(|(name, _)| {
                name.base == base && name.state == FileState::Plain && name.kind != FileKind::Snapshot
            });
            let unlink = |(name, _): &(FileName, u64)| Step::Unlink { path: self.path(name.base, name.kind) };
            let steps: Vec<Step> = files.map(unlink).collect();
            if let Some(cut) = &mut self.cut {
                cut.steps.extend(steps);
            }
            return;
        };
        let (findings, steps) = segment.finish(size);
        if let Some(cut) = &mut self.cut {
            cut.steps.extend(steps);
        } else if let Some(repair) =
            damaged_at.and_then(|at| self.findings.get_mut(at)).and_then(|finding| finding.repair.as_mut())
        {
            // One rewriting of the segment serves everything that is wrong in it.
            repair.steps = steps;
        }
        self.findings.extend(findings);
    }

    /// Everything has been read.
    pub(crate) fn finish(mut self) -> Examined {
        let end = self.next_offset;
        self.note_state(end);
        let mut more = Vec::new();
        self.check_snapshots(end, &mut more);
        self.check_epochs(end, &mut more);
        self.check_listing(&mut more);
        if let Some(Cut { finding, lost, mut steps }) = self.cut.take() {
            // What follows from the cut is part of it.
            for follow_up in &mut more {
                if matches!(follow_up.kind, Kind::StaleSnapshot | Kind::BrokenEpochs)
                    && let Some(repair) = &mut follow_up.repair
                {
                    steps.append(&mut repair.steps);
                }
            }
            more.retain(|finding| finding.repair.as_ref().is_none_or(|repair| !repair.steps.is_empty()));
            let at = lost.from;
            let repair = Repair {
                does: format!("cuts the log at offset {at}: this segment behind it, and every later one"),
                loses: loss_of(finding.kind, lost),
                steps,
            };
            self.findings.push(finding.repaired_by(repair));
        }
        if self.unreadable > RECORDS_TOLD {
            let what = format!("{} more records cannot be read", self.unreadable - RECORDS_TOLD);
            self.findings.push(Finding::new(self.dir.display().to_string(), Kind::UnreadableRecords, what));
        }
        self.findings.append(&mut more);
        Examined {
            topic_id: self
                .listing
                .metadata
                .as_deref()
                .and_then(|bytes| partition_metadata::parse(bytes).ok()),
            partition: self.partition,
            dir: self.dir,
            end,
            is_future: false,
            findings: self.findings,
            records: self.records,
            bytes: self.bytes,
        }
    }

    fn check_snapshots(&self, end: Offset, findings: &mut Vec<Finding>) {
        let mut sound = 0;
        for (at, bytes) in &self.listing.snapshots {
            let path = self.path(*at, FileKind::Snapshot);
            let place = path.display().to_string();
            if *at > end {
                let what = format!("it is about offset {at}, and the log ends at {end}");
                let repair = Repair::lossless("removes it", vec![Step::Unlink { path }]);
                findings.push(Finding::new(place, Kind::StaleSnapshot, what).repaired_by(repair));
                continue;
            }
            let problem = match decode_snapshot(bytes) {
                Err(error) => Some(bad_snapshot(&error)),
                Ok(entries) => self.states.get(at).and_then(|known| disagreement(&entries, known)),
            };
            let Some(what) = problem else {
                sound += 1;
                continue;
            };
            let repair = match self.snapshots.get(at) {
                Some(bytes) => {
                    let step = Step::Write { path, bytes: bytes.clone() };
                    Repair::lossless("writes it anew from the batches of the log", vec![step])
                }
                None => Repair::lossless("removes it: an older one is used", vec![Step::Unlink { path }]),
            };
            findings.push(Finding::new(place, Kind::BrokenSnapshot, what).repaired_by(repair));
        }
        let producers = self.producers.producers().len();
        if self.clean && sound == 0 && producers > 0 && self.listing.snapshots.is_empty() {
            let path = self.path(end, FileKind::Snapshot);
            let what = format!(
                "there is none, and the log has {producers} producers, which a broker of Apache Kafka would forget"
            );
            let place = path.display().to_string();
            let step = Step::Write { path, bytes: self.producers.snapshot() };
            let repair = Repair::lossless("writes one from the batches of the log", vec![step]);
            findings.push(Finding::new(place, Kind::BrokenSnapshot, what).repaired_by(repair));
        }
    }

    fn check_epochs(&self, end: Offset, findings: &mut Vec<Finding>) {
        let bytes = self.listing.epochs.as_deref().unwrap_or_default();
        if let Some(what) = epochs::check(bytes, &self.epochs, end) {
            let path = self.dir.join(leader_epochs::NAME);
            let place = path.display().to_string();
            let step = Step::Write { path, bytes: epochs::rebuilt(&self.epochs) };
            let repair = Repair::lossless("writes it anew from the batches of the log", vec![step]);
            findings.push(Finding::new(place, Kind::BrokenEpochs, what).repaired_by(repair));
        }
    }

    fn check_listing(&self, findings: &mut Vec<Finding>) {
        let bases = self.listing.bases();
        let shown = |name: &str| self.dir.join(name).display().to_string();
        if bases.is_empty() {
            let what = "there is no segment: a broker begins an empty log at offset 0";
            findings.push(Finding::new(self.dir.display().to_string(), Kind::NoSegments, what));
        }
        for (name, _) in &self.listing.files {
            let text = name.kind.name(name.base, name.state);
            let path = self.dir.join(&text);
            match name.state {
                FileState::Plain if name.kind == FileKind::Snapshot || bases.contains(&name.base) => {}
                FileState::Plain => {
                    let repair = Repair::lossless("removes it", vec![Step::Unlink { path }]);
                    let what = "there is no .log that it belongs to";
                    findings.push(Finding::new(shown(&text), Kind::OrphanIndex, what).repaired_by(repair));
                }
                FileState::Deleted | FileState::Cleaned => {
                    let what = "left over: a broker removes it when it starts";
                    findings.push(Finding::new(shown(&text), Kind::Leftover, what));
                }
                FileState::Swap => {
                    let what = "left over: a broker finishes the replacement when it starts, or drops it";
                    findings.push(Finding::new(shown(&text), Kind::Leftover, what));
                }
            }
        }
        for name in &self.listing.others {
            let (kind, what) = if name.ends_with(".tmp") {
                (Kind::Leftover, "left over: the next writing replaces it")
            } else {
                (Kind::UnknownFile, "no file of a broker")
            };
            findings.push(Finding::new(shown(name), kind, what));
        }
        self.check_metadata(findings);
    }

    fn check_metadata(&self, findings: &mut Vec<Finding>) {
        let path = self.dir.join(partition_metadata::NAME);
        let place = path.display().to_string();
        match self.listing.metadata.as_deref().map(partition_metadata::parse) {
            Some(Ok(_)) => {}
            None => {
                let what = "it is missing: a broker writes it when it learns the topic's id";
                findings.push(Finding::new(place, Kind::MissingPartitionMetadata, what));
            }
            Some(Err(error)) => {
                let repair = Repair {
                    does: "removes it: a broker writes it anew when it learns the topic's id".to_owned(),
                    loses: Loss::Other(
                        "the topic's id, by which a log of an older topic of this name is told".to_owned(),
                    ),
                    steps: vec![Step::Unlink { path }],
                };
                findings.push(
                    Finding::new(place, Kind::BrokenPartitionMetadata, error.to_string()).repaired_by(repair),
                );
            }
        }
    }
}

fn bad_snapshot(error: &BadSnapshot) -> String {
    error.to_string()
}

/// What a snapshot says that the log contradicts. Producers may be missing on either side: they expire, and cleaning takes
/// batches away.
fn disagreement(stored: &[ProducerEntry], known: &[ProducerEntry]) -> Option<String> {
    stored.iter().find_map(|entry| {
        let known = known.iter().find(|known| known.producer_id == entry.producer_id)?;
        let (last, known_last) = (entry.last_batch()?, known.last_batch()?);
        let same = last.last_offset == known_last.last_offset;
        let wrong = last.last_offset < known_last.last_offset
            || (same && (entry.epoch, last.last_sequence) != (known.epoch, known_last.last_sequence));
        wrong.then(|| {
            format!(
                "it says that producer {} wrote last at offset {} with sequence {}, and the log has offset {} with \
                 sequence {}",
                entry.producer_id, last.last_offset, last.last_sequence, known_last.last_offset, known_last.last_sequence
            )
        })
    })
}

fn loss_of(kind: Kind, lost: LostRecords) -> Loss {
    match kind {
        Kind::UnwrittenTail => Loss::Nothing,
        _ => Loss::Records(lost),
    }
}

/// How many records a batch holds; of a compressed message set of old formats, one.
fn record_count(batch: &BatchRef<'_>) -> u64 {
    batch.record_count.and_then(|count| u64::try_from(count).ok()).unwrap_or(1)
}
