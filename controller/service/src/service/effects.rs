//! Doing what the machine says.

use std::sync::atomic::Ordering;
use std::time::Duration;

use gregor_controller_machine::{Effect, Notice};
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::{Office, Worker, in_task};
use crate::channel::Channel;
use crate::state_change_log;

impl Worker {
    pub(super) async fn perform(&mut self, effects: Vec<Effect>) {
        // The office may end within the list, and what follows then refers to the one that ended.
        let mut ended: Option<Office> = None;
        for effect in effects {
            match effect {
                Effect::Store { id, operation } => match &self.office {
                    Some(office) => {
                        state_change_log::writing(office.term.epoch, &operation);
                        let work = office.term.clone().perform(operation);
                        self.operation = Some((id, in_task(&self.tasks, work)));
                    }
                    None => error!(?operation, "an operation without office"),
                },
                Effect::AddBroker(broker) => {
                    if let Some(office) = &mut self.office {
                        let id = broker.id;
                        let channel = Channel::open(broker, office.context.clone(), &self.tasks);
                        office.channels.insert(id, channel);
                    }
                }
                Effect::RemoveBroker(id) => {
                    if let Some(office) = &mut self.office {
                        office.channels.remove(&id);
                    }
                }
                Effect::Send { broker, request } => {
                    match self.office.as_ref().and_then(|office| office.channels.get(&broker)) {
                        Some(channel) => {
                            state_change_log::telling(broker, &request);
                            channel.send(request);
                        }
                        None => error!(%broker, "a request to a broker without channel"),
                    }
                }
                Effect::Reply { request, reply } => {
                    if let Some(sender) = self.replies.remove(&request) {
                        // The asker may have gone.
                        let _ = sender.send(reply);
                    }
                }
                Effect::StartTimer { timer, delay_ms } => {
                    let delay = Duration::from_millis(u64::try_from(delay_ms).unwrap_or(0));
                    self.timer = Some((timer, Instant::now() + delay));
                }
                Effect::Active => info!("controller failover complete"),
                Effect::Resigned => ended = self.leave_office(),
                Effect::TriggerMove => {
                    if let Some(office) = ended.take() {
                        self.trigger_move(office).await;
                    }
                }
                Effect::Log(notice) => log(&notice),
            }
        }
    }

    /// Stops all of the term: channels, watches, the operation in hand, the timer.
    fn leave_office(&mut self) -> Option<Office> {
        self.active.store(false, Ordering::Release);
        self.operation = None;
        self.timer = None;
        let office = self.office.take()?;
        office.term.end();
        info!(epoch = %office.term.epoch, "resigned as controller");
        Some(office)
    }

    async fn trigger_move(&mut self, office: Office) {
        let broker = self.settings.machine.broker_id;
        warn!(epoch = %office.term.epoch, "cannot go on as controller, giving the office up");
        if let Err(error) = office.term.move_on(broker).await {
            warn!(%error, "the office could not be given up");
        }
        // Whatever made us give up may still be there: let another broker try.
        self.pause();
    }
}

fn log(notice: &Notice) {
    match notice {
        Notice::ElectionFailed { .. }
        | Notice::InvalidTransition { .. }
        | Notice::EventAbandoned { .. }
        | Notice::IsrRemovalFailed { .. }
        | Notice::ReassignmentFailed { .. } => error!("{notice}"),
        Notice::IncompatibleBroker(_) | Notice::BrokerRefuses(_) => warn!("{notice}"),
        Notice::BrokerAnswers(_) | Notice::DeletionWaits { .. } => info!("{notice}"),
    }
}
