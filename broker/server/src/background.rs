//! The log manager's housekeeping, at the intervals the configuration says (`LogManager.startup`'s scheduled tasks).
//!
//! One task per duty, all owned by the given tracker and stopped by its token. The work is disk work, so it runs on
//! blocking threads; a duty never runs twice at a time.

use std::sync::Arc;
use std::time::Duration;

use gregor_log::LogManager;
use gregor_model::Timestamp;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// When each duty is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSchedule {
    /// `log.initial.task.delay.ms`: nothing is done before.
    pub initial_delay: Duration,
    /// `log.retention.check.interval.ms`.
    pub retention_check_interval: Duration,
    /// `log.flush.scheduler.interval.ms`; `None` when it is unlimited.
    pub flush_interval: Option<Duration>,
    /// `log.flush.offset.checkpoint.interval.ms`.
    pub recovery_point_checkpoint_interval: Duration,
    /// `log.flush.start.offset.checkpoint.interval.ms`.
    pub log_start_offset_checkpoint_interval: Duration,
    /// `producer.id.expiration.check.interval.ms`.
    pub producer_expiration_interval: Duration,
}

/// How often it is looked for what rolls and deletions have left to do.
const DUE_WORK_INTERVAL: Duration = Duration::from_secs(1);

/// Starts all duties.
pub fn start(tasks: &TaskTracker, stop: &CancellationToken, logs: &Arc<LogManager>, schedule: LogSchedule) {
    let duty = |after: Duration, period: Duration, work: fn(&LogManager)| {
        tasks.spawn(repeat(stop.clone(), after, period, Arc::clone(logs), work));
    };
    duty(schedule.initial_delay, schedule.retention_check_interval, |logs| {
        logs.run_retention(Timestamp::now())
    });
    if let Some(interval) = schedule.flush_interval {
        duty(schedule.initial_delay, interval, |logs| logs.flush_dirty(Timestamp::now()));
    }
    duty(
        schedule.initial_delay,
        schedule.recovery_point_checkpoint_interval,
        LogManager::checkpoint_recovery_points,
    );
    duty(
        schedule.initial_delay,
        schedule.log_start_offset_checkpoint_interval,
        LogManager::checkpoint_log_start_offsets,
    );
    duty(DUE_WORK_INTERVAL, DUE_WORK_INTERVAL, |logs| logs.run_due_work(Timestamp::now()));
    duty(schedule.producer_expiration_interval, schedule.producer_expiration_interval, |logs| {
        logs.expire_producers(Timestamp::now());
    });
}

async fn repeat(
    stop: CancellationToken,
    after: Duration,
    period: Duration,
    logs: Arc<LogManager>,
    work: fn(&LogManager),
) {
    let mut wait = after;
    while stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_some() {
        wait = period;
        let logs = Arc::clone(&logs);
        if let Err(panic) = tokio::task::spawn_blocking(move || work(&logs)).await {
            tracing::error!(%panic, "a housekeeping duty of the logs failed");
        }
    }
}
