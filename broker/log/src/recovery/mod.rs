//! From the files of a partition's directory to its log (`LogLoader`): look, decide (`plan`, pure), act (`run`).

mod hole;
mod plan;
mod producers;
mod run;
mod segment;

pub(crate) use producers::{ProducerRebuild, rebuild_producer_state, replay};
pub(crate) use run::{Checkpoint, load_log};
