//! The controller: one event in, a list of effects out.

use gregor_model::{Timestamp, TopicName};

use crate::config::ControllerConfig;
use crate::effect::Effect;
use crate::event::Event;

/// The controller of one broker, active or not (`KafkaController`).
#[derive(Debug)]
pub struct Controller {
    config: ControllerConfig,
}

impl Controller {
    /// A controller that is not active.
    pub fn new(config: ControllerConfig) -> Controller {
        Controller { config }
    }

    /// Takes an event in and says what to do.
    pub fn apply(&mut self, event: Event, now: Timestamp) -> Vec<Effect> {
        let _ = (event, now, &self.config);
        Vec::new()
    }

    /// Whether this broker is the controller (from [`Event::Elected`] until [`Effect::Resigned`]).
    pub fn is_active(&self) -> bool {
        false
    }

    /// How many events wait; the shell stops reading requests while there are many.
    pub fn queued(&self) -> usize {
        0
    }

    /// Whether the topic is queued for deletion (CreatePartitions answers INVALID_TOPIC_EXCEPTION then).
    pub fn is_queued_for_deletion(&self, topic: &TopicName) -> bool {
        let _ = topic;
        false
    }

    /// Whether any partition of the topic is being reassigned (CreatePartitions: REASSIGNMENT_IN_PROGRESS).
    pub fn is_being_reassigned(&self, topic: &TopicName) -> bool {
        let _ = topic;
        false
    }

    /// Takes over changed settings; they hold from the next event on.
    pub fn set_config(&mut self, config: ControllerConfig) {
        self.config = config;
    }
}
